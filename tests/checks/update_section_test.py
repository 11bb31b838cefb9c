import unittest

from project_tree import TreeTest

from update_section import SectionError, replaced

PAGE = "# A\n<!-- bench:one -->\nold\n<!-- /bench -->\n\n<!-- bench:two -->\n<!-- /bench -->\nend\n"


class UpdateSectionTest(TreeTest):
    def test_replaces_only_its_section(self):
        self.assertEqual(replaced(PAGE, "bench:one", "new\n\n"), PAGE.replace("old", "new"))

    def test_fills_an_empty_section_and_is_idempotent(self):
        once = replaced(PAGE, "bench:two", "| 1 |\\1")
        self.assertIn("<!-- bench:two -->\n| 1 |\\1\n<!-- /bench -->\nend", once)
        self.assertEqual(replaced(once, "bench:two", "| 1 |\\1"), once)

    def test_a_section_must_be_there_once_and_closed(self):
        for page in ("# A\n", PAGE + PAGE, "<!-- bench:one -->\nold\n<!-- bench:two -->\n"):
            with self.subTest(page), self.assertRaises(SectionError):
                replaced(page, "bench:one", "new")

    def test_check_tells_drift_and_changes_nothing(self):
        self.put("page.md", PAGE)
        arguments = ("update_section.py", "--check", self.root / "page.md", "bench:one")
        self.assertEqual(self.run_script(*arguments, input="old\n").returncode, 0)
        self.assertEqual(self.run_script(*arguments, input="new\n").returncode, 1)
        self.assertEqual((self.root / "page.md").read_text(), PAGE)

    def test_bench_figures_reach_their_page_and_nothing_does_not(self):
        self.put("page.md", PAGE)
        arguments = ("update_bench_docs.py", "--page", self.root / "page.md", "one")
        self.assertEqual(self.run_script(*arguments, input="| new |\n").returncode, 0)
        self.assertEqual(self.run_script(*arguments, input="").returncode, 1)
        self.assertEqual((self.root / "page.md").read_text(), PAGE.replace("old", "| new |"))


if __name__ == "__main__":
    unittest.main()
