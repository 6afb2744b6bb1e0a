"""What `pip install --dry-run` of a tree of packages takes over a slow line: PyPIHub against nginx, interleaved.

    python benchmarks/resolving.py [--rounds 5] [--packages 30] [--size 1200000] [--rate 2000000] [--latency 0]

nginx has the same wheels as static files, with METADATA beside them, and once more with pages that tell of none.
pip reaches both over the same line (see line.py), with an empty environment and no cache. PyPIHub is measured

- first: a new process that knows nothing, so that METADATA is read out of each wheel by ranges;
- later: METADATA is known, and another token asks, for which GitHub is asked about each file;
- again: the same token asks once more within a minute.

GitHub is the sandbox, in a process of its own; --latency is in seconds before each of its answers. Ratios are medians
of the rounds' ratios; the one in brackets is of pip's CPU time plus its waits for answers, which neighbours on the
machine disturb least. It fails where METADATA was offered and a wheel was loaded all the same.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import treq
from github import OWNER, TOKENS
from line import Line, Traffic
from load import Server, median
from nginx import Nginx, free_port
from tree import ROOT, make_tree
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import react
from twisted.python.failure import Failure

GOAL = 1.2
STATIC, FIRST, LATER, AGAIN, PLAIN = (
    "nginx",
    "PyPIHub, first",
    "PyPIHub, later",
    "PyPIHub, again",
    "nginx, no METADATA",
)


@dataclass(frozen=True)
class Run:
    """One run of pip: seconds, those of its own CPU, what passed the line, and the calls that GitHub had meanwhile."""

    seconds: float
    cpu: float
    traffic: Traffic
    calls: Counter[str]

    def requests(self, kind: str) -> int:
        return len(self.traffic.waits[kind])

    def waited(self) -> float:
        """Seconds that pip waited for answers to begin; the rest is its own, and the line's."""
        return sum(sum(waits) for waits in self.traffic.waits.values())

    def undisturbed(self) -> float:
        """Seconds without those in which pip was ready and others had the processor, and without the line's."""
        return self.cpu + self.waited()

    def wait(self, kind: str) -> float:
        """Milliseconds a request of this kind."""
        return 1000 * sum(self.traffic.waits[kind]) / max(self.requests(kind), 1)


class GitHub:
    """The sandbox's process, and what it counts."""

    def __init__(self, reactor: Any, folder: Path, latency: float) -> None:
        self._counts = free_port()
        script = str(Path(__file__).with_name("github.py"))
        self.server = Server(reactor, script, str(folder), str(latency), str(self._counts))
        self.port = 0

    async def start(self) -> None:
        self.port = await self.server.port()

    async def calls(self) -> Counter[str]:
        answer = await treq.get(f"http://127.0.0.1:{self._counts}/", persistent=False)
        return Counter(json.loads(await answer.content()))


class Pip:
    """Resolves the tree at an index, through the line."""

    def __init__(self, reactor: Any, line: Line, github: GitHub, packages: int, home: Path) -> None:
        self._reactor = reactor
        self._line = line
        self._github = github
        self._packages = packages
        self._environment = {
            "HOME": str(home),
            "PATH": os.defpath,
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_CACHE_DIR": "1",
            "PIP_NO_INPUT": "1",
            "PIP_PROXY": f"http://127.0.0.1:{line.port}",
        }

    async def run(self, index_url: str) -> Run:
        """SystemExit where pip fails, or does not find the whole tree."""
        traffic = self._line.traffic = Traffic()
        calls, used, started = await self._github.calls(), _cpu_of_children(), self._reactor.seconds()
        command = ("-m", "pip", "install", "--dry-run", "--ignore-installed", ROOT)
        environment = self._environment | {"PIP_INDEX_URL": index_url}
        child = _Child()
        self._reactor.spawnProcess(child, sys.executable, [sys.executable, *command], environment)
        said = await child.said
        seconds, cpu = self._reactor.seconds() - started, _cpu_of_children() - used
        found = said.rpartition("Would install ")[2].split()
        if len(found) != self._packages:
            raise SystemExit(f"pip found {len(found)} of {self._packages} packages:\n{said}")
        return Run(seconds, cpu, traffic, await self._github.calls() - calls)


class _Child(ProcessProtocol):
    """A process whose output `said` has when it ends; cancelled, it is killed."""

    def __init__(self) -> None:
        self._output = b""
        self.said: Deferred[str] = Deferred(lambda _: self.transport.signalProcess("KILL"))

    def outReceived(self, data: bytes) -> None:
        self._output += data

    errReceived = outReceived

    def processEnded(self, reason: Failure) -> None:
        if not self.said.called:
            self.said.callback(self._output.decode())


