"""Does PyPIHub stay as it is? Mixed clients for some minutes, while GitHub's faults come and go.

    python benchmarks/soak.py [MINUTES] [--clients 20] [--seed 1]

The hub is a process of its own; GitHub is the sandbox, in the load's process. Every page is checked for being whole and
its caller's own. Prints requests by kind and status with their times (which hold the load's own work), and the hub's
resident memory. Ends with status 1 after an answer that must not be: a 500, a wrong page, a wrong 404.
"""

from __future__ import annotations

import argparse
import base64
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
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.internet.task import deferLater, react
from twisted.python.failure import Failure

from pypihub.sandbox.faults import CutBody, Drop, Fault, Hang, Html, Latency, SecondaryLimit, Status
from pypihub.sandbox.samples import sample_sdist, sample_wheel
from pypihub.sandbox.server import Sandbox
from pypihub.sandbox.world import World

OWNERS, PROJECTS, LARGE = 4, 10, 250
HTML, JSON = "text/html", "application/vnd.pypi.simple.v1+json"
TROUBLE = {429, 502, 503, 504}
FAULTS: Sequence[Fault] = (
    Status(500), Drop(), Hang(), Html(502), CutBody(40), Latency(0.5), SecondaryLimit(retry_after=2),
)  # fmt: skip
WELL, ILL = 6.0, 4.0
"""Seconds for which GitHub is well, and then ill."""
PATIENCE = 30.0
"""Seconds after which a client gives up; such an answer must not be."""
_ASSET = re.compile(rb"/asset/([A-Za-z0-9_=-]+)/")


@dataclass(frozen=True)
class Shelf:
    """A project of an owner: the ids of its files, and the path of a wheel."""

    authorization: str
    path: str
    ids: frozenset[bytes]
    wheel: str


@dataclass(frozen=True)
class Case:
    """A request: the statuses that it may have while GitHub is well, and the ids on its page, where it is one."""

    kind: str
    path: str
    headers: dict[str, str]
    good: frozenset[int] = frozenset({200})
    ids: frozenset[bytes] | None = None


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


class Connection(Protocol):
    """Asks one thing after the other, as a client with keep-alive does."""

    def __init__(self) -> None:
        self.is_open = False
        self.opened: Deferred[None] = Deferred()
        self._read = b""
        self._waiting: Deferred[tuple[int, bytes, bytes] | None] | None = None

    def connectionMade(self) -> None:
        self.is_open = True
        self.opened.callback(None)

    def ask(self, case: Case) -> Deferred[tuple[int, bytes, bytes] | None]:
        """The status, head and body; None where the connection breaks off."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in case.headers.items())
        self._read = b""
        waiting = self._waiting = Deferred()
        self.transport.write(f"GET {case.path} HTTP/1.1\r\nHost: soak\r\n{lines}\r\n".encode())
        return waiting

    def close(self) -> None:
        if self.is_open:
            self.transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        self._read += data
        head, end, body = self._read.partition(b"\r\n\r\n")
        code = head.split(b" ", 2)[1] if end else b""
        length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
        if code and (code == b"304" or len(body) >= int(length or 0)):
            self._tell((int(code), head, body))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.is_open = False
        self._tell(None)

    def _tell(self, answer: tuple[int, bytes, bytes] | None) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(answer)


async def connect(reactor: Any, port: int) -> Connection:
    connection = Connection()
    factory = ClientFactory.forProtocol(lambda: connection)
    factory.noisy = False
    reactor.connectTCP("127.0.0.1", port, factory)
    await connection.opened
    return connection


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
            case = self._case(shelf)
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

    def _case(self, shelf: Shelf) -> Case:
        kinds = ("HTML", "JSON", "gzip", "304", "no-cache", "redirect", "metadata", "missing", "bad token", "hang-up")
        (kind,) = self._random.choices(kinds, (20, 20, 20, 15, 3, 10, 5, 2, 1, 4))
        headers = {"Accept": HTML, "Authorization": shelf.authorization}
        match kind:
            case "JSON":
                headers["Accept"] = JSON
            case "gzip":
                headers["Accept-Encoding"] = "gzip"
            case "no-cache":
                headers["Cache-Control"] = "no-cache"
            case "304":
                headers["If-None-Match"] = self._report.etags.get(shelf, '"none"')
                return Case(kind, shelf.path, headers, frozenset({200, 304}), shelf.ids)
            case "redirect":
                return Case(kind, shelf.wheel, headers, frozenset({302}))
            case "metadata":
                return Case(kind, f"{shelf.wheel}.metadata", headers)
            case "missing":
                return Case(kind, f"/simple/missing{self._random.randrange(50)}/", headers, frozenset({404}))
            case "bad token":
                headers["Authorization"] = basic("owner0", f"ghp_wrong{self._random.randrange(20)}")
                return Case(kind, shelf.path, headers, frozenset({401}))
        return Case(kind, shelf.path, headers, ids=shelf.ids)


def seeded(seed: int) -> Random:
    """Random choices that are the same in every run."""
    return Random(seed)  # noqa: S311 (no secrets are made of them)


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def fill(world: World) -> list[Shelf]:
    """Owners with some small projects and a large one each, all of the same names."""
    shelves = []
    for number in range(OWNERS):
        owner = f"owner{number}"
        authorization = basic(owner, world.add_token(owner))
        for project in range(PROJECTS):
            name = f"project{project}"
            repository = world.add_repository(f"{owner}/{name}")
            assets = []
            for release in range(LARGE if not project else 3):
                version = f"{number}.{release}"
                made = repository.add_release(f"v{release}")
                assets += [made.add_asset(*sample_sdist(name, version)), made.add_asset(*sample_wheel(name, version))]
            ids = frozenset(asset.id.encode() for asset in assets)
            wheel = f"/asset/{assets[1].id}/{assets[1].name}"
            shelves.append(Shelf(authorization, f"/simple/{name}/", ids, wheel))
    return shelves


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
