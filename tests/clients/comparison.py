"""Plays the steps of a sequence on two servers and compares what they reply."""

from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Sequence as List

from canonical import agree, drawn_from, whole_scan
from sequences import CONNECTIONS, Kind, Step
from wire import Command, Connection, Reply, WireError, encode, parse

EXPIRY_SECONDS = 10.0
QUEUED = b"+QUEUED\r\n"
NAMES = ("redis-server", "server under test")

Address = int | str
Addresses = List[Address]
Revive = Callable[[], None]


class Difference(Exception):
    """Two replies, or what came instead of one, to the same command."""

    def __init__(self, command: Command, theirs: bytes | str, ours: bytes | str) -> None:
        super().__init__(command)
        self.command = command
        self.replies = (theirs, ours)

    def told(self) -> str:
        lines = [f"the replies to {shown(self.command)} differ"]
        for name, reply in zip(NAMES, self.replies):
            lines.append(f"  {name}: {reply if isinstance(reply, str) else shown_bytes(reply)}")
        return "\n".join(lines)


def shown_bytes(data: bytes, limit: int = 2000) -> str:
    text = repr(data[:limit])[1:]
    return text if len(data) <= limit else f"{text}... ({len(data)} bytes)"


def shown(command: Command) -> str:
    return " ".join(
        word.decode() if word.isalnum() and len(word) < 80 else shown_bytes(word, 80)
        for word in command
    )


