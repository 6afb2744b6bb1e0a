"""Does PyPIHub stay as it is? Mixed clients for some minutes, while GitHub's faults come and go.

    python benchmarks/soak.py [MINUTES] [--clients 20] [--seed 1]

The hub is a process of its own; GitHub is the sandbox, in the load's process. Every page is checked for being whole and
its caller's own. Prints requests by kind and status with their times (which hold the load's own work), and the hub's
resident memory. Ends with status 1 after an answer that must not be: a 500, a wrong page, a wrong 404.
"""

from __future__ import annotations

import argparse
import gzip
import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from load import Server
from mixed import Case, Shelf, connect, fill, seeded, some_case
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import deferLater, react

from pypihub.sandbox.faults import CutBody, Drop, Fault, Hang, Html, Latency, SecondaryLimit, Status
from pypihub.sandbox.server import Sandbox
from pypihub.sandbox.world import World

TROUBLE = {429, 502, 503, 504}
FAULTS: Sequence[Fault] = (
    Status(500), Drop(), Hang(), Html(502), CutBody(40), Latency(0.5), SecondaryLimit(retry_after=2),
)  # fmt: skip
WELL, ILL = 6.0, 4.0
"""Seconds for which GitHub is well, and then ill."""
PATIENCE = 30.0
"""Seconds after which a client gives up; such an answer must not be."""
_ASSET = re.compile(rb"/asset/([A-Za-z0-9_=-]+)/")


@dataclass
class Report:
    """What was answered, by kind: the statuses and the seconds that they took; what must not be; the pages' ETags."""

    statuses: Counter[tuple[str, object]] = field(default_factory=Counter)
    times: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    wrong: list[str] = field(default_factory=list)
    etags: dict[Shelf, str] = field(default_factory=dict)

    def note(self, case: Case, answer: tuple[int, bytes, bytes] | None, seconds: float) -> None:
        if answer is None:
            self.statuses[case.kind, "none"] += 1
            if case.kind != "hang-up":
                self.wrong.append(f"{case.kind} {case.path}: no answer")
            return
        code, head, body = answer
        self.statuses[case.kind, code] += 1
        self.times[case.kind].append(seconds)
        if code not in case.good | TROUBLE:
            self.wrong.append(f"{case.kind} {case.path}: {code} {body[:100]!r}")
        elif code == 200 and case.ids is not None:
            page = gzip.decompress(body) if b"content-encoding: gzip" in head.lower() else body
            if frozenset(_ASSET.findall(page)) != case.ids:
                self.wrong.append(f"{case.kind} {case.path}: another page")

    def show(self) -> None:
        print(f"{'request':<12}{'count':>9}{'p50 ms':>9}{'p99 ms':>9}  statuses")
        for kind in sorted({kind for kind, _ in self.statuses}):
            codes = {code: count for (each, code), count in self.statuses.items() if each == kind}
            told = ", ".join(f"{code}: {count}" for code, count in sorted(codes.items(), key=str))
            p50, p99 = percentiles(self.times[kind])
            print(f"{kind:<12}{sum(codes.values()):>9}{p50:>9.1f}{p99:>9.1f}  {told}")
        p50, p99 = percentiles([each for times in self.times.values() for each in times])
        print(f"{'all':<12}{sum(self.statuses.values()):>9}{p50:>9.1f}{p99:>9.1f}")


