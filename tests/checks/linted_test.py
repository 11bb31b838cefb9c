import unittest

from project_tree import TreeTest


class LintedTest(TreeTest):
    SOURCES = ["src/base/key.cc", "src/cli/main.cc", "src/object/engine.cc", "src/runtime/clock.cc"]

    def setUp(self):
        super().setUp()
        self.put(".clang-tidy", "Checks: '*'\n")
        self.put("simulation/world.h", '#include "cirein/key.h"\n')
        self.put("simulation/world.cc", '#include "simulation/world.h"\n')
        self.put(".ci/linted", self.output())

    def output(self, *arguments, linter="14"):
        result = self.run_script("linted.py", "--linter", linter, *arguments, self.root)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def changed(self, **options):
        return sorted(self.output("--changed", **options).split())

    def test_nothing_has_changed_at_first(self):
        self.assertEqual(self.changed(), [])

    def test_a_source_that_changed_or_is_new(self):
        self.put("src/base/key.cc", "// Otherwise.\n")
        self.put("src/base/new.cc", "")
        self.assertEqual(self.changed(), ["src/base/key.cc", "src/base/new.cc"])

    def test_all_that_include_a_header_at_any_depth(self):
        self.put("include/cirein/engine.h", '#pragma once\n#include "cirein/key.h"\n')
        self.assertEqual(self.changed(), ["src/cli/main.cc", "src/object/engine.cc"])
        self.put("simulation/world.h", "")
        self.assertIn("simulation/world.cc", self.changed())

    def test_a_header_that_comes_where_none_was(self):
        self.put("src/base/hash.h", "#pragma once\n")
        self.assertEqual(self.changed(), ["src/runtime/clock.cc"])

    def test_all_when_the_checks_or_the_linter_are_others(self):
        everything = sorted([*self.SOURCES, "simulation/world.cc"])
        self.assertEqual(self.changed(linter="15"), everything)
        self.put(".clang-tidy", "Checks: '-*'\n")
        self.assertEqual(self.changed(), everything)

    def test_all_when_there_is_no_record(self):
        (self.root / ".ci/linted").unlink()
        self.assertEqual(self.changed(), sorted([*self.SOURCES, "simulation/world.cc"]))


if __name__ == "__main__":
    unittest.main()
