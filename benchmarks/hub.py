"""PyPIHub as a benchmark starts it, and a client that asks one thing after the other on one connection."""

from __future__ import annotations

import base64
import time
from pathlib import Path
from typing import Any, Self

from github import OWNER
from load import Server, request
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure

JSON = "application/vnd.pypi.simple.v1+json"


def start_hub(reactor: Any, folder: Path, github: int, *, store: str = "", cache: str = "") -> Server:
    """A PyPIHub with the GitHub on this port; `store` is the folder of its facts, `cache` more lines of [cache]."""
    config = folder / f"hub-{github}.toml"
    config.write_text(
        f'[server]\nendpoint = "tcp:0:interface=127.0.0.1"\n[cache]\ndirectory = "{store}"\n{cache}\n'
        f'[github]\napi_url = "http://127.0.0.1:{github}"\ngraphql_url = "http://127.0.0.1:{github}/graphql"\n'
    )
    return Server(reactor, "-m", "pypihub", "-c", str(config))


def page(project: str, token: str) -> bytes:
    """The request for a project's page, as JSON and not compressed."""
    credentials = base64.b64encode(f"{OWNER}:{token}".encode()).decode()
    return request(f"/simple/{project}/", Accept=JSON, Authorization=f"Basic {credentials}")


class Talk(Protocol):
    """A keep-alive connection: one question after the other. Answers have a Content-Length and the status 200."""

    def __init__(self) -> None:
        self._answer = b""
        self._waiter: Deferred[bytes] | None = None

    @classmethod
    async def to(cls, reactor: Any, port: int) -> Self:
        """A new connection to a port of loopback."""
        talk: Self = await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port), cls())
        talk.transport.setTcpNoDelay(True)
        return talk

    async def seconds(self, wire: bytes) -> float:
        """How long the whole answer to this request takes."""
        started = time.perf_counter()
        await self.ask(wire)
        return time.perf_counter() - started

    def ask(self, wire: bytes) -> Deferred[bytes]:
        """The body of the answer to this request."""
        self._answer, self._waiter = b"", Deferred()
        self.transport.write(wire)
        return self._waiter

    def close(self) -> None:
        self._waiter = None
        self.transport.loseConnection()

    def dataReceived(self, data: bytes) -> None:
        self._answer += data
        head, end, body = self._answer.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
        if not end or len(body) < int(length) or self._waiter is None:
            return
        waiter, self._waiter = self._waiter, None
        if head.startswith(b"HTTP/1.1 200"):
            waiter.callback(body)
        else:
            waiter.errback(AssertionError(head.split(b"\r\n")[0].decode("latin-1")))

    def connectionLost(self, reason: Failure) -> None:
        if self._waiter is not None:
            self._waiter.errback(reason)