def percentiles(seconds: list[float]) -> tuple[float, float]:
    """The median and the 99th of a hundred, in milliseconds."""
    ranked = sorted(seconds) or [0.0]
    return ranked[len(ranked) // 2] * 1000, ranked[len(ranked) * 99 // 100] * 1000


class Client:
    """A client of its own connection, who asks as `random` says until the load is over."""

    def __init__(self, reactor: Any, port: int, shelves: Sequence[Shelf], report: Report, random: Random) -> None:
        self._reactor = reactor
        self._port = port
        self._shelves = shelves
        self._report = report
        self._random = random

    async def run(self, until: float) -> None:
        connection = await connect(self._reactor, self._port)
        while self._reactor.seconds() < until:
            shelf = self._random.choice(self._shelves)
            case = some_case(self._random, shelf, self._report.etags.get(shelf))
            patience = self._random.uniform(0, 0.02) if case.kind == "hang-up" else PATIENCE
            if not connection.is_open:
                connection = await connect(self._reactor, self._port)
            timer = self._reactor.callLater(patience, connection.close)
            begin = self._reactor.seconds()
            answer = await connection.ask(case)
            self._report.note(case, answer, self._reactor.seconds() - begin)
            if timer.active():
                timer.cancel()
            self._remember(shelf, case, answer)
            await deferLater(self._reactor, self._random.uniform(0, 0.04))
        connection.close()

    def _remember(self, shelf: Shelf, case: Case, answer: tuple[int, bytes, bytes] | None) -> None:
        if case.kind == "HTML" and answer is not None and answer[0] == 200:
            self._report.etags[shelf] = answer[1].partition(b"ETag: ")[2].split(b"\r\n")[0].decode()


async def make_trouble(reactor: Any, sandbox: Sandbox, random: Random, until: float) -> None:
    """One fault after the other, each for a while."""
    while reactor.seconds() + WELL + ILL < until:
        await deferLater(reactor, WELL)
        fault = random.choice(FAULTS)
        for where in random.choice([("graphql",), ("storage",), ("graphql", "rest", "storage")]):
            sandbox.faults.add(fault, where=where, times=None)
        await deferLater(reactor, ILL)
        sandbox.faults.clear()
        sandbox.calls.clear()


async def soak(reactor: Any, folder: Path, options: argparse.Namespace) -> None:
    world, report = World(), Report()
    shelves = fill(world)
    sandbox = Sandbox(reactor, world)
    await sandbox.start()
    config = folder / "hub.toml"
    config.write_text(
        f'[server]\nendpoint = "tcp:0:interface=127.0.0.1"\n[cache]\ndirectory = ""\nttl = "2s"\n'
        "[limits]\nfailed_logins_per_minute = 100000\n"  # all clients have one address, and some a bad token
        f'[github]\ntimeout = "2s"\napi_url = "{sandbox.api_url}"\ngraphql_url = "{sandbox.graphql_url}"\n'
    )
    hub = Server(reactor, "-m", "pypihub", "-c", str(config))
    port = await hub.port()

    async def load(seconds: float, *others: Deferred[None]) -> None:
        until = reactor.seconds() + seconds
        randoms = (seeded(options.seed * 1000 + number) for number in range(options.clients))
        clients = [Client(reactor, port, shelves, report, random).run(until) for random in randoms]
        for succeeded, value in await DeferredList([*map(Deferred.fromCoroutine, clients), *others]):
            if not succeeded:
                value.raiseException()

    await load(5.0)
    print(f"warm after {sum(report.statuses.values())} requests: {hub.rss_mb():.0f} MB resident", flush=True)
    until = reactor.seconds() + options.minutes * 60
    await load(
        options.minutes * 60, Deferred.fromCoroutine(make_trouble(reactor, sandbox, seeded(options.seed), until))
    )
    report.show()
    print(f"at the end: {hub.rss_mb():.0f} MB resident, {hub.peak_mb():.0f} at most; {hub.cpu_seconds():.0f} s of CPU")
    print(f"answers that must not be: {len(report.wrong)}", *report.wrong[:10], sep="\n  ")
    await hub.stop()
    await sandbox.stop()
    if report.wrong:
        raise SystemExit(1)


async def main(reactor: Any, *arguments: str) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("minutes", type=float, nargs="?", default=5)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    with tempfile.TemporaryDirectory() as folder:
        await soak(reactor, Path(folder), parser.parse_args(arguments))


if __name__ == "__main__":
    import sys

    react(main, sys.argv[1:])
