"""What the checks share: the project's files, and C++ text without its comments and strings."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CPP_SUFFIXES = {".h", ".cc"}

_TOKENS = re.compile(
    r"""
    //(?:\\\n|[^\n])*                               # a comment to the end of the line
  | /\*.*?\*/                                       # a comment
  | R"(?P<tag>[^()\\\s]{0,16})\(.*?\)(?P=tag)"      # a raw string
  | "(?:\\.|[^"\\\n])*"                             # a string
  | (?<![0-9A-Za-z_])'(?:\\.|[^'\\\n])+'            # a character, not the ' of 1'000
    """,
    re.VERBOSE | re.DOTALL,
)


def code_only(text, keep_strings=False):
    """The text with comments, and strings unless kept, blanked out; lines keep their numbers."""

    def blank(match):
        token = match.group(0)
        if token.startswith(("//", "/*")):
            return re.sub(r"[^\n]", " ", token)
        if keep_strings:
            return token
        return '""' + "\n" * token.count("\n")

    return _TOKENS.sub(blank, text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def project_files(root):
    """All files of the project below `root`: those git knows or would take, else all there are."""
    listing = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=False,
    )
    if listing.returncode == 0 and listing.stdout:
        paths = (root / name for name in listing.stdout.decode().split("\0") if name)
        return sorted(path for path in paths if path.is_file())
    return sorted(path for path in root.rglob("*") if path.is_file() and ".git" not in path.parts)


def cpp_files(folder):
    return sorted(path for path in folder.rglob("*") if path.suffix in CPP_SUFFIXES)


def read(path):
    return path.read_text(encoding="utf-8", errors="replace")


def report(name, problems, checked):
    """Prints the problems, each "file:line: what is wrong", and ends the program accordingly."""
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        print(f"{name}: {len(problems)} found", file=sys.stderr)
    else:
        print(f"{name}: {checked} files are in order")
    sys.exit(1 if problems else 0)
