"""What a second worker brings: requests a second of a warm page, by one worker and by two, on two cores.

    apt-get install wrk
    python benchmarks/workers.py [--rounds 5] [--seconds 5] [--connections 16]

wrk puts on the load from the same machine, in turn on a PyPIHub with one worker, one with two, and one with two whose
log passes through twistd. The ratio is the median of the rounds' ratios to one worker. `share` is the part of the CPU
time that the busier worker had: they accept from one socket. `load` is how many processes wanted a core all the while,
the neighbours' included: more than three spoil the ratio. GitHub is the sandbox in this process, and idle: the page
is known.
"""

from __future__ import annotations

import argparse
import base64
import os
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from load import TICKS, Server, median
from twisted.internet.task import react
from twisted.internet.utils import getProcessOutput

from pypihub.sandbox.server import Sandbox
from pypihub.sandbox.world import World

GOAL = 1.4
TWISTD = [str(Path(sys.executable).with_name("twistd")), "-n", "--pidfile=", "pypihub"]
CASES = {"one worker": (1, ["-m", "pypihub"]), "two workers": (2, ["-m", "pypihub"]), "two, twistd": (2, TWISTD)}


@dataclass(frozen=True)
class Figures:
    """Of one case in one round."""

    rate: float
    share: float


@dataclass(frozen=True)
class Hub:
    """A PyPIHub, and what wrk asks of it."""

    server: Server
    port: int
    authorization: str

    async def measure(self, reactor: Any, seconds: int, connections: int) -> Figures:
        """Puts on the load; fails where an answer is none."""
        before = self._worker_seconds()
        options = ["-t", "1", "-c", str(connections), "-d", f"{seconds}s", "-H", f"Authorization: {self.authorization}"]
        url = f"http://127.0.0.1:{self.port}/simple/small/"
        said = (await getProcessOutput("wrk", [*options, url], os.environ, reactor=reactor)).decode()
        rate = re.search(r"Requests/sec: *([0-9.]+)", said)
        if rate is None or "Non-2xx" in said or "Socket errors" in said:
            raise SystemExit(said)
        used = [after - before.get(pid, 0) for pid, after in self._worker_seconds().items()]
        return Figures(float(rate[1]), max(used, default=1) / (sum(used) or 1))

    def _worker_seconds(self) -> dict[str, float]:
        """CPU time of the workers by their process ids; nothing where the process serves itself."""
        pids = Path(f"/proc/{self.server.pid}/task/{self.server.pid}/children").read_text().split()
        return {pid: _cpu_seconds(pid) for pid in pids}


def _cpu_seconds(pid: str) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def start(reactor: Any, folder: Path, sandbox: Sandbox, token: str, case: str) -> Hub:
    """A PyPIHub in front of the sandbox."""
    workers, command = CASES[case]
    config = folder / f"{case.replace(' ', '-')}.toml"
    config.write_text(
        f'[server]\nendpoint = "tcp:0:interface=127.0.0.1"\nworkers = {workers}\n'
        f'[cache]\ndirectory = "{folder}"\nttl = "10m"\n'
        f'[github]\napi_url = "{sandbox.api_url}"\ngraphql_url = "{sandbox.graphql_url}"\n'
    )
    server = Server(reactor, *command, "--config", str(config))
    return Hub(server, await server.port(), "Basic " + base64.b64encode(f"octo:{token}".encode()).decode())


async def compare(reactor: Any, folder: Path, options: argparse.Namespace) -> None:
    world = World()
    release = world.add_repository("octo/small").add_release("v1")
    release.add_asset("small-1.0-py3-none-any.whl", b"x")
    release.add_asset("small-1.0.tar.gz", b"x")
    sandbox = Sandbox(reactor, world)
    await sandbox.start()
    token = world.add_token("octo")
    hubs = {case: await start(reactor, folder, sandbox, token, case) for case in CASES}
    for hub in hubs.values():
        await hub.measure(reactor, options.seconds, options.connections)  # until all have started and know the page
    rounds, loads = [], []
    for _ in range(options.rounds):
        rounds.append(
            {case: await hub.measure(reactor, options.seconds, options.connections) for case, hub in hubs.items()}
        )
        loads.append(os.getloadavg()[0])
    print(f"{'':<14}{'requests/s':>12}{'ratio':>8}{'share':>8}   load {median(loads):.1f}, goal of the ratio {GOAL}")
    for case in CASES:
        ratio = median(figures[case].rate / figures["one worker"].rate for figures in rounds)
        share = median(figures[case].share for figures in rounds)
        print(f"{case:<14}{median(figures[case].rate for figures in rounds):>12.0f}{ratio:>8.2f}{share:>8.2f}")
    for hub in hubs.values():
        await hub.server.stop()
    await sandbox.stop()


async def main(reactor: Any, *arguments: str) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5, help="of load, for each case in each round")
    parser.add_argument("--connections", type=int, default=16)
    options = parser.parse_args(arguments)
    if shutil.which("wrk") is None:
        raise SystemExit("This needs wrk: apt-get install wrk")
    with tempfile.TemporaryDirectory() as folder:
        await compare(reactor, Path(folder), options)


if __name__ == "__main__":
    react(main, sys.argv[1:])
