"""Draws the words of commands (see commands.py): ordinary ones, and odd ones.

Nothing expires by itself while a sequence runs, or two servers would differ by chance: times to
live are past or longer than any run, and no two are alike.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from commands import OPTIONS, TEMPLATES, UNCHANGED
from wire import Command

# Few, so that commands meet on them. Commands of strings and of hashes prefer keys of their own, or
# every other reply would be WRONGTYPE.
HASHES = [b"h%d" % number for number in range(4)] + [b"{tag}h"]
STRINGS = [b"k%d" % number for number in range(6)] + [
    b"\x00\xff\r\n", b"{tag}a", b"k" * 300, b"K0",
]  # fmt: skip
KEYS = STRINGS + HASHES
FIELDS = [b"f%d" % number for number in range(4)] + [b"", b"\r\n\x00", b"1", b"f" * 100]
ODD = [
    b"", b"-1", b"0", b"1", b"-0", b"+1", b"01", b" 1", b"1 ", b"1.5", b"abc", b"\x00", b"*",
    b"9223372036854775807", b"9223372036854775808", b"-9223372036854775808",
    b"-9223372036854775809", b"18446744073709551616", b"4294967296", b"2147483648", b"1e5", b"nan",
    b"inf", b"-inf", b"Infinity", b"0x10", b"3.0e400", b"5e-324", b"1" * 30, b"9" * 400,
    b"NX", b"XX", b"GT", b"LT", b"GET", b"EX", b"PX", b"EXAT", b"PXAT", b"KEEPTTL", b"PERSIST",
    b"MATCH", b"COUNT", b"TYPE", b"REPLACE", b"DB", b"LEN", b"IDX", b"MINMATCHLEN", b"WITHVALUES",
    b"SAMPLES", b"ASYNC",
]  # fmt: skip
HUGE = [b"9223372036854775807", b"-9223372036854775808", b"4611686018427387904", b"9999999999999"]
SETTINGS = [b"save", b"appendonly", b"maxmemory", b"*", b"no-such-setting", b"max*"]
SECTIONS = [b"server", b"clients", b"memory", b"keyspace", b"everything", b"none", b"all"]
PATTERNS = [
    b"*", b"k?", b"h?", b"k[0-3]", b"k[^0-3]", b"[", b"\\*", b"", b"{tag}*", b"*0", b"f*", b"??",
]  # fmt: skip
NAMES = [b"one", b"two", b"", b"with space", b"with\nnewline", b"x" * 60]
COMMANDS = [b"get", b"SET", b"hset", b"mget", b"del", b"client|id", b"expire", b"no-such-command"]

Draw = Callable[["Arguments"], list[bytes]]
_PLACEHOLDER = re.compile(r"^(?:<([a-z-]+)>(\+?)|\[([a-z]+)\])$")


class Arguments:
    """A stream of commands that one random generator decides."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self._weights = [weight for weight, _ in TEMPLATES]
        self._total = list(_running_sums(self._weights))
        self._templates = [template.split() for _, template in TEMPLATES]

    def command(self) -> Command:
        """Any command; one in eight is odd."""
        while True:
            words = self.rng.choices(self._templates, cum_weights=self._total)[0]
            command = self.fill(words)
            if self.rng.random() < 0.12 and command[0] not in UNCHANGED:
                command = self._odd(command)
            if self.rng.random() < 0.08:
                command = self._other_case(command)
            if _is_harmless(command):
                return tuple(command)

    def fill(self, words: list[str]) -> list[bytes]:
        filled: list[bytes] = []
        for word in words:
            match = _PLACEHOLDER.match(word)
            if not match:
                filled.append(word.encode())
            elif match.group(3):
                filled += self._options(match.group(3))
            else:
                times = self.rng.choice((1, 1, 2, 3, 5)) if match.group(2) else 1
                for _ in range(times):
                    filled += _DRAWS[match.group(1)](self)
        return filled

    def _options(self, name: str) -> list[bytes]:
        count = self.rng.choice((0, 0, 0, 1, 1, 2, 3))
        chosen = [self.rng.choice(OPTIONS[name]) for _ in range(count)]
        return [word for option in chosen for word in self.fill(option.split())]

    def _odd(self, command: list[bytes]) -> list[bytes]:
        """The command with something wrong: a word lost, added, replaced, repeated or moved."""
        rng, words = self.rng, list(command)
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            at = rng.randrange(1, len(words)) if len(words) > 1 else 1
            change = rng.randrange(6)
            if change == 0 and at < len(words):
                del words[at]
            elif change == 1:
                words.insert(at, rng.choice(ODD))
            elif change in (2, 3) and at < len(words):
                words[at] = rng.choice(ODD)
            elif change == 4 and at < len(words):
                words.append(words[at])
            elif at < len(words):
                other = rng.randrange(1, len(words))
                words[at], words[other] = words[other], words[at]
        if rng.random() < 0.03:
            words[0] = rng.choice((b"", b"NOSUCH", words[0] + b"X", b"\r\n", b"'quoted'"))
        return words

    def _other_case(self, command: list[bytes]) -> list[bytes]:
        change = self.rng.choice((bytes.lower, bytes.capitalize, bytes.swapcase))
        return [change(command[0])] + [
            change(word) if word in _CASED else word for word in command[1:]
        ]

    def key(self) -> bytes:
        return self.rng.choice(STRINGS if self.rng.random() < 0.85 else HASHES)

    def hash(self) -> bytes:
        return self.rng.choice(HASHES if self.rng.random() < 0.85 else STRINGS)

    def value(self) -> bytes:
        rng = self.rng
        kind = rng.randrange(20)
        if kind < 8:
            return b"%d" % rng.randint(-1000, 1000)
        if kind < 10:
            return repr(rng.choice((0.1, 3.0, 1e20, -2.5, rng.uniform(-1e6, 1e6)))).encode()
        if kind < 11:
            return rng.choice(HUGE)
        if kind < 12:
            return b""
        if kind < 15:
            return rng.randbytes(rng.randrange(64))
        if kind < 19 or rng.random() < 0.9:
            return b"text " * rng.randrange(12)
        return b"large value " * rng.randrange(700)

    def integer(self) -> bytes:
        if self.rng.random() < 0.15:
            return self.rng.choice(HUGE)
        return b"%d" % self.rng.randint(-100, 100)

    def float(self) -> bytes:
        rng = self.rng
        return rng.choice((
            b"%d" % rng.randint(-10, 10), b"0.1", b"-1.5", b"1e10", b"3.0e-5", b"1e300", b"1e18",
            repr(rng.uniform(-100, 100)).encode(),
        ))  # fmt: skip

    def index(self) -> bytes:
        if self.rng.random() < 0.1:
            return self.rng.choice(HUGE)
        return b"%d" % self.rng.randint(-30, 30)

    def offset(self) -> bytes:
        return b"%d" % self.rng.choice((0, 1, 5, 20, 300, -1, 536870912, 1 << 40))

    def seconds(self) -> bytes:
        """From a day to thirty years, or past, or out of range."""
        if self.rng.random() < 0.15:
            return self.rng.choice((b"0", b"-1", b"-1000000", b"9223372036854775807"))
        return b"%d" % self.rng.randint(100_000, 1_000_000_000)

    def milliseconds(self) -> bytes:
        if self.rng.random() < 0.15:
            return self.rng.choice((b"0", b"-1", b"9223372036854775807", b"-9223372036854775808"))
        return b"%d" % self.rng.randint(100_000_000, 1_000_000_000_000)

    def unix_seconds(self) -> bytes:
        """Long past, far in the future, or out of range."""
        if self.rng.random() < 0.25:
            return self.rng.choice((b"0", b"1", b"-5", b"1000000000", b"9223372036854775807"))
        return b"%d" % self.rng.randint(4_000_000_000, 5_000_000_000)

    def unix_milliseconds(self) -> bytes:
        if self.rng.random() < 0.25:
            return self.rng.choice((b"0", b"1", b"-5", b"1000000000000", b"-9223372036854775808"))
        return b"%d" % self.rng.randint(4_000_000_000_000, 5_000_000_000_000)

    def count(self) -> bytes:
        return b"%d" % self.rng.choice((0, 1, 2, 3, 10, 1000, -1, -3, -10))


