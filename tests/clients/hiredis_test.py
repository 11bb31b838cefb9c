"""A program with hiredis, hiredis_client.cc, does its ordinary work. The argument is its path, or
nothing where it cannot be built."""

from __future__ import annotations

import subprocess
import sys
import unittest

from server import SKIPPED, ServerTest

PROGRAM = sys.argv.pop(1)


class HiredisTest(ServerTest):
    def test_it_finds_nothing_amiss(self) -> None:
        result = subprocess.run(
            [PROGRAM, str(self.server.port), self.server.socket_path],
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        self.assertEqual((result.returncode, result.stderr), (0, ""))


if __name__ == "__main__":
    if not PROGRAM:
        print("skipped: there is no hiredis on this machine; scripts/setup installs libhiredis-dev")
        sys.exit(SKIPPED)
    unittest.main()
