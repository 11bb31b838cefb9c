"""redis-benchmark runs each of its tests that the server has commands for, briefly."""

from __future__ import annotations

import subprocess
import unittest

from server import ServerTest, need_tools

# The names of redis-benchmark; the other tests use lists, sets and sorted sets.
TESTS = "ping,set,get,incr,hset,mset"
LINES = ["PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "HSET", "MSET (10 keys)"]


class RedisBenchmarkTest(ServerTest):
    def rates(self, *arguments: str) -> dict[str, float]:
        """Requests per second by name, as redis-benchmark prints them."""
        result = subprocess.run(
            ["redis-benchmark", "--csv", "-n", "2000", "-r", "100", *arguments],
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertNotIn("Error", result.stdout + result.stderr)
        rows = [line.replace('"', "").split(",") for line in result.stdout.splitlines()]
        return {row[0]: float(row[1]) for row in rows if row[0] != "test"}

    def check(self, *arguments: str) -> None:
        rates = self.rates("-t", TESTS, *arguments)
        self.assertEqual(sorted(rates), sorted(LINES))
        self.assertTrue(all(rate > 0 for rate in rates.values()), rates)

    def test_over_tcp(self) -> None:
        self.check("-p", str(self.server.port))

    def test_pipelined_over_the_unix_socket(self) -> None:
        self.check("-s", self.server.socket_path, "-P", "16", "-c", "20")

    def test_resp3(self) -> None:
        self.check("-p", str(self.server.port), "-3", "-d", "1024")

    def test_with_threads(self) -> None:
        self.check("-p", str(self.server.port), "--threads", "2")

    def test_a_connection_for_each_request(self) -> None:
        rates = self.rates("-p", str(self.server.port), "-k", "0", "-t", "get", "-n", "500")
        self.assertEqual(list(rates), ["GET"])

    def test_a_command_of_ones_own(self) -> None:
        rates = self.rates(
            "-p", str(self.server.port), "HSET", "row:__rand_int__", "f", "__rand_int__"
        )
        self.assertEqual(len(rates), 1, rates)


if __name__ == "__main__":
    need_tools("redis-benchmark")
    unittest.main()
