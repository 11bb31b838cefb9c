"""The servers that resp_compare.py measures: each is started in a directory of its own, asked, and
ended by its process id. Nothing of them is left behind, also when the script is interrupted.
"""

import contextlib
import ctypes
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

START_TIMEOUT_S = 900  # Loading ten million keys from a file of commands takes minutes.
STOP_TIMEOUT_S = 60


class ServerError(Exception):
    """A server that does not do what was asked; the text says which and why."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def on_cpus(cpus):
    """What a child does before it becomes another program: it ends with its parent."""

    def prepare():
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if cpus:
            os.sched_setaffinity(0, cpus)

    return prepare


def files_bytes(directory):
    """What the files below a directory take on their medium."""
    total = 0
    for path in pathlib.Path(directory).rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            total += path.lstat().st_blocks * 512
    return total


class Server:
    """One server at a time; `with` starts it, and ends it and removes its files afterwards."""

    name = ""  # As in the tables.
    protocol = "resp"
    program = ""

    def __init__(self, place, durability="process"):
        self.place = place
        self.durability = durability
        self.process = None

    def __enter__(self):
        self.directory = tempfile.mkdtemp(prefix="cirein-resp-", dir=self.place.disk)
        # The names of Unix sockets must be short, which the disk's directory need not be.
        self.sockets = tempfile.mkdtemp(prefix="cirein-resp-")
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        try:
            self.stop()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)
            shutil.rmtree(self.sockets, ignore_errors=True)

    def start(self):
        """Seconds from the start of the process to its first right answer."""
        self.port = free_port()
        self.unix = os.path.join(self.sockets, "s")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.unix)
        self.log_path = os.path.join(self.sockets, "log")
        data = os.path.join(self.directory, "data")
        os.makedirs(data, exist_ok=True)
        began = time.monotonic()
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                self.command(data), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=on_cpus(self.place.server_cpus),
            )  # fmt: skip
        while not self.ready():
            if self.process.poll() is not None:
                raise ServerError(f"{self.name} ended as it started: {self.last_words()}")
            if time.monotonic() - began > START_TIMEOUT_S:
                raise ServerError(f"{self.name} does not get ready: {self.last_words()}")
            time.sleep(0.001)
        return time.monotonic() - began

    def stop(self):
        if self.process is None:
            return
        process, self.process = self.process, None
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise ServerError(f"{self.name} does not end when asked to") from None

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process = None

    def last_words(self):
        with open(self.log_path, errors="replace") as log:
            return " / ".join(log.read().split("\n")[-4:]).strip()

    def command(self, data):
        raise NotImplementedError

    def ready(self):
        return self.ask("PING") == "+PONG"

    def ask(self, *words):
        """The first line of the answer, and the text of a bulk one; "" when nobody listens."""
        request = f"*{len(words)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
                connection.sendall(request.encode())
                with connection.makefile("rb") as answer:
                    line = answer.readline().decode().strip()
                    if line.startswith("$") and line != "$-1":
                        return answer.read(int(line[1:])).decode(errors="replace")
                    return line
        except ConnectionError:
            return ""

    def keys(self):
        return int(self.ask("DBSIZE")[1:])

    def settle(self):
        """Waits until what a kill of the process must not lose is with the system."""

    def memory_bytes(self):
        """Resident bytes by kind: all, those of no file, those of files and shared memory."""
        kinds = {}
        with open(f"/proc/{self.process.pid}/status") as status:
            for line in status:
                name, _, value = line.partition(":")
                if name in ("VmRSS", "RssAnon", "RssFile", "RssShmem"):
                    kinds[name] = int(value.split()[0]) * 1024
        return kinds

    def target(self, transport):
        """The load generator's options to reach it."""
        where = ["--address", f"127.0.0.1:{self.port}"]
        if transport == "unix":
            where = ["--unix", self.unix]
        return [*where, "--protocol", self.protocol, "--server-pid", str(self.process.pid)]


class Redis(Server):
    name = "Redis"
    program = "redis-server"

    def promise(self):
        return f"append-only file, `{self.fsync()}`"

    def fsync(self):
        return "always" if self.durability == "power" else "everysec"

    def command(self, data):
        # It never rewrites its file by itself: a measurement would meet that or not.
        return [
            self.place.programs["redis"], "--port", str(self.port), "--bind", "127.0.0.1",
            "--unixsocket", self.unix, "--dir", data, "--save", "", "--appendonly", "yes",
            "--appendfsync", self.fsync(), "--auto-aof-rewrite-percentage", "0",
        ]  # fmt: skip

    def settle(self):
        time.sleep(1.5)

    def rewrite(self):
        """Lets it write its append-only file anew, as it would in time."""
        self.ask("BGREWRITEAOF")
        while "aof_rewrite_in_progress:0" not in self.ask("INFO", "persistence") or (
            "aof_rewrite_scheduled:0" not in self.ask("INFO", "persistence")
        ):
            time.sleep(0.05)


class Twin(Redis):
    """A second Redis in Cirein's place: how far two equal servers differ here."""

    name = "twin"


# Of a pool: room for the keys of every part, so that none of them measures a full one.
POOL_SIZE = "8GiB"


class Cirein(Server):
    name = "Cirein"
    program = "cirein"

    def promise(self):
        return f"`{self.durability}`"

    def command(self, data):
        return [
            self.place.programs["cirein"], "up", "--dir", data, "--port", str(self.port),
            "--http-port", str(free_port()), "--unixsocket", self.unix,
            "--durability", self.durability, "--size", POOL_SIZE,
        ]  # fmt: skip

    def ready(self):
        with open(self.log_path, errors="replace") as log:
            return "ready" in log.read() and super().ready()


class Memcached(Server):
    """Listens at one place only, so there is one for each transport."""

    name = "memcached"
    protocol = "memcached"
    program = "memcached"

    def __init__(self, place, transport):
        super().__init__(place)
        self.transport = transport

    def promise(self):
        return "keeps nothing"

    def command(self, data):
        where = ["-l", "127.0.0.1", "-p", str(self.port)]
        if self.transport == "unix":
            where = ["-s", self.unix]
        user = pwd.getpwuid(os.getuid()).pw_name
        return [self.place.programs["memcached"], *where, "-U", "0", "-u", user, "-m", "4096"]

    def ready(self):
        try:
            if self.transport == "unix":
                with socket.socket(socket.AF_UNIX) as connection:
                    connection.connect(self.unix)
            else:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True
