"""How long the first page of a large repository takes: 1,000 releases of 10 assets, GitHub 50 ms away.

    python benchmarks/cold_large.py [--rounds 7] [--releases 1000] [--assets 10] [--latency 0.05]

Each round starts a daemon without any cache and asks for the page once. GitHub is replay.py, a process of its own: it
gives the sandbox's answers again, so that only its latency counts. A round in which something had to be asked of the
sandbox is not counted. The CPU is the daemon's, user and system: until the page is there, and with all that it does
about the page afterwards.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import treq
from load import Server, median
from twisted.internet.task import deferLater, react

from pypihub.sandbox.server import Sandbox
from pypihub.sandbox.world import World

FORMS = {"HTML": "text/html", "JSON": "application/vnd.pypi.simple.v1+json"}
AFTERWARDS = 0.7
"""Seconds that the daemon is left alone with what it does in the background."""


@dataclass(frozen=True)
class Round:
    """What one page cost."""

    calls: int
    seconds: float
    cpu: float
    cpu_in_all: float
    peak_mb: float


@dataclass(frozen=True)
class Place:
    """Where GitHub is, and what is asked of it."""

    sandbox: Sandbox
    token: str
    url: str
    files: int

    async def calls(self) -> int:
        answer = await treq.get(f"{self.url}/", persistent=False)
        return int(await answer.text())


async def one_round(reactor: Any, place: Place, folder: Path, form: str) -> Round | None:
    """A page of a new daemon; None where GitHub's answers were not all known yet."""
    config = folder / "hub.toml"
    config.write_text(
        '[server]\nendpoint = "tcp:0:interface=127.0.0.1"\n[cache]\ndirectory = ""\n'
        f'[github]\napi_url = "{place.url}"\ngraphql_url = "{place.url}/graphql"\n'
    )
    hub = Server(reactor, "-m", "pypihub", "-c", str(config))
    url = f"http://127.0.0.1:{await hub.port()}/simple/large/"
    known, before = len(place.sandbox.calls), await place.calls()
    used, started = hub.cpu_seconds(), time.monotonic()
    answer = await treq.get(url, auth=("octo", place.token), headers={"Accept": FORMS[form]}, persistent=False)
    body = await answer.content()
    seconds, cpu = time.monotonic() - started, hub.cpu_seconds() - used
    calls = await place.calls() - before
    is_new = len(place.sandbox.calls) > known
    if answer.code != 200 or body.count(b"-py3-none-") < place.files:
        raise SystemExit(f"this is not the whole page: {answer.code}")
    await deferLater(reactor, AFTERWARDS)
    result = Round(calls, seconds, cpu, hub.cpu_seconds() - used, hub.peak_mb())
    await hub.stop()
    return None if is_new else result


async def measure(reactor: Any, folder: Path, options: argparse.Namespace) -> None:
    world = World()
    repository = world.add_repository("octo/large")
    for number in range(options.releases):
        release = repository.add_release(f"v{number}")
        for build in range(options.assets):
            release.add_asset(f"large-{number}.0-{build}-py3-none-manylinux_2_17_x86_64.whl", b"x")
    sandbox = Sandbox(reactor, world)
    await sandbox.start()
    github = Server(reactor, str(Path(__file__).with_name("replay.py")), sandbox.api_url, str(options.latency))
    url = f"http://127.0.0.1:{await github.port()}"
    place = Place(sandbox, world.add_token("octo"), url, options.releases * options.assets)
    for form in FORMS:
        rounds: list[Round] = []
        for _ in range(3 * options.rounds):
            result = await one_round(reactor, place, folder, form)
            rounds += [result] if result else []
            if len(rounds) == options.rounds:
                break
        seconds = sorted(each.seconds for each in rounds)
        print(
            f"{form}: {median(each.calls for each in rounds):.0f} calls,"
            f" {median(seconds):.3f} s ({seconds[0]:.3f} to {seconds[-1]:.3f}, {len(rounds)} rounds),"
            f" CPU {median(each.cpu for each in rounds):.2f} s,"
            f" {median(each.cpu_in_all for each in rounds):.2f} s in all,"
            f" peak RSS {max(each.peak_mb for each in rounds):.1f} MB",
            flush=True,
        )
    await github.stop()
    await sandbox.stop()


async def main(reactor: Any, *arguments: str) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="of each form")
    parser.add_argument("--releases", type=int, default=1000)
    parser.add_argument("--assets", type=int, default=10)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds before each of GitHub's answers")
    with tempfile.TemporaryDirectory() as folder:
        await measure(reactor, Path(folder), parser.parse_args(arguments))


if __name__ == "__main__":
    react(main, sys.argv[1:])
