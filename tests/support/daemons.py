"""Daemons as real processes in front of a sandbox, and what they are asked."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.hub import basic
from support.process import Process
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import clientFromString, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from pypihub.sandbox.samples import sample_wheel
from pypihub.sandbox.server import Sandbox

Run = Callable[..., Process]
WAYS = {
    "pypihub": ["pypihub", "-c"],
    "twistd": ["twistd", "-n", "pypihub", "--config"],
    "twist": ["twist", "--log-format", "text", "pypihub", "--config"],
}
PAGE = "/simple/demo/"


class GitHub:
    """The sandbox with a project in it, and the configuration of a daemon with two workers in front of it."""

    def __init__(self, reactor: Any, sandbox: Sandbox, folder: Path) -> None:
        self.reactor = reactor
        self.sandbox = sandbox
        self.file = folder / "hub.toml"
        self.token = sandbox.world.add_token("octo")
        self.wheel = sandbox.world.add_repository("octo/demo").add_release("v1").add_asset(*sample_wheel("demo", "1.0"))

    def configure(self, endpoint: str = "tcp:0:interface=127.0.0.1", *, workers: int = 2, github: str = "") -> str:
        """Writes the configuration, with more lines for `[github]`; its path."""
        self.file.write_text(
            f"[server]\nendpoint = '{endpoint}'\nworkers = {workers}\n"
            "[cache]\ndirectory = 'cache'\nttl = '1ms'\nstale = '1ms'\n"  # so that GitHub is asked each time
            f"[github]\napi_url = '{self.sandbox.api_url}'\ngraphql_url = '{self.sandbox.graphql_url}'\n"
            f"{github}\n"
        )
        return str(self.file)

    async def was_asked(self) -> None:
        """Waits for the first call."""
        await until(self.reactor, lambda: self.sandbox.calls)


async def until(reactor: Any, is_so: Callable[[], object]) -> None:
    """Waits, for a minute at most."""
    for _ in range(6000):
        if is_so():
            return
        await deferLater(reactor, 0.01)
    raise AssertionError("it never was so")


class Asking(Protocol):
    """A request on a connection of its own; `answer` is all that comes until the server closes."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._received = b""
        self.answer: Deferred[bytes] = Deferred()

    def connectionMade(self) -> None:
        self.transport.write(self._request)

    def dataReceived(self, data: bytes) -> None:
        self._received += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.answer.callback(self._received)


class Daemon:
    """A running daemon and its workers."""

    def __init__(self, github: GitHub, process: Process, connect: Any) -> None:
        self.process = process
        self.reactor = github.reactor
        self.endpoint = connect
        self._github = github

    async def pid(self, number: int, times: int = 1) -> int:
        """The process of a worker, once it was started so many times."""
        said = re.compile(rf"Worker {number} is process (\d+)\b.*\n")
        await until(self._github.reactor, lambda: len(said.findall(self.process.out)) >= times)
        return int(said.findall(self.process.out)[times - 1])

    async def begin(self, path: str = PAGE, *, connection: str = "close", before: bytes = b"") -> Asking:
        """Sends a request, and other bytes before it."""
        lines = [f"GET {path} HTTP/1.1", "Host: x", f"Connection: {connection}", "Accept: text/html"]
        lines.append(f"Authorization: {basic('octo', self._github.token)}")
        asking = Asking(before + ("\r\n".join(lines) + "\r\n\r\n").encode())
        await connectProtocol(self.endpoint, asking)
        return asking

    async def ask(self, path: str = PAGE) -> bytes:
        """The body of a whole answer with status 200."""
        return whole(await (await self.begin(path)).answer)

    async def each_answers(self, path: str = PAGE) -> None:
        """Asks each of the two workers, while the other one is halted."""
        for number in (1, 2):
            with halted(await self.pid(number)):
                await self.ask(path)

    async def ends(self) -> int:
        """Waits until all processes are gone: their output is one pipe, which closes with the last of them."""
        code = await self.process.ends()
        for trouble in ("Traceback", "Some requests", "is killed"):
            assert trouble not in self.process.out + self.process.err, self.process.out + self.process.err
        return code


@contextmanager
def halted(pid: int) -> Any:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def whole(answer: bytes) -> bytes:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), answer
    assert len(body) == int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return body


async def serve(github: GitHub, run: Run, way: str = "pypihub", *, workers: int = 2) -> Daemon:
    """A daemon, by default with two workers, on a free TCP port."""
    process = run(*WAYS[way], github.configure(workers=workers))
    address = await process.says("listens on ")
    return Daemon(github, process, clientFromString(github.reactor, f"tcp:{address}"))
