#!/usr/bin/env python3
"""Measures `cirein up` beside redis-server and memcached, and prints the figures as Markdown.

    bench/resp_compare.py [--quick] [--only cells,power,large,memory,start] ...

Every comparison runs in turns within one run, each server asked by the same load generator
(resp_load); the tables show medians and their ratios. A server whose program is missing is named
as skipped. Whatever was started is ended, by its process id, and its files are removed.
"""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile

from resp_servers import Cirein, Memcached, Redis, ServerError, Twin, files_bytes, on_cpus

ROOT = pathlib.Path(__file__).resolve().parent.parent
PARTS = ("cells", "power", "large", "memory", "start")
OPERATIONS = ("get", "set", "incr", "hset", "hget", "mget10")
WRITES = ("set", "incr", "hset")
MIB = 1 << 20
LOAD_TIMEOUT_S = 1800

# What is aimed at; see the text below the tables.
AIM_RATE = {1: 1.0, 16: 1.5}
AIM_POWER_RATE = 1.5
AIM_POWER_CONNECTIONS = 50
AIM_CPU = 0.7
AIM_START = 10


class LoadError(Exception):
    """A run of the load generator that failed; the text is what it said."""


FAILURES = (LoadError, ServerError, OSError, subprocess.TimeoutExpired)


