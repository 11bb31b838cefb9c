"""redis-cli does its ordinary work: commands, pipes, both protocols, scans, statistics."""

from __future__ import annotations

import subprocess
import unittest

from server import ServerTest, make_server, need_tools


class RedisCliTest(ServerTest):
    def cli(self, *arguments: str, given: str | None = None) -> str:
        """What redis-cli prints; fails the test when redis-cli fails."""
        result = subprocess.run(
            ["redis-cli", "-p", str(self.server.port), *arguments],
            input=given, stdin=subprocess.DEVNULL if given is None else None,
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        return result.stdout

    def fill(self, keys: int) -> None:
        self.cli(given="".join(f"SET key:{number} {number}\n" for number in range(keys)))

    def test_strings_and_numbers(self) -> None:
        self.assertEqual(self.cli("SET", "name", "Cirein"), "OK\n")
        self.assertEqual(self.cli("GET", "name"), "Cirein\n")
        self.assertEqual(self.cli("--no-raw", "GET", "nothing"), "(nil)\n")
        self.assertEqual(self.cli("--no-raw", "INCRBY", "count", "5"), "(integer) 5\n")

    def test_a_wrong_type_is_told(self) -> None:
        self.cli("HSET", "h", "f", "v")
        self.assertEqual(
            self.cli("--no-raw", "GET", "h"),
            "(error) WRONGTYPE Operation against a key holding the wrong kind of value\n",
        )

    def test_a_hash_in_both_protocols(self) -> None:
        self.cli("HSET", "h", "field", "value")
        self.assertEqual(self.cli("--no-raw", "HGETALL", "h"), '1) "field"\n2) "value"\n')
        self.assertEqual(self.cli("-3", "--no-raw", "HGETALL", "h"), '1# "field" => "value"\n')
        self.assertEqual(self.cli("-3", "--no-raw", "GET", "none"), "(nil)\n")

    def test_commands_from_standard_input(self) -> None:
        printed = self.cli(given='SET a "with space"\nGET a\nAPPEND a "\\x41"\nSTRLEN a\n')
        self.assertEqual(printed, "OK\nwith space\n11\n11\n")

    def test_a_value_from_standard_input(self) -> None:
        self.cli("-x", "SET", "big", given="v" * 300_000)
        self.assertEqual(self.cli("STRLEN", "big"), "300000\n")
        self.assertEqual(self.cli("GET", "big"), "v" * 300_000 + "\n")

    def test_mass_insertion(self) -> None:
        commands = "".join(
            f"*3\r\n$3\r\nSET\r\n${len(str(n))}\r\n{n}\r\n$1\r\nv\r\n" for n in range(10_000)
        )
        self.assertIn("errors: 0, replies: 10000", self.cli("--pipe", given=commands))
        self.assertEqual(self.cli("DBSIZE"), "10000\n")

    def test_a_transaction(self) -> None:
        printed = self.cli("--no-raw", given="MULTI\nSET a 1\nINCR a\nEXEC\n")
        self.assertEqual(printed, "OK\nQUEUED\nQUEUED\n1) OK\n2) (integer) 2\n")

    def test_scan_lists_every_key(self) -> None:
        self.fill(1000)
        keys = self.cli("--scan").split()
        self.assertEqual(set(keys), {f"key:{number}" for number in range(1000)})
        some = self.cli("--scan", "--pattern", "key:99?").split()
        self.assertEqual(set(some), {f"key:99{digit}" for digit in range(10)})

    def test_bigkeys(self) -> None:
        self.fill(100)
        self.cli("SET", "long", "v" * 1000)
        self.cli("HSET", "row", "a", "1", "b", "2")
        printed = self.cli("--bigkeys")
        self.assertRegex(printed, r"""Biggest string found ['"]+long['"]+ has 1000 bytes""")
        self.assertRegex(printed, r"""Biggest +hash found ['"]+row['"]+ has 2 fields""")
        self.assertIn("Sampled 102 keys in the keyspace!", printed)

    def test_memkeys(self) -> None:
        self.fill(20)
        self.cli("SET", "long", "v" * 100_000)
        printed = self.cli("--memkeys")
        self.assertRegex(printed, r"""Biggest string found ['"]+long['"]+ has \d+ bytes""")

    def test_stat_prints_lines_until_ended(self) -> None:
        self.fill(7)
        with subprocess.Popen(
            ["redis-cli", "-p", str(self.server.port), "--stat", "-i", "0.01"],
            stdout=subprocess.PIPE, text=True,
        ) as stat:  # fmt: skip
            assert stat.stdout is not None
            lines = [stat.stdout.readline() for _ in range(5)]
            stat.terminate()
        self.assertIn("keys", lines[1])
        self.assertEqual(lines[2].split()[0], "7", lines)

    def test_latency_briefly(self) -> None:
        numbers = self.cli("--raw", "--latency", "-i", "0.1").split()
        self.assertEqual(len(numbers), 4, numbers)

    def test_over_the_unix_socket(self) -> None:
        printed = subprocess.run(
            ["redis-cli", "-s", self.server.socket_path, "PING"],
            capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        self.assertEqual(printed.stdout, "PONG\n")

    def test_repeats(self) -> None:
        self.assertEqual(self.cli("-r", "3", "INCR", "n").split(), ["1", "2", "3"])

    def test_select_of_the_only_database(self) -> None:
        self.assertEqual(self.cli("-n", "0", "PING"), "PONG\n")

    def test_a_password(self) -> None:
        server = make_server(self.directory / "locked", password="open sesame")
        server.start()
        self.addCleanup(server.kill)
        command = ["redis-cli", "-p", str(server.port), "--no-auth-warning"]
        for arguments, printed in (
            (["PING"], "NOAUTH Authentication required.\n\n"),
            (["-a", "open sesame", "PING"], "PONG\n"),
            (["--user", "default", "-a", "open sesame", "-3", "PING"], "PONG\n"),
        ):
            result = subprocess.run(
                command + arguments, capture_output=True, text=True, check=False, timeout=60
            )
            self.assertEqual(result.stdout, printed, result.stderr)

    def test_shutdown_ends_the_server(self) -> None:
        server = make_server(self.directory / "ending")
        server.start()
        self.addCleanup(server.kill)
        subprocess.run(
            ["redis-cli", "-p", str(server.port), "SHUTDOWN"], check=True, timeout=60
        )
        self.assertEqual(server.wait_end(), 0, server.log)


if __name__ == "__main__":
    need_tools("redis-cli")
    unittest.main()
