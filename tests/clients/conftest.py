"""Real clients as subprocesses: an environment of their own, a bound on each, and what the daemon answered them."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import uv as uv_package
from packaging.utils import parse_wheel_filename
from support.hub import Hub
from support.registry import TREE, download
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import LogEvent, globalLogPublisher
from twisted.python.failure import Failure

from pypihub.sandbox.fill import fill_flat
from pypihub.sandbox.samples import sample_sdist, sample_wheel

LONGEST = 240
"""Seconds after which a client is killed."""


@dataclass(frozen=True)
class Outcome:
    """How a client ended (killed: -1), and all that it wrote."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


class _Client(ProcessProtocol):
    """Gives a child its input and collects its output until it has ended."""

    def __init__(self, stdin: str) -> None:
        self.ended: Deferred[Outcome] = Deferred()
        self._stdin = stdin
        self._out, self._err = BytesIO(), BytesIO()

    def connectionMade(self) -> None:
        self.transport.write(self._stdin.encode())
        self.transport.closeStdin()

    def outReceived(self, data: bytes) -> None:
        self._out.write(data)

    def errReceived(self, data: bytes) -> None:
        self._err.write(data)

    def processEnded(self, reason: Failure) -> None:
        code = getattr(reason.value, "exitCode", None)
        out, err = (stream.getvalue().decode() for stream in (self._out, self._err))
        self.ended.callback(Outcome(-1 if code is None else code, out, err))


def _kill(process: Any) -> None:
    """Ends a child, and the wait for its output where a child of its own holds on to that."""
    process.loseConnection()
    with suppress(ProcessExitedAlready):
        process.signalProcess("KILL")


@pytest.fixture
def run(reactor: Any, tmp_path: Path) -> Callable[..., Any]:
    """Runs a command while the reactor goes on: `await run(*command, stdin="", cwd=folder, **environment)` is its
    Outcome.

    It has nothing of this process's environment, and its home and its caches are the test's own.
    """
    home = tmp_path / "home"
    (home / "tmp").mkdir(parents=True)
    clean = {
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.defpath]),
        "LC_ALL": "C.UTF-8",
        "NO_COLOR": "1",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
        "PIP_CACHE_DIR": str(home / "pip"),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "PIP_RETRIES": "1",
        "UV_CACHE_DIR": str(home / "uv"),
        "UV_HTTP_RETRIES": "1",
        "UV_NO_CONFIG": "1",
        "UV_PYTHON": sys.executable,
        "UV_PYTHON_DOWNLOADS": "never",
    }

    async def start(*command: str | Path, stdin: str = "", cwd: Path = tmp_path, **environment: str) -> Outcome:
        client = _Client(stdin)
        words = [str(word) for word in command]
        process = reactor.spawnProcess(client, words[0], words, clean | environment, path=str(cwd))
        bound = reactor.callLater(LONGEST, _kill, process)
        try:
            return await client.ended
        finally:
            if bound.active():
                bound.cancel()

    return start


@pytest.fixture
def pip(run: Callable[..., Any]) -> Callable[..., Any]:
    """Runs pip with an index: `await pip(*arguments, index=URL)`. Its credentials are not on the command line."""

    async def start(*arguments: str | Path, index: str, **more: str) -> Outcome:
        return await run(sys.executable, "-m", "pip", *arguments, PIP_INDEX_URL=index, **more)

    return start


@pytest.fixture
def uv(run: Callable[..., Any]) -> Callable[..., Any]:
    """Runs uv with an index, and with no other: `await uv(*arguments, index=URL)`."""

    async def start(*arguments: str | Path, index: str, **more: str) -> Outcome:
        return await run(uv_package.find_uv_bin(), *arguments, UV_DEFAULT_INDEX=index, **more)

    return start


@pytest.fixture
def answered() -> Iterator[list[tuple[str, str, int]]]:
    """What the daemon answered, from its access log: method, path and status."""
    seen: list[tuple[str, str, int]] = []

    def observe(event: LogEvent) -> None:
        if event.get("log_namespace") == "pypihub.access":
            requests = re.findall(r'^\S+ "(\S+) (\S+)" ([0-9]+) ', event["text"], re.MULTILINE)
            seen.extend((method, path, int(code)) for method, path, code in requests)

    globalLogPublisher.addObserver(observe)
    yield seen
    globalLogPublisher.removeObserver(observe)


@pytest.fixture
def fetched() -> Callable[[Hub], list[str]]:
    """Tells whose bytes were fetched from a hub's storage, in that order."""

    def names(hub: Hub) -> list[str]:
        found: list[str] = []
        for call in hub.sandbox.calls:
            if call.where == "storage" and call.status == 200:
                repository, number = map(int, call.path.split("/")[-2:])
                asset: Any = hub.world.find_asset(repository, number)
                found.append(asset.name)
        return found

    return names


@pytest.fixture
def stocked(hub: Hub) -> Hub:
    """A hub with two private repositories: app (1.0, and 1.1 of June 2026) needs lib (2.0)."""
    lib, app = hub.world.add_repository("octo/lib"), hub.world.add_repository("octo/app")
    lib.add_release("v2.0").add_asset(*sample_wheel("lib", "2.0"))
    app.add_release("v1.0").add_asset(*sample_wheel("app", "1.0", requires=["lib>=2"]))
    newer = app.add_release("v1.1", created_at=datetime(2026, 6, 1, tzinfo=UTC))
    newer.add_asset(*sample_wheel("app", "1.1", requires=["lib>=2"]))
    return hub


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages of a real tree, and all that they need."""
    folder = tmp_path_factory.mktemp("tree")
    download(folder, "--prefer-binary", *TREE)
    (klein,) = folder.glob("klein-*.whl")
    name, content = sample_sdist("klein", str(parse_wheel_filename(klein.name)[1]))
    (folder / name).write_bytes(content)  # so that there is an sdist in every tree, whatever PyPI had
    return folder


@pytest.fixture
def filled(hub: Hub, tree: Path) -> Hub:
    """A hub whose owner octo has a private repository for each of the packages."""
    fill_flat(hub.world, tree, "octo")
    return hub
