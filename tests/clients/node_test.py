"""npm's ioredis and redis do their ordinary work, each in its program in node/. The argument is a
folder to install them in; they stay there."""

from __future__ import annotations

import fcntl
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

from server import REDIS, ServerTest, need_tools, wanted_server

PROGRAMS = pathlib.Path(__file__).resolve().parent / "node"
FOLDER = pathlib.Path(sys.argv.pop(1))


def install_modules() -> None:
    """Installs what package-lock.json names, unless that is done already; one process at a time."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    done = FOLDER / "installed.json"
    with open(FOLDER / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = (PROGRAMS / "package-lock.json").read_bytes()
        if done.exists() and done.read_bytes() == wanted:
            return
        for name in ("package.json", "package-lock.json"):
            shutil.copy(PROGRAMS / name, FOLDER / name)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=FOLDER, check=True, timeout=240)
        done.write_bytes(wanted)


class NodeTest(ServerTest):
    def run_program(self, name: str) -> None:
        result = subprocess.run(
            ["node", str(PROGRAMS / name), str(self.server.port), self.server.socket_path],
            env={**os.environ, "NODE_PATH": str(FOLDER / "node_modules")},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=60,
        )  # fmt: skip
        self.assertEqual(result.returncode, 0, result.stdout)

    def test_ioredis(self) -> None:
        self.run_program("ioredis_client.js")

    def test_redis(self) -> None:
        self.run_program("redis_client.js")

    @unittest.skipIf(wanted_server() == REDIS, "commands of Cirein's own")
    def test_wants(self) -> None:
        self.run_program("wants.js")


if __name__ == "__main__":
    need_tools("node", "npm")
    install_modules()
    unittest.main()
