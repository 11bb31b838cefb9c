"""The Redis protocol as bytes: commands encoded, replies found in a stream and taken apart."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import Any, NamedTuple

Command = tuple[bytes, ...]

_LINES = frozenset(b"+-:_#,(")
_BULKS = frozenset(b"$=!")
_ARRAYS = frozenset(b"*~>")
_MAPS = frozenset(b"%|")
DEADLINE_SECONDS = 20.0


class WireError(Exception):
    """The server sent what is no reply, closed the connection, or sent nothing for too long."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        # The replies that came before.
        self.replies: list[bytes] = []


class Reply(NamedTuple):
    """A reply, or a part of one. `kind` is its first byte on the wire. `value` is bytes (of lines
    and bulks), None, or a list of replies; the pairs of a map stand one after the other."""

    kind: str
    value: Any

    @property
    def is_error(self) -> bool:
        return self.kind in "-!"


def encode(command: Iterable[bytes]) -> bytes:
    parts = list(command)
    head = b"*%d\r\n" % len(parts)
    return head + b"".join([b"$%d\r\n%b\r\n" % (len(part), part) for part in parts])


def decode(data: bytes) -> list[Command]:
    """The commands that `data`, made by encode, is made of."""
    commands, start = [], 0
    while start < len(data):
        end = reply_end(data, start)
        commands.append(tuple(part.value for part in parse(data[start:end]).value))
        start = end
    return commands


def reply_end(data: bytes | bytearray, start: int) -> int:
    """Where the reply that begins at `start` ends, or -1 when it is not all there."""
    position, wanted = start, 1
    while wanted:
        line_end = data.find(b"\r\n", position)
        if line_end < 0:
            return -1
        kind = data[position]
        wanted -= 1
        if kind in _LINES:
            position = line_end + 2
            continue
        count = _count(data[position + 1 : line_end])
        if kind in _BULKS:
            position = line_end + 2 + (count + 2 if count >= 0 else 0)
            if position > len(data):
                return -1
        elif kind in _ARRAYS or kind in _MAPS:
            position = line_end + 2
            wanted += max(count, 0) * (2 if kind in _MAPS else 1)
        else:
            raise WireError(f"no reply begins with {bytes(data[start:start + 80])!r}")
    return position


def _count(text: bytes | bytearray) -> int:
    try:
        return int(text)
    except ValueError:
        raise WireError(f"no length: {bytes(text[:80])!r}") from None


def parse(data: bytes) -> Reply:
    """The one reply that is all of `data`."""
    reply, end = _parse(data, 0)
    assert end == len(data)
    return reply


def _parse(data: bytes, start: int) -> tuple[Reply, int]:
    line_end = data.index(b"\r\n", start)
    kind, line, position = data[start], data[start + 1 : line_end], line_end + 2
    if kind in _LINES:
        return Reply(chr(kind), None if kind == ord("_") else line), position
    count = int(line)
    if count < 0:
        return Reply(chr(kind), None), position
    if kind in _BULKS:
        return Reply(chr(kind), data[position : position + count]), position + count + 2
    parts = []
    for _ in range(count * (2 if kind in _MAPS else 1)):
        part, position = _parse(data, position)
        parts.append(part)
    return Reply(chr(kind), parts), position


class Connection:
    """A connection that reads replies as bytes. Not thread-safe."""

    def __init__(self, address: int | str) -> None:
        """`address` is a port of this machine, or the path of a Unix socket."""
        if isinstance(address, int):
            self._socket = socket.create_connection(("127.0.0.1", address), DEADLINE_SECONDS)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(DEADLINE_SECONDS)
            self._socket.connect(address)
        self.unread = bytearray()

    def close(self) -> None:
        self._socket.close()

    def send(self, data: bytes, cuts: Iterable[int] = ()) -> None:
        """Sends `data` in pieces that end at `cuts`, which ascend."""
        start = 0
        try:
            for cut in cuts:
                self._socket.sendall(data[start:cut])
                start = cut
            self._socket.sendall(data[start:])
        except OSError as error:
            raise WireError(f"cannot send: {error}") from None

    def receive(self) -> bool:
        """Adds what has come to `unread`; False at the end of the stream."""
        try:
            data = self._socket.recv(1 << 18)
        except TimeoutError:
            raise WireError(f"nothing came for {DEADLINE_SECONDS:.0f} s") from None
        except ConnectionResetError:
            return False
        except OSError as error:
            raise WireError(f"cannot receive: {error}") from None
        self.unread += data
        return bool(data)

    def replies(self, count: int) -> list[bytes]:
        """The next `count` replies."""
        found: list[bytes] = []
        start = 0
        try:
            while len(found) < count:
                end = reply_end(self.unread, start)
                if end >= 0:
                    found.append(bytes(self.unread[start:end]))
                    start = end
                elif not self.receive():
                    raise WireError(f"closed after {len(found)} of {count} replies")
        except WireError as error:
            error.replies = found
            raise
        del self.unread[:start]
        return found

    def matches(self, expected: bytes) -> bool:
        """Takes what comes as long as it is as `expected`: all of it, or, if False, nothing."""
        while expected.startswith(self.unread):
            if len(self.unread) == len(expected):
                self.unread.clear()
                return True
            try:
                if not self.receive():
                    break
            except WireError:
                break  # Told by whoever waits for the replies one by one.
        return False

    def to_the_end(self) -> bytes:
        """All that comes until the server closes the connection."""
        while self.receive():
            pass
        data = bytes(self.unread)
        self.unread.clear()
        return data

    def ask(self, *command: bytes) -> Reply:
        self.send(encode(command))
        return parse(self.replies(1)[0])
