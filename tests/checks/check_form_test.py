import unittest

from project_tree import LICENCE, TreeTest


class CheckFormTest(TreeTest):
    def test_passes_a_project_in_order(self):
        self.assert_passes("check_form.py", self.root)

    def test_the_longest_file_there_may_be(self):
        self.put("src/base/long.cc", LICENCE + "int x;\n" * 699)
        self.assert_passes("check_form.py", self.root)
        self.put("src/base/long.cc", LICENCE + "int x;\n" * 700)
        self.assert_finds("src/base/long.cc:1: 701 lines", "check_form.py", self.root)

    def test_finds_a_missing_licence(self):
        self.put("src/base/bare.cc", "int x;\n")
        self.assert_finds("the first line must be", "check_form.py", self.root)

    def test_finds_a_missing_pragma_once(self):
        self.put("src/base/bare.h", LICENCE + "int x;\n")
        self.assert_finds("#pragma once", "check_form.py", self.root)

    def test_finds_a_name_in_another_case(self):
        self.put("src/base/MixedCase.cc", LICENCE)
        self.assert_finds("snake_case", "check_form.py", self.root)


if __name__ == "__main__":
    unittest.main()
