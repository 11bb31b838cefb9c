"""The checks of the kill test see what they are there for: each kind of client works for a while,
then something is changed behind its back."""

from __future__ import annotations

import os
import random
import unittest

os.environ["CIREIN_CLIENTS_SERVER"] = "redis"

from expiry import ABSENT, Get, Interval, Lease, Persist, outcomes  # noqa: E402
from kill_minutes import connect  # noqa: E402
from server import ServerTest, need_tools  # noqa: E402
from workers import KINDS, Lost, make_workers  # noqa: E402

# By the name of a worker: commands after each of which its check must fail.
CHANGES: dict[str, tuple[str, ...]] = {
    "setter0": ("SET setter0:1 other", "DEL setter0:0 setter0:1 setter0:2 setter0:3", "FLUSHALL"),
    "pipeliner1": ("SET pipeliner1:3 other", "DEL pipeliner1:0"),
    "counter2": ("INCR counter2", "DECR counter2", "HINCRBY counter2:row n -1", "DEL counter2"),
    "rowwriter3": ("HSET rowwriter3 first other", "HDEL rowwriter3 second", "DEL rowwriter3"),
    "transactor4": (
        "INCR transactor4:string", "DECR transactor4:count", "HDEL transactor4:row turn",
        "DEL transactor4:at60", "SET transactor4:at59 59",
    ),
    "transferrer5": ("INCRBY account:1 5", "HINCRBY transfers transferrer5 -1"),
    "expirer6": (
        "PERSIST expirer6:1", "EXPIRE expirer6:2 1000000", "EXPIRE expirer6:6 1000000",
        "SET expirer6:1 other KEEPTTL", "DEL expirer6:6",
    ),
    "mover7": (
        "RENAME mover7:3 mover7:1", "COPY mover7:5 mover7:6", "HDEL mover7:0 16",
        "PERSIST mover7:3", "SET mover7:1 back",
    ),
    "largewriter8": (
        "APPEND largewriter8:1 x", "HSET largewriter8:0 large x", "DEL largewriter8:2",
    ),
}  # fmt: skip


class WorkersTest(ServerTest):
    def test_each_check_finds_what_was_lost(self) -> None:
        client = connect(self.server, by_socket=False)
        self.addCleanup(client.close)
        for name, changes in CHANGES.items():
            for change in changes:
                with self.subTest(change):
                    client.flushall()
                    worker = {w.name: w for w in make_workers(len(KINDS), 7)}[name]
                    for _ in range(60):
                        worker.step(client)
                    worker.check(client)
                    client.execute_command(*change.split())
                    self.assertRaises(Lost, worker.check, client)


class ExpiryTest(unittest.TestCase):
    def test_what_has_expired_is_not_there_again(self) -> None:
        lease = Lease(b"value", 10_000, 10_000)
        late = Interval(20_000, 20_001)
        self.assertEqual(lease.at(Interval(1, 2)), {lease})
        self.assertEqual(lease.at(Interval(9_000, 9_500)), {lease, ABSENT})
        self.assertEqual(lease.at(late), {ABSENT})
        self.assertEqual(outcomes({lease}, Persist(b"", 0), late), {(ABSENT, False)})
        self.assertEqual(outcomes({ABSENT}, Get(b"", 0), Interval(1, 2)), {(ABSENT, None)})


if __name__ == "__main__":
    need_tools("redis-server")
    unittest.main()
