"""python3-redis does its ordinary work: pools, pipelines, optimistic locking, scans, locks."""

from __future__ import annotations

import sys
import threading
import unittest
from collections.abc import Callable

from server import SKIPPED, ServerTest

try:
    import redis
except ImportError:
    print("skipped: this Python has no redis; scripts/setup installs python3-redis")
    sys.exit(SKIPPED)


class PythonRedisTest(ServerTest):
    def setUp(self) -> None:
        super().setUp()
        self.pool = redis.ConnectionPool(
            host="127.0.0.1", port=self.server.port, max_connections=32, decode_responses=True
        )
        self.addCleanup(self.pool.disconnect)
        self.client = redis.Redis(connection_pool=self.pool)

    def test_strings(self) -> None:
        self.assertTrue(self.client.set("a", "1"))
        self.assertEqual(self.client.get("a"), "1")
        self.assertIsNone(self.client.set("a", "2", nx=True))
        self.assertEqual(self.client.set("a", "2", get=True), "1")
        self.assertEqual(self.client.incrbyfloat("a", 0.5), 2.5)
        self.assertEqual(self.client.mget("a", "none"), ["2.5", None])
        self.assertTrue(self.client.msetnx({"m1": "x", "m2": "y"}))
        self.assertEqual(self.client.getrange("m1", 0, -1), "x")
        self.assertEqual(self.client.delete("m1", "m2", "none"), 2)

    def test_bytes_are_kept_as_they_are(self) -> None:
        binary = redis.Redis(port=self.server.port)
        self.addCleanup(binary.close)
        value = bytes(range(256)) * 1000
        binary.set(b"\x00\r\n\xff", value)
        self.assertEqual(binary.get(b"\x00\r\n\xff"), value)

    def test_a_large_value(self) -> None:
        binary = redis.Redis(port=self.server.port)
        self.addCleanup(binary.close)
        value = b"0123456789abcdef" * (1 << 20)
        binary.set("large", value)
        self.assertEqual(binary.get("large"), value)

    def test_hashes(self) -> None:
        self.assertEqual(self.client.hset("h", mapping={"a": "1", "": "empty", "c": "3"}), 3)
        self.assertEqual(self.client.hgetall("h"), {"a": "1", "": "empty", "c": "3"})
        self.assertEqual(self.client.hincrby("h", "a", 41), 42)
        self.assertEqual(self.client.hmget("h", "a", "none"), ["42", None])
        self.assertIn(self.client.hrandfield("h"), {"a", "", "c"})
        self.assertEqual(self.client.hdel("h", "", "none"), 1)
        with self.assertRaisesRegex(redis.ResponseError, "^WRONGTYPE"):
            self.client.incr("h")

    def test_scan_iter(self) -> None:
        self.client.mset({f"key:{number}": number for number in range(2000)})
        found = set(self.client.scan_iter(match="key:*", count=50))
        self.assertEqual(found, {f"key:{number}" for number in range(2000)})
        self.client.hset("big", mapping={f"f{number}": number for number in range(700)})
        fields = dict(self.client.hscan_iter("big", count=10))
        self.assertEqual(fields, {f"f{number}": str(number) for number in range(700)})
        self.assertEqual(set(self.client.scan_iter(_type="hash")), {"big"})

    def test_expiry(self) -> None:
        self.client.set("a", "1", ex=1000)
        self.assertIn(self.client.ttl("a"), range(990, 1001))
        self.assertTrue(self.client.persist("a"))
        self.assertEqual(self.client.ttl("a"), -1)
        self.assertTrue(self.client.pexpireat("a", 33_000_000_000_000))
        self.assertEqual(self.client.execute_command("PEXPIRETIME", "a"), 33_000_000_000_000)
        self.assertTrue(self.client.expire("a", -1))
        self.assertEqual(self.client.exists("a"), 0)

    def test_a_pipeline_without_a_transaction(self) -> None:
        pipeline = self.client.pipeline(transaction=False)
        for number in range(1000):
            pipeline.set(f"k{number}", number).get(f"k{number}")
        replies = pipeline.execute()
        self.assertEqual(replies[1::2], [str(number) for number in range(1000)])

    def test_an_error_in_a_transaction_leaves_the_rest(self) -> None:
        self.client.set("word", "w")
        replies = (
            self.client.pipeline().set("a", 1).incr("word").incr("a").execute(raise_on_error=False)
        )
        self.assertEqual((replies[0], replies[2]), (True, 2))
        self.assertIsInstance(replies[1], redis.ResponseError)

    def test_a_watched_key_that_changed_ends_the_transaction(self) -> None:
        with self.client.pipeline() as pipeline:
            pipeline.watch("a")
            self.client.set("a", "theirs")
            pipeline.multi()
            pipeline.set("a", "mine")
            with self.assertRaises(redis.WatchError):
                pipeline.execute()
        self.assertEqual(self.client.get("a"), "theirs")

    def in_threads(self, count: int, work: Callable[[], None]) -> None:
        """Runs `work` in `count` threads at once; an exception in one of them fails the test."""
        failures: list[BaseException] = []

        def run() -> None:
            try:
                work()
            except BaseException as failure:  # pylint: disable=broad-except
                failures.append(failure)

        threads = [threading.Thread(target=run) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
            self.assertFalse(thread.is_alive())
        self.assertEqual(failures, [])

    def test_threads_that_retry_watched_transactions_lose_no_step(self) -> None:
        def step(pipeline: redis.client.Pipeline) -> None:
            value = int(pipeline.get("n") or 0)
            pipeline.multi()
            pipeline.set("n", value + 1)
            pipeline.hincrby("log", "steps")

        def work() -> None:
            for _ in range(50):
                self.client.transaction(step, "n")

        self.in_threads(8, work)
        self.assertEqual(self.client.get("n"), "400")
        self.assertEqual(self.client.hget("log", "steps"), "400")

    def test_locks_by_set_nx_px(self) -> None:
        inside: list[str] = []

        def work() -> None:
            me = threading.current_thread().name
            for _ in range(10):
                while not self.client.set("lock", me, nx=True, px=60_000):
                    pass
                inside.append(me)
                self.assertEqual(inside, [me])
                inside.remove(me)
                self.assertEqual(self.client.getdel("lock"), me)

        self.in_threads(4, work)

    def test_a_pool_with_a_bound(self) -> None:
        pool = redis.BlockingConnectionPool(port=self.server.port, max_connections=3, timeout=60)
        self.addCleanup(pool.disconnect)
        client = redis.Redis(connection_pool=pool)

        def work() -> None:
            for _ in range(100):
                client.incr("n")

        self.in_threads(10, work)
        self.assertEqual(client.get("n"), b"1000")

    def test_the_unix_socket_and_a_name(self) -> None:
        client = redis.Redis(unix_socket_path=self.server.socket_path, client_name="by-socket")
        self.addCleanup(client.close)
        self.assertEqual(client.client_getname(), "by-socket")
        self.assertIn("by-socket", {entry["name"] for entry in client.client_list()})

    def test_what_the_server_tells_of_itself(self) -> None:
        info = self.client.info()
        for name in ("redis_version", "connected_clients", "used_memory", "uptime_in_seconds",
                     "process_id", "tcp_port", "total_commands_processed", "role"):  # fmt: skip
            self.assertIn(name, info)
        self.assertEqual(info["tcp_port"], self.server.port)
        self.client.set("a", 1)
        self.assertEqual(self.client.info("keyspace")["db0"]["keys"], 1)
        self.assertEqual(self.client.dbsize(), 1)
        self.assertIn("maxmemory", self.client.config_get("maxmemory*"))
        self.assertEqual(len(self.client.time()), 2)
        get = self.client.command()["get"]
        self.assertEqual((get["arity"], get["first_key_pos"]), (2, 1))
        self.assertEqual(self.client.object("encoding", "a"), "int")
        self.assertGreater(self.client.memory_usage("a"), 0)

    def test_a_killed_client_is_disconnected_and_comes_back(self) -> None:
        victim = redis.Redis(port=self.server.port, single_connection_client=True)
        self.addCleanup(victim.close)
        self.assertEqual(self.client.client_kill_filter(_id=victim.client_id()), 1)
        with self.assertRaises(redis.ConnectionError):
            victim.ping()
        self.assertTrue(victim.ping())

    def test_a_restart_is_survived(self) -> None:
        self.assertTrue(self.client.ping())
        self.server.restart()
        self.assertTrue(self.client.ping())


if __name__ == "__main__":
    unittest.main()
