"""Random sequences of what clients do, one for each seed: commands alone and pipelined,
transactions that meet, keys that expire, whole scans, plain-text commands, cut connections.
"""

from __future__ import annotations

import enum
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from arguments import KEYS, Arguments
from wire import Command, encode

CONNECTIONS = 4
# A batch that fits the buffers between two processes: it can be sent before a reply is read.
_BATCH_BYTES = 48 << 10


class Kind(enum.Enum):
    """How the replies to a step are compared."""

    ORDINARY = "ordinary"  # one reply to each of `answered`
    CLOSING = "closing"  # all that comes until the server closes the connection
    EXPIRING = "expiring"  # as ordinary; then the key's time to live is waited for
    SCANNING = "scanning"  # SCAN or HSCAN from start to end
    DRAWN = "drawn"  # as ordinary; the last reply is drawn from the one before


@dataclass(frozen=True)
class Step:
    """What one connection does at once; a failing sequence is cut down to fewer steps."""

    connection: int
    payload: bytes
    answered: tuple[Command, ...]
    kind: Kind = Kind.ORDINARY
    # Steps of one batch are sent before any reply is read.
    batch: int = 0
    cuts: tuple[int, ...] = field(default=())

    @property
    def joins(self) -> bool:
        return self.kind is Kind.ORDINARY


