"""Starts and ends the server a test talks to: `cirein up`, or redis-server, which tells whether the
test itself is right.

Which of them is told by the environment variable CIREIN_CLIENTS_SERVER: the path of the cirein
command, or `redis` (the default).
"""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import unittest
from collections.abc import Sequence
from typing import IO

REDIS = "redis"
START_SECONDS = 30.0
STOP_SECONDS = 30.0
# What ctest takes as "skipped" (SKIP_RETURN_CODE).
SKIPPED = 77


def wanted_server() -> str:
    return os.environ.get("CIREIN_CLIENTS_SERVER", REDIS)


def server_environment() -> dict[str, str]:
    """What is for the tests is no setting of the server's."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CIREIN_")}


class ServerError(Exception):
    """The server did not do what a server does: start, stay, end."""


class Server:
    """One server in a directory of its own. Directory and port outlive restarts."""

    def __init__(self, directory: pathlib.Path, password: str | None = None) -> None:
        self.directory = directory
        self.password = password
        self.port = 0
        self.socket_path = str(directory / "server.sock")
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._log: list[bytes] = []
        self._ready = threading.Event()
        self._serves = False

    def command(self) -> list[str]:
        raise NotImplementedError

    def note_ready(self, line: bytes) -> bool:
        """Whether this line of the server's output says that it serves; takes its port from it."""
        raise NotImplementedError

    @property
    def is_redis(self) -> bool:
        return isinstance(self, RedisServer)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        return b"".join(self._log).decode(errors="replace")

    def start(self) -> None:
        """Returns once the server serves."""
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Starts the process without waiting for it."""
        assert self._process is None
        self._log.clear()
        self._ready.clear()
        self._serves = False
        self._process = subprocess.Popen(
            self.command(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.directory,
            env=server_environment(),
        )
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,))
        self._reader.start()

    def wait_ready(self) -> None:
        assert self._process is not None
        if self._ready.wait(START_SECONDS) and self._serves:
            return
        self.kill()
        raise ServerError(f"not ready, or ended before; it said:\n{self.log}")

    def kill(self) -> None:
        """kill -9; the directory stays as it is."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._reap(STOP_SECONDS)

    def stop(self) -> int:
        """Asks the server to end, and returns its exit code."""
        if self._process is None:
            return 0
        self._process.send_signal(signal.SIGTERM)
        return self.wait_end()

    def wait_end(self) -> int:
        """Waits for a server that was told to end by other means."""
        try:
            return self._reap(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServerError(f"did not end within {STOP_SECONDS:.0f} s") from None

    def restart(self) -> None:
        self.stop()
        self.start()

    def alive(self) -> bool:
        """Whether the process that was started runs."""
        return self._process is not None and self._process.poll() is None

    def _read(self, stream: IO[bytes]) -> None:
        """Takes all the server says, to the end, so that no full pipe ever holds it."""
        with stream:
            for line in stream:
                self._log.append(line)
                if not self._serves and self.note_ready(line):
                    self._serves = True
                    self._ready.set()
        self._ready.set()

    def _reap(self, seconds: float) -> int:
        assert self._process is not None and self._reader is not None
        code = self._process.wait(seconds)
        self._reader.join()
        self._process = None
        return code


class CireinServer(Server):
    """`cirein up`, which chooses its ports and tells them in its line when ready."""

    _READY = re.compile(rb"\bready\b.*?\b(?:127\.0\.0\.1|localhost):(\d+)")

    def __init__(
        self, program: str, directory: pathlib.Path, password: str | None = None,
        arguments: Sequence[str] = (),
    ) -> None:  # fmt: skip
        super().__init__(directory, password)
        self._program = program
        self._arguments = list(arguments)

    def command(self) -> list[str]:
        command = [
            self._program, "up", "--dir", str(self.directory / "data"), "--port", str(self.port),
            "--http-port", "0", "--unixsocket", self.socket_path, *self._arguments,
        ]  # fmt: skip
        if self.password is not None:
            path = self.directory / "password"
            path.touch(mode=0o600)
            path.write_text(self.password + "\n")
            command += ["--requirepass-file", str(path)]
        return command

    def note_ready(self, line: bytes) -> bool:
        match = self._READY.search(line)
        if match:
            self.port = int(match.group(1))
        return match is not None


class RedisServer(Server):
    """redis-server with one database, as Cirein has one."""

    def __init__(
        self, directory: pathlib.Path, password: str | None = None, arguments: Sequence[str] = ()
    ) -> None:
        super().__init__(directory, password)
        self._arguments = list(arguments) or ["--save", "", "--appendonly", "no"]

    def command(self) -> list[str]:
        self.port = self.port or free_port()
        command = [
            "redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--databases", "1",
            "--dir", str(self.directory), "--unixsocket", self.socket_path, *self._arguments,
        ]  # fmt: skip
        if self.password is not None:
            command += ["--requirepass", self.password]
        return command

    def start(self) -> None:
        """Tries again when somebody else took the port between its choice and its use."""
        for _ in range(5):
            try:
                super().start()
                return
            except ServerError as error:
                if "Address already in use" not in str(error):
                    raise
                self.port = 0
        raise ServerError("no free port")

    def note_ready(self, line: bytes) -> bool:
        return b"The server is now ready to accept connections at" in line


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_server(
    directory: pathlib.Path, wanted: str | None = None, password: str | None = None,
    redis_arguments: Sequence[str] = (), cirein_arguments: Sequence[str] = (),
) -> Server:  # fmt: skip
    """A server, not yet started, of the kind that is `wanted` (see the head of this file)."""
    wanted = wanted if wanted is not None else wanted_server()
    directory.mkdir(parents=True, exist_ok=True)
    if wanted == REDIS:
        return RedisServer(directory, password, redis_arguments)
    return CireinServer(wanted, directory, password, cirein_arguments)


def need_tools(*names: str) -> None:
    """Ends the test as skipped, by name, when the machine lacks a tool."""
    for name in names:
        if shutil.which(name) is None:
            print(f"skipped: there is no {name} on this machine; scripts/setup installs it")
            raise SystemExit(SKIPPED)


class ServerTest(unittest.TestCase):
    """Tests that share one server, which is empty before each of them."""

    server: Server
    directory: pathlib.Path

    @classmethod
    def setUpClass(cls) -> None:
        scratch = tempfile.TemporaryDirectory(prefix="cirein_clients_")
        cls.addClassCleanup(scratch.cleanup)
        cls.directory = pathlib.Path(scratch.name)
        cls.server = make_server(cls.directory / "server")
        cls.server.start()
        cls.addClassCleanup(cls.server.kill)

    def setUp(self) -> None:
        self.assertTrue(self.server.alive(), f"the server ended:\n{self.server.log}")
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=10) as control:
            control.sendall(b"*1\r\n$8\r\nFLUSHALL\r\n")
            self.assertEqual(control.recv(64), b"+OK\r\n")
