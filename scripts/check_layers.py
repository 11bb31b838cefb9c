#!/usr/bin/env python3
"""Fails when a folder of src/, or simulation/, includes something from a folder above it.

The order of the folders is that of the cirein_folder lines in CMakeLists.txt. A public header
belongs to the first folder that holds a source of the same stem; one without a source belongs to
the highest folder among the headers it includes. Public headers include only the standard library
and other public headers.
"""

import pathlib
import re
import sys

from source_text import ROOT, code_only, cpp_files, line_of, read, report

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)', re.MULTILINE)
# Two of them have the names that C has, for the header that is C, too.
_STANDARD = re.compile(r"^([a-z_0-9]+|std(def|int)\.h)$")


def folder_order(root):
    return re.findall(r"^cirein_folder\((\w+)", read(root / "CMakeLists.txt"), re.MULTILINE)


def includes(path):
    """(line, what is in quotes or None, what is in angles or None) of each include."""
    text = code_only(read(path), keep_strings=True)
    return [
        (line_of(text, match.start()), match.group(1), match.group(2))
        for match in _INCLUDE.finditer(text)
    ]


class Layers:
    def __init__(self, root):
        self.root = root
        self.folders = folder_order(root)
        self.rank = {folder: position for position, folder in enumerate(self.folders)}
        self.public = {
            path.relative_to(root / "include").as_posix(): path
            for path in cpp_files(root / "include")
        }
        self._ranks = {}
        self.problems = []

    def problem(self, path, line, text):
        self.problems.append(f"{path.relative_to(self.root)}:{line}: {text}")

    def source_rank(self, header):
        """The folder that implements a public header, or None if it has no source."""
        stem = pathlib.PurePosixPath(header).stem
        for folder in self.folders:
            if (self.root / "src" / folder / f"{stem}.cc").exists():
                return self.rank[folder]
        return None

    def public_rank(self, header, on_the_way=()):
        if header not in self._ranks:
            rank = self.source_rank(header)
            if rank is None:
                rank = max(
                    (
                        self.public_rank(name, (*on_the_way, header))
                        for _, name, _ in includes(self.public[header])
                        if name in self.public and name not in (*on_the_way, header)
                    ),
                    default=0,
                )
            if on_the_way:  # Perhaps cut short by a circle: only a whole answer is kept.
                return rank
            self._ranks[header] = rank
        return self._ranks[header]

    def check_arrow(self, path, line, own_rank, name):
        """One include in quotes, seen from a file of the folder with `own_rank`."""
        if name.startswith("cirein/"):
            if name not in self.public:
                return self.problem(path, line, f'there is no public header "{name}"')
            rank = self.public_rank(name)
        else:
            folder = name.split("/")[0]
            if "/" not in name or folder not in self.rank:
                return self.problem(
                    path, line, f'"{name}" is not "folder/file.h" with a folder of CMakeLists.txt'
                )
            rank = self.rank[folder]
        if rank > own_rank:
            self.problem(
                path,
                line,
                f'{self.folders[own_rank]}/ may not include "{name}", '
                f"which belongs to {self.folders[rank]}/ above it",
            )

    def check_source(self, path, folder):
        for line, quoted, _ in includes(path):
            if quoted:
                self.check_arrow(path, line, self.rank[folder], quoted)

    def check_public(self, header):
        path = self.public[header]
        for line, quoted, angled in includes(path):
            if angled and not _STANDARD.match(angled):
                self.problem(
                    path, line, f"a public header may not include <{angled}>: standard library only"
                )
            elif quoted and not quoted.startswith("cirein/"):
                self.problem(path, line, f'a public header may not include "{quoted}"')
            elif quoted:
                self.check_arrow(path, line, self.public_rank(header), quoted)

    def check(self):
        checked = 0
        beside = [self.root / folder for folder in self.folders if (self.root / folder).is_dir()]
        for directory in [*sorted((self.root / "src").iterdir()), *beside]:
            if not directory.is_dir():
                continue
            if directory.name not in self.rank:
                self.problem(directory, 0, "no cirein_folder line in CMakeLists.txt names it")
                continue
            for path in cpp_files(directory):
                self.check_source(path, directory.name)
                checked += 1
        for header in self.public:
            self.check_public(header)
        return checked + len(self.public)


def main():
    layers = Layers(pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT)
    checked = layers.check()
    report("check_layers", layers.problems, checked)


if __name__ == "__main__":
    main()