class Sequence:
    """The steps of one seed. `plain` leaves only commands with one reply each."""

    def __init__(self, seed: int, commands: int, plain: bool = False) -> None:
        self._rng = random.Random(seed)
        self._arguments = Arguments(self._rng)
        self._commands = commands
        self._plain = plain
        self._batch = 0

    def steps(self) -> Iterator[Step]:
        made = 0
        while made < self._commands:
            self._batch += 1
            for step in self._some():
                made += len(step.answered)
                yield step

    def _some(self) -> list[Step]:
        rng = self._rng
        connection = rng.randrange(CONNECTIONS)
        kind = rng.random()
        if kind < 0.06:
            return self._transaction(connection)
        if self._plain or kind < 0.88:
            return self._pipeline(connection, rng.choice((1, 1, 2, 3, 10, 40, 80)))
        special = rng.choice((
            self._expiring, self._scanning, self._drawn_key, self._drawn_field, self._silent,
            self._skipping, self._plain_text, self._nothing, self._closing, self._grown_hash,
            self._large,
        ))  # fmt: skip
        return [special(connection)]

    def _pipeline(self, connection: int, count: int) -> list[Step]:
        steps, size = [], 0
        for _ in range(count):
            step = self._step(connection, self._arguments.command())
            size += len(step.payload)
            if size > _BATCH_BYTES:
                break
            steps.append(step)
        return steps

    def _step(self, connection: int, command: Command) -> Step:
        """The command; what may leave a key that has expired already looks at it at once, because
        Redis counts such keys until it does."""
        commands = [command]
        if command[0].upper() in (b"SET", b"GETEX") and len(command) > 3:
            commands.append((b"EXISTS", command[1]))
        payload = b"".join([encode(each) for each in commands])
        return Step(
            connection, payload, tuple(commands), batch=self._batch, cuts=self._cuts(len(payload))
        )

    def _cuts(self, size: int) -> tuple[int, ...]:
        if self._rng.random() > 0.02:
            return ()
        if self._rng.random() < 0.1 and size < 200:
            return tuple(range(1, size))
        return tuple(sorted(self._rng.randrange(size) for _ in range(3)))

    def _transaction(self, connection: int) -> list[Step]:
        """WATCH here, perhaps a write there, MULTI and EXEC here."""
        rng, draw = self._rng, self._arguments
        steps = [self._step(connection, (b"WATCH", rng.choice(KEYS), rng.choice(KEYS)))]
        if rng.random() < 0.6:
            self._batch += 1
            steps += self._pipeline((connection + 1) % CONNECTIONS, rng.randrange(1, 5))
        self._batch += 1
        steps.append(self._step(connection, (b"MULTI",)))
        steps += self._pipeline(connection, rng.randrange(8))
        if rng.random() < 0.8:
            return steps + [self._step(connection, (b"EXEC",))]
        return steps

    def _of_commands(self, connection: int, kind: Kind, *commands: Command) -> Step:
        """A step outside of any transaction."""
        every = ((b"DISCARD",), *commands)
        payload = b"".join([encode(command) for command in every])
        return Step(connection, payload, every, kind, self._batch)

    def _expiring(self, connection: int) -> Step:
        key, time_ms = self._rng.choice(KEYS), b"%d" % self._rng.randint(1, 20)
        commands = [(b"PEXPIRE", key, time_ms), (b"SET", key, b"short", b"PX", time_ms)]
        return self._of_commands(connection, Kind.EXPIRING, self._rng.choice(commands))

    def _scanning(self, connection: int) -> Step:
        words = self._rng.choice((["SCAN", "[scan]"], ["HSCAN", "<hash>", "[hscan]"]))
        command = self._arguments.fill(words)
        command.insert(2 if command[0] == b"HSCAN" else 1, b"0")
        return self._of_commands(connection, Kind.SCANNING, tuple(command))

    def _drawn_key(self, connection: int) -> Step:
        return self._of_commands(connection, Kind.DRAWN, (b"KEYS", b"*"), (b"RANDOMKEY",))

    def _drawn_field(self, connection: int) -> Step:
        key = self._arguments.hash()
        draw = (b"HRANDFIELD", key, self._arguments.count())
        if self._rng.random() < 0.5:
            draw += (b"WITHVALUES",)
            return self._of_commands(connection, Kind.DRAWN, (b"HGETALL", key), draw)
        return self._of_commands(connection, Kind.DRAWN, (b"HKEYS", key), draw)

    def _silent(self, connection: int) -> Step:
        hidden = [self._write() for _ in range(3)]
        commands = [(b"DISCARD",), (b"CLIENT", b"REPLY", b"OFF"), *hidden,
                    (b"CLIENT", b"REPLY", b"ON")]  # fmt: skip
        payload = b"".join([encode(command) for command in commands])
        return Step(connection, payload, (commands[0], commands[-1]), batch=self._batch)

    def _skipping(self, connection: int) -> Step:
        commands = [(b"DISCARD",), (b"CLIENT", b"REPLY", b"SKIP"), self._write(), (b"PING",)]
        payload = b"".join([encode(command) for command in commands])
        return Step(connection, payload, (commands[0], commands[-1]), batch=self._batch)

    def _write(self) -> Command:
        words = self._rng.choice(("SET <key> <value>", "INCR <key>", "HSET <hash> <field-value>"))
        return tuple(self._arguments.fill(words.split()))

    def _plain_text(self, connection: int) -> Step:
        line, command = self._rng.choice((
            (b"PING\r\n", (b"PING",)),
            (b"  set k0   'single \\' quoted'\n", (b"set", b"k0", b"single ' quoted")),
            (b'SET k1 "\\x41\\n\\"b"\r\n', (b"SET", b"k1", b'A\n"b')),
            (b"GET k1\r\n", (b"GET", b"k1")),
            (b"GET \"\"\r\n", (b"GET", b"")),
            (b"nosuch command\r\n", (b"nosuch", b"command")),
        ))  # fmt: skip
        return Step(connection, line, (command,), batch=self._batch, cuts=self._cuts(len(line)))

    def _nothing(self, connection: int) -> Step:
        empty = self._rng.choice((b"\r\n", b"*0\r\n", b"*-1\r\n", b"\n", b"   \r\n"))
        payload = empty + encode((b"PING",))
        return Step(connection, payload, ((b"PING",),), batch=self._batch)

    def _closing(self, connection: int) -> Step:
        end = self._rng.choice((
            encode((b"QUIT",)), b"quit\r\n", b"*1\r\n+PING\r\n", b"*1\r\n$abc\r\n",
            b"*1\r\n$-1\r\n", b"*abc\r\n", b"*2147483648\r\n",
            b"*1\r\n$536870913\r\n", b"*1\r\n$99999999999999999999\r\n", b"SET \"unbalanced\r\n",
            b"SET 'a'b\r\n", b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n:5\r\n",
        ))  # fmt: skip
        before = self._arguments.command() if self._rng.random() < 0.5 else (b"PING",)
        if before[0].upper() not in (b"SET", b"GET", b"HSET", b"INCR", b"DEL") or len(before) > 3:
            before = (b"PING",)
        discard = encode((b"DISCARD",))
        return Step(connection, discard + encode(before) + end, (), Kind.CLOSING, self._batch)

    def _large(self, connection: int) -> Step:
        """Values that no buffer holds whole, sent in pieces."""
        key, row = self._arguments.key(), self._arguments.hash()
        value = self._rng.randbytes(self._rng.randrange(20_000, 400_000))
        step = self._of_commands(
            connection, Kind.ORDINARY,
            (b"SET", key, value), (b"APPEND", key, b"end"), (b"GETRANGE", key, b"-5", b"-1"),
            (b"GET", key), (b"HSET", row, b"large", value), (b"HGET", row, b"large"),
            (b"DEL", key), (b"HDEL", row, b"large"),
        )  # fmt: skip
        cuts = sorted(self._rng.randrange(len(step.payload)) for _ in range(10))
        return replace(step, cuts=tuple(cuts))

    def _grown_hash(self, connection: int) -> Step:
        """A hash of many fields, which Redis keeps in another form than small ones."""
        key = self._arguments.hash()
        pairs = [word for n in range(150) for word in (b"many%d" % n, b"%d" % (n * n))]
        return Step(
            connection, encode((b"HSET", key, *pairs)), ((b"HSET", key, *pairs),),
            batch=self._batch,
        )  # fmt: skip
