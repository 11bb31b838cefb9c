"""The differential test itself: two redis-servers agree, and a server that is wrong in one thing is
found out, with few steps left."""

from __future__ import annotations

import contextlib
import pathlib
import socket
import tempfile
import threading
import unittest
from collections.abc import Callable

from canonical import agree
from comparison import Comparison
from minimiser import Failure, Minimiser, play_sequence, told_steps
from sequences import Sequence
from server import REDIS, Server, make_server, need_tools
from wire import Command, Connection, Reply, WireError, encode, parse, reply_end

# Says what comes back instead of the reply to a command.
Breaking = Callable[[Command, bytes], bytes]
# The command to send instead.
Instead = Callable[[Command], Command]


class Proxy:
    """Stands before a server and is wrong on purpose. Knows commands with one reply each."""

    def __init__(self, port: int, breaking: Breaking, instead: Instead) -> None:
        self._port = port
        self._breaking = breaking
        self._instead = instead
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with client:
            try:
                self._forward(client, Connection(self._port))
            except (OSError, WireError):
                pass  # The server has ended.

    def _forward(self, client: socket.socket, upstream: Connection) -> None:
        data = b""
        with contextlib.closing(upstream):
            while received := client.recv(1 << 16):
                data += received
                while data and (end := reply_end(data, 0)) >= 0:
                    command = tuple(part.value for part in parse(data[:end]).value)
                    data = data[end:]
                    upstream.send(encode(self._instead(command)))
                    client.sendall(self._breaking(command, upstream.replies(1)[0]))


def same_command(command: Command) -> Command:
    return command


def same_reply(_: Command, reply: bytes) -> bytes:
    return reply


def one_too_many(command: Command, reply: bytes) -> bytes:
    return b":7\r\n" if command[0] == b"HLEN" and reply == b":6\r\n" else reply


def another_text(_: Command, reply: bytes) -> bytes:
    return reply.replace(b"out of range", b"not in range") if reply[:1] == b"-" else reply


def a_pair_less(command: Command, reply: bytes) -> bytes:
    if command[0] == b"HGETALL" and reply.startswith(b"*6\r\n"):
        parts = parse(reply).value[2:]
        return b"*4\r\n" + b"".join(b"$%d\r\n%b\r\n" % (len(p.value), p.value) for p in parts)
    return reply


def in_another_protocol(_: Command, reply: bytes) -> bytes:
    return b"$-1\r\n" if reply == b"_\r\n" else reply


def forgets_keepttl(command: Command) -> Command:
    return tuple(word for word in command if word != b"KEEPTTL")


def keeps_what_expired(command: Command) -> Command:
    if command[0] == b"PEXPIREAT" and command[2:] == (b"1",):
        return (b"EXISTS", command[1])
    return command


def forgets_in_transactions(command: Command) -> Command:
    return (b"STRLEN", command[1]) if command[0] == b"APPEND" and len(command) == 3 else command


BROKEN: dict[str, tuple[Breaking, Instead]] = {
    "a number": (one_too_many, same_command),
    "the text of an error": (another_text, same_command),
    "a set with one less": (a_pair_less, same_command),
    "the nil of another protocol": (in_another_protocol, same_command),
    "an option forgotten": (same_reply, forgets_keepttl),
    "what expired is kept": (same_reply, keeps_what_expired),
    "a write not done": (same_reply, forgets_in_transactions),
}