class Bench:
    """What all parts share: options, programs, and what went wrong."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.disk = arguments.disk
        self.programs = programs(arguments)
        self.load_cpus = cpus(arguments.load_cpus)
        self.server_cpus = cpus(arguments.server_cpus)
        self.ours = Twin if arguments.twin else Cirein
        self.skipped = []
        self.failures = []
        self.aims = {}
        if arguments.twin:
            self.programs["cirein"] = self.programs["redis"]
        elif not self.programs["cirein"]:
            self.skipped.append("Cirein (there is no program with the verb `up`; next: make)")
        for name in ("redis", "memcached"):
            if not self.programs[name]:
                self.skipped.append(f"{name} (next: scripts/setup)")

    def pair(self):
        """The kinds of servers to compare, ours first, as far as they are there."""
        ours = [self.ours] if self.programs["cirein"] else []
        return ours + ([Redis] if self.programs["redis"] else [])

    def load(self, *options):
        """One run of the load generator; what it says."""
        command = [self.programs["load"], "--json", *map(str, options)]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=LOAD_TIMEOUT_S,
            preexec_fn=on_cpus(self.load_cpus),
        )  # fmt: skip
        if done.returncode != 0:
            raise LoadError(done.stderr.strip() or f"ended with {done.returncode}")
        said = json.loads(done.stdout)
        if said["missing"]:
            raise LoadError(f"{said['missing']} keys that were written are missing")
        return said

    def failed(self, what, error):
        self.failures.append(f"{what}: {error}")
        progress(f"FAILED {what}: {error}")

    def aim_at_least(self, wanted, what, where, reached):
        if reached is not None:
            self.aim(f"{what}: at least {wanted}", where, reached, reached < wanted)

    def aim_at_most(self, wanted, what, where, reached):
        if reached is not None:
            self.aim(f"{what}: at most {wanted}", where, reached, reached > wanted)

    def aim(self, aim, where, reached, missed):
        """Keeps how often an aim was looked at, and where it was missed."""
        if self.arguments.twin:
            return
        entry = self.aims.setdefault(aim, {"cells": 0, "missed": []})
        entry["cells"] += 1
        if missed:
            entry["missed"].append(f"{where} ({reached:.2f})")


def progress(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def cpus(text):
    return {int(number) for number in text.split(",")} if text else set()


def programs(arguments):
    def has_up(path):
        done = subprocess.run([path, "up", "--help"], capture_output=True, check=False)
        return done.returncode == 0

    load = arguments.load or ROOT / "build/bench/bench/resp_load"
    built = [ROOT / "build/bench/bin/cirein", ROOT / "build/bin/cirein"]
    cirein = [arguments.cirein] if arguments.cirein else built
    found = [str(path) for path in cirein if os.access(path, os.X_OK) and has_up(path)]
    if not os.access(load, os.X_OK):
        sys.exit(f"resp_compare: there is no {load}; next: make bench-resp")
    return {
        "load": str(load),
        "cirein": found[0] if found else None,
        "redis": shutil.which("redis-server"),
        "memcached": shutil.which("memcached"),
    }


def median(values):
    return statistics.median(values) if values else None


def ratio(ours, theirs):
    return ours / theirs if ours is not None and theirs else None


def number(value, digits=None):
    """Three digits that count, or so many after the point."""
    if value is None:
        return "—"
    if digits is None:
        digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:.{digits}f}"


def against(ours, theirs, digits=None):
    """"ours / theirs = **ratio**", as the other tables have it."""
    return f"{number(ours, digits)} / {number(theirs, digits)} = **{number(ratio(ours, theirs), 2)}**"


def table(header, rows):
    """Prints each row as soon as it is there: a long run that is ended has said what it knows."""
    print(f"| {' | '.join(header)} |\n|{'---|' * len(header)}")
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)
    print(flush=True)


def size_text(size):
    for unit, name in ((MIB, "MiB"), (1024, "KiB")):
        if size >= unit and size % unit == 0:
            return f"{size // unit} {name}"
    return f"{size} B"


def in_turns(bench, what, targets, options):
    """Medians of what the generator says of each target, by name. Each round begins with another
    one, so that none always follows the same; one that fails is left out from there on."""
    said = {name: [] for name in targets}
    for turn in range(bench.arguments.rounds):
        names = list(targets)
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            if said[name] is None:
                continue
            try:
                said[name].append(bench.load(*targets[name], *options))
            except FAILURES as error:
                bench.failed(f"{name}, {what}", error)
                said[name] = None
    figures = ("per_second", "server_cpu_us", "p50_us", "p99_us")
    return {
        name: {figure: median([run[figure] for run in runs]) for figure in figures}
        for name, runs in said.items()
        if runs
    }


# ---- throughput, latency and processor time -------------------------------------------------------


def groups(bench, durability):
    """(operation, size of value) of the cells; one start of the servers for each."""
    for operation in bench.arguments.operations:
        if durability == "power" and operation not in WRITES:
            continue  # Reading is the same at any durability.
        for size in (64, 1024):
            if operation != "incr" or size == 64:
                yield operation, size


def cell_row(bench, cell, said, ours):
    """One row of the table, and the aims it misses."""
    durability, transport, operation, size, connections, pipeline = cell
    own, redis = said.get(ours, {}), said.get("Redis", {})
    shape = f"{connections} × {pipeline}"
    value = "number" if operation == "incr" else size_text(size)
    where = f"{operation} {value} {transport} {shape}" + (", power" if durability == "power" else "")

    def both(key):
        return own.get(key), redis.get(key)

    rate, cpu = ratio(*both("per_second")), ratio(*both("server_cpu_us"))
    if durability == "power" and connections == AIM_POWER_CONNECTIONS:
        what = f"requests/s beside Redis, `power`, {connections} connections"
        bench.aim_at_least(AIM_POWER_RATE, what, where, rate)
    elif pipeline in AIM_RATE:
        what = f"requests/s beside Redis, pipeline {pipeline}"
        bench.aim_at_least(AIM_RATE[pipeline], what, where, rate)
    bench.aim_at_most(AIM_CPU, "server CPU beside Redis", where, cpu)
    row = [transport, operation.upper(), value, shape]
    row += [against(*both("per_second"), 0), against(*both("server_cpu_us"), 2)]
    row += [against(*both("p50_us")), against(*both("p99_us"))]
    if durability == "process":
        other, ceiling = said.get("memcached", {}), said.get("ceiling", {})
        cpu = number(other.get("server_cpu_us"), 2)
        row.append(f"{number(other.get('per_second'), 0)}; {cpu}" if other else "—")
        row.append(number(ceiling.get("per_second"), 0))
    return row


def measure_group(bench, durability, operation, size):
    """The rows of one operation and size."""
    arguments = bench.arguments
    common = ["--operation", operation, "--value-bytes", size, "--keys", arguments.keys]
    with contextlib.ExitStack() as stack:
        kinds = bench.pair()
        servers = [stack.enter_context(kind(bench, durability)) for kind in kinds]
        others = {}
        if durability == "process" and operation in ("get", "set") and bench.programs["memcached"]:
            others = {
                transport: stack.enter_context(Memcached(bench, transport))
                for transport in arguments.transports
            }
        for server in [*servers, *others.values()]:
            if operation != "incr":
                transport = getattr(server, "transport", "tcp")
                bench.load(*server.target(transport), *common, "--load-only")
        for transport in arguments.transports:
            for connections, pipeline in arguments.shapes:
                progress(f"{durability} {transport} {operation} {size} {connections} × {pipeline}")
                targets = {server.name: server.target(transport) for server in servers}
                if transport in others:
                    targets["memcached"] = others[transport].target(transport)
                if durability == "process":
                    targets["ceiling"] = ceiling_target(bench, stack, transport)
                options = [
                    *common, "--connections", connections, "--pipeline", pipeline,
                    "--seconds", arguments.seconds, "--warm", arguments.seconds / 5,
                ]  # fmt: skip
                cell = (durability, transport, operation, size, connections, pipeline)
                said = in_turns(bench, " ".join(map(str, cell)), targets, options)
                yield cell_row(bench, cell, said, bench.ours.name)


def ceiling_target(bench, stack, transport):
    """As of a server: of the load's own thread, where the servers would run."""
    target = ["--ceiling"]
    if bench.server_cpus:
        target += ["--ceiling-cpus", bench.arguments.server_cpus]
    if transport == "unix":
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="cirein-resp-"))
        target += ["--unix", os.path.join(directory, "s")]
    return target


