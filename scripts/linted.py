#!/usr/bin/env python3
"""Says which sources the linter need not read again.

Prints a line for each source: a checksum of what the linter's answer hangs on, and the path. That
is the source and every file of the project that it includes, at whatever depth, the checks of
.clang-tidy, and the linter's version; not the compiler's options. .ci/linted has the lines of the
sources in which nothing was found. With --changed: the paths alone of those whose line is not there.
"""

import argparse
import functools
import hashlib
import pathlib

from check_layers import includes
from source_text import ROOT, read

_SOURCES = ("src", "simulation")
_INCLUDED_FROM = ("include", "src", ".")


@functools.lru_cache(maxsize=None)
def included_files(root, path):
    """The project's own files that this one names in its includes."""
    found = []
    for _, quoted, angled in includes(path):
        places = (root / folder / (quoted or angled) for folder in _INCLUDED_FROM)
        found += [place for place in places if place.is_file()][:1]
    return found


def closure(root, source):
    """The source and all that it includes."""
    seen = {source}
    waiting = [source]
    while waiting:
        for path in included_files(root, waiting.pop()):
            if path not in seen:
                seen.add(path)
                waiting.append(path)
    return sorted(seen)


@functools.lru_cache(maxsize=None)
def checksum(path):
    return hashlib.sha256(path.read_bytes()).digest()


def lines(root, linter):
    common = linter + read(root / ".clang-tidy")
    sources = sorted(path for folder in _SOURCES for path in (root / folder).rglob("*.cc"))
    for source in sources:
        key = hashlib.sha256(common.encode())
        for path in closure(root, source):
            key.update(checksum(path))
        yield f"{key.hexdigest()[:32]} {source.relative_to(root).as_posix()}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changed", action="store_true")
    parser.add_argument("--linter", required=True, help="which one it is, with its version")
    parser.add_argument("root", nargs="?", type=pathlib.Path, default=ROOT)
    options = parser.parse_args()
    record = options.root / ".ci" / "linted"
    known = set(read(record).splitlines()) if options.changed and record.exists() else set()
    for line in lines(options.root.resolve(), options.linter):
        if line not in known:
            print(line.split(" ")[1] if options.changed else line)


if __name__ == "__main__":
    main()