class DifferentialTest(unittest.TestCase):
    servers: list[Server]

    @classmethod
    def setUpClass(cls) -> None:
        scratch = tempfile.TemporaryDirectory(prefix="cirein_differential_")
        cls.addClassCleanup(scratch.cleanup)
        root = pathlib.Path(scratch.name)
        cls.servers = [make_server(root / name, REDIS) for name in ("one", "other")]
        for server in cls.servers:
            server.start()
            cls.addClassCleanup(server.kill)

    def first_failure(self, comparison: Comparison, plain: bool, seeds: int) -> Failure | None:
        for seed in range(1, seeds + 1):
            steps = list(Sequence(seed, 4000, plain).steps())
            failure = play_sequence(comparison, steps)
            if failure is not None:
                print(f"seed {seed}: {failure.difference.told()}")
                return failure
        return None

    def test_two_servers_of_one_kind_agree(self) -> None:
        ports = [[server.port, server.socket_path] for server in self.servers]
        comparison = Comparison(*ports)
        self.addCleanup(comparison.close)
        self.assertIsNone(self.first_failure(comparison, False, 4))

    def test_a_wrong_server_is_found_out(self) -> None:
        for name, (breaking, instead) in BROKEN.items():
            with self.subTest(name):
                proxy = Proxy(self.servers[1].port, breaking, instead)
                self.addCleanup(proxy.close)
                comparison = Comparison([self.servers[0].port], [proxy.port])
                self.addCleanup(comparison.close)
                failure = self.first_failure(comparison, True, 20)
                assert failure is not None, f"not found out: {name}"
                least = Minimiser(comparison, seconds=20).minimise(failure)
                print(told_steps(least.steps))
                self.assertLessEqual(len(least.steps), 6)

    def test_a_server_that_ends_is_found_out_and_started_again(self) -> None:
        mortal = self.servers[1]

        def kill_by_lcs(command: Command, reply: bytes) -> bytes:
            if command[0] == b"LCS":
                mortal.kill()
            return reply

        def revive() -> None:
            if not mortal.alive():
                mortal.kill()
                mortal.start()

        proxy = Proxy(mortal.port, kill_by_lcs, same_command)
        self.addCleanup(proxy.close)
        comparison = Comparison([self.servers[0].port], [proxy.port], revive)
        self.addCleanup(comparison.close)
        self.addCleanup(revive)
        failure = self.first_failure(comparison, True, 5)
        assert failure is not None
        least = Minimiser(comparison, seconds=20).minimise(failure)
        print(told_steps(least.steps))
        self.assertLessEqual(len(least.steps), 2)

    def test_the_same_seed_is_the_same_sequence(self) -> None:
        one, again = (list(Sequence(5, 500).steps()) for _ in range(2))
        self.assertEqual(one, again)
        self.assertNotEqual(one, list(Sequence(6, 500).steps()))


def bulks(*values: bytes) -> Reply:
    return Reply("*", [Reply("$", value) for value in values])


class CanonicalTest(unittest.TestCase):
    def check(self, agreed: bool, words: str, one: Reply, other: Reply) -> None:
        self.assertEqual(agree(tuple(words.encode().split()), one, other), agreed)

    def test_order_is_free_and_content_is_not(self) -> None:
        self.check(True, "KEYS *", bulks(b"a", b"b"), bulks(b"b", b"a"))
        self.check(False, "KEYS *", bulks(b"a", b"b"), bulks(b"a", b"c"))
        self.check(False, "MGET a b", bulks(b"a", b"b"), bulks(b"b", b"a"))
        self.check(True, "hgetall h", bulks(b"a", b"1", b"b", b"2"), bulks(b"b", b"2", b"a", b"1"))
        self.check(False, "HGETALL h", bulks(b"a", b"1", b"b", b"2"), bulks(b"a", b"2", b"b", b"1"))

    def test_times_are_near(self) -> None:
        for one, other, near in ((b"100", b"98", True), (b"100", b"50", False),
                                 (b"-1", b"-2", False), (b"-1", b"1", False)):  # fmt: skip
            self.check(near, "TTL k", Reply(":", one), Reply(":", other))

    def test_a_cursor_is_free_and_its_page_is_a_page(self) -> None:
        one = Reply("*", [Reply("$", b"0"), bulks(b"a")])
        self.check(True, "SCAN 0", one, Reply("*", [Reply("$", b"77"), bulks()]))
        self.check(False, "SCAN 0", one, Reply("*", [Reply("$", b"x"), bulks()]))
        self.check(False, "SCAN 0", one, bulks(b"0"))

    def test_errors_are_never_free(self) -> None:
        error = Reply("-", b"WRONGTYPE Operation against a key")
        self.check(False, "RANDOMKEY", Reply("$", b"k"), error)
        self.check(False, "HGETALL h", error, Reply("-", b"ERR other"))
        self.check(True, "HGETALL h", error, error)

    def test_an_unknown_command_may_be_told_where_the_known_ones_are(self) -> None:
        head = b"ERR unknown command 'X', with args beginning with: "
        self.check(True, "X", Reply("-", head), Reply("-", head + b"; see the manual"))
        self.check(False, "X", Reply("-", head), Reply("-", b"ERR unknown command 'Y'"))

    def test_the_family_of_an_encoding_is_not_free(self) -> None:
        self.check(True, "OBJECT ENCODING k", Reply("$", b"int"), Reply("$", b"raw"))
        self.check(False, "OBJECT ENCODING k", Reply("$", b"int"), Reply("$", b"listpack"))


if __name__ == "__main__":
    need_tools("redis-server")
    unittest.main()