def measure_cells(bench, durability):
    ours = bench.ours.name
    promises = [f"{kind.name} ({kind(bench, durability).promise()})" for kind in bench.pair()]
    if durability == "process":
        promises.append("memcached (keeps nothing)")
    print(f"### Requests, durability `{durability}`\n")
    print(
        f"{', '.join(promises)}; {bench.arguments.keys} keys, drawn evenly; median of "
        f"{bench.arguments.rounds} turns of {bench.arguments.seconds} s each. The shape is "
        f"connections × pipeline. Each pair is {ours} / Redis = **ratio**; the latency is that of "
        "a whole pipeline. CPU is the server's, user and system, of all its threads.\n"
    )
    header = ["over", "request", "value", "shape", "requests/s", "CPU µs/request", "p50 µs"]
    header.append("p99 µs")
    if durability == "process":
        header += ["memcached: requests/s; CPU µs", "ceiling of the load, requests/s"]
    table(header, cell_rows(bench, durability))


def cell_rows(bench, durability):
    for operation, size in groups(bench, durability):
        try:
            yield from measure_group(bench, durability, operation, size)
        except FAILURES as error:
            bench.failed(f"{durability} {operation} {size}", error)


# ---- large values ---------------------------------------------------------------------------------


def measure_large(bench):
    arguments = bench.arguments
    ours = bench.ours.name
    promises = ", ".join(f"{kind.name} ({kind(bench).promise()})" for kind in bench.pair())
    print(
        f"### Large values\n\n{promises}; one connection, MB/s (10^6 bytes of values), "
        f"{ours} / Redis = **ratio**, median of {arguments.rounds} turns.\n"
    )
    header = ["over", "request", "value", "MB/s", "CPU ms/request", "ceiling of the load, MB/s"]
    table(header, large_rows(bench))


def large_rows(bench):
    quick = bench.arguments.quick
    for size, keys in ((MIB, 16 if quick else 256), (64 * MIB, 2 if quick else 8)):
        try:
            yield from measure_size(bench, size, keys)
        except FAILURES as error:
            bench.failed(f"large {size_text(size)}", error)


def measure_size(bench, size, keys):
    """The rows of one size of values."""
    seconds = max(bench.arguments.seconds, 0.1 if bench.arguments.quick else 1)
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(kind(bench)) for kind in bench.pair()]
        for server in servers:
            bench.load(*server.target("unix"), "--value-bytes", size, "--keys", keys, "--load-only")
        for transport in bench.arguments.transports:
            for operation in ("get", "set"):
                what = f"large {transport} {operation} {size_text(size)}"
                progress(what)
                targets = {server.name: server.target(transport) for server in servers}
                targets["ceiling"] = ceiling_target(bench, stack, transport)
                options = ["--operation", operation, "--value-bytes", size, "--keys", keys,
                           "--seconds", seconds, "--warm", 0.01]  # fmt: skip
                said = in_turns(bench, what, targets, options)
                both = [said.get(bench.ours.name), said.get("Redis")]
                *rates, ceiling = [
                    one and one["per_second"] * size / 1e6 for one in (*both, said.get("ceiling"))
                ]
                bench.aim_at_least(1.0, "MB/s beside Redis", what, ratio(*rates))
                costs = [one and one["server_cpu_us"] / 1e3 for one in both]
                yield [transport, operation.upper(), size_text(size), against(*rates, 0),
                       against(*costs), number(ceiling, 0)]  # fmt: skip


