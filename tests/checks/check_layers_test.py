import unittest

from project_tree import LICENCE, TreeTest


class CheckLayersTest(TreeTest):
    def test_passes_a_project_in_order(self):
        self.assert_passes("check_layers.py", self.root)

    def test_finds_an_arrow_upwards(self):
        self.put("src/base/hash.cc", LICENCE + '\n#include "runtime/clock.h"\n')
        self.assert_finds("src/base/hash.cc:3: base/ may not", "check_layers.py", self.root)

    def test_finds_a_public_header_of_a_folder_above(self):
        self.put("src/runtime/clock.cc", '#include "cirein/engine.h"\n')
        self.assert_finds("belongs to object/ above it", "check_layers.py", self.root)

    def test_a_header_without_source_belongs_to_the_highest_it_includes(self):
        self.put("src/runtime/clock.cc", '#include "cirein/all.h"\n')
        self.assert_finds('may not include "cirein/all.h"', "check_layers.py", self.root)

    def test_finds_a_public_header_that_reaches_upwards(self):
        self.put("include/cirein/key.h", '#pragma once\n#include "cirein/engine.h"\n')
        self.assert_finds("include/cirein/key.h:2: base/ may not", "check_layers.py", self.root)

    def test_finds_another_library_in_a_public_header(self):
        self.put("include/cirein/key.h", "#pragma once\n#include <fmt/core.h>\n")
        self.assert_finds("standard library only", "check_layers.py", self.root)

    def test_takes_the_headers_that_c_has_too(self):
        self.put("include/cirein/key.h", "#pragma once\n#include <stddef.h>\n#include <stdint.h>\n")
        self.assert_passes("check_layers.py", self.root)
        self.put("include/cirein/key.h", "#pragma once\n#include <stdio.h>\n")
        self.assert_finds("standard library only", "check_layers.py", self.root)

    def test_finds_an_inside_header_in_a_public_one(self):
        self.put("include/cirein/key.h", '#pragma once\n#include "base/hash.h"\n')
        self.assert_finds('may not include "base/hash.h"', "check_layers.py", self.root)

    def test_finds_an_include_without_folder(self):
        self.put("src/base/hash.cc", '#include "hash.h"\n')
        self.assert_finds('is not "folder/file.h"', "check_layers.py", self.root)

    def test_finds_a_folder_nobody_listed(self):
        self.put("src/misc/things.cc", LICENCE)
        self.assert_finds("no cirein_folder line", "check_layers.py", self.root)

    def test_passes_over_comments(self):
        self.put("src/base/hash.cc", '// #include "cli/main.h"\n/*\n#include "cli/main.h"\n*/\n')
        self.assert_passes("check_layers.py", self.root)

    def test_public_headers_in_a_circle_do_not_hang_it(self):
        self.put("include/cirein/all.h", '#pragma once\n#include "cirein/more.h"\n')
        self.put("include/cirein/more.h", '#pragma once\n#include "cirein/all.h"\n')
        self.assert_passes("check_layers.py", self.root)


if __name__ == "__main__":
    unittest.main()
