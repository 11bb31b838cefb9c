#!/usr/bin/env python3
"""Puts generated text into a marked section of a page.

    scripts/update_section.py PAGE KIND:NAME [FILE]           replace it by FILE, or standard input
    scripts/update_section.py --check PAGE KIND:NAME [FILE]   fail if that would change the page

The section stands between the lines `<!-- KIND:NAME -->` and `<!-- /KIND -->`.
"""

import argparse
import pathlib
import re
import sys


class SectionError(Exception):
    """The page does not have the section exactly once."""


def replaced(page, section, text):
    """The page with the section's text replaced."""
    kind = section.partition(":")[0]
    opening, closing = f"<!-- {section} -->", f"<!-- /{kind} -->"
    begin = rf"^{re.escape(opening)}[ \t]*\n"
    if len(re.findall(begin, page, re.MULTILINE)) != 1:
        raise SectionError(f"the line {opening} must stand in the page exactly once")
    # Up to the next closing line, without running into the opening of another section.
    pattern = rf"({begin})((?:(?!<!-- )[^\n]*\n)*?)({re.escape(closing)}[ \t]*$)"
    body = text.strip("\n") + "\n" if text.strip() else ""
    result, count = re.subn(
        pattern, lambda match: match.group(1) + body + match.group(3), page, flags=re.MULTILINE
    )
    if count != 1:
        raise SectionError(f"after {opening} there is no line {closing}")
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing; fail on a difference")
    parser.add_argument("page", type=pathlib.Path)
    parser.add_argument("section", help="such as bench:local or settings:all")
    parser.add_argument("file", nargs="?", type=pathlib.Path, help="default: standard input")
    arguments = parser.parse_args()
    if not re.fullmatch(r"[a-z]+:[a-z0-9_-]+", arguments.section):
        parser.error(f"'{arguments.section}' is not KIND:NAME")

    text = arguments.file.read_text() if arguments.file else sys.stdin.read()
    page = arguments.page.read_text()
    try:
        result = replaced(page, arguments.section, text)
    except SectionError as error:
        sys.exit(f"{arguments.page}: {error}")
    if result == page:
        return
    if arguments.check:
        sys.exit(
            f"{arguments.page}: the section {arguments.section} is out of date; "
            "next: run this without --check"
        )
    arguments.page.write_text(result)


if __name__ == "__main__":
    main()