def _cpu_of_children() -> float:
    """User and system seconds of the children that have ended; servers count when they are stopped."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


async def one_round(reactor: Any, pip: Pip, nginx: Nginx, github: GitHub, folder: Path) -> dict[str, Run]:
    """Each case once; PyPIHub in a new process with an empty cache."""
    static = f"http://127.0.0.1:{nginx.port}"
    runs = {STATIC: await pip.run(f"{static}/simple/")}
    with tempfile.TemporaryDirectory(dir=folder) as cache:
        hub = _start_hub(reactor, github.port, Path(cache))
        try:
            port = await hub.port()
            for case, token in ((FIRST, TOKENS[0]), (LATER, TOKENS[1]), (AGAIN, TOKENS[1])):
                runs[case] = await pip.run(f"http://{OWNER}:{token}@127.0.0.1:{port}/simple/")
        finally:
            await hub.stop()
    runs[PLAIN] = await pip.run(f"{static}/plain/")
    return runs


def _start_hub(reactor: Any, github: int, folder: Path) -> Server:
    config = folder / "hub.toml"
    config.write_text(
        f'[server]\nendpoint = "tcp:0:interface=127.0.0.1"\n[cache]\ndirectory = "{folder}"\n'
        f'[github]\napi_url = "http://127.0.0.1:{github}"\ngraphql_url = "http://127.0.0.1:{github}/graphql"\n'
    )
    return Server(reactor, "-m", "pypihub", "-c", str(config))


async def measure(reactor: Any, folder: Path, options: argparse.Namespace) -> list[dict[str, Run]]:
    """All rounds, after one of everything that does not count."""
    async with AsyncExitStack() as stack:
        nginx = Nginx(reactor, folder)
        await nginx.start()
        stack.push_async_callback(nginx.stop)
        make_tree(folder, options.packages, options.size)
        github = GitHub(reactor, folder / "files", options.latency)
        stack.push_async_callback(github.server.stop)
        await github.start()
        line = Line(reactor, options.rate)
        await line.start()
        stack.push_async_callback(line.stop)
        pip = Pip(reactor, line, github, options.packages, folder)
        rounds = []
        for number in range(options.rounds + 1):
            rounds.append(await one_round(reactor, pip, nginx, github, folder))
            seconds = ", ".join(f"{case} {run.seconds:.2f}" for case, run in rounds[-1].items())
            print(f"{f'round {number}' if number else 'to warm up'}: {seconds}", flush=True)
        return rounds[1:]


COLUMNS: Sequence[tuple[str, Callable[[Run], float], str]] = (
    ("pip's CPU", lambda run: run.cpu, ".2f"),
    ("waited", Run.waited, ".2f"),
    ("pages", lambda run: run.requests("pages"), ".0f"),
    ("ms each", lambda run: run.wait("pages"), ".1f"),
    ("METADATA", lambda run: run.requests("metadata"), ".0f"),
    ("ms each", lambda run: run.wait("metadata"), ".1f"),
    ("wheels", lambda run: run.requests("wheels"), ".0f"),
    ("kB", lambda run: run.traffic.bytes / 1000, ".0f"),
    ("API calls", lambda run: run.calls["graphql"] + run.calls["rest"], ".0f"),
    ("ranges", lambda run: run.calls["storage"], ".0f"),
)
"""What the table tells of runs beside their seconds, as medians."""


def report(rounds: Sequence[Mapping[str, Run]]) -> None:
    """The table; SystemExit where wheels were loaded in spite of METADATA."""
    headings = ["", "seconds", "from", "to", "ratio", "(quiet)", "goal", *(name for name, _, _ in COLUMNS)]
    rows = [headings, *(_row(case, rounds) for case in rounds[0])]
    print()
    for row in rows:
        cells = (f"{cell:>{max(len(name), 5) + 2}}" for cell, name in zip(row[1:], headings[1:], strict=True))
        print(f"{row[0]:<18}" + "".join(cells))
    loaded = {case for one in rounds for case, run in one.items() if case != PLAIN and run.requests("wheels")}
    if loaded:
        raise SystemExit(f"Wheels were loaded in spite of METADATA: {', '.join(sorted(loaded))}")


def _row(case: str, rounds: Sequence[Mapping[str, Run]]) -> list[str]:
    runs = [one[case] for one in rounds]
    seconds = [run.seconds for run in runs]
    ratio = median(one[case].seconds / one[STATIC].seconds for one in rounds)
    quiet = median(one[case].undisturbed() / one[STATIC].undisturbed() for one in rounds)
    figures = [f"{figure:.2f}" for figure in (median(seconds), min(seconds), max(seconds), ratio)]
    if case in (STATIC, PLAIN):  # the line, which this ratio leaves out, is what the last one is about
        figures += ["", ""]
    else:
        figures += [f"{quiet:.2f}", "met" if max(ratio, quiet) <= GOAL else "no"]
    return [case, *figures, *(format(median(map(of, runs)), form) for _, of, form in COLUMNS)]


async def benchmark(reactor: Any, *arguments: str) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--packages", type=int, default=30)
    parser.add_argument("--size", type=int, default=1_200_000, help="bytes of a wheel")
    parser.add_argument("--rate", type=float, default=2e6, help="bytes a second of the line, each way")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each of GitHub's answers")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        report(await measure(reactor, Path(folder), options))


def main(reactor: Any, *arguments: str) -> Deferred[None]:
    """A signal ends it in an orderly way too: no server is left behind."""
    over: Deferred[None] = Deferred()
    is_interrupted = False

    def interrupt() -> Deferred[None]:
        nonlocal is_interrupted
        is_interrupted = True
        running.cancel()
        return over

    def end(result: Failure | None) -> Failure | None:
        over.callback(None)
        if isinstance(result, Failure) and is_interrupted:
            raise SystemExit("It was ended before its time.")
        return result

    running = Deferred.fromCoroutine(benchmark(reactor, *arguments))
    reactor.addSystemEventTrigger("before", "shutdown", interrupt)
    return running.addBoth(end)


if __name__ == "__main__":
    react(main, sys.argv[1:])