def _running_sums(weights: list[float]) -> list[float]:
    sums, total = [], 0.0
    for weight in weights:
        total += weight
        sums.append(total)
    return sums


def _one_of(*words: bytes) -> Draw:
    return lambda draw: [draw.rng.choice(words)]


_DRAWS: dict[str, Draw] = {
    "key": lambda draw: [draw.key()],
    "hash": lambda draw: [draw.hash()],
    "any": lambda draw: [draw.rng.choice(KEYS)],
    "field": lambda draw: [draw.rng.choice(FIELDS)],
    "value": lambda draw: [draw.value()],
    "key-value": lambda draw: [draw.key(), draw.value()],
    "field-value": lambda draw: [draw.rng.choice(FIELDS), draw.value()],
    "integer": lambda draw: [draw.integer()],
    "float": lambda draw: [draw.float()],
    "index": lambda draw: [draw.index()],
    "offset": lambda draw: [draw.offset()],
    "seconds": lambda draw: [draw.seconds()],
    "milliseconds": lambda draw: [draw.milliseconds()],
    "unix-seconds": lambda draw: [draw.unix_seconds()],
    "unix-milliseconds": lambda draw: [draw.unix_milliseconds()],
    "count": lambda draw: [draw.count()],
    "small": lambda draw: [b"%d" % draw.rng.randint(0, 20)],
    "pattern": _one_of(*PATTERNS),
    "cursor": _one_of(b"0", b"0", b"0", b"abc", b"-1", b"18446744073709551616", b""),
    "database": _one_of(b"0", b"0", b"0", b"1", b"-1", b"abc"),
    "name": _one_of(*NAMES),
    "on-off": _one_of(b"on", b"off", b"ON", b"maybe"),
    "section": _one_of(*SECTIONS),
    "setting": _one_of(*SETTINGS),
    "command": _one_of(*COMMANDS),
    "command-pattern": _one_of(b"h*", b"get", b"*", b"no*"),
}

