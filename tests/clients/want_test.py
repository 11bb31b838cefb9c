"""What Redis clients have of Cirein's own: objects that are published once, needs that block one
connection, wants that are answered by a push, and the commands that tell what is there. Only for
cirein: redis-server has nothing of it."""

from __future__ import annotations

import time
import unittest
from collections.abc import Callable

from server import REDIS, SKIPPED, Server, ServerTest, make_server, wanted_server
from wire import Connection, Reply, encode, parse

MAX_WANTS = 10_000
WAIT_SECONDS = 20.0


def fields(reply: Reply) -> dict[str, bytes | None]:
    """A map's values by name, in either protocol."""
    assert reply.kind in "%*" and len(reply.value) % 2 == 0, reply
    pairs = zip(reply.value[::2], reply.value[1::2])
    return {name.value.decode(): value.value for name, value in pairs}


class WantTest(ServerTest):
    def setUp(self) -> None:
        super().setUp()
        self.reader = self.connect()
        self.writer = self.connect(protocol=2)

    def connect(self, protocol: int = 3, server: Server | None = None) -> Connection:
        connection = Connection((server or self.server).port)
        self.addCleanup(connection.close)
        self.assertFalse(connection.ask(b"HELLO", b"%d" % protocol).is_error)
        return connection

    def want(self, *arguments: bytes, by: Connection | None = None) -> bytes:
        """The id of a want."""
        reply = (by or self.reader).ask(b"CIREIN.WANT", *arguments)
        self.assertEqual(reply.kind, ":", reply)
        return bytes(reply.value)

    def pushed(self, by: Connection | None = None) -> tuple[bytes, Reply]:
        """The want that the next push answers, and with what."""
        push = parse((by or self.reader).replies(1)[0])
        self.assertEqual((push.kind, len(push.value)), (">", 3), push)
        self.assertEqual(push.value[0].value, b"cirein.want")
        return push.value[1].value, push.value[2]

    def publish(self, *arguments: bytes) -> dict[str, bytes | None]:
        reply = self.writer.ask(b"CIREIN.PUBLISH", *arguments)
        self.assertFalse(reply.is_error, reply)
        return fields(reply)

    def check_error(self, code: bytes, *command: bytes, by: Connection | None = None) -> None:
        reply = (by or self.writer).ask(*command)
        self.assertEqual((reply.kind, reply.value.split()[0]), ("-", code), reply)

    def check_silent(self, connection: Connection) -> None:
        """That nothing stands before the answer to what is asked now."""
        self.assertEqual(connection.ask(b"PING").value, b"PONG")
        self.assertEqual(bytes(connection.unread), b"")

    def until(self, what: str, is_so: Callable[[], bool]) -> None:
        end = time.monotonic() + WAIT_SECONDS
        while not is_so():
            self.assertLess(time.monotonic(), end, f"it did not come to this: {what}")

    def wait_blocked(self, count: int) -> None:
        line = b"blocked_clients:%d\r\n" % count
        asked = (b"INFO", b"clients")
        self.until(f"{count} are blocked", lambda: line in self.writer.ask(*asked).value)

    def test_a_want_before_the_publish_is_answered_by_a_push(self) -> None:
        number = self.want(b"row", b"COLUMN", b"c")
        self.check_silent(self.reader)
        told = self.publish(b"row", b"data\r\n\x00", b"COLUMN", b"c", b"META", b"m", b"TYPE", b"7")
        found, answer = self.pushed()
        self.assertEqual(found, number)
        self.assertEqual(
            fields(answer),
            {
                "row": b"row", "column": b"c", "data": b"data\r\n\x00", "meta": b"m", "type": b"7",
                "version": told["version"], "ttl-ms": b"-1",
            },
        )  # fmt: skip

    def test_a_want_of_what_is_there_is_answered_after_its_id(self) -> None:
        self.publish(b"row", b"data", b"PX", b"100000")
        self.reader.send(encode((b"CIREIN.WANT", b"row")))
        reply = parse(self.reader.replies(1)[0])
        self.assertEqual(reply.kind, ":")
        found, answer = self.pushed()
        self.assertEqual(found, reply.value)
        self.assertIsNone(fields(answer)["column"])
        self.assertTrue(0 < int(fields(answer)["ttl-ms"] or 0) <= 100_000)

    def test_ordinary_commands_of_redis_answer_wants(self) -> None:
        for command, arguments, data in (
            ((b"SET", b"s", b"1"), (b"s",), b"1"),
            ((b"HSET", b"h", b"", b"2"), (b"h", b"COLUMN", b""), b"2"),
            ((b"HINCRBY", b"n", b"f", b"3"), (b"n", b"ALL"), b"3"),
            ((b"RENAME", b"s", b"t"), (b"t",), b"1"),
            ((b"MSET", b"u", b"4", b"v", b"5"), (b"v",), b"5"),
        ):
            with self.subTest(command):
                number = self.want(*arguments)
                self.assertFalse(self.writer.ask(*command).is_error)
                found, answer = self.pushed()
                self.assertEqual((found, fields(answer)["data"]), (number, data))

    def test_a_transaction_answers_when_it_is_carried_out(self) -> None:
        self.want(b"a")
        for command in ((b"MULTI",), (b"SET", b"a", b"1"), (b"SET", b"a", b"2")):
            self.assertFalse(self.writer.ask(*command).is_error)
        self.check_silent(self.reader)
        self.writer.ask(b"EXEC")
        self.assertEqual(fields(self.pushed()[1])["data"], b"2")

    def test_a_want_by_prefix(self) -> None:
        rows = self.want(b"run", b"PREFIX", b"COLUMN", b"done")
        columns = self.want(b"run7", b"COLUMNS", b"part")
        self.publish(b"other", b"x", b"COLUMN", b"done")
        self.publish(b"run8", b"x", b"COLUMN", b"other")
        self.publish(b"run7", b"x", b"COLUMN", b"done")
        found, answer = self.pushed()
        self.assertEqual((found, fields(answer)["row"]), (rows, b"run7"))
        self.publish(b"run7", b"x", b"COLUMN", b"part1")
        found, answer = self.pushed()
        self.assertEqual((found, fields(answer)["column"]), (columns, b"part1"))
        everything = self.want(b"", b"PREFIX", b"ALL")
        self.assertEqual(self.pushed()[0], everything)

    def test_each_want_is_answered_once(self) -> None:
        other = self.connect()
        two = {self.want(b"row"), self.want(b"row")}
        third = self.want(b"row", by=other)
        self.assertEqual(len(two), 2)
        self.publish(b"row", b"first")
        self.publish(b"row", b"second", b"OVERWRITE")
        answers = [self.pushed(), self.pushed()]
        self.assertEqual({found for found, _ in answers}, two)
        self.assertEqual({fields(answer)["data"] for _, answer in answers}, {b"first"})
        self.assertEqual(self.pushed(by=other)[0], third)
        for connection in (self.reader, other):
            self.check_silent(connection)

    def test_what_is_given_up_is_not_answered(self) -> None:
        given_up, kept = self.want(b"row"), self.want(b"row")
        self.assertEqual(self.reader.ask(b"CIREIN.UNWANT", given_up).value, b"1")
        self.assertEqual(self.reader.ask(b"CIREIN.UNWANT", given_up).value, b"0")
        self.publish(b"row", b"data")
        self.assertEqual(self.pushed()[0], kept)
        self.assertEqual(self.reader.ask(b"CIREIN.UNWANT", kept).value, b"0")
        self.check_silent(self.reader)
        self.assertTrue(self.reader.ask(b"CIREIN.UNWANT", b"x").is_error)

    def test_a_want_ends_with_its_time(self) -> None:
        number = self.want(b"row", b"TIMEOUT", b"1")
        found, answer = self.pushed()
        self.assertEqual(found, number)
        self.assertEqual(answer.value.split()[0], b"DEADLINE_EXCEEDED")
        self.publish(b"row", b"data")
        self.check_silent(self.reader)

    def test_a_want_needs_pushes(self) -> None:
        self.check_error(b"ERR", b"CIREIN.WANT", b"row")
        self.assertIn(b"HELLO 3", self.writer.ask(b"CIREIN.WANT", b"row").value)

    def test_wants_have_a_limit_and_end_with_their_connection(self) -> None:
        greedy = self.connect()
        greedy.send(encode((b"CIREIN.WANT", b"row")) * (MAX_WANTS + 1))
        replies = greedy.replies(MAX_WANTS + 1)
        self.assertEqual({reply[:1] for reply in replies[:-1]}, {b":"})
        self.assertEqual(replies[-1].split()[0], b"-RESOURCE_EXHAUSTED")
        greedy.close()
        number = self.want(b"row")
        self.publish(b"row", b"data")
        self.assertEqual(self.pushed()[0], number)
        self.assertTrue(self.server.alive())

    def test_a_need_blocks_its_connection_only(self) -> None:
        for reader in (self.reader, self.connect(protocol=2)):
            row = b"row%d" % id(reader)
            reader.send(encode((b"CIREIN.NEED", row, b"COLUMN", b"c")) + encode((b"PING",)))
            self.wait_blocked(1)
            self.assertEqual(bytes(reader.unread), b"")
            self.assertEqual(self.writer.ask(b"INCR", b"n").kind, ":")
            self.publish(row, b"data", b"COLUMN", b"c")
            needed, ping = (parse(reply) for reply in reader.replies(2))
            self.assertEqual((fields(needed)["data"], ping.value), (b"data", b"PONG"))
            self.wait_blocked(0)

    def test_one_publish_answers_all_who_need(self) -> None:
        readers = [self.connect() for _ in range(20)]
        for reader in readers:
            reader.send(encode((b"CIREIN.NEED", b"row", b"TIMEOUT", b"60000")))
        self.wait_blocked(len(readers))
        self.publish(b"row", b"data")
        for reader in readers:
            self.assertEqual(fields(parse(reader.replies(1)[0]))["data"], b"data")

    def test_a_need_whose_time_is_over_is_null(self) -> None:
        for reader, kind in ((self.reader, "_"), (self.writer, "$")):
            needed = reader.ask(b"CIREIN.NEED", b"row", b"TIMEOUT", b"1")
            self.assertEqual(needed, Reply(kind, None))
        self.assertEqual(self.writer.ask(b"EXISTS", b"row").value, b"0")

    def test_a_need_may_be_unblocked_or_vanish(self) -> None:
        for end, kind in ((b"TIMEOUT", "_"), (b"ERROR", "-")):
            number = self.reader.ask(b"CLIENT", b"ID").value
            self.reader.send(encode((b"CIREIN.NEED", b"row")))
            self.wait_blocked(1)
            self.assertEqual(self.writer.ask(b"CLIENT", b"UNBLOCK", number, end).value, b"1")
            self.assertEqual(parse(self.reader.replies(1)[0]).kind, kind)
        gone = self.connect()
        gone.send(encode((b"CIREIN.NEED", b"row")))
        self.wait_blocked(1)
        gone.close()
        self.wait_blocked(0)
        self.publish(b"row", b"data")
        self.check_silent(self.reader)

    def test_published_once_unless_asked_otherwise(self) -> None:
        version = self.publish(b"row", b"one")["version"] or b""
        self.check_error(b"ALREADY_EXISTS", b"CIREIN.PUBLISH", b"row", b"two")
        stale = (b"CIREIN.PUBLISH", b"row", b"two", b"IFVERSION", b"0.0")
        self.check_error(b"FAILED_PRECONDITION", *stale)
        self.assertEqual(self.writer.ask(b"GET", b"row").value, b"one")
        newer = self.publish(b"row", b"two", b"IFVERSION", version)["version"]
        self.assertNotEqual(newer, version)
        self.publish(b"row", b"three", b"OVERWRITE")
        self.assertEqual(self.writer.ask(b"GET", b"row").value, b"three")
        self.publish(b"new", b"one", b"IFVERSION", b"0.0")

    def test_errors_are_those_of_the_native_api_or_of_redis(self) -> None:
        for code, line in (
            (b"INVALID_ARGUMENT", b"CIREIN.INFO row ALL"),
            (b"INVALID_ARGUMENT", b"CIREIN.PUBLISH row data COLUMNS part"),
            (b"INVALID_ARGUMENT", b"CIREIN.COMPUTE row size PREFIX ALL"),
            (b"INVALID_ARGUMENT", b"CIREIN.LIST row CURSOR nonsense"),
            (b"NOT_FOUND", b"CIREIN.COMPUTE row nothing ALL"),
            (b"ERR", b"CIREIN.PUBLISH row data NONSENSE"),
            (b"ERR", b"CIREIN.PUBLISH row data TYPE 65536"),
            (b"ERR", b"CIREIN.PUBLISH row data PX 0"),
            (b"ERR", b"CIREIN.PUBLISH row data IFVERSION 1"),
            (b"ERR", b"CIREIN.PUBLISH row"),
            (b"ERR", b"CIREIN.NEED"),
            (b"ERR", b"CIREIN.NEED row TIMEOUT"),
            (b"ERR", b"CIREIN.NEED row TIMEOUT -1"),
            (b"ERR", b"CIREIN.NEED row COLUMN"),
            (b"ERR", b"CIREIN.LIST row COUNT 0"),
            (b"ERR", b"CIREIN.NOTHING row"),
        ):
            with self.subTest(line):
                self.check_error(code, *line.split())
        self.check_error(b"INVALID_ARGUMENT", b"CIREIN.PUBLISH", b"", b"data")
        self.check_error(b"INVALID_ARGUMENT", b"CIREIN.NEED", b"r" * 65_536, b"TIMEOUT", b"1")
        self.assertEqual(self.writer.ask(b"DBSIZE").value, b"0")

    def test_what_waits_is_not_for_transactions(self) -> None:
        for line in (b"CIREIN.NEED row", b"CIREIN.WANT row", b"CIREIN.COMPUTE row size ALL"):
            with self.subTest(line):
                self.assertEqual(self.reader.ask(b"MULTI").value, b"OK")
                self.assertTrue(self.reader.ask(*line.split()).is_error)
                self.assertEqual(self.reader.ask(b"EXEC").value[:9], b"EXECABORT")

    def test_info_of_objects_and_rows(self) -> None:
        self.assertEqual(self.reader.ask(b"CIREIN.INFO", b"row"), Reply("_", None))
        self.assertEqual(self.reader.ask(b"CIREIN.ROWINFO", b"row"), Reply("_", None))
        told = self.publish(b"row", b"data", b"META", b"me", b"PX", b"100000")
        self.assertTrue(0 < int(told.pop("ttl-ms") or 0) <= 100_000)
        for reader in (self.reader, self.writer):
            info = fields(reader.ask(b"CIREIN.INFO", b"row"))
            self.assertTrue(0 < int(info.pop("ttl-ms") or 0) <= 100_000)
            self.assertEqual(info, told)
        self.assertEqual((told["data-bytes"], told["meta-bytes"]), (b"4", b"2"))
        self.publish(b"row", b"12345", b"COLUMN", b"a")
        self.publish(b"row", b"", b"COLUMN", b"")
        row = fields(self.reader.ask(b"CIREIN.ROWINFO", b"row"))
        self.assertEqual(
            (row["columns"], row["has-object"], row["user-bytes"]), (b"2", b"t", b"11")
        )
        # A row with an object without column and columns is a hash to Redis.
        self.assertEqual(self.writer.ask(b"TYPE", b"row").value, b"hash")
        self.check_error(b"WRONGTYPE", b"GET", b"row")

    def listed(self, *arguments: bytes) -> list[tuple[bytes, bytes | None]]:
        """Row and column of all that a listing finds, page by page."""
        found: list[tuple[bytes, bytes | None]] = []
        cursor: tuple[bytes, ...] = ()
        while True:
            page = self.reader.ask(b"CIREIN.LIST", *arguments, *cursor)
            self.assertEqual(page.kind, "*", page)
            following, objects = page.value
            found += [(row.value, column.value) for row, column, *_ in
                      (entry.value for entry in objects.value)]  # fmt: skip
            if not following.value:
                return found
            cursor = (b"CURSOR", following.value)

    def test_lists_go_page_by_page(self) -> None:
        for row in range(5):
            for column in range(30):
                field = b"f%d" % column
                self.assertEqual(self.writer.ask(b"HSET", b"r%d" % row, field, b"v").value, b"1")
            self.publish(b"r%d" % row, b"no column")
        one = [(b"r3", b"f%d" % column) for column in range(30)]
        every: list[tuple[bytes, bytes | None]] = [
            (b"r%d" % row, b"f%d" % column) for row in range(5) for column in range(30)
        ]
        for count in (b"1", b"7", b"30", b"1000"):
            with self.subTest(count):
                found = self.listed(b"r3", b"COLUMNS", b"f", b"COUNT", count)
                self.assertEqual((sorted(found), len(found)), (sorted(one), len(one)))
                self.assertEqual(self.listed(b"r3", b"COUNT", count), [(b"r3", None)])
                rows = self.listed(b"r", b"PREFIX", b"COLUMNS", b"", b"COUNT", count)
                self.assertEqual((set(rows), len(rows)), (set(every), len(every)))
                rows = self.listed(b"", b"PREFIX", b"ALL", b"COUNT", count)
                self.assertEqual((len(set(rows)), len(rows)), (155, 155))

    def test_drops(self) -> None:
        fill = (b"HSET", b"row", b"a1", b"v", b"a2", b"v", b"b", b"v")
        for arguments, dropped, left in (
            ((b"row", b"COLUMN", b"b"), b"1", {b"a1", b"a2"}),
            ((b"row", b"COLUMNS", b"a"), b"2", {b"b"}),
            ((b"row",), b"0", {b"a1", b"a2", b"b"}),
            ((b"row", b"ALL"), b"3", set()),
            ((b"r", b"PREFIX", b"COLUMN", b"a1"), b"1", {b"a2", b"b"}),
            ((b"x", b"PREFIX", b"ALL"), b"0", {b"a1", b"a2", b"b"}),
            ((b"", b"PREFIX", b"ALL"), b"3", set()),
        ):
            with self.subTest(arguments):
                self.writer.ask(b"DEL", b"row")
                self.writer.ask(*fill)
                self.assertEqual(self.writer.ask(b"CIREIN.DROP", *arguments).value, dropped)
                keys = {reply.value for reply in self.writer.ask(b"HKEYS", b"row").value}
                self.assertEqual(keys, left)

    def test_computes(self) -> None:
        self.writer.ask(b"HSET", b"row", b"a", b"12", b"b", b"345", b"c", b"6")
        for arguments, data in (
            ((b"size", b"ALL"), b"6"),
            ((b"count", b"COLUMNS", b""), b"3"),
            ((b"concat", b"ALL", b"ARGS", b"-"), b"12-345-6"),
            ((b"pick", b"ALL", b"ARGS", b"largest"), b"345"),
        ):
            with self.subTest(arguments):
                answer = self.reader.ask(b"CIREIN.COMPUTE", b"row", *arguments)
                self.assertEqual(fields(answer)["data"], data)

    def test_a_large_object_by_push(self) -> None:
        data = b"\x00\r\n>3\xff" * (3 << 19)
        number = self.want(b"large")
        self.publish(b"large", data, b"META", b"m" * 1000)
        found, answer = self.pushed()
        self.assertEqual(found, number)
        self.assertEqual(fields(answer)["data"], data)
        self.assertEqual(fields(answer)["meta"], b"m" * 1000)

    def test_the_same_where_replies_wait_for_the_medium(self) -> None:
        server = make_server(self.directory / "power", cirein_arguments=["--durability", "power"])
        server.start()
        self.addCleanup(server.kill)
        reader, needer = self.connect(server=server), self.connect(server=server)
        number = self.want(b"row", by=reader)
        needer.send(encode((b"CIREIN.NEED", b"row")))
        writer = self.connect(server=server)
        self.assertEqual(writer.ask(b"SET", b"row", b"data").value, b"OK")
        found, answer = self.pushed(by=reader)
        self.assertEqual((found, fields(answer)["data"]), (number, b"data"))
        self.assertEqual(fields(parse(needer.replies(1)[0]))["data"], b"data")


if __name__ == "__main__":
    if wanted_server() == REDIS:
        print("skipped: redis-server has no commands of Cirein's")
        raise SystemExit(SKIPPED)
    unittest.main()
