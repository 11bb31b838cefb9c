"""Commands of Redis that Cirein does not have are answered with an error, and nothing else happens.
A handful: redis-server, which has them, is not asked."""

from __future__ import annotations

import unittest

from commands import UNSUPPORTED
from server import REDIS, SKIPPED, ServerTest, wanted_server
from wire import Connection


class UnsupportedTest(ServerTest):
    def test_each_is_an_error_and_the_connection_goes_on(self) -> None:
        connection = Connection(self.server.port)
        self.addCleanup(connection.close)
        for protocol in (b"2", b"3"):
            connection.ask(b"HELLO", protocol)
            for line in UNSUPPORTED:
                with self.subTest(line):
                    reply = connection.ask(*line.encode().split())
                    self.assertEqual(reply.kind, "-", reply)
                    self.assertIn(line.split()[0].lower(), reply.value.decode().lower())
                    self.assertEqual(connection.ask(b"PING").value, b"PONG")
                    self.assertEqual(connection.ask(b"DBSIZE").value, b"0")

    def test_in_a_transaction_it_ends_the_transaction(self) -> None:
        connection = Connection(self.server.port)
        self.addCleanup(connection.close)
        for command in ((b"MULTI",), (b"SET", b"k", b"v")):
            self.assertFalse(connection.ask(*command).is_error)
        self.assertTrue(connection.ask(b"LPUSH", b"list", b"a").is_error)
        self.assertEqual(connection.ask(b"EXEC").value[:9], b"EXECABORT")
        self.assertEqual(connection.ask(b"EXISTS", b"k").value, b"0")


if __name__ == "__main__":
    if wanted_server() == REDIS:
        print("skipped: redis-server has these commands")
        raise SystemExit(SKIPPED)
    unittest.main()
