"""Clients for the kill test: each writes what it can check, and knows what it was told.

`step` is called again and again until the connection breaks. What was in flight then has an unknown
outcome: done once, or not at all. `check` reads everything back after a restart and fails on what
was acknowledged and is not there, on what is half done, and on what was done twice.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable
from typing import Any, NamedTuple

import redis

from expiry import ABSENT, COMMANDS, Interval, Lease, outcomes, wall_ms

KEYS = 8
FIELDS = (b"first", b"second", b"")
ACCOUNTS = 6
START_BALANCE = 1000


class Lost(Exception):
    """What the server has is not what it acknowledged."""


def expect(holds: bool, message: str) -> None:
    if not holds:
        raise Lost(message)


def short(value: object) -> str:
    """Values are unique by how they begin."""
    text = repr(value)
    return text if len(text) < 100 else f"{text[:60]}... ({len(text)} characters)"


def shorts(values: Iterable[object]) -> str:
    return ", ".join(short(value) for value in values)


def number(value: Any) -> int:
    return int(value or 0)


class Worker:
    """One client. `name` makes its keys its own; `acknowledged` counts the answers to writes."""

    def __init__(self, name: str, rng: random.Random) -> None:
        self.name = name
        self.rng = rng
        self.acknowledged = 0
        self._unique = 0

    def step(self, client: redis.Redis) -> None:
        raise NotImplementedError

    def check(self, client: redis.Redis) -> None:
        raise NotImplementedError

    def unique(self) -> bytes:
        """A value that was never written before, of any length up to some pages."""
        self._unique += 1
        padding = b"." * self.rng.choice((0, 10, 100, 5000))
        return b"%s-%d-%b" % (self.name.encode(), self._unique, padding)


class Setter(Worker):
    """SET, GETDEL and DEL of keys of its own, with and without a time of expiry."""

    FAR_MS = 33_000_000_000_000

    def __init__(self, name: str, rng: random.Random) -> None:
        super().__init__(name, rng)
        # By key: what the key may hold, as (value, time of expiry). One is known; several are not.
        nothing = (None, -2)
        self._possible: dict[str, set[tuple[bytes | None, int]]] = {
            f"{name}:{key}": {nothing} for key in range(KEYS)
        }

    def step(self, client: redis.Redis) -> None:
        key = self.rng.choice(sorted(self._possible))
        chance = self.rng.random()
        if chance < 0.15:
            self._possible[key].add((None, -2))
            client.execute_command("DEL" if chance < 0.1 else "GETDEL", key)
            after: tuple[bytes | None, int] = (None, -2)
        else:
            after = (self.unique(), self.FAR_MS + self._unique if chance < 0.3 else -1)
            self._possible[key].add(after)
            expiry = ("PXAT", after[1]) if after[1] > 0 else ()
            client.execute_command("SET", key, after[0], *expiry)
        self._possible[key] = {after}
        self.acknowledged += 1
        if chance > 0.9:
            expect(client.get(key) == after[0], f"{key}: a write that was answered is not read")

    def check(self, client: redis.Redis) -> None:
        for key, possible in self._possible.items():
            found = (client.get(key), client.execute_command("PEXPIRETIME", key))
            expect(found in possible, f"{key} is {short(found)}, not one of {shorts(possible)}")
            self._possible[key] = {found}


class Pipeliner(Worker):
    """Pipelines of SETs, not in a transaction: each of them may be done or not."""

    def __init__(self, name: str, rng: random.Random) -> None:
        super().__init__(name, rng)
        self._possible: dict[str, set[bytes | None]] = {
            f"{name}:{key}": {None} for key in range(KEYS)
        }

    def step(self, client: redis.Redis) -> None:
        pipeline = client.pipeline(transaction=False)
        written = {key: self.unique() for key in self._possible}
        for key, value in written.items():
            self._possible[key].add(value)
            pipeline.set(key, value)
        pipeline.execute()
        self._possible = {key: {value} for key, value in written.items()}
        self.acknowledged += len(written)

    def check(self, client: redis.Redis) -> None:
        for key, found in zip(self._possible, client.mget(list(self._possible))):
            possible = self._possible[key]
            expect(found in possible, f"{key} is {short(found)}, not one of {shorts(possible)}")
            self._possible[key] = {found}


class Counter(Worker):
    """INCR and HINCRBY: what is acknowledged is kept, what was in flight is done once at most."""

    def __init__(self, name: str, rng: random.Random) -> None:
        super().__init__(name, rng)
        self._counts = [0, 0]
        self._in_flight: int | None = None

    def step(self, client: redis.Redis) -> None:
        which = self._in_flight = self.rng.randrange(2)
        reply = client.hincrby(f"{self.name}:row", "n") if which else client.incr(self.name)
        self._counts[which] += 1
        self._in_flight = None
        self.acknowledged += 1
        expect(reply == self._counts[which], f"{self.name}: {reply}, not {self._counts[which]}")

    def check(self, client: redis.Redis) -> None:
        found = [number(client.get(self.name)), number(client.hget(f"{self.name}:row", "n"))]
        for which, count in enumerate(self._counts):
            most = count + (self._in_flight == which)
            there = found[which]
            expect(count <= there <= most, f"{self.name}: {there} of {count} to {most}")
        self._counts, self._in_flight = found, None


class RowWriter(Worker):
    """HSET of several fields, DEL of the row: always all of it or nothing."""

    def __init__(self, name: str, rng: random.Random) -> None:
        super().__init__(name, rng)
        self._possible: set[bytes | None] = {None}

    def step(self, client: redis.Redis) -> None:
        value = self.unique() if self.rng.random() < 0.8 else None
        self._possible.add(value)
        if value is None:
            client.delete(self.name)
        else:
            client.hset(self.name, mapping={field: value for field in FIELDS})
        self._possible = {value}
        self.acknowledged += 1

    def check(self, client: redis.Redis) -> None:
        row = client.hgetall(self.name)
        values = set(row.values()) or {None}
        expect(len(values) == 1, f"{self.name}: half of a row is written: {shorts(values)}")
        expect(set(row) in (set(), set(FIELDS)), f"{self.name}: fields are missing: {sorted(row)}")
        told = f"{shorts(values)}, not one of {shorts(self._possible)}"
        expect(values <= self._possible, f"{self.name} is {told}")
        self._possible = values


class Transactor(Worker):
    """MULTI and EXEC over a string, a row, a counter and a key that moves: all of it or nothing."""

    def __init__(self, name: str, rng: random.Random) -> None:
        super().__init__(name, rng)
        self._done = 0
        self._in_flight = False

    def step(self, client: redis.Redis) -> None:
        turn = self._done + 1
        self._in_flight = True
        replies = (
            client.pipeline(transaction=True)
            .set(f"{self.name}:string", turn)
            .hset(f"{self.name}:row", mapping={"turn": turn, f"field{turn % 5}": self.unique()})
            .incr(f"{self.name}:count")
            .delete(f"{self.name}:at{turn - 1}")
            .set(f"{self.name}:at{turn}", turn)
            .execute()
        )
        self._done, self._in_flight = turn, False
        self.acknowledged += 1
        expect(replies[2] == turn, f"{self.name}: the transaction was done {replies[2]} times")

    def check(self, client: redis.Redis) -> None:
        here = [
            number(client.get(f"{self.name}:string")), number(client.get(f"{self.name}:count")),
            number(client.hget(f"{self.name}:row", "turn")),
        ]  # fmt: skip
        done = here[0]
        expect(len(set(here)) == 1, f"{self.name}: half of a transaction is done: {here}")
        most = self._done + self._in_flight
        expect(self._done <= done <= most, f"{self.name}: {done} of {self._done} to {most}")
        there = client.exists(*(f"{self.name}:at{turn}" for turn in range(done - 1, done + 2)))
        expect(there == (done > 0), f"{self.name}: {there} keys where one moves")
        self._done, self._in_flight = done, False


class Transferrer(Worker):
    """Moves between accounts that all transferrers share, by WATCH; nothing is made or lost."""

    def __init__(self, name: str, rng: random.Random) -> None:
        super().__init__(name, rng)
        self._done = 0
        self._in_flight = False

    def step(self, client: redis.Redis) -> None:
        giver, taker = (f"account:{n}" for n in self.rng.sample(range(ACCOUNTS), 2))
        amount = self.rng.randint(1, 50)
        with client.pipeline() as pipeline:
            pipeline.watch(giver, taker)
            balances = [balance(pipeline.get(key)) for key in (giver, taker)]
            pipeline.multi()
            pipeline.set(giver, balances[0] - amount).set(taker, balances[1] + amount)
            pipeline.hincrby("transfers", self.name)
            self._in_flight = True
            try:
                replies = pipeline.execute()
            except redis.WatchError as error:
                if str(error) != "Watched variable changed.":
                    raise  # The connection broke: nobody knows.
                self._in_flight = False
                return  # Another one was sooner.
        self._done, self._in_flight = self._done + 1, False
        self.acknowledged += 1
        expect(replies[2] == self._done, f"{self.name}: {replies[2]} transfers, not {self._done}")

    def check(self, client: redis.Redis) -> None:
        total = sum(map(balance, client.mget([f"account:{n}" for n in range(ACCOUNTS)])))
        expect(total == ACCOUNTS * START_BALANCE, f"the accounts sum up to {total}")
        found, most = number(client.hget("transfers", self.name)), self._done + self._in_flight
        expect(self._done <= found <= most, f"{self.name}: {found} of {self._done} to {most}")
        self._done, self._in_flight = found, False


def balance(value: bytes | None) -> int:
    return START_BALANCE if value is None else int(value)


class Expirer(Worker):
    """Times to live, short and long, given and taken away: one that was acknowledged is kept, and
    what was once seen to have expired stays away until it is written again."""

    TTLS_MS = (20, 300, 1500, 100_000_000, 10_000_000_000)
    # No server lives longer than this in a kill test.
    LIFE_MS = 60_000

    def __init__(self, name: str, rng: random.Random) -> None:
        super().__init__(name, rng)
        self._possible: dict[str, set[Lease]] = {f"{name}:{key}": {ABSENT} for key in range(KEYS)}

    def step(self, client: redis.Redis) -> None:
        key = self.rng.choice(sorted(self._possible))
        command = self.rng.choice(COMMANDS)(self.unique(), self.rng.choice(self.TTLS_MS))
        before, start = self._possible[key], wall_ms()
        # The server may do it at any time until it is killed.
        ever = Interval(start, start + self.LIFE_MS)
        self._possible[key] = before | {after for after, _ in outcomes(before, command, ever)}
        reply = client.execute_command(command.name, key, *command.arguments())
        now = Interval(start, wall_ms())
        may = outcomes(before, command, now)
        after = {lease for lease, told in may if told == reply}
        known = f"{key}, which was one of {shorts(before)}"
        expect(bool(after), f"{command.name} of {known}, is answered {short(reply)}")
        self._possible[key] = after
        self.acknowledged += 1
        if self.rng.random() < 0.5:
            self._look(client, key)

    def check(self, client: redis.Redis) -> None:
        for key in self._possible:
            self._look(client, key)

    def _look(self, client: redis.Redis, key: str) -> None:
        """Looks at value and time of expiry at once, and knows both from then on."""
        start = wall_ms()
        value, expiry = client.pipeline().get(key).execute_command("PEXPIRETIME", key).execute()
        now = Interval(start, wall_ms())
        found = ABSENT if value is None or expiry == -2 else Lease(value, expiry, expiry)
        may = {each for before in self._possible[key] for each in before.at(now)}
        fits = any(
            each.value == found.value and each.earliest <= found.earliest <= each.latest
            for each in may
        )
        expect(fits, f"{key} is {short(found)} at {now}, not one of {shorts(may)}")
        self._possible[key] = {found}


class Kept(NamedTuple):
    """What a key of a Mover holds: a string, or the fields of a row; and when it expires."""

    content: bytes | frozenset[tuple[bytes, bytes]] | None
    expiry: int

    def fields(self) -> dict[bytes, bytes]:
        return dict(self.content) if isinstance(self.content, frozenset) else {}


NOTHING = Kept(None, -2)


class Mover(Worker):
    """RENAME, HSET and HDEL over strings and rows: what moves is at one place, as it was."""

    FAR_MS = 33_000_000_000_000
    MAX_FIELDS = 12

    def __init__(self, name: str, rng: random.Random) -> None:
        super().__init__(name, rng)
        self._keys = [f"{name}:{key}" for key in range(KEYS)]
        # All keys together, in their order: one is known, two are before and after what was asked.
        self._possible: list[list[Kept]] = [[NOTHING] * KEYS]

    def step(self, client: redis.Redis) -> None:
        (before,) = self._possible
        at, other = self.rng.sample(range(KEYS), 2)
        there = [n for n in range(KEYS) if before[n].content is not None]
        chance = self.rng.random()
        if there and chance < 0.35:
            at = self.rng.choice([n for n in there if n != other] or there)
            words: list[Any] = ["RENAME", self._keys[at], self._keys[other]]
            after = self._changed({other: before[at], at: NOTHING} if at != other else {})
        elif there and chance < 0.45:
            expiry = self.FAR_MS + self._unique
            words = ["PEXPIREAT", self._keys[there[0]], expiry]
            after = self._changed({there[0]: before[there[0]]._replace(expiry=expiry)})
        elif chance < 0.5:
            words, after = ["DEL", self._keys[at]], self._changed({at: NOTHING})
        elif chance < 0.6 or isinstance(before[at].content, bytes):
            value = self.unique()
            words, after = ["SET", self._keys[at], value], self._changed({at: Kept(value, -1)})
        else:
            words, row = self._change_row(self._keys[at], before[at])
            after = self._changed({at: row})
        self._possible = [before, after]
        client.execute_command(*words)
        self._possible = [after]
        self.acknowledged += 1

    def _changed(self, changes: dict[int, Kept]) -> list[Kept]:
        return [changes.get(n, kept) for n, kept in enumerate(self._possible[0])]

    def _change_row(self, key: str, row: Kept) -> tuple[list[Any], Kept]:
        fields = row.fields()
        if fields and (len(fields) > self.MAX_FIELDS or self.rng.random() < 0.5):
            gone = self.rng.sample(sorted(fields), self.rng.randint(1, min(3, len(fields))))
            rest = {name: value for name, value in fields.items() if name not in gone}
            # A row without fields is none.
            after = Kept(frozenset(rest.items()), row.expiry) if rest else NOTHING
            return ["HDEL", key, *gone], after
        added = {b"%d" % self.rng.randrange(20): self.unique() for _ in range(3)}
        pairs = [part for pair in added.items() for part in pair]
        after = Kept(frozenset({**fields, **added}.items()), max(row.expiry, -1))
        return ["HSET", key, *pairs], after

    def check(self, client: redis.Redis) -> None:
        found = [self._find(client, key) for key in self._keys]
        if found not in self._possible:
            raise Lost("; ".join(
                f"{key} is {short(found[n])}, not one of {shorts(may[n] for may in self._possible)}"
                for n, key in enumerate(self._keys)
                if all(found[n] != may[n] for may in self._possible)
            ) or f"half of a command is done on the keys of {self.name}")  # fmt: skip
        self._possible = [found]

    @staticmethod
    def _find(client: redis.Redis, key: str) -> Kept:
        kind = client.type(key)
        expiry = int(client.execute_command("PEXPIRETIME", key))
        if kind == b"hash":
            return Kept(frozenset(client.hgetall(key).items()), expiry)
        return Kept(client.get(key), expiry)


class LargeWriter(Worker):
    """SET and HSET of values of 200 KB to 2 MB, which are read back whole."""

    LARGE_KEYS = 4

    def __init__(self, name: str, rng: random.Random) -> None:
        super().__init__(name, rng)
        # By key: the digests of what it may hold.
        self._possible: dict[str, set[bytes]] = {
            f"{name}:{key}": {digest(None)} for key in range(self.LARGE_KEYS)
        }

    def step(self, client: redis.Redis) -> None:
        key = self.rng.choice(sorted(self._possible))
        value = self._large() if self.rng.random() < 0.85 else None
        self._possible[key].add(digest(value))
        if value is None:
            client.delete(key)
        elif key.endswith("0"):
            client.hset(key, "large", value)
        else:
            client.set(key, value)
        self._possible[key] = {digest(value)}
        self.acknowledged += 1
        if self.rng.random() < 0.3:
            self._look(client, key)

    def check(self, client: redis.Redis) -> None:
        for key in self._possible:
            self._look(client, key)

    def _large(self) -> bytes:
        """Some of them are rather small, and end in no block's middle."""
        block = hashlib.sha256(self.unique()).digest() * 32
        size = self.rng.randint(200_000, 2_000_000) if self.rng.random() < 0.8 else 100
        return (block * (size // len(block) + 1))[:size]

    def _look(self, client: redis.Redis, key: str) -> None:
        found = client.hget(key, "large") if key.endswith("0") else client.get(key)
        expect(
            digest(found) in self._possible[key],
            f"{key} is {short(found)}, not what was written",
        )
        self._possible[key] = {digest(found)}


def digest(value: bytes | None) -> bytes:
    return b"" if value is None else hashlib.blake2b(value).digest()


KINDS: tuple[type[Worker], ...] = (
    Setter, Pipeliner, Counter, RowWriter, Transactor, Transferrer, Expirer, Mover, LargeWriter,
)  # fmt: skip


def make_workers(count: int, seed: int) -> list[Worker]:
    kinds = [KINDS[n % len(KINDS)] for n in range(count)]
    return [
        kind(f"{kind.__name__.lower()}{n}", random.Random(f"{seed} {n}"))
        for n, kind in enumerate(kinds)
    ]