# Words whose case must not matter.
_CASED = {word for word in ODD if word.isalpha() and word.isupper()} | {
    word.encode()
    for template in (*(text for _, text in TEMPLATES), *sum(OPTIONS.values(), ()))
    for word in template.split()
    if word.isupper()
}


def _integer_of(word: bytes) -> int | None:
    return int(word) if re.fullmatch(rb"-?[0-9]{1,25}", word) else None


# Where any word may be a key; elsewhere the first one may.
_ALL_ARE_KEYS = frozenset(
    b"DEL UNLINK EXISTS TOUCH MGET MSET MSETNX RENAME RENAMENX COPY LCS WATCH OBJECT MEMORY".split()
)


def _is_harmless(command: list[bytes]) -> bool:
    """False for what would make a time to live that ends during the run, or be alike by chance, or
    fill memory, or be the empty key, which Cirein refuses (docs/redis.md): all that chance may make
    of the words."""
    name = command[0].upper()
    if b"" in (command[1:] if name in _ALL_ARE_KEYS else command[1:2]):
        return False
    numbers = [_integer_of(word) for word in command]
    if name == b"HRANDFIELD":
        return not any(n is not None and -(1 << 63) < n < -1000 for n in numbers)
    if name == b"SETRANGE":
        return not any(n is not None and 5000 < n < 536_870_912 for n in numbers[2:3])
    return all(_time_is_safe(unit, number) for unit, number in _times(name, command, numbers))


def _times(
    name: bytes, command: list[bytes], numbers: list[int | None]
) -> list[tuple[bytes, int]]:
    """The times to live among the words, each with the option that says its unit."""
    units = {b"EXPIRE": b"EX", b"SETEX": b"EX", b"PEXPIRE": b"PX", b"PSETEX": b"PX",
             b"EXPIREAT": b"EXAT", b"PEXPIREAT": b"PXAT"}  # fmt: skip
    if name in units:
        number = numbers[2] if len(numbers) > 2 else None
        return [] if number is None else [(units[name], number)]
    if name not in (b"SET", b"GETEX"):
        return []
    pairs = zip(command[1:], numbers[2:])
    return [(word.upper(), number) for word, number in pairs if number is not None]


def _time_is_safe(unit: bytes, number: int) -> bool:
    shortest = {b"EX": 100_000, b"PX": 100_000_000, b"EXAT": 4 * 10**9, b"PXAT": 4 * 10**12}
    if unit not in shortest or number <= 0 or number >= 1 << 62:
        return True
    if unit in (b"EXAT", b"PXAT") and number <= shortest[unit] // 4:
        return True
    return number >= shortest[unit] and b"%d" % number not in ODD
