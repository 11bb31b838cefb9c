#!/usr/bin/env python3
"""Fails on files whose form is off: more than 700 lines, C++ without its licence line or not named
in snake_case, a header without `#pragma once`.
"""

import pathlib
import re
import sys

from source_text import CPP_SUFFIXES, ROOT, project_files, read, report

MAX_LINES = 700
LICENCE = "// SPDX-License-Identifier: Apache-2.0"
_CODE_SUFFIXES = CPP_SUFFIXES | {".py", ".sh", ".cmake"}
_CPP_NAME = re.compile(r"^[a-z0-9]+(_[a-z0-9]+)*$")


def form_problems(path, text):
    """What is wrong with one file, given its path below the root."""
    lines = text.splitlines()
    if path.suffix in _CODE_SUFFIXES or path.name in ("CMakeLists.txt", "Makefile"):
        if len(lines) > MAX_LINES:
            yield f"{len(lines)} lines; split it into well-named rooms of at most {MAX_LINES}"
    if path.suffix not in CPP_SUFFIXES:
        return
    if not _CPP_NAME.match(path.stem):
        yield "a file's name is snake_case"
    if not lines or lines[0] != LICENCE:
        yield f'the first line must be "{LICENCE}"'
    if path.suffix == ".h" and (len(lines) < 2 or lines[1] != "#pragma once"):
        yield 'the second line of a header must be "#pragma once"'


def check(root):
    problems, checked = [], 0
    for path in project_files(root):
        where = path.relative_to(root)
        if where.suffix in _CODE_SUFFIXES or where.name in ("CMakeLists.txt", "Makefile"):
            checked += 1
            problems += [f"{where}:1: {problem}" for problem in form_problems(where, read(path))]
    return problems, checked


def main():
    problems, checked = check(pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT)
    report("check_form", problems, checked)


if __name__ == "__main__":
    main()
