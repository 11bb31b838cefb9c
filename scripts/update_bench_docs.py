#!/usr/bin/env python3
"""Puts measured figures into docs/benchmarks.md.

    scripts/update_bench_docs.py NAME [FILE]    FILE, or standard input, becomes the section NAME

The section stands between `<!-- bench:NAME -->` and `<!-- /bench -->`.
"""

import argparse
import pathlib
import sys

from source_text import ROOT, read
from update_section import SectionError, replaced


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--page", type=pathlib.Path, default=ROOT / "docs" / "benchmarks.md")
    parser.add_argument("name")
    parser.add_argument("file", nargs="?", type=pathlib.Path, help="default: standard input")
    arguments = parser.parse_args()
    text = read(arguments.file) if arguments.file else sys.stdin.read()
    if not text.strip():
        sys.exit(f"{arguments.name}: there are no figures; the page stays as it is")
    try:
        arguments.page.write_text(replaced(read(arguments.page), f"bench:{arguments.name}", text))
    except SectionError as error:
        sys.exit(f"{arguments.page}: {error}")


if __name__ == "__main__":
    main()
