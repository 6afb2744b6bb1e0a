"""What PyPIHub promises beside the speed of warm answers: each row with its goal, and whether it is met.

    python benchmarks/steady.py [--rounds 5] [--only far] [--only cold] …

- far: a warm page takes as long with GitHub 200 ms away as with GitHub next door, and asks it nothing.
- cold: the first page of a small project takes GitHub's 50 ms and 5 ms more. Many different ones, one after the other
  on one connection. The sandbox's answers are given again by replay.py, so that its work does not count; in turn, the
  same query goes straight there, which shows what of this is not PyPIHub's.
- callers: 200 callers of one page that is not known cost one call.
- install: uv installs 61 packages (see installing.py).
- memory: the bare process; after 10,000 different pages, with two limits. GitHub is many.py.

GitHub is a process of its own, and but for the last row it is the sandbox.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import installing
import msgspec
from github import OWNER, TOKENS
from hub import Talk, page, start_hub
from load import Server, median
from resolving import GitHub
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater, react

from pypihub.github.queries import ListingQuery
from pypihub.index.names import Owner, Repository
from pypihub.sandbox.samples import sample_sdist, sample_wheel

AFTERWARDS = 1.0
"""Seconds in which PyPIHub does what it does in the background about a page."""
CALLERS = 200
PACKAGES = 61
PAGES = 10_000
CONNECTIONS = 4
"""Over which the pages are asked for."""
FILES = 100
"""Of each of the many pages, so that they come to more than the larger limit."""


@dataclass(frozen=True)
class Run:
    """What all rows need."""

    reactor: Any
    folder: Path
    rounds: int

    @asynccontextmanager
    async def github(self, latency: float, projects: int) -> AsyncIterator[GitHub]:
        """A GitHub with so many small projects."""
        files = self.folder / f"small-{projects}"
        if not files.exists():
            files.mkdir()
            for number in range(projects):
                for name, content in (sample_wheel(_name(number), "1.0"), sample_sdist(_name(number), "1.0")):
                    (files / name).write_bytes(content)
        github = GitHub(self.reactor, files, latency)
        await github.start()
        try:
            yield github
        finally:
            await github.server.stop()

    @asynccontextmanager
    async def hub(self, latency: float) -> AsyncIterator[tuple[GitHub, int]]:
        """A new PyPIHub's port, and its GitHub, which has one small project."""
        async with self.github(latency, 1) as github:
            hub = start_hub(self.reactor, self.folder, github.port)
            try:
                yield github, await hub.port()
            finally:
                await hub.stop()


def tell(what: str, goal: str, measured: str, *, is_met: bool) -> None:
    """Prints a row."""
    print(f"{what:<44} {goal:<28} {'✓' if is_met else 'falls short':<12} {measured}", flush=True)


def _name(number: int) -> str:
    return f"small-{number:04}"


async def far(run: Run) -> None:
    """The warm page, near and far in turn."""
    async with run.hub(0.0) as (_, near_port), run.hub(0.2) as (github, away_port):
        near, away = [await Talk.to(run.reactor, port) for port in (near_port, away_port)]
        wire = page(_name(0), TOKENS[0])
        for _ in range(2):  # what is found out of the files comes to the second
            for talk in (near, away):
                await talk.ask(wire)
            await deferLater(run.reactor, AFTERWARDS)
        before = await github.calls()
        p50s = [
            [1000 * median([await talk.seconds(wire) for _ in range(500)]) for talk in (near, away)]
            for _ in range(run.rounds)
        ]
        calls = (await github.calls() - before).total()
        for talk in (near, away):
            talk.close()
    near_ms, away_ms = median(one for one, _ in p50s), median(other for _, other in p50s)
    ratio = median(other / one for one, other in p50s)
    measured = f"p50 {near_ms:.3f} ms at 0 ms, {away_ms:.3f} ms at 200 ms (× {ratio:.2f}); {calls} calls"
    tell("warm page, GitHub at 200 ms", "p50 as at 0 ms (× 1.1); 0 calls", measured, is_met=ratio <= 1.1 and not calls)


async def cold(run: Run) -> None:
    """First pages of small projects, and the same queries without PyPIHub: first to the sandbox, then given again."""
    projects = 40 * run.rounds
    async with run.github(0.0, projects) as github:
        replay = Server(
            run.reactor, str(Path(__file__).with_name("replay.py")), f"http://127.0.0.1:{github.port}", "0.05"
        )
        port = await replay.port()
        hub = start_hub(run.reactor, run.folder, port)
        straight, talk = [await Talk.to(run.reactor, each) for each in (port, await hub.port())]
        sandbox, direct, through = [], [], []
        for number in range(projects):
            for times in (sandbox, direct):
                times.append(1000 * await straight.seconds(_query(_name(number))))
            through.append(1000 * await talk.seconds(page(_name(number), TOKENS[0])))
        for each in (straight, talk):
            each.close()
        for server in (hub, replay):
            await server.stop()
    own = median(one - other for one, other in zip(through, direct, strict=True))
    through.sort()
    measured = (
        f"{median(through):.1f} ms (p10 {through[projects // 10]:.1f}, p90 {through[projects * 9 // 10]:.1f});"
        f" straight {median(direct):.1f} ms, so PyPIHub adds {own:.1f} ms;"
        f" the sandbox would add {median(sandbox) - median(direct):.1f} ms"
    )
    tell("cold small page, GitHub at 50 ms", "≤ 55 ms", measured, is_met=median(through) <= 55)


