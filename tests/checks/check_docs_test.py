import unittest

from project_tree import TreeTest

COMMAND = """#!/bin/sh
case $1 in
  --help) printf 'usage: cirein VERB\\n\\nCommands:\\n  blast   load\\n  doctor  look\\n\\nMore.\\n' ;;
  config) printf 'name,value\\nlog.level,info\\nmemory.limit,1GiB\\n' ;;
esac
"""
OPERATIONS = "# Operations\n\n`cirein blast` and `doctor`, `log.level`, `memory.limit`\n"


class CheckDocsTest(TreeTest):
    def setUp(self):
        super().setUp()
        self.put("README.md", "# A\n\nSee [the page](docs/operations.md#operations).\n")
        self.put("docs/operations.md", OPERATIONS)
        self.put("cirein", COMMAND)
        (self.root / "cirein").chmod(0o755)
        self.arguments = ("check_docs.py", "--root", self.root)
        self.with_command = (*self.arguments, "--command", self.root / "cirein")

    def test_passes_a_project_in_order(self):
        self.assert_passes(*self.arguments)
        self.assert_passes(*self.with_command)

    def test_finds_a_link_to_nowhere(self):
        self.put("README.md", "# A\n\nSee [it](docs/gone.md).\n")
        self.assert_finds("README.md:3: the link to docs/gone.md", *self.arguments)

    def test_finds_a_heading_that_is_gone(self):
        self.put("README.md", "[it](docs/operations.md#exit-codes)\n")
        self.assert_finds("no heading #exit-codes", *self.arguments)

    def test_passes_over_code_and_the_web(self):
        self.put("README.md", "```\n[a](b)\n```\n`[c](d)` [web](https://example.com/x)\n")
        self.assert_passes(*self.arguments)

    def test_finds_a_test_that_is_gone(self):
        self.put("tests/pool_test.cc", "TEST_F(PoolTest,\n       Publishes) {}\nTEST(Key, IsRead) {}\n")
        self.put("README.md", "`PoolTest.Publishes`, `Key.IsRead`, `CIREIN.WANT`, `std.text`\n")
        self.assert_passes(*self.arguments)
        self.put("README.md", "a\n`PoolTest.Publishes`, `PoolTest.IsRead`\n")
        self.assert_finds("README.md:2: there is no test PoolTest.IsRead", *self.arguments)

    def test_finds_a_verb_left_out(self):
        self.put("docs/operations.md", OPERATIONS.replace("doctor", "nurse"))
        self.assert_finds("does not mention the verb `doctor`", *self.with_command)

    def test_finds_a_setting_left_out(self):
        self.put("docs/operations.md", OPERATIONS.replace("memory.limit", "memory.limits"))
        self.assert_finds("does not mention the setting `memory.limit`", *self.with_command)

    def test_a_command_that_lists_nothing_is_a_fault(self):
        self.put("cirein", "#!/bin/sh\n")
        self.assert_finds("lists no verb", *self.with_command)


if __name__ == "__main__":
    unittest.main()
