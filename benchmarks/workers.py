"""What a second worker is worth: warm pages a second of one and of two, with the load on the same two cores.

    apt-get install wrk
    .venv/bin/python benchmarks/workers.py [--rounds 5] [--seconds 3]

Both run at the same time and are loaded in turn, by wrk with one thread and 16 connections. GitHub is the sandbox, in
this process. The ratio is the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import base64
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from load import Server, exchange, median, request
from pages import fill
from twisted.internet.task import react
from twisted.internet.utils import getProcessOutput

from pypihub.sandbox.server import Sandbox
from pypihub.sandbox.world import World

GOAL = 1.4


async def pages_a_second(reactor: Any, wrk: str, port: int, authorization: str, seconds: int) -> float:
    """What wrk counts."""
    command = ["-t1", "-c16", f"-d{seconds}s", "-H", f"Authorization: {authorization}", "-H", "Accept: text/html"]
    said = (await getProcessOutput(wrk, [*command, f"http://127.0.0.1:{port}/simple/large/"], reactor=reactor)).decode()
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(said)
    return float(re.search(r"Requests/sec: +([0-9.]+)", said)[1])


async def compare(reactor: Any, wrk: str, folder: Path, options: argparse.Namespace) -> None:
    world = World()
    fill(world, 300)
    token = world.add_token("octo")
    sandbox = Sandbox(reactor, world)
    await sandbox.start()
    authorization = "Basic " + base64.b64encode(f"octo:{token}".encode()).decode()
    servers, ports = {}, {}
    for workers in (1, 2):
        config = folder / f"hub{workers}.toml"
        config.write_text(
            f'[server]\nendpoint = "tcp:0:interface=127.0.0.1"\nworkers = {workers}\n[log]\naccess = false\n'
            f'[cache]\ndirectory = ""\nttl = "10m"\n'
            f'[github]\napi_url = "{sandbox.api_url}"\ngraphql_url = "{sandbox.graphql_url}"\n'
        )
        servers[workers] = Server(reactor, "-m", "pypihub", "-c", str(config))
        ports[workers] = await servers[workers].port()
        for _ in range(10):  # each worker has a cache of its own
            await exchange(reactor, ports[workers], request("/simple/large/", Authorization=authorization))
    rounds = [
        {
            workers: await pages_a_second(reactor, wrk, port, authorization, options.seconds)
            for workers, port in ports.items()
        }
        for _ in range(options.rounds)
    ]
    for workers in ports:
        print(f"{workers} worker(s): {median(each[workers] for each in rounds):,.0f} pages a second")
    ratio = median(each[2] / each[1] for each in rounds)
    print(f"ratio {ratio:.2f}, goal {GOAL}: {'met' if ratio >= GOAL else 'falls short'}")
    for server in servers.values():
        await server.stop()
    await sandbox.stop()


async def main(reactor: Any, *arguments: str) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="a round")
    options = parser.parse_args(arguments)
    wrk = shutil.which("wrk")
    if wrk is None:
        raise SystemExit("wrk is missing: apt-get install wrk")
    with tempfile.TemporaryDirectory() as folder:
        await compare(reactor, wrk, Path(folder), options)


if __name__ == "__main__":
    react(main, sys.argv[1:])
