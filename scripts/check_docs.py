#!/usr/bin/env python3
"""Fails when the documents point to nothing or leave something out.

    scripts/check_docs.py [--root DIR] [--command PATH]

Relative links in *.md must lead to a file, and to a heading in it if they name one; a test that is
named, as `Suite.Name`, must exist. With a built command, docs/operations.md must mention each of its verbs and each setting it knows.
"""

import argparse
import pathlib
import re
import subprocess

from source_text import ROOT, line_of, project_files, read, report

_LINK = re.compile(r"!?\[[^\]\n]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_INLINE_CODE = re.compile(r"`[^`\n]*`")


def without_code(text):
    text = _FENCE.sub(lambda match: "\n" * match.group(0).count("\n"), text)
    return _INLINE_CODE.sub("``", text)


def anchors(text):
    """The names under which a page's headings can be linked, as code hosts make them."""
    text = _FENCE.sub("", text)
    found = set(re.findall(r'<a\s+(?:id|name)="([^"]+)"', text))
    for heading in re.findall(r"^#{1,6}\s+(.*?)\s*#*$", text, re.MULTILINE):
        heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        found.add(re.sub(r"[^\w\- ]", "", heading).replace(" ", "-"))
    return found


def broken_links(root, path):
    text = without_code(read(path))
    for match in _LINK.finditer(text):
        target = match.group(1)
        if re.match(r"^[a-z][a-z0-9+.-]*:", target):
            continue
        name, _, anchor = target.partition("#")
        there = (path.parent / name).resolve() if name else path
        where = f"{path.relative_to(root)}:{line_of(text, match.start())}"
        if not there.exists():
            yield f"{where}: the link to {target} leads nowhere"
        elif anchor and there.suffix == ".md" and anchor not in anchors(read(there)):
            yield f"{where}: {name or 'this page'} has no heading #{anchor}"


# Both with small letters, so that it is none of the names that are written in capitals.
_NAMED_TEST = re.compile(r"`([A-Z]\w*[a-z]\w*)\.([A-Z]\w*[a-z]\w*)`")
_TEST = re.compile(r"^TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\)", re.MULTILINE)


def tests_of(root):
    """The tests in the sources, as (suite, name)."""
    sources = [path for path in project_files(root) if path.name.endswith("_test.cc")]
    return {test for path in sources for test in _TEST.findall(read(path))}


def missing_tests(root, path, tests):
    text = _FENCE.sub(lambda match: "\n" * match.group(0).count("\n"), read(path))
    for match in _NAMED_TEST.finditer(text):
        if match.groups() not in tests:
            where = f"{path.relative_to(root)}:{line_of(text, match.start())}"
            yield f"{where}: there is no test {match.group(1)}.{match.group(2)}"


def run(command, *arguments):
    return subprocess.run(
        [str(command), *arguments], capture_output=True, text=True, check=True, timeout=60
    ).stdout


def verbs_of(command):
    """The command's verbs, which its help lists indented below a line that ends in ':'."""
    listed = re.search(
        r"^(?:sub)?commands:\s*\n(.*?)(?:\n\S|\Z)", run(command, "--help"),
        re.IGNORECASE | re.DOTALL | re.MULTILINE,
    )  # fmt: skip
    return re.findall(r"^  +([a-z][a-z-]*)\b", listed.group(1), re.MULTILINE) if listed else []


def settings_of(command):
    """The settings that exist: the first words of the lines that `config` prints."""
    return re.findall(
        r"^\W*([a-z_]+(?:\.[a-z_]+)+)\b", run(command, "config", "-o", "csv"), re.MULTILINE
    )


def missing_words(page, kind, words):
    if not words:
        yield f"the command lists no {kind}: has its output another form?"
    for word in words:
        if not re.search(rf"`[^`\n]*(?<![\w.-]){re.escape(word)}(?![\w.-])[^`\n]*`", page):
            yield f"docs/operations.md:1: does not mention the {kind} `{word}`"


def check(root, command):
    pages = [path for path in project_files(root) if path.suffix == ".md"]
    problems = [problem for path in pages for problem in broken_links(root, path)]
    tests = tests_of(root)
    problems += [problem for path in pages for problem in missing_tests(root, path, tests)]
    if command:
        page = read(root / "docs" / "operations.md")
        problems += missing_words(page, "verb", verbs_of(command))
        problems += missing_words(page, "setting", settings_of(command))
    return problems, len(pages)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--root", type=pathlib.Path, default=ROOT)
    parser.add_argument("--command", type=pathlib.Path, help="a built cirein to ask")
    arguments = parser.parse_args()
    report("check_docs", *check(arguments.root.resolve(), arguments.command))


if __name__ == "__main__":
    main()
