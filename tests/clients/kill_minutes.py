#!/usr/bin/env python3
"""Kills the server with SIGKILL every second under clients that write, starts it again on the same
directory, and checks each time that nothing acknowledged is lost and no transaction is half done.

  kill_minutes.py [--seconds N] [--clients N] [--seed N]

CIREIN_CLIENTS_SERVER names the server (see server.py); redis-server runs with its append-only file,
synced before each answer.
"""

from __future__ import annotations

import argparse
import pathlib
import random
import sys
import tempfile
import threading
import time

from server import REDIS, SKIPPED, Server, ServerError, make_server, need_tools, wanted_server

try:
    import redis

    from workers import Lost, Worker, make_workers
except ImportError:
    print("skipped: this Python has no redis; scripts/setup installs python3-redis")
    sys.exit(SKIPPED)

# A client that gets no answer for so long has found a server that hangs.
ANSWER_SECONDS = 30.0
REDIS_ARGUMENTS = ("--save", "", "--appendonly", "yes", "--appendfsync", "always")


class ClientThread:
    """Runs one worker for one life of the server at a time."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.failure: Exception | None = None
        self._thread: threading.Thread | None = None

    def start(self, server: Server) -> None:
        # Every other client uses the Unix socket.
        client = connect(server, by_socket=self.worker.rng.random() < 0.5)
        self._thread = threading.Thread(target=self._run, args=(client,))
        self._thread.start()

    def join(self) -> None:
        """Returns when the worker has noticed that its server is gone."""
        assert self._thread is not None
        self._thread.join()

    def _run(self, client: redis.Redis) -> None:
        try:
            while True:
                self.worker.step(client)
        except redis.TimeoutError as failure:
            self.failure = failure
        except redis.ConnectionError:
            pass  # The server was killed.
        except redis.WatchError:
            pass  # So python3-redis tells of a connection that broke under WATCH.
        except (redis.RedisError, Lost, AssertionError) as failure:
            self.failure = failure
        finally:
            client.close()


def connect(server: Server, by_socket: bool) -> redis.Redis:
    common = {"single_connection_client": True, "socket_timeout": ANSWER_SECONDS}
    if by_socket:
        return redis.Redis(unix_socket_path=server.socket_path, **common)
    return redis.Redis(port=server.port, **common)


def check_all(server: Server, workers: list[Worker]) -> None:
    client = connect(server, by_socket=False)
    for worker in workers:
        worker.check(client)
    client.close()


def one_life(server: Server, threads: list[ClientThread], seconds: float) -> None:
    """Lets the clients work for a while and kills the server; raises what a client has found."""
    for thread in threads:
        thread.start(server)
    threading.Event().wait(seconds)  # As long as this life lasts: nothing to wait for.
    died = not server.alive()
    server.kill()
    for thread in threads:
        thread.join()
    if died:
        raise Lost(f"the server ended by itself; it said:\n{server.log}")
    for thread in threads:
        if thread.failure is not None:
            raise Lost(f"{thread.worker.name}: {thread.failure!r}")


def start_again(server: Server, rng: random.Random) -> float:
    """Starts the server, sometimes after a start that is killed too. The seconds it took."""
    if rng.random() < 0.15:
        server.launch()
        threading.Event().wait(rng.uniform(0, 0.05))
        server.kill()
    start = time.monotonic()
    server.start()
    return time.monotonic() - start


def run(server: Server, arguments: argparse.Namespace) -> None:
    rng = random.Random(arguments.seed)
    workers = make_workers(arguments.clients, arguments.seed)
    threads = [ClientThread(worker) for worker in workers]
    end = time.monotonic() + arguments.seconds
    kills, slowest = 0, 0.0
    server.start()
    while time.monotonic() < end:
        one_life(server, threads, rng.uniform(0.7, 1.3))
        kills += 1
        slowest = max(slowest, start_again(server, rng))
        check_all(server, workers)
    acknowledged = sum(worker.acknowledged for worker in workers)
    print(f"{kills} kills, {acknowledged} acknowledged writes, none lost; "
          f"slowest start {slowest:.2f} s")  # fmt: skip
    for worker in workers:
        if worker.acknowledged == 0:
            raise Lost(f"{worker.name} was never answered: nothing was tested")


def main() -> int:
    parser = argparse.ArgumentParser(description="kill the server every second under clients")
    parser.add_argument("--seconds", type=float, default=15, help="how long (15)")
    parser.add_argument("--clients", type=int, default=18, help="how many clients (18)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    arguments = parser.parse_args()
    if wanted_server() == REDIS:
        need_tools("redis-server")
    print(f"--seed {arguments.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="cirein_kill_") as directory:
        server = make_server(pathlib.Path(directory), redis_arguments=REDIS_ARGUMENTS)
        try:
            run(server, arguments)
        except (Lost, ServerError, redis.RedisError) as failure:
            print(f"--seed {arguments.seed}: {failure!r}\n{server.log[-3000:]}", flush=True)
            return 1
        finally:
            server.kill()
    return 0


if __name__ == "__main__":
    sys.exit(main())
