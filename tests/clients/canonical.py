"""The replies that need not be the same byte for byte, each with its canonical form and the reason.

This is the whole list: a command that is not in RULES is compared byte for byte. A form says what
is left of a reply when everything is taken away that may differ; two replies agree when their forms
do.
Errors are compared byte for byte whatever the command, but for the one at the end.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from commands import SUPPORTED
from wire import Command, Reply

# What is left of a reply; compared with ==.
Form = Any
# Two servers read their clocks one after the other, on a machine with other work.
CLOCK_SECONDS = 5


class Near(NamedTuple):
    """A time: equal to any other that is not further away than `slack`."""

    time: int
    slack: int

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Near):
            return False
        if self.time < 0 or other.time < 0:
            return self.time == other.time
        return abs(self.time - other.time) <= self.slack

    __hash__ = None  # type: ignore[assignment]


def exactly(_: Command, reply: Reply) -> Form:
    return reply


def unordered(_: Command, reply: Reply) -> Form:
    return reply.kind, sorted(reply.value or [], key=repr)


def pairs_of(reply: Reply) -> list[tuple[Reply, Reply]]:
    """A map, or an array where pairs stand one after the other, or (RESP3) are arrays of two."""
    parts = reply.value or []
    if parts and all(part.kind == "*" for part in parts):
        return [tuple(part.value) for part in parts]
    return list(zip(parts[::2], parts[1::2]))


def unordered_pairs(_: Command, reply: Reply) -> Form:
    return reply.kind, sorted(pairs_of(reply), key=repr)


def kind_only(_: Command, reply: Reply) -> Form:
    return reply.kind, reply.value is None


def size_and_kinds(_: Command, reply: Reply) -> Form:
    if isinstance(reply.value, list):
        return reply.kind, [size_and_kinds(_, part) for part in reply.value]
    return kind_only(_, reply)


def cursor_page(_: Command, reply: Reply) -> Form:
    cursor, page = reply.value
    kinds = {part.kind for part in page.value}
    return cursor.kind, cursor.value.isdigit(), page.kind, kinds <= {"$"}


def near_seconds(_: Command, reply: Reply) -> Form:
    return reply.kind, Near(int(reply.value), CLOCK_SECONDS)


def near_milliseconds(_: Command, reply: Reply) -> Form:
    return reply.kind, Near(int(reply.value), CLOCK_SECONDS * 1000)


def encoding_family(_: Command, reply: Reply) -> Form:
    families = {b"int": "string", b"embstr": "string", b"raw": "string",
                b"listpack": "hash", b"hashtable": "hash"}  # fmt: skip
    return reply.kind, families.get(reply.value, reply.value)


def hello_form(_: Command, reply: Reply) -> Form:
    fields = {key.value: value for key, value in pairs_of_map(reply)}
    return reply.kind, sorted(fields), [fields.get(name) for name in (b"proto", b"mode", b"role")]


def pairs_of_map(reply: Reply) -> list[tuple[Reply, Reply]]:
    return list(zip(reply.value[::2], reply.value[1::2]))


def client_fields(_: Command, reply: Reply) -> Form:
    """The fields that programs read are there, and what a client chose itself is told."""
    values = dict(re.findall(rb"(\w+(?:-\w+)*)=(\S*)", reply.value.splitlines()[0]))
    named = {b"id", b"addr", b"laddr", b"fd", b"name", b"age", b"idle", b"flags", b"db", b"cmd"}
    told = [values.get(name) for name in (b"name", b"db", b"resp")]
    return reply.kind, named - set(values), told


def client_lines(_: Command, reply: Reply) -> Form:
    lines = [line for line in reply.value.splitlines() if not line.startswith(b"txt:")]
    complete = all(re.search(rb"id=\d+ addr=\S+ .*name=\S* .*cmd=", line) for line in lines)
    return reply.kind, bool(lines), complete


def shared_settings(_: Command, reply: Reply) -> Form:
    """The settings every client may ask for are there; their values are the server's own."""
    shared = {b"save", b"appendonly", b"maxmemory"}
    return reply.kind, shared & {key.value for key, _ in pairs_of_map(reply)}


def command_entry(entry: Reply) -> Form:
    if not entry.value:
        return None
    name, arity, flags, first, last, step = entry.value[:6]
    shared_flags = {flag.value for flag in flags.value} & {b"write", b"readonly"}
    return name, arity, flags.kind, sorted(shared_flags), first, last, step


def command_entries(command: Command, reply: Reply) -> Form:
    """Asked by name: each in its place; asked for all: those that Cirein supports."""
    entries = [command_entry(entry) for entry in reply.value]
    if len(command) > 2:
        return reply.kind, entries
    known = [entry for entry in entries if entry and entry[0].value in SUPPORTED]
    return reply.kind, sorted(known, key=repr)


def supported_names(_: Command, reply: Reply) -> Form:
    return reply.kind, sorted({part.value for part in reply.value} & SUPPORTED)


def documented_names(_: Command, reply: Reply) -> Form:
    return reply.kind, sorted({key.value for key, _ in pairs_of_map(reply)} & SUPPORTED)


class Rule(NamedTuple):
    form: Callable[[Command, Reply], Form]
    reason: str


