import unittest

from project_tree import TreeTest

from check_words import check

PATHS = {"/fast/disk/checkout", "/var/people/ada"}
HOSTS = {"mirror.example.net"}


class CheckWordsTest(TreeTest):
    def found(self, text):
        self.put("docs/page.md", text)
        return check(self.root, PATHS, HOSTS)[0]

    def test_passes_a_project_in_order(self):
        self.assertEqual(self.found("See /tmp/x and /usr/share; https://mirror.example.com/\n"), [])

    def test_finds_the_checkout(self):
        self.assertEqual(len(self.found("one\nrun /fast/disk/checkout/build/x\n")), 1)
        self.assertTrue(self.found("one\n(/fast/disk/checkout)\n")[0].startswith("docs/page.md:2:"))

    def test_a_path_ends_with_its_part(self):
        self.assertEqual(self.found("/fast/disk/checkouts and a/fast/disk/checkout\n"), [])

    def test_finds_home_directories(self):
        self.assertEqual(len(self.found("/var/people/ada/x or /home" + "/bob/x\n")), 2)

    def test_finds_a_mirror(self):
        self.assertEqual(len(self.found("deb https://Mirror.Example.net/debian stable main\n")), 1)

    def test_passes_over_binary_files(self):
        (self.root / "image.png").write_bytes(b"\0/fast/disk/checkout/\0")
        self.assertEqual(self.found("nothing\n"), [])

    def test_the_checkout_itself_is_found(self):
        self.put("docs/page.md", f"cd {self.root}/build\n")
        self.assert_finds("docs/page.md:1: names something", "check_words.py", self.root)


if __name__ == "__main__":
    unittest.main()
