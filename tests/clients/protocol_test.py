"""Clients that are none: bytes one by one, broken off anywhere, malformed, unread, very many; and a
server with a password."""

from __future__ import annotations

import contextlib
import resource
import threading
import time
import unittest

from server import Server, ServerTest, make_server
from wire import Connection, Reply, WireError, encode

IDLE_CONNECTIONS = 10_000
OTHER_CLIENTS = 50
# Files that this process and the server may have open besides.
OTHER_FILES = 1200
# In this time a client that does nothing wrong is answered, whatever the others do.
PROMPT_SECONDS = 5.0
NOAUTH = b"NOAUTH Authentication required."
EXECABORT = b"EXECABORT Transaction discarded because of: "
NOAUTH_HELLO = (
    b"NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH "
    b"<user> <pass> option can be used to authenticate the client and select the RESP protocol "
    b"version at the same time"
)
WRONGPASS = b"WRONGPASS invalid username-password pair or user is disabled."


def memory_bytes(server: Server, name: str) -> int:
    """What the system says of the server's process."""
    with open(f"/proc/{server.pid}/status", encoding="ascii") as status:
        found = [line.split()[1] for line in status if line.startswith(name + ":")]
    return int(found[0]) << 10


class ProtocolTest(ServerTest):
    def setUp(self) -> None:
        super().setUp()
        self.client = self.connect()

    def connect(self, server: Server | None = None) -> Connection:
        connection = Connection((server or self.server).port)
        self.addCleanup(connection.close)
        return connection

    def test_bytes_one_by_one(self) -> None:
        commands = encode((b"SET", b"k", b"v\r\n")) + encode((b"GET", b"k")) + b"PING\r\n"
        self.client.send(commands, range(1, len(commands)))
        self.assertEqual(self.client.replies(3), [b"+OK\r\n", b"$3\r\nv\r\n\r\n", b"+PONG\r\n"])

    def test_a_client_may_vanish_between_any_two_bytes(self) -> None:
        commands = (
            encode((b"SET", b"k", b"value")) + encode((b"MULTI",)) + encode((b"INCR", b"n"))
            + encode((b"INCR", b"m")) + encode((b"EXEC",)) + encode((b"GET", b"k"))
        )  # fmt: skip
        for length in range(len(commands)):
            gone = Connection(self.server.port)
            gone.send(commands[:length])
            gone.close()
        counts = self.client.ask(b"MGET", b"n", b"m").value
        self.assertEqual(counts[0], counts[1])
        self.assertTrue(self.server.alive())

    def test_what_cannot_be_understood_is_told_and_ends_the_connection(self) -> None:
        for sent, told in (
            (b"*1\r\n" * 100_000, b"expected '$', got '*'"),
            (b"*9999999999\r\n", b"invalid multibulk length"),
            (b"*1\r\n$9999999999\r\n", b"invalid bulk length"),
            (b"*1\r\n$5x\r\nabcde\r\n", b"invalid bulk length"),
            (b"x" * 70_000, b"too big inline request"),
            (b"*" + b"1" * 70_000, b"too big mbulk count string"),
            (b"*1\r\n$" + b"1" * 70_000, b"too big bulk count string"),
            (b"GET 'k\r\n", b"unbalanced quotes in request"),
        ):
            with self.subTest(told):
                connection = self.connect()
                # Some of it may still be unsent when the server closes, and its reply be lost then.
                with contextlib.suppress(WireError):
                    connection.send(sent)
                end = connection.to_the_end()
                if len(sent) < 70_000 or end:
                    self.assertEqual(end, b"-ERR Protocol error: " + told + b"\r\n")
        self.assertEqual(self.client.ask(b"PING").value, b"PONG")

    def test_many_idle_connections_hold_nobody(self) -> None:
        count = self.idle_connections()
        self.allow_clients(count + OTHER_CLIENTS)
        with contextlib.ExitStack() as stack:
            for _ in range(count):
                stack.enter_context(contextlib.closing(Connection(self.server.port)))
            self.check_prompt()
            self.assertGreater(self.client.ask(b"CLIENT", b"LIST").value.count(b"\n"), count)

    def idle_connections(self) -> int:
        """As many as are wanted, or as this machine lets a process open files for."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        count = IDLE_CONNECTIONS
        if hard != resource.RLIM_INFINITY and hard < count + OTHER_FILES:
            count = hard - OTHER_FILES
            print(f"{count} idle connections in place of {IDLE_CONNECTIONS}: "
                  f"RLIMIT_NOFILE is {hard} (ulimit -Hn)", flush=True)  # fmt: skip
            self.assertGreater(count, 0)
        if soft < count + OTHER_FILES:
            resource.setrlimit(resource.RLIMIT_NOFILE, (count + OTHER_FILES, hard))
        return count

    def allow_clients(self, count: int) -> None:
        def set_most(most: bytes) -> None:
            self.assertEqual(self.client.ask(b"CONFIG", b"SET", b"maxclients", most).value, b"OK")

        before = self.client.ask(b"CONFIG", b"GET", b"maxclients").value[1].value
        if int(before) < count:
            set_most(b"%d" % count)
            self.addCleanup(set_most, before)  # The server is that of other tests too.

    def check_prompt(self) -> None:
        start = time.monotonic()
        for number in range(100):
            self.assertEqual(self.client.ask(b"INCR", b"prompt").value, b"%d" % (number + 1))
        self.assertLess(time.monotonic() - start, PROMPT_SECONDS)

    def test_a_client_that_does_not_read_holds_nobody(self) -> None:
        value = b"0123456789abcdef" * (1 << 14)
        self.client.ask(b"SET", b"large", value)
        slow = self.connect()
        slow.send(encode((b"GET", b"large")) * 200)
        self.check_prompt()
        # It may be cut off for it; what it gets until then is right.
        replies = self.replies_until_cut(slow, 200)
        self.assertGreater(len(replies), 0)
        self.assertEqual(set(replies), {b"$%d\r\n%b\r\n" % (len(value), value)})

    def replies_until_cut(self, connection: Connection, count: int) -> list[bytes]:
        try:
            return connection.replies(count)
        except WireError as error:
            return error.replies

    def test_a_value_that_never_ends_holds_nobody(self) -> None:
        slow = self.connect()
        slow.send(b"*3\r\n$3\r\nSET\r\n$5\r\nlarge\r\n$100000000\r\n" + b"x" * 1_000_000)
        self.check_prompt()
        self.assertEqual(self.client.ask(b"EXISTS", b"large").value, b"0")

    def test_a_large_value_both_ways(self) -> None:
        value = b"\x00\r\n$5\xff+-:*" * (6 << 20)
        sending = threading.Thread(target=self.client.send, args=(encode((b"SET", b"k", value)),))
        sending.start()
        self.assertEqual(self.client.replies(1), [b"+OK\r\n"])
        sending.join()
        self.assertEqual(self.client.ask(b"GET", b"k").value, value)

    def test_a_large_value_is_not_held_twice(self) -> None:
        if self.server.is_redis:  # It also copies it into a buffer for its file.
            return
        server = make_server(self.directory / "large")
        server.start()
        self.addCleanup(server.kill)
        client = self.connect(server)
        size = 200 << 20
        before = memory_bytes(server, "VmHWM")
        client.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n" % size)
        part = bytes(1 << 20)
        for _ in range(size // len(part)):
            client.send(part)
        client.send(b"\r\n")
        self.assertEqual(client.replies(1), [b"+OK\r\n"])
        self.assertLess(memory_bytes(server, "VmHWM") - before, size * 3 // 2)
        written = memory_bytes(server, "RssAnon")
        self.assertEqual(len(client.ask(b"GET", b"k").value), size)
        self.assertLess(memory_bytes(server, "RssAnon") - written, size // 4)

    def test_many_values_that_are_large_together(self) -> None:
        values = {b"k%d" % i: bytes([i]) * 500_000 for i in range(20)}
        words = [word for pair in values.items() for word in pair]
        self.assertEqual(self.client.ask(b"MSET", *words).value, b"OK")
        self.assertEqual([reply.value for reply in self.client.ask(b"MGET", *values).value],
                         list(values.values()))
        self.assertEqual(self.client.ask(b"MULTI").value, b"OK")
        for key in values:
            self.assertEqual(self.client.ask(b"SET", key, b"y" * 700_000).value, b"QUEUED")
        self.assertEqual([reply.value for reply in self.client.ask(b"EXEC").value],
                         [b"OK"] * len(values))
        self.assertEqual([reply.value for reply in self.client.ask(b"MGET", *values).value],
                         [b"y" * 700_000] * len(values))

    def test_the_types_of_resp3(self) -> None:
        hello = self.client.ask(b"HELLO", b"3", b"SETNAME", b"three")
        self.assertEqual(hello.kind, "%")
        fields = {key.value: value for key, value in zip(hello.value[::2], hello.value[1::2])}
        self.assertEqual(fields[b"proto"], Reply(":", b"3"))
        self.client.ask(b"HSET", b"h", b"f", b"v")
        self.assertEqual(self.client.ask(b"HGETALL", b"h").kind, "%")
        self.assertEqual(self.client.ask(b"GET", b"none"), Reply("_", None))
        self.assertEqual(self.client.ask(b"INFO").kind, "=")
        self.assertEqual(self.client.ask(b"CLIENT", b"GETNAME").value, b"three")
        self.assertEqual(self.client.ask(b"RESET").value, b"RESET")
        self.assertEqual(self.client.ask(b"GET", b"none"), Reply("$", None))

    def test_the_password(self) -> None:
        server = make_server(self.directory / "locked", password="open sesame")
        server.start()
        self.addCleanup(server.kill)
        stranger = self.connect(server)
        for words, told in (
            ("PING", NOAUTH), ("GET k", NOAUTH), ("MULTI", NOAUTH), ("EXEC", EXECABORT + NOAUTH),
            ("CLIENT ID", NOAUTH), ("SHUTDOWN", NOAUTH), ("HELLO 3", NOAUTH_HELLO),
            ("AUTH wrong", WRONGPASS), ("AUTH default wrong", WRONGPASS),
            ("AUTH nobody sesame", WRONGPASS), ("HELLO 3 AUTH default wrong", WRONGPASS),
        ):  # fmt: skip
            reply = stranger.ask(*words.encode().split())
            self.assertEqual((words, reply), (words, Reply("-", told)))
        self.assertEqual(stranger.ask(b"AUTH", b"open sesame").value, b"OK")
        self.assertEqual(stranger.ask(b"PING").value, b"PONG")
        stranger.ask(b"RESET")
        self.assertEqual(stranger.ask(b"PING").value, NOAUTH)
        friend = self.connect(server)
        hello = friend.ask(b"HELLO", b"3", b"AUTH", b"default", b"open sesame")
        self.assertEqual(hello.kind, "%")

    def test_hello_takes_a_name_before_a_wrong_password(self) -> None:
        told = self.client.ask(b"HELLO", b"3", b"SETNAME", b"two", b"AUTH", b"somebody", b"wrong")
        self.assertEqual(told, Reply("-", WRONGPASS))
        self.assertEqual(self.client.ask(b"CLIENT", b"GETNAME"), Reply("$", b"two"))

    def test_a_new_password_does_not_lock_out_who_is_there(self) -> None:
        def set_password(password: bytes) -> None:
            reply = self.client.ask(b"CONFIG", b"SET", b"requirepass", password)
            self.assertEqual(reply.value, b"OK")

        set_password(b"open sesame")
        self.addCleanup(set_password, b"")  # The server is that of other tests too.
        stranger = self.connect()
        self.assertEqual(stranger.ask(b"PING").value, NOAUTH)
        self.assertEqual(self.client.ask(b"PING").value, b"PONG")
        set_password(b"")
        self.assertEqual(stranger.ask(b"PING").value, b"PONG")
        set_password(b"open sesame")
        self.assertEqual(stranger.ask(b"PING").value, NOAUTH)

    def test_who_does_not_read_can_be_killed(self) -> None:
        value = b"0123456789abcdef" * (1 << 14)
        self.client.ask(b"SET", b"large", value)
        slow = self.connect()
        number = slow.ask(b"CLIENT", b"ID").value
        slow.send(encode((b"GET", b"large")) * 200)
        self.assertEqual(self.client.ask(b"CLIENT", b"KILL", b"ID", number).value, b"1")
        end = time.monotonic() + PROMPT_SECONDS
        while b"id=%b " % number in self.client.ask(b"CLIENT", b"LIST").value:
            self.assertLess(time.monotonic(), end, "it is still there")

    def test_strangers_cannot_send_much(self) -> None:
        server = make_server(self.directory / "strict", password="open sesame")
        server.start()
        self.addCleanup(server.kill)
        for sent, told in (
            (b"*11\r\n", b"unauthenticated multibulk length"),
            (b"*1\r\n$16385\r\n", b"unauthenticated bulk length"),
        ):
            connection = self.connect(server)
            connection.send(sent)
            self.assertEqual(connection.to_the_end(), b"-ERR Protocol error: " + told + b"\r\n")


if __name__ == "__main__":
    unittest.main()