# ---- memory for each key --------------------------------------------------------------------------


def measure_memory(bench):
    keys = bench.arguments.memory_keys
    print(
        f"### Memory for each key\n\n{keys} keys of 16 bytes, one server at a time; bytes for each "
        "key: what the process has resident more than before (of it: in no file), and what its "
        "files take.\n"
    )
    table(["value", "server", "resident", "of it in no file", "files"], memory_rows(bench, keys))


def memory_rows(bench, keys):
    for size in (64, 1024):
        for kind in bench.pair():
            progress(f"memory {kind.name} {size_text(size)}")
            try:
                with kind(bench) as server:
                    figures = memory_of(bench, server, size, keys)
            except FAILURES as error:
                bench.failed(f"memory {kind.name} {size}", error)
                continue
            name = f"{kind.name} ({kind(bench).promise()})"
            yield [size_text(size), name, *(number(figure, 0) for figure in figures)]


def memory_of(bench, server, size, keys):
    files_before, before = files_bytes(server.directory), server.memory_bytes()
    bench.load(*server.target("unix"), "--value-bytes", size, "--keys", keys, "--load-only")
    server.settle()
    after = server.memory_bytes()
    more = [(after[kind] - before[kind]) / keys for kind in ("VmRSS", "RssAnon")]
    return [*more, (files_bytes(server.directory) - files_before) / keys]


# ---- from the start to the first answer -----------------------------------------------------------


def measure_start(bench):
    print(
        "### From the start to the first answer, after kill -9\n\n"
        f"One server at a time; seconds, median of {bench.arguments.start_rounds} starts, until "
        "PING is answered with all keys there. Files are in the page cache for all. Redis loads "
        "its append-only file: as commands have written it, and as rewritten in its binary form.\n"
    )
    ours, *redis = [f"{kind.name} ({kind(bench).promise()})" for kind in bench.pair()] or [""]
    header = ["keys", ours, redis[0] if redis else "Redis", "times sooner"]
    table([*header, "Redis, rewritten", "times sooner"], start_rows(bench))


def start_rows(bench):
    for size, keys in bench.arguments.start_shapes:
        shape = f"{keys} × {size_text(size)}"
        took = {}
        for kind in bench.pair():
            for rewritten in (False, True) if kind is Redis else (False,):
                name = "rewritten" if rewritten else kind.name
                progress(f"start {name} {shape}")
                try:
                    took[name] = start_of(bench, kind, (size, keys), rewritten)
                except FAILURES as error:
                    bench.failed(f"start {name} {shape}", error)
        own, redis, anew = (took.get(name) for name in (bench.ours.name, "Redis", "rewritten"))
        bench.aim_at_least(AIM_START, "times sooner ready than Redis", shape, ratio(redis, own))
        yield [shape, number(own, 3), number(redis, 3), f"**{number(ratio(redis, own), 1)}**",
               number(anew, 3), f"**{number(ratio(anew, own), 1)}**"]  # fmt: skip


def start_of(bench, kind, shape, rewritten):
    """The median of the seconds that it takes."""
    size, keys = shape
    took = []
    with kind(bench) as server:
        bench.load(*server.target("unix"), "--value-bytes", size, "--keys", keys, "--load-only")
        if rewritten:
            server.rewrite()
        for _ in range(bench.arguments.start_rounds):
            server.settle()
            server.kill()
            took.append(server.start())
            if server.keys() != keys:
                raise ServerError(f"{server.name} has {server.keys()} keys of {keys} after kill -9")
    return median(took)


# ---- all together ---------------------------------------------------------------------------------


def shapes(text):
    """"1x16,50x1" as pairs."""
    return [tuple(int(part) for part in shape.split("x")) for shape in text.split(",")]


