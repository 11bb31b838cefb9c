"""A throw-away project to run checks on: the tests plant one fault in it and see it found."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))

LICENCE = "// SPDX-License-Identifier: Apache-2.0\n"


class TreeTest(unittest.TestCase):
    """Each test has a fresh directory, which begins as a small project in order."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="cirein_checks_")
        self.addCleanup(directory.cleanup)
        self.root = pathlib.Path(directory.name).resolve()
        self.put(
            "CMakeLists.txt",
            "cirein_folder(base)\ncirein_folder(runtime DEPENDS cirein_base)\n"
            "cirein_folder(object DEPENDS cirein_runtime)\ncirein_folder(cli)\n",
        )
        self.put("include/cirein/key.h", LICENCE + "#pragma once\n#include <string>\n")
        self.put("include/cirein/engine.h", LICENCE + '#pragma once\n#include "cirein/key.h"\n')
        self.put("include/cirein/all.h", LICENCE + '#pragma once\n#include "cirein/engine.h"\n')
        self.put("src/base/key.cc", LICENCE + '#include "cirein/key.h"\n#include <fmt/core.h>\n')
        self.put("src/runtime/clock.cc", LICENCE + '#include "base/hash.h"\n')
        self.put("src/object/engine.cc", LICENCE + '#include "cirein/engine.h"\n')
        self.put("src/cli/main.cc", LICENCE + '#include "cirein/all.h"\n')

    def put(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run_script(self, name, *arguments, **options):
        return subprocess.run(
            [sys.executable, str(SCRIPTS / name), *map(str, arguments)],
            capture_output=True, text=True, check=False, timeout=60, **options,
        )  # fmt: skip

    def assert_passes(self, name, *arguments):
        result = self.run_script(name, *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)

    def assert_finds(self, expected, name, *arguments):
        result = self.run_script(name, *arguments)
        self.assertEqual(result.returncode, 1, result.stdout)
        self.assertIn(expected, result.stderr)