def _query(name: str) -> bytes:
    """PyPIHub's own question for a listing, to the letter."""
    query = ListingQuery(Repository(Owner(OWNER), name))
    body = msgspec.json.encode({"query": query.document(digest=True), "variables": query.variables()})
    return (
        f"POST /graphql HTTP/1.1\r\nHost: benchmark\r\nAuthorization: Bearer {TOKENS[1]}\r\nAccept-Encoding: gzip\r\n"
        f"User-Agent: benchmark\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


async def callers(run: Run) -> None:
    """One page for all at once."""
    async with run.hub(0.05) as (github, port):
        talks = [await Talk.to(run.reactor, port) for _ in range(CALLERS)]
        before = await github.calls()
        started = run.reactor.seconds()
        await gatherResults([talk.ask(page(_name(0), TOKENS[0])) for talk in talks], consumeErrors=True)
        seconds = run.reactor.seconds() - started
        await deferLater(run.reactor, AFTERWARDS)
        calls = await github.calls() - before
        for talk in talks:
            talk.close()
    listings = calls["Listing"]
    others = f"{calls['graphql'] - listings} look-up and {calls['storage']} ranges for METADATA, in the background"
    measured = f"{listings} call, all answered in {1000 * seconds:.0f} ms; {others}"
    tell(f"{CALLERS} callers of one cold page at once", "1 call", measured, is_met=listings == 1)


async def install(run: Run) -> None:
    """uv."""
    folder = run.folder / "tree"
    folder.mkdir()
    log: Callable[[str], object] = lambda text: print(text, file=sys.stderr, flush=True)  # noqa: E731
    rounds = await installing.rounds(run.reactor, folder, run.rounds, PACKAGES, 0.05, log)
    static = median(one.static for one in rounds)
    for name, goal, seconds in (
        ("warm", 1.1, [one.warm for one in rounds]),
        ("cold", 2.5, [one.cold for one in rounds]),
    ):
        ratio = median(each / one.static for each, one in zip(seconds, rounds, strict=True))
        measured = f"× {ratio:.2f} ({median(seconds):.2f} s, nginx {static:.2f} s)"
        tell(f"uv installs {PACKAGES} packages, {name}", f"≤ {goal} × nginx", measured, is_met=ratio <= goal)
    print(
        f"  of which uv's own CPU takes {median(one.uv_cpu for one in rounds):.2f} s;"
        f" calls: cold {median(one.calls for one in rounds):.0f}, warm {median(one.warm_calls for one in rounds):.0f};"
        f" CPU, cold: the sandbox {median(one.github_cpu for one in rounds):.2f} s,"
        f" PyPIHub {median(one.hub_cpu for one in rounds):.2f} s",
        flush=True,
    )


async def memory(run: Run) -> None:
    """The bare process, and the same with many pages; both limits at the same time."""
    github = Server(run.reactor, str(Path(__file__).with_name("many.py")), str(FILES))
    port = await github.port()
    await gatherResults([Deferred.fromCoroutine(_fill(run, port, limit)) for limit in (32, 256)])
    await github.stop()


async def _fill(run: Run, github: int, limit: int) -> None:
    (folder := run.folder / f"{limit}").mkdir()
    hub = start_hub(run.reactor, folder, github, store=str(folder), cache=f'memory = "{limit}MiB"')
    port = await hub.port()
    await deferLater(run.reactor, AFTERWARDS)
    bare = hub.rss_mb()
    tell("memory, bare process", "≤ 75 MB", f"{bare:.1f} MB", is_met=bare <= 75)
    done = await gatherResults([Deferred.fromCoroutine(_read(run, port, first)) for first in range(CONNECTIONS)])
    rss = hub.rss_mb()
    measured = (
        f"{rss:.1f} MB, peak {hub.peak_mb():.1f} MB ({sum(size for size, _ in done) / 1e6:.0f} MB of pages of {FILES}"
        f" files each; {sum(again for _, again in done)} had to be asked for again)"
    )
    tell(f"memory after {PAGES:,} pages, limit {limit} MB", f"≤ {limit + 75} MB", measured, is_met=rss <= limit + 75)
    await hub.stop()


async def _read(run: Run, port: int, first: int) -> tuple[int, int]:
    """A connection's share of the many pages: their bytes, and how often one was refused and asked for again."""
    talk = await Talk.to(run.reactor, port)
    size = again = 0
    for number in range(first, PAGES, CONNECTIONS):
        wire = page(f"project-{number}", TOKENS[0])
        while True:
            try:
                size += len(await talk.ask(wire))
                break
            except AssertionError as error:
                print(f"page {number}: {error}", file=sys.stderr, flush=True)
                again += 1
                await deferLater(run.reactor, AFTERWARDS)
    talk.close()
    return size, again


ROWS: Mapping[str, Callable[[Run], Awaitable[None]]] = {
    "far": far,
    "cold": cold,
    "callers": callers,
    "install": install,
    "memory": memory,
}


async def main(reactor: Any, *arguments: str) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=ROWS, action="append", help="this row; may be given more than once")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        run = Run(reactor, Path(folder), options.rounds)
        for name in options.only or ROWS:
            await ROWS[name](run)


if __name__ == "__main__":
    react(main, sys.argv[1:])