def parse():
    words = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words.add_argument("--quick", action="store_true", help="a small form of all, in a minute")
    words.add_argument("--only", default=",".join(PARTS), help=f"of {','.join(PARTS)}")
    words.add_argument("--operations", default=",".join(OPERATIONS))
    words.add_argument("--transports", default="tcp,unix")
    words.add_argument("--shapes", help="connections x pipeline: 1x1,1x16,50x1,50x16")
    words.add_argument("--rounds", type=int, help="turns of each server: 5")
    words.add_argument("--seconds", type=float, help="of each turn: 0.5")
    words.add_argument("--keys", type=int, help="100000")
    words.add_argument("--memory-keys", type=int, help="1000000")
    words.add_argument("--start-shapes", help="bytes x keys: 1024x1000000,64x10000000")
    words.add_argument("--start-rounds", type=int, help="3")
    disk = "build" if os.path.isdir("build") else "."
    words.add_argument("--disk", default=disk, help="where the servers' directories are")
    words.add_argument("--load", help="the load generator")
    words.add_argument("--cirein", help="the command")
    words.add_argument("--twin", action="store_true", help="a second Redis in Cirein's place")
    words.add_argument("--load-cpus", default="", help="processors of the load: 1")
    words.add_argument("--server-cpus", default="", help="processors of the servers: 0")
    return complete(words.parse_args())


def complete(arguments):
    """Puts in what was not given: the long form, or the quick one."""
    quick = arguments.quick
    for name, of_all, of_quick in (
        ("shapes", "1x1,1x16,50x1,50x16", "1x1,50x16"), ("rounds", 5, 1), ("seconds", 0.5, 0.05),
        ("keys", 100_000, 10_000), ("memory_keys", 1_000_000, 50_000),
        ("start_shapes", "1024x1000000,64x10000000", "1024x20000,64x50000"), ("start_rounds", 3, 1),
    ):  # fmt: skip
        if getattr(arguments, name) is None:
            setattr(arguments, name, of_quick if quick else of_all)
    arguments.shapes = shapes(arguments.shapes)
    arguments.start_shapes = shapes(arguments.start_shapes)
    arguments.only = arguments.only.split(",")
    arguments.operations = arguments.operations.split(",")
    arguments.transports = arguments.transports.split(",")
    for given, known in ((arguments.only, PARTS), (arguments.operations, OPERATIONS),
                         (arguments.transports, ("tcp", "unix"))):  # fmt: skip
        for name in set(given) - set(known):
            sys.exit(f"resp_compare: '{name}' is none of {', '.join(known)}")
    return arguments


def say_versions(bench):
    def first_line(program, *options):
        done = subprocess.run([program, *options], capture_output=True, text=True, check=False)
        return done.stdout.split("\n")[0].split(" sha=")[0].strip()

    print(f"`bench/resp_compare.py {' '.join(sys.argv[1:])}`".replace(" `", "`") + "\n")
    versions = [
        first_line(bench.programs[name], "--version")
        for name in ("redis", "memcached")
        if bench.programs[name]
    ]
    load = bench.arguments.load_cpus or "any"
    servers = bench.arguments.server_cpus or "any"
    print(f"{'; '.join(versions)}. Processors: {load} for the load, {servers} for the servers.\n")
    for name in bench.skipped:
        print(f"Skipped: {name}.\n")


def aim_rows(bench):
    for aim, entry in bench.aims.items():
        cells, missed = entry["cells"], entry["missed"]
        yield [aim, f"{cells - len(missed)} of {cells}", "; ".join(missed)]


def main():
    # So that an end by signal leaves nothing behind either.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("resp_compare: interrupted"))
    arguments = parse()
    bench = Bench(arguments)
    say_versions(bench)
    parts = {
        "cells": lambda: measure_cells(bench, "process"),
        "power": lambda: measure_cells(bench, "power"),
        "large": lambda: measure_large(bench),
        "memory": lambda: measure_memory(bench),
        "start": lambda: measure_start(bench),
    }
    for name in PARTS:
        if name in arguments.only:
            parts[name]()
    if bench.aims:
        table(["aim", "reached in", "missed in"], aim_rows(bench))
    if bench.failures:
        print("Failed:\n\n" + "\n".join(f"- {text}" for text in bench.failures) + "\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