class Side:
    """One of the two servers: its connections, and one more that only watches."""

    def __init__(self, addresses: Addresses, revive: Revive) -> None:
        """`addresses` are those of the server; the connections take them in turn. `revive` starts
        it again if it has ended."""
        self._addresses = addresses
        self._revive = revive
        self.connections: list[Connection] = []
        self.control = Connection(addresses[0])

    def begin(self) -> None:
        """An empty server and new connections, every other one of them in RESP3."""
        self.close()
        self._revive()
        self.control = Connection(self._addresses[0])
        self.control.ask(b"FLUSHALL")
        self.connections = [self._open(number) for number in range(CONNECTIONS)]

    def reopen(self, number: int) -> None:
        self.connections[number].close()
        self.connections[number] = self._open(number)

    def close_connections(self) -> None:
        for connection in self.connections:
            connection.close()
        self.connections = []

    def close(self) -> None:
        self.close_connections()
        self.control.close()

    def wait_expired(self, key: bytes) -> None:
        """Until no short time to live of `key` is left."""
        deadline = time.monotonic() + EXPIRY_SECONDS
        while True:
            reply = self.control.ask(b"PTTL", key)
            if reply.kind == ":" and not 0 <= int(reply.value) <= 1000:
                return
            if time.monotonic() > deadline:
                raise WireError(f"the time to live of {key!r} does not end: {reply}")

    def _open(self, number: int) -> Connection:
        connection = Connection(self._addresses[number // 2 % len(self._addresses)])
        if number % 2:
            connection.ask(b"HELLO", b"3")
        return connection


class Queue:
    """The commands a connection has in its transaction, as the replies of Redis tell it."""

    def __init__(self) -> None:
        self.commands: list[Command] | None = None

    def executed(self, command: Command, reply: bytes) -> list[Command] | None:
        """Notes a command with its reply; the commands of a transaction it executed."""
        name = command[0].upper()
        if self.commands is None:
            if name == b"MULTI" and reply == b"+OK\r\n":
                self.commands = []
        elif reply == QUEUED:
            self.commands.append(command)
        elif name == b"EXEC" and not reply.startswith(b"-ERR"):
            done, self.commands = self.commands, None
            return done if reply[:1] == b"*" and not reply.startswith(b"*-1") else None
        elif (name, reply) in ((b"DISCARD", b"+OK\r\n"), (b"RESET", b"+RESET\r\n")):
            self.commands = None
        return None


class Comparison:
    """Plays steps on both servers. Raises Difference."""

    def __init__(
        self, theirs: Addresses, ours: Addresses, revive: Revive = lambda: None
    ) -> None:
        """`revive` starts the server under test again if it has ended."""
        self._sides = (Side(theirs, lambda: None), Side(ours, revive))
        self._queues: list[Queue] = []

    def close(self) -> None:
        for side in self._sides:
            side.close()

    def begin(self) -> None:
        for side in self._sides:
            side.begin()
        self._queues = [Queue() for _ in range(CONNECTIONS)]

    def play_batch(self, steps: List[Step]) -> None:
        step = steps[0]
        if step.kind is Kind.SCANNING:
            self._play_scan(step)
        elif step.kind is Kind.CLOSING:
            self._play_closing(step)
        else:
            replies = self._play_ordinary(steps)
            if step.kind is Kind.DRAWN:
                self._check_drawn(step, replies)
            elif step.kind is Kind.EXPIRING:
                self._wait_expired(step)

    def _play_ordinary(self, steps: List[Step]) -> tuple[list[bytes], list[bytes]]:
        number = steps[0].connection
        payload = b"".join([step.payload for step in steps])
        answered = [command for step in steps for command in step.answered]
        cuts = _cuts(steps)
        for side in self._sides:
            self._send(side.connections[number], payload, cuts)
        theirs = self._sides[0].connections[number]
        replies = theirs.replies(len(answered))
        if theirs.unread:
            raise Difference(answered[-1], bytes(theirs.unread), "(not read yet)")
        other = self._replies_of_ours(number, answered, replies)
        queued = self._queues[number].commands is not None
        if replies is not other or queued or _has_multi(answered):
            for command, their_reply, our_reply in zip(answered, replies, other):
                self._compare(number, command, their_reply, our_reply)
        return replies, other

    def _send(self, connection: Connection, payload: bytes, cuts: List[int]) -> None:
        try:
            connection.send(payload, cuts)
        except WireError:
            pass  # That the connection is closed is seen, and told, where the replies are missing.

    def _replies_of_ours(
        self, number: int, answered: list[Command], theirs: list[bytes]
    ) -> list[bytes]:
        ours = self._sides[1].connections[number]
        try:
            if ours.matches(b"".join(theirs)):
                return theirs
            replies = ours.replies(len(answered))
        except WireError as error:
            for command, their_reply, our_reply in zip(answered, theirs, error.replies):
                self._compare(number, command, their_reply, our_reply)
            at = len(error.replies)
            raise Difference(answered[at], theirs[at], f"({error})") from None
        if ours.unread:
            raise Difference(answered[-1], "(no more replies)", bytes(ours.unread))
        return replies

    def _compare(self, number: int, command: Command, theirs: bytes, ours: bytes) -> None:
        executed = self._queues[number].executed(command, theirs)
        if theirs == ours:
            return
        their_reply, our_reply = parse(theirs), parse(ours)
        if executed is None:
            if not agree(command, our_reply, their_reply):
                raise Difference(command, theirs, ours)
            return
        if our_reply.kind != "*" or len(our_reply.value or ()) != len(executed):
            raise Difference(command, theirs, ours)
        for queued, their_part, our_part in zip(executed, their_reply.value, our_reply.value):
            if not agree(queued, our_part, their_part):
                raise Difference(queued, f"in EXEC: {their_part}", f"in EXEC: {our_part}")

    def _check_drawn(self, step: Step, replies: tuple[list[bytes], list[bytes]]) -> None:
        for of_side in replies:
            source, drawn = parse(of_side[-2]), parse(of_side[-1])
            if not drawn_from(source, drawn, step.answered[-1]):
                raise Difference(step.answered[-1], *(f"{side[-1]!r}" for side in replies))

    def _wait_expired(self, step: Step) -> None:
        key = step.answered[-1][1]
        for side in self._sides:
            try:
                side.wait_expired(key)
            except WireError as error:
                raise Difference(step.answered[-1], "(its key expires)", f"({error})") from None

    def _play_closing(self, step: Step) -> None:
        ends: list[bytes | str] = []
        for side in self._sides:
            connection = side.connections[step.connection]
            try:
                connection.send(step.payload, step.cuts)
                ends.append(connection.to_the_end())
            except WireError as error:
                ends.append(f"({error})")
            side.reopen(step.connection)
        self._queues[step.connection] = Queue()
        if ends[0] != ends[1]:
            raise Difference((step.payload,), ends[0], ends[1])

    def _play_scan(self, step: Step) -> None:
        self._play_ordinary([Step(step.connection, encode(step.answered[0]), step.answered[:1])])
        command = step.answered[1]
        try:
            found = [_scan(side.connections[step.connection], command) for side in self._sides]
        except WireError as error:
            raise Difference(command, "(a scan)", f"({error})") from None
        if isinstance(found[0], bytes) or isinstance(found[1], bytes):
            same = found[0] == found[1]
        else:
            same = whole_scan(command, found[0]) == whole_scan(command, found[1])
        if not same:
            raise Difference(command, *(f"{each}" for each in found))


def compare_keyspaces(theirs: Connection, ours: Connection) -> None:
    """Compares all keys of two servers, with values and times of expiry. Raises Difference."""
    names = _compare_reply(theirs, ours, (b"KEYS", b"*"))
    for name in sorted(part.value for part in names.value):
        kind = _compare_reply(theirs, ours, (b"TYPE", name)).value
        read = b"HGETALL" if kind == b"hash" else b"GET"
        _compare_reply(theirs, ours, (read, name))
        _compare_reply(theirs, ours, (b"PEXPIRETIME", name))


def _compare_reply(theirs: Connection, ours: Connection, command: Command) -> Reply:
    their_reply, our_reply = (connection.ask(*command) for connection in (theirs, ours))
    if not agree(command, our_reply, their_reply):
        raise Difference(command, f"{their_reply}", f"{our_reply}")
    return their_reply


def _scan(connection: Connection, command: Command) -> list[Reply] | bytes:
    """All elements of a scan from start to end, or the error it ends with."""
    at = 2 if command[0] == b"HSCAN" else 1
    cursor, elements = b"0", []
    for _ in range(100_000):
        connection.send(encode((*command[:at], cursor, *command[at + 1 :])))
        data = connection.replies(1)[0]
        reply = parse(data)
        if reply.is_error:
            return data
        cursor = reply.value[0].value
        elements += reply.value[1].value
        if cursor == b"0":
            return elements
    raise Difference(command, "(ends)", "(a scan without an end)")


def _cuts(steps: List[Step]) -> list[int]:
    cuts, start = [], 0
    for step in steps:
        cuts += [start + cut for cut in step.cuts]
        start += len(step.payload)
    return cuts


def _has_multi(commands: List[Command]) -> bool:
    return any(command[0].upper() == b"MULTI" for command in commands)