HELP = Rule(kind_only, "help is the server's own text")
# By name, or by name and first word for commands of two words.
RULES: dict[bytes, Rule] = {
    b"KEYS": Rule(unordered, "a set: the order of keys is not defined"),
    b"HKEYS": Rule(unordered, "a set: the order of fields is not defined"),
    b"HVALS": Rule(unordered, "a set of fields: their order is not defined"),
    b"HGETALL": Rule(unordered_pairs, "a set of fields: their order is not defined"),
    b"SCAN": Rule(cursor_page, "cursors are private; whole scans are compared as sets"),
    b"HSCAN": Rule(cursor_page, "cursors are private; whole scans are compared as sets"),
    b"RANDOMKEY": Rule(kind_only, "random; that the key exists is checked"),
    b"HRANDFIELD": Rule(size_and_kinds, "random; that the fields exist is checked"),
    b"TTL": Rule(near_seconds, "tells the time"),
    b"PTTL": Rule(near_milliseconds, "tells the time"),
    b"EXPIRETIME": Rule(near_seconds, "set by a time to live, it depends on when"),
    b"PEXPIRETIME": Rule(near_milliseconds, "set by a time to live, it depends on when"),
    b"TIME": Rule(size_and_kinds, "tells the time"),
    b"OBJECT ENCODING": Rule(encoding_family, "how a value is kept is private; its type is not"),
    b"OBJECT REFCOUNT": Rule(kind_only, "how a value is kept is private"),
    b"OBJECT IDLETIME": Rule(kind_only, "tells the time"),
    b"OBJECT HELP": HELP,
    b"MEMORY USAGE": Rule(kind_only, "how a value is kept is private"),
    b"MEMORY HELP": HELP,
    b"HELLO": Rule(hello_form, "name, version and number of the connection are the server's own"),
    b"CLIENT ID": Rule(kind_only, "the server's own number"),
    b"CLIENT INFO": Rule(client_fields, "addresses and times; later fields differ by version"),
    b"CLIENT LIST": Rule(client_lines, "addresses and times; closed connections may linger"),
    b"CLIENT HELP": HELP,
    b"COMMAND": Rule(command_entries, "Cirein has fewer commands; their hints are private"),
    b"COMMAND INFO": Rule(command_entries, "key specifications and hints are private"),
    b"COMMAND COUNT": Rule(kind_only, "Cirein has fewer commands, and some of its own"),
    b"COMMAND DOCS": Rule(documented_names, "the server's own text"),
    b"COMMAND LIST": Rule(supported_names, "Cirein has fewer commands, and some of its own"),
    b"COMMAND HELP": HELP,
    b"INFO": Rule(kind_only, "the server's own text; what clients read of it is tested with them"),
    b"CONFIG GET": Rule(shared_settings, "Cirein has settings of its own"),
    b"CONFIG HELP": HELP,
    b"SLOWLOG GET": Rule(kind_only, "tells the time"),
    b"SLOWLOG LEN": Rule(kind_only, "what is slow depends on the machine"),
    b"SLOWLOG HELP": HELP,
}

_UNKNOWN = re.compile(rb"ERR unknown command '[^\n]*?', with args beginning with: ", re.DOTALL)


def rule_of(command: Command) -> Rule | None:
    name = command[0].upper()
    if len(command) > 1:
        rule = RULES.get(name + b" " + command[1].upper())
        if rule is not None:
            return rule
    return RULES.get(name)


def form_of(command: Command, reply: Reply) -> Form:
    if reply.is_error:
        # To an unknown command Cirein adds where its documentation tells what there is.
        unknown = _UNKNOWN.match(reply.value)
        return ("unknown command", unknown.group()) if unknown else reply
    rule = rule_of(command)
    return reply if rule is None else rule.form(command, reply)


def agree(command: Command, ours: Reply, theirs: Reply) -> bool:
    """Whether two replies to one command are the same but for what may differ."""
    if ours == theirs:
        return True
    try:
        return bool(form_of(command, ours) == form_of(command, theirs))
    except (ValueError, TypeError, IndexError, AttributeError):
        return False  # A reply that its form cannot even be taken of.


def whole_scan(command: Command, elements: list[Reply]) -> Form:
    """What a scan from start to end has found; it may tell an element more than once."""
    if command[0].upper() == b"HSCAN":
        return sorted(set(zip((e.value for e in elements[::2]), (e.value for e in elements[1::2]))))
    return sorted({element.value for element in elements})


def drawn_from(source: Reply, drawn: Reply, draw: Command) -> bool:
    """Whether what RANDOMKEY or HRANDFIELD chose was there to be chosen, and chosen as often as may
    be."""
    if source.is_error or drawn.is_error:
        return True
    if len(draw) == 4:
        there = {(key.value, value.value) for key, value in pairs_of_map(source)}
        chosen = [(key.value, value.value) for key, value in pairs_of(drawn)]
    else:
        there = {part.value for part in source.value}
        parts = drawn.value if isinstance(drawn.value, list) else [drawn]
        chosen = [part.value for part in parts if part.value is not None]
    if not there:
        return not chosen
    if len(draw) < 3:
        return len(chosen) == 1 and chosen[0] in there
    wanted = int(draw[2])
    if wanted >= 0 and (len(set(chosen)) != len(chosen) or len(chosen) != min(wanted, len(there))):
        return False
    return set(chosen) <= there and (wanted >= 0 or len(chosen) == -wanted)
