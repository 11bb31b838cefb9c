"""A pool that is full, seen by a Redis client: writes are refused in Redis's words, reads and
deletes go on, deletes make room again, and what was acknowledged outlives kill -9 all the while."""

from __future__ import annotations

import contextlib
import pathlib
import sys
import tempfile
import threading
import time
import unittest
from collections.abc import Callable

from server import SKIPPED, make_server

try:
    import redis
except ImportError:
    print("skipped: this Python has no redis; scripts/setup installs python3-redis")
    sys.exit(SKIPPED)

POOL_BYTES = 16 << 20
ROOM_SECONDS = 60.0
# A client that reads is answered in this time, whatever becomes of writes.
PROMPT_SECONDS = 5.0
# Larger ones first: what is left is filled with smaller ones.
VALUE_BYTES = (60_000, 4_000, 100, 1)
FIELDS = 10
BATCH = 1000
# In Redis's words; newer clients take the error's code off.
REFUSED = "command not allowed when used memory > 'maxmemory'"


def is_refused(write: Callable[[], object]) -> bool:
    """Whether there is no room for it. Any other error is passed on."""
    try:
        write()
    except redis.ResponseError as error:
        if REFUSED not in str(error) or "drop objects" not in str(error):
            raise
        return True
    return False


class FullPoolTest(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory(prefix="cirein_full_")
        self.addCleanup(scratch.cleanup)
        self.server = make_server(
            pathlib.Path(scratch.name), cirein_arguments=["--size", str(POOL_BYTES)]
        )
        self.number = 0
        # What was acknowledged.
        self.strings: dict[str, bytes] = {}
        self.rows: dict[str, dict[bytes, bytes]] = {}
        self.addCleanup(self.server.kill)
        self.server.start()
        self.client = self.connect()

    def connect(self) -> redis.Redis:
        client = redis.Redis(
            port=self.server.port, single_connection_client=True, socket_timeout=ROOM_SECONDS
        )
        self.addCleanup(client.close)
        return client

    def start_again(self) -> None:
        self.server.kill()
        self.server.start()
        self.client = self.connect()

    def test_it_refuses_writes_and_goes_on(self) -> None:
        self.fill()
        self.check_everything()
        self.check_refusals()
        self.check_reads_beside_writers()
        self.start_again()
        self.check_everything()
        self.delete_half()
        self.check_everything()
        self.write_until_there_is_room()
        self.check_everything()

    def test_deletes_in_a_full_pool_outlive_a_kill(self) -> None:
        self.fill()
        self.delete_half()
        self.start_again()
        self.check_everything()
        self.write_until_there_is_room()
        self.fill()
        self.start_again()
        self.check_everything()
        self.client.flushall()
        self.strings, self.rows = {}, {}
        self.start_again()
        self.check_everything()
        self.write_until_there_is_room()

    def test_many_small_ones_can_all_be_deleted(self) -> None:
        """A delete takes as much of the log as what it deletes."""
        keys = [f"small:{n}" for n in range(POOL_BYTES // 64)]
        written = self.fill_with_small_ones(keys)
        self.start_again()
        self.assertEqual(self.client.dbsize(), written)
        deleted = 0
        for at in range(0, len(keys), BATCH):
            deleted += sum(self.pipelined([("DEL", key) for key in keys[at : at + BATCH]]))
        self.assertEqual(deleted, written)
        self.start_again()
        self.check_everything()
        self.fill_with_small_ones(keys)
        self.client.flushall()
        self.start_again()
        self.check_everything()
        self.write_until_there_is_room()

    def fill_with_small_ones(self, keys: list[str]) -> int:
        """How many of them there is room for."""
        written = 0
        for at in range(0, len(keys), BATCH):
            batch = keys[at : at + BATCH]
            written += self.pipelined([("SET", key, "v") for key in batch]).count(True)
        self.assertGreater(written, len(keys) // 4)
        self.assertLess(written, len(keys))
        return written

    def pipelined(self, commands: list[tuple[str, ...]]) -> list[object]:
        """Their replies; None for what was refused."""
        pipeline = self.client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        replies = pipeline.execute(raise_on_error=False)
        for at, reply in enumerate(replies):
            if isinstance(reply, redis.RedisError):
                self.assertIn(REFUSED, str(reply))
                self.assertEqual(commands[at][0], "SET")
                replies[at] = None
        return replies

    def fill(self) -> None:
        """Until not even the smallest of strings and rows finds room."""
        for size in VALUE_BYTES:
            for _ in range(2 * POOL_BYTES // size):
                self.number += 1
                value = (b"%d " % self.number).ljust(size, b"v")
                if self.number % 8 == 0:
                    refused = self.write_row(f"row:{self.number}", value)
                else:
                    refused = self.write_string(f"string:{self.number}", value)
                if refused:
                    break
            else:
                self.fail(f"the pool takes {2 * POOL_BYTES} bytes")
        self.assertGreater(sum(map(len, self.strings.values())), POOL_BYTES // 4)

    def write_string(self, key: str, value: bytes) -> bool:
        if is_refused(lambda: self.client.set(key, value)):
            return True
        self.strings[key] = value
        return False

    def write_row(self, key: str, value: bytes) -> bool:
        row = {b"%d" % n: value[n * len(value) // FIELDS :] for n in range(FIELDS)}
        if is_refused(lambda: self.client.hset(key, mapping=row)):
            return True
        self.rows[key] = row
        return False

    def check_refusals(self) -> None:
        """Every way to write more is refused, and leaves all as it was."""
        key, row, large = next(iter(self.strings)), next(iter(self.rows)), b"x" * 60_000
        writes: dict[str, Callable[[], object]] = {
            "SET": lambda: self.client.set("new", large),
            "SET over": lambda: self.client.set(key, large),
            "APPEND": lambda: self.client.append(key, large),
            "MSET": lambda: self.client.mset({"new": large, "newer": large}),
            "HSET": lambda: self.client.hset(row, "new", large),
            "RENAME": lambda: self.client.rename(key, "new"),
            "COPY": lambda: self.client.copy(key, "new"),
            "EXEC": lambda: self.client.pipeline().set("new", large).set(key, "x").execute(),
        }
        for name, write in writes.items():
            with self.subTest(name):
                self.assertTrue(is_refused(write), "it is not refused")
                self.assertEqual(self.client.exists("new", "newer"), 0)
                self.assertEqual(self.client.get(key), self.strings[key])
                self.assertEqual(self.client.hgetall(row), self.rows[row])

    def check_reads_beside_writers(self) -> None:
        """Who asks in vain for room does not hold who reads."""
        done = threading.Event()

        def write(client: redis.Redis) -> None:
            while not done.is_set():
                is_refused(lambda: client.set("new", b"x" * 60_000))

        key, value = next(iter(self.strings.items()))
        with contextlib.ExitStack() as stack:
            for _ in range(4):
                thread = threading.Thread(target=write, args=(self.connect(),))
                thread.start()
                stack.callback(thread.join)
            stack.callback(done.set)
            slowest = 0.0
            for _ in range(50):
                start = time.monotonic()
                self.assertEqual(self.client.get(key), value)
                slowest = max(slowest, time.monotonic() - start)
        print(f"slowest read beside writers: {slowest:.3f} s")
        self.assertLess(slowest, PROMPT_SECONDS)

    def check_everything(self) -> None:
        for key, value in self.strings.items():
            self.assertEqual(self.client.get(key), value, key)
        for key, row in self.rows.items():
            self.assertEqual(self.client.hgetall(key), row, key)
            self.assertEqual(self.client.hget(key, "0"), row[b"0"], key)
        keys = {key.decode() for key in self.client.scan_iter(count=1000)}
        self.assertEqual(keys - {"new"}, {*self.strings, *self.rows})
        self.assertEqual(self.client.exists("none", *keys), len(keys))

    def delete_half(self) -> None:
        for key in list(self.strings)[::2]:
            self.assertEqual(self.client.delete(key), 1)
            del self.strings[key]
        for key in list(self.rows)[::2]:
            self.assertEqual(self.client.delete(key), 1)
            del self.rows[key]
        for key, row in self.rows.items():
            self.assertEqual(self.client.hdel(key, "1", "2"), 2)
            del row[b"1"], row[b"2"]

    def write_until_there_is_room(self) -> None:
        """As much as half of what was deleted, each as soon as it is taken."""
        end = time.monotonic() + ROOM_SECONDS
        for number in range(POOL_BYTES // 8 // 60_000):
            while self.write_string(f"again:{number}", b"%d" % number * 20_000):
                self.assertLess(time.monotonic(), end, "deletes have not made room")


if __name__ == "__main__":
    unittest.main()
