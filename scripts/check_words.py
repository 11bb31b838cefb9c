#!/usr/bin/env python3
"""Fails when the project's text names things of one machine: the checkout's own path or its
neighbours, somebody's home directory, or a package mirror this machine happens to use.
"""

import configparser
import os
import pathlib
import re
import sys

from source_text import ROOT, line_of, project_files, read, report

# Directories every machine has: text may name them.
_COMMON = {
    "/", "/bin", "/boot", "/data", "/dev", "/dev/shm", "/etc", "/home", "/lib", "/media", "/mnt",
    "/opt", "/proc", "/root", "/run", "/sbin", "/srv", "/sys", "/tmp", "/usr", "/usr/local",
    "/usr/src", "/var", "/var/tmp",
}  # fmt: skip
# Hosts that are the same for everybody.
_PUBLIC_HOSTS = {
    "deb.debian.org", "security.debian.org", "archive.ubuntu.com", "security.ubuntu.com",
    "pypi.org", "files.pythonhosted.org", "proxy.golang.org", "registry.npmjs.org", "localhost",
}  # fmt: skip


def machine_paths(root):
    """The checkout, the directory around it and the home directory, but no common ones."""
    paths = {str(root), str(root.parent), os.path.expanduser("~")}
    return {path for path in paths if path.startswith("/") and path not in _COMMON}


def machine_hosts():
    """The hosts this machine takes packages from, as far as its settings say."""
    text = " ".join(
        os.environ.get(name, "")
        for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "GOPROXY", "NPM_CONFIG_REGISTRY",
                     "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
    )  # fmt: skip
    apt = pathlib.Path("/etc/apt")
    for pattern in ("sources.list", "sources.list.d/*", "apt.conf", "apt.conf.d/*"):
        for path in apt.glob(pattern):
            if path.is_file() and os.access(path, os.R_OK):
                text += "\n" + re.sub(r"(?m)^\s*(#|//).*$", "", read(path))
    for path in (pathlib.Path("/etc/pip.conf"), pathlib.Path.home() / ".config/pip/pip.conf"):
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        try:
            parser.read(path)
        except (configparser.Error, OSError):
            continue
        text += " ".join(value for part in parser for value in parser[part].values())
    hosts = set(re.findall(r"https?://(?:[^@/\s]*@)?([A-Za-z0-9.-]+\.[A-Za-z]+)", text))
    return {host.lower() for host in hosts} - _PUBLIC_HOSTS


def forbidden(paths, hosts):
    """A pattern for all of them: a path begins after no path character and ends with its part."""
    parts = [rf"(?<![\w./$}}-]){re.escape(path)}(?![\w.-])" for path in sorted(paths)]
    parts += [r"(?<![\w./-])/(?:home|Users)/[a-z]\w*/"]
    parts += [rf"(?i:(?<![\w-]){re.escape(host)}(?![\w-]))" for host in sorted(hosts)]
    return re.compile("|".join(parts))


def check(root, paths, hosts):
    problems, checked = [], 0
    pattern = forbidden(paths, hosts)
    for path in project_files(root):
        data = path.read_bytes()
        if b"\0" in data:
            continue
        checked += 1
        text = data.decode("utf-8", errors="replace")
        for match in pattern.finditer(text):
            problems.append(
                f"{path.relative_to(root)}:{line_of(text, match.start())}: "
                f"names something of one machine: {match.group(0)}"
            )
    return problems, checked


def main():
    root = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT
    report("check_words", *check(root, machine_paths(root), machine_hosts()))


if __name__ == "__main__":
    main()
