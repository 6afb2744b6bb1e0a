"""What `uv pip install` of a root and the packages that it needs takes: PyPIHub against nginx, interleaved.

nginx has the wheels as static files with METADATA beside them, and each of its answers comes a while later (delay.py);
GitHub's do too, and PyPIHub asks it. uv begins each time with an empty cache and an empty folder.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uv
from github import OWNER, TOKENS
from hub import start_hub
from load import Server
from nginx import Nginx
from resolving import GitHub
from tree import ROOT, make_tree
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

SIZE = 20_000
"""Bytes of a wheel."""


@dataclass(frozen=True)
class Times:
    """Seconds of one round, and what the cold install cost: GitHub's own CPU seconds, PyPIHub's, and the calls.

    `uv_cpu` is what uv itself took of the processor for nginx's files.
    """

    static: float
    cold: float
    warm: float
    github_cpu: float
    hub_cpu: float
    calls: int
    warm_calls: int
    uv_cpu: float


class _Ended(ProcessProtocol):
    """A process that is waited for; `done` has what it said, and fails where it failed."""

    def __init__(self) -> None:
        self._said = b""
        self.done: Deferred[str] = Deferred(lambda _: self.transport.signalProcess("KILL"))

    def outReceived(self, data: bytes) -> None:
        self._said += data

    errReceived = outReceived

    def processEnded(self, reason: Failure) -> None:
        if self.done.called:
            return
        if reason.value.exitCode:
            self.done.errback(SystemExit(f"uv fails:\n{self._said.decode()}"))
        else:
            self.done.callback(self._said.decode())


class Installer:
    """uv, for a tree of so many packages."""

    def __init__(self, reactor: Any, packages: int, folder: Path) -> None:
        self._reactor = reactor
        self._packages = packages
        self._folder = folder

    async def install(self, index: str, *more: str) -> float:
        """Seconds of an install into a new folder; SystemExit where packages are missing there."""
        with tempfile.TemporaryDirectory(dir=self._folder) as home:
            environment = {
                "HOME": home,
                "PATH": os.defpath,
                "UV_CACHE_DIR": f"{home}/cache",
                "UV_DEFAULT_INDEX": index,
                "UV_NO_CONFIG": "1",
                "UV_PYTHON": sys.executable,
                "UV_PYTHON_DOWNLOADS": "never",
            }
            program = uv.find_uv_bin()
            command = [program, "pip", "install", "--target", f"{home}/site", *more, ROOT]
            child, started = _Ended(), self._reactor.seconds()
            self._reactor.spawnProcess(child, program, command, environment)
            said = await child.done
            seconds: float = self._reactor.seconds() - started
            installed = sum(line.startswith(" + ") for line in said.splitlines())
            if installed != self._packages:
                raise SystemExit(f"uv installed {installed} of {self._packages} packages:\n{said}")
            return seconds

    async def one_round(self, static: str, github: GitHub) -> Times:
        """nginx, then a new PyPIHub with an empty store: cold, and warm for another token.

        For the latter uv resolves first, so that listings, pages and METADATA are known, but no file's URL is.
        """
        of_uv = _cpu_of_children()
        seconds = await self.install(static)
        of_uv = _cpu_of_children() - of_uv
        with tempfile.TemporaryDirectory(dir=self._folder) as store:
            hub = start_hub(self._reactor, Path(store), github.port, store=store)
            try:
                port = await hub.port()
                urls = [f"http://{OWNER}:{token}@127.0.0.1:{port}/simple/" for token in TOKENS]
                before, used, hub_used = await _asked(github), github.server.cpu_seconds(), hub.cpu_seconds()
                cold = await self.install(urls[0])
                cpu = github.server.cpu_seconds() - used, hub.cpu_seconds() - hub_used
                calls = await _asked(github) - before
                await self.install(urls[1], "--dry-run")
                before = await _asked(github)
                warm = await self.install(urls[1])
                return Times(seconds, cold, warm, *cpu, calls, await _asked(github) - before, of_uv)
            finally:
                await hub.stop()


def _cpu_of_children() -> float:
    """User and system seconds of the children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


async def _asked(github: GitHub) -> int:
    calls = await github.calls()
    return calls["graphql"] + calls["rest"]


async def rounds(
    reactor: Any, folder: Path, count: int, packages: int, latency: float, tell: Callable[[str], object]
) -> list[Times]:
    """All rounds, after one that does not count."""
    async with AsyncExitStack() as stack:
        make_tree(folder, packages, SIZE, flat=True)
        nginx = Nginx(reactor, folder)
        await nginx.start()
        stack.push_async_callback(nginx.stop)
        github = GitHub(reactor, folder / "files", latency)
        stack.push_async_callback(github.server.stop)
        await github.start()
        far = Server(reactor, str(Path(__file__).with_name("delay.py")), str(nginx.port), str(latency))
        stack.push_async_callback(far.stop)
        static = f"http://127.0.0.1:{await far.port()}/simple/"
        installer = Installer(reactor, packages, folder)
        done = []
        for number in range(count + 1):
            done.append(await installer.one_round(static, github))
            tell(f"uv, {f'round {number}' if number else 'to warm up'}: {done[-1]}")
        return done[1:]
