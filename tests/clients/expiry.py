"""What a key with a time to live may hold, for one who does not know the server's clock exactly."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import NamedTuple

# A server may take the time once for much that it does, before it reads a command.
CLOCK_MS = 1000


class Interval(NamedTuple):
    """From a command to its answer, in ms since 1970."""

    earliest: int
    latest: int


class Lease(NamedTuple):
    """A value that expires at some time between two, in ms since 1970, as PEXPIRETIME tells it: -1
    is never, and -2 is that there is no value."""

    value: bytes | None
    earliest: int
    latest: int

    def at(self, now: Interval) -> set[Lease]:
        """What is there for one who looks within `now`."""
        if self.earliest < 0 or now.latest + CLOCK_MS < self.earliest:
            return {self}
        if self.latest + CLOCK_MS < now.earliest:
            return {ABSENT}
        return {self, ABSENT}

    def until(self, now: Interval, ttl_ms: int) -> Lease:
        """With a time to live that counts from some instant within `now`."""
        earliest, latest = now.earliest + ttl_ms - CLOCK_MS, now.latest + ttl_ms + CLOCK_MS
        return self._replace(earliest=earliest, latest=latest)


ABSENT = Lease(None, -2, -2)


class Command(ABC):
    """A command on one key, with a value and a time to live for those who take one."""

    name: str

    def __init__(self, value: bytes, ttl_ms: int) -> None:
        self.value = value
        self.ttl_ms = ttl_ms

    @abstractmethod
    def arguments(self) -> tuple[object, ...]:
        """Those that follow the key."""

    @abstractmethod
    def outcome(self, lease: Lease, now: Interval) -> tuple[Lease, object]:
        """What it leaves of `lease`, and how python3-redis tells its answer."""


class Get(Command):
    name = "GET"

    def arguments(self) -> tuple[object, ...]:
        return ()

    def outcome(self, lease: Lease, now: Interval) -> tuple[Lease, object]:
        return lease, lease.value


class Set(Command):
    name = "SET"

    def arguments(self) -> tuple[object, ...]:
        return (self.value,)

    def outcome(self, lease: Lease, now: Interval) -> tuple[Lease, object]:
        return Lease(self.value, -1, -1), True


class SetFor(Set):
    def arguments(self) -> tuple[object, ...]:
        return self.value, "PX", self.ttl_ms

    def outcome(self, lease: Lease, now: Interval) -> tuple[Lease, object]:
        return Lease(self.value, -1, -1).until(now, self.ttl_ms), True


class SetKeeping(Set):
    def arguments(self) -> tuple[object, ...]:
        return self.value, "KEEPTTL"

    def outcome(self, lease: Lease, now: Interval) -> tuple[Lease, object]:
        kept = Lease(self.value, -1, -1) if lease == ABSENT else lease._replace(value=self.value)
        return kept, True


class Expire(Command):
    name = "EXPIRE"

    def arguments(self) -> tuple[object, ...]:
        return (self._seconds(),)

    def outcome(self, lease: Lease, now: Interval) -> tuple[Lease, object]:
        if lease == ABSENT:
            return ABSENT, False
        return lease.until(now, 1000 * self._seconds()), True

    def _seconds(self) -> int:
        return self.ttl_ms // 1000 + 1


class ExpireMs(Command):
    name = "PEXPIRE"

    def arguments(self) -> tuple[object, ...]:
        return (self.ttl_ms,)

    def outcome(self, lease: Lease, now: Interval) -> tuple[Lease, object]:
        return (ABSENT, False) if lease == ABSENT else (lease.until(now, self.ttl_ms), True)


class GetExpiring(Command):
    name = "GETEX"

    def arguments(self) -> tuple[object, ...]:
        return "PX", self.ttl_ms

    def outcome(self, lease: Lease, now: Interval) -> tuple[Lease, object]:
        return (ABSENT if lease == ABSENT else lease.until(now, self.ttl_ms)), lease.value


class Persist(Command):
    name = "PERSIST"

    def arguments(self) -> tuple[object, ...]:
        return ()

    def outcome(self, lease: Lease, now: Interval) -> tuple[Lease, object]:
        if lease.earliest < 0:
            return lease, False
        return lease._replace(earliest=-1, latest=-1), True


COMMANDS: tuple[type[Command], ...] = (
    Get, Set, SetFor, SetKeeping, Expire, ExpireMs, GetExpiring, Persist,
)  # fmt: skip


def outcomes(
    possible: set[Lease], command: Command, now: Interval
) -> set[tuple[Lease, object]]:
    """What `command` may leave of a key that is one of `possible`, with what it answers then."""
    return {
        command.outcome(lease, now) for before in possible for lease in before.at(now)
    }


def wall_ms() -> int:
    return time.time_ns() // 1_000_000
