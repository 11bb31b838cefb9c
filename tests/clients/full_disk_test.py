"""A disk that is full, on a file system of the test's own: what needs room on it is refused and says
what to do, all else goes on, and what was acknowledged outlives kill -9."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from collections.abc import Callable

from server import SKIPPED, CireinServer, ServerError, wanted_server

try:
    import redis
except ImportError:
    print("skipped: this Python has no redis; scripts/setup installs python3-redis")
    sys.exit(SKIPPED)

DISK_BYTES = 64 << 20
POOL_BYTES = 16 << 20
LARGE_BYTES = 1_000_000
ROOM_SECONDS = 60.0
INSIDE = "--in-a-namespace"
# What an error says of a disk without room, and what to do.
NO_ROOM = re.compile(r"the file system has \d+ bytes left.*free space \(df -h")
POOL_FULL = re.compile(r"the pool in .* is full.*drop objects")


class FullDiskTest(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory(prefix="cirein_disk_")
        self.addCleanup(scratch.cleanup)
        self.disk = pathlib.Path(scratch.name) / "disk"
        self.disk.mkdir()
        options = ["-o", f"size={DISK_BYTES}", "none", str(self.disk)]
        subprocess.run(["mount", "-t", "tmpfs", *options], check=True)
        self.addCleanup(subprocess.run, ["umount", str(self.disk)], check=True)
        self.server = self.make_server(POOL_BYTES)
        # What was acknowledged.
        self.strings: dict[str, bytes] = {}

    def make_server(self, pool_bytes: int) -> CireinServer:
        server = CireinServer(wanted_server(), self.disk, arguments=["--size", str(pool_bytes)])
        self.addCleanup(server.kill)
        return server

    def start(self) -> None:
        self.server.start()
        self.client = redis.Redis(
            port=self.server.port, single_connection_client=True, socket_timeout=ROOM_SECONDS
        )
        self.addCleanup(self.client.close)

    def start_again(self) -> None:
        self.server.kill()
        self.start()

    def test_a_pool_larger_than_the_disk(self) -> None:
        with self.assertRaises(ServerError) as error:
            self.make_server(2 * DISK_BYTES).start()
        self.assertRegex(str(error.exception).replace("\n", " "), NO_ROOM)
        # It leaves nothing that is in the way of a smaller one.
        self.start()
        self.assertFalse(self.set("k", b"v"))
        self.start_again()
        self.check_everything()

    def test_a_disk_without_room_for_large_values(self) -> None:
        self.start()
        for number in range(4):
            self.assertFalse(self.set(f"large:{number}", b"%d" % number * LARGE_BYTES))
        self.fill_disk(but=3 * LARGE_BYTES)
        number = 4
        while not self.set(f"large:{number}", b"%d" % number * LARGE_BYTES, NO_ROOM):
            number += 1
            self.assertLess(number, 8)
        self.check_everything()
        # What fits in the log needs no more of the disk.
        self.fill_disk()
        for n in range(100):
            self.assertFalse(self.set(f"small:{n}", b"%d" % n * 1000))
        self.start_again()
        self.check_everything()
        for n in range(2):
            self.delete(f"large:{n}")
        self.set_until_there_is_room("large:again", b"a" * LARGE_BYTES)
        self.start_again()
        self.check_everything()

    def test_a_full_pool_on_a_full_disk(self) -> None:
        self.start()
        self.fill_disk()
        number = 0
        while not self.set(f"k{number}", b"%d" % number * 5000, POOL_FULL):
            number += 1
        self.assertGreater(number, POOL_BYTES // 2 // 30_000)
        self.check_everything()
        self.start_again()
        self.check_everything()
        for key in list(self.strings)[::2]:
            self.delete(key)
        self.set_until_there_is_room("again", b"a" * 30_000)
        self.start_again()
        self.check_everything()
        self.assertEqual(self.server.stop(), 0)
        self.start()
        self.check_everything()

    def set(self, key: str, value: bytes, why: re.Pattern[str] | None = None) -> bool:
        """Whether it is refused; never but for the reason told."""
        try:
            self.client.set(key, value)
        except redis.ResponseError as error:
            if why is None or not why.search(str(error)):
                raise
            return True
        self.strings[key] = value
        return False

    def delete(self, key: str) -> None:
        self.assertEqual(self.client.delete(key), 1)
        del self.strings[key]

    def set_until_there_is_room(self, key: str, value: bytes) -> None:
        end = time.monotonic() + ROOM_SECONDS
        while self.set(key, value, re.compile("command not allowed when used memory")):
            self.assertLess(time.monotonic(), end, "deletes have not made room")

    def check_everything(self) -> None:
        for key, value in self.strings.items():
            self.assertEqual(self.client.get(key), value, key)
        keys = {key.decode() for key in self.client.scan_iter(count=1000)}
        self.assertEqual(keys, set(self.strings))

    def fill_disk(self, but: int = 0) -> None:
        """Somebody else's files take all of it."""
        with open(self.disk / "other", "ab", buffering=0) as other:
            free = shutil.disk_usage(self.disk).free - but
            os.posix_fallocate(other.fileno(), other.tell(), free // 4096 * 4096)
        self.assertLess(shutil.disk_usage(self.disk).free, but + 4096)


def run_inside(command: list[str]) -> None:
    """Goes on in a mount namespace of its own, as root there."""
    namespace = ["unshare", "--map-root-user", "--mount"]
    if shutil.which("unshare") is None or subprocess.run([*namespace, "true"]).returncode != 0:
        print("skipped: this machine permits no mount namespace (unshare --map-root-user --mount)")
        sys.exit(SKIPPED)
    os.execvp(namespace[0], [*namespace, sys.executable, "-B", *command, INSIDE])


if __name__ == "__main__":
    if INSIDE not in sys.argv:
        run_inside(sys.argv)
    sys.argv.remove(INSIDE)
    unittest.main()
