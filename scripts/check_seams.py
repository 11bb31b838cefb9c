#!/usr/bin/env python3
"""Fails when code outside the seams touches the outside world by itself.

Threads, clocks, randomness, sockets, files, processes and the environment are reached through
runtime/, fabric/ and region/ alone: tests and simulations put something else behind these seams.
std::mutex and atomics are fine anywhere. Standard output and error belong to cli/, the logger and the last words
of a broken program.
"""

import pathlib
import re
import sys

from source_text import ROOT, code_only, cpp_files, line_of, read, report

SEAMS = {"runtime", "fabric", "region"}
# Who may write to standard output or error, besides cli/.
PRINTERS = {"log", "logging", "fatal"}

# Names of C functions, by what they reach. They count as `name(` and `std::name(` and `::name(`.
_CALLS = {
    "a thread": "pthread_create thrd_create",
    "the clock": "clock_gettime gettimeofday time clock timespec_get nanosleep usleep sleep"
    " clock_nanosleep sched_yield",
    "randomness": "rand srand random srandom drand48 getrandom getentropy arc4random",
    "a socket": "socket socketpair connect bind listen accept accept4 recv recvfrom recvmsg send"
    " sendto sendmsg setsockopt getaddrinfo gethostbyname epoll_create epoll_create1 epoll_wait"
    " poll ppoll select eventfd timerfd_create",
    "a file": "open openat creat fopen freopen fdopen tmpfile mkstemp mkdtemp opendir readdir"
    " unlink rename mkdir rmdir fstat lstat ftruncate pread pwrite fsync fdatasync"
    " memfd_create shm_open pipe pipe2 fcntl flock realpath chdir getcwd",
    "a process": "fork vfork execv execve execvp execl execlp posix_spawn posix_spawnp system popen"
    " waitpid",
    "the environment": "getenv secure_getenv setenv putenv unsetenv",
}
# Everyday words: they count only as `::name(`.
_GLOBAL_CALLS = {
    "a file": "read write close stat access remove link truncate dup",
    "a process": "kill signal sigaction wait exit",
}
_OUTPUT_CALLS = "printf fprintf vprintf vfprintf puts putchar fputs fputc fwrite perror"

_PATTERNS = {
    "a thread": r"std\s*::\s*(?:j?thread|async)\b|this_thread\s*::\s*(?:sleep_\w+|yield)"
    r"|#\s*include\s*<pthread\.h>",
    "the clock": r"\b\w*[cC]lock\s*::\s*now\s*\(|(?:\.|->)\s*(?:try_lock|try_acquire|wait)_"
    r"(?:for|until)\s*\(|\b__?rdtscp?\b",
    "randomness": r"\brandom_device\b",
    "a socket": r"#\s*include\s*<(?:sys/(?:socket|epoll|eventfd|timerfd)\.h|netinet/[^>]*"
    r"|arpa/[^>]*|netdb\.h|poll\.h|asio[^>]*)>",
    "a file": r"\bstd\s*::\s*(?:[io]?fstream|filesystem)\b|#\s*include\s*<(?:fstream|filesystem"
    r"|fcntl\.h|dirent\.h|sys/stat\.h)>",
    "the environment": r"(?<![\w/])environ\b(?!ment)",
}
_OUTPUT_PATTERN = r"std\s*::\s*(?:cout|cerr|clog)\b|\bfmt\s*::\s*v?print\s*\("

# Those of them that can be called with nothing in the brackets: `connect()` is somebody else's.
_WITHOUT_ARGUMENTS = set("clock sched_yield rand random drand48 arc4random fork vfork".split())
# The standard library has these of its own, which reach nothing.
_HARMLESS_IN_STD = {"bind"}

_WORD_BEFORE = re.compile(r"(\w+)\s*$")
_STATEMENT_WORDS = {"return", "co_return", "co_await", "co_yield", "else", "do", "throw", "case"}


def _names(words):
    return re.compile(r"\b(" + "|".join(words.split()) + r")\s*\(")


def _how_called(text, offset, name):
    """'global' for ::name, 'plain' for name and std::name; None for members and declarations."""
    before = text[max(0, offset - 80) : offset].rstrip()
    if before.endswith((".", "->")):
        return None
    if before.endswith("::"):
        scope = _WORD_BEFORE.search(before[:-2])
        if scope is None or scope.group(1) in _STATEMENT_WORDS:
            return "global"
        return "plain" if scope.group(1) == "std" and name not in _HARMLESS_IN_STD else None
    word = _WORD_BEFORE.search(before)
    if word and word.group(1) not in _STATEMENT_WORDS:
        return None  # `Status open(...)` declares something else of that name.
    if before.endswith(("&", "*", ">")) and not before.endswith(("&&", "->")):
        # `std::string& time(...)`; but `a > time(...)` is a call: look for a declared type.
        if re.search(r"[\w>]\s*[&*]$|<[\w:, ]*>$", before):
            return None
    return "plain"


def _calls(text, table, kinds):
    for what, words in table.items():
        for match in _names(words).finditer(text):
            name = match.group(1)
            if text[match.end() : match.end() + 80].lstrip()[:1] == ")" and name not in _WITHOUT_ARGUMENTS:
                continue
            if _how_called(text, match.start(), name) in kinds:
                yield match.start(), what, name + "()"


def _matches(text, table):
    for what, pattern in table.items():
        for match in re.finditer(pattern, text):
            yield match.start(), what, " ".join(match.group(0).split())


def breaches(text, may_print):
    """(line, what is reached, by which words) of everything in the text that goes past the seams."""
    text = code_only(text)
    found = [
        *_calls(text, _CALLS, ("plain", "global")),
        *_calls(text, _GLOBAL_CALLS, ("global",)),
        *_matches(text, _PATTERNS),
    ]
    if not may_print:
        found += _calls(text, {"standard output": _OUTPUT_CALLS}, ("plain", "global"))
        found += _matches(text, {"standard output": _OUTPUT_PATTERN})
    return sorted((line_of(text, offset), what, words) for offset, what, words in found)


def check(root):
    problems, checked = [], 0
    for path in cpp_files(root / "src") + cpp_files(root / "include") + cpp_files(root / "simulation"):
        where = path.relative_to(root)
        folder = where.parts[1]
        if folder in SEAMS and where.parts[0] == "src":
            continue
        checked += 1
        may_print = folder == "cli" or (folder == "base" and path.stem in PRINTERS)
        problems += [
            f"{where}:{line}: reaches {what} ({words}); use runtime/ instead"
            for line, what, words in breaches(read(path), may_print)
        ]
    return problems, checked


def main():
    problems, checked = check(pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT)
    report("check_seams", problems, checked)


if __name__ == "__main__":
    main()
