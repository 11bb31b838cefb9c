"""npm's ioredis and redis do their ordinary work, each in its program in node/. The argument is the
folder whose node_modules has them."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import unittest

from server import ServerTest, need_tools

PROGRAMS = pathlib.Path(__file__).resolve().parent / "node"
MODULES = pathlib.Path(sys.argv.pop(1)) / "node_modules"


class NodeTest(ServerTest):
    def run_program(self, name: str) -> None:
        result = subprocess.run(
            ["node", str(PROGRAMS / name), str(self.server.port), self.server.socket_path],
            env={**os.environ, "NODE_PATH": str(MODULES)},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=60,
        )  # fmt: skip
        self.assertEqual(result.returncode, 0, result.stdout)

    def test_ioredis(self) -> None:
        self.run_program("ioredis_client.js")

    def test_redis(self) -> None:
        self.run_program("redis_client.js")


if __name__ == "__main__":
    need_tools("node")
    unittest.main()
