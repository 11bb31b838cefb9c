#!/usr/bin/env python3
"""Sends the same random commands to redis-server and to the server under test and compares every
reply; see canonical.py for what may differ.

  differential.py [--seeds N] [--first SEED] [--commands N]

A difference is told with its seed, the few steps that still show it on two emptied servers, and
both replies; the exit code is then 1. After each seed the server under test is killed, and must
still have what redis-server has. CIREIN_CLIENTS_SERVER names the server under test (see server.py).
"""

from __future__ import annotations

import argparse
import contextlib
import pathlib
import sys
import tempfile
import time

from comparison import Comparison, Difference, compare_keyspaces
from minimiser import Minimiser, play_sequence, told_steps
from sequences import Sequence
from server import REDIS, Server, make_server, need_tools
from wire import Connection, WireError


# A redis-server under test keeps what it answered, as Cirein does.
KEPT = ("--save", "", "--appendonly", "yes", "--appendfsync", "no")


def addresses(server: Server) -> list[int | str]:
    return [server.port, server.socket_path]


def revive(server: Server) -> None:
    """Starts a server that ended by itself again, and tells what it said last."""
    if not server.alive():
        server.kill()
        print(f"the server under test ended by itself; it said:\n{server.log[-3000:]}", flush=True)
        server.start()


def same_after_kill(servers: list[Server]) -> bool:
    """Whether the server under test has what redis-server has, and still has it after a SIGKILL."""
    for when in ("at the end", "after a kill"):
        if when == "after a kill":
            servers[1].kill()
            servers[1].start()
        theirs, ours = (Connection(server.port) for server in servers)
        with contextlib.closing(theirs), contextlib.closing(ours):
            try:
                compare_keyspaces(theirs, ours)
            except Difference as difference:
                print(f"{when}: {difference.told()}", flush=True)
                return False
            except WireError as error:
                print(f"{when}: {error}; it said:\n{servers[1].log[-3000:]}", flush=True)
                return False
    return True


def run_seed(comparison: Comparison, servers: list[Server], seed: int, commands: int) -> bool:
    """Plays one seed, tells what came of it, and whether all replies were the same."""
    steps = list(Sequence(seed, commands).steps())
    answered = sum(len(step.answered) for step in steps)
    start = time.monotonic()
    failure = play_sequence(comparison, steps)
    if failure is None:
        took = time.monotonic() - start
        print(f"seed {seed}: {answered} commands agree, {answered / took:.0f} a second", flush=True)
        return same_after_kill(servers)
    print(f"seed {seed}: after {len(failure.steps)} of {len(steps)} steps", flush=True)
    print(failure.difference.told(), flush=True)
    least = Minimiser(comparison).minimise(failure)
    print(f"on emptied servers these steps show it:\n{told_steps(least.steps)}")
    print(least.difference.told())
    print(f"again: tests/clients/differential.py --first {seed} --commands {commands}", flush=True)
    return False


def run(arguments: argparse.Namespace, directory: pathlib.Path) -> int:
    servers = [
        make_server(directory / "redis", REDIS),
        make_server(directory / "tested", redis_arguments=KEPT),
    ]
    try:
        for server in servers:
            server.start()
        theirs, ours = (addresses(server) for server in servers)
        comparison = Comparison(theirs, ours, lambda: revive(servers[1]))
        seeds = range(arguments.first, arguments.first + arguments.seeds)
        failed = [
            seed for seed in seeds if not run_seed(comparison, servers, seed, arguments.commands)
        ]
        comparison.close()
    finally:
        for server in servers:
            server.kill()
    print(f"seeds that differ: {failed}" if failed else f"all {arguments.seeds} seeds agree")
    return 1 if failed else 0


def main() -> int:
    need_tools("redis-server")
    parser = argparse.ArgumentParser(description="compare every reply with redis-server's")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds (1)")
    parser.add_argument("--first", type=int, default=1, help="the first of them (1)")
    parser.add_argument("--commands", type=int, default=20_000, help="commands in a seed (20000)")
    with tempfile.TemporaryDirectory(prefix="cirein_differential_") as directory:
        return run(parser.parse_args(), pathlib.Path(directory))


if __name__ == "__main__":
    sys.exit(main())
