"""A client's line to the world: an HTTP proxy on loopback that lets so many bytes a second pass in each direction.

A proxy, because all that a client does then passes one line, whichever server it asks and wherever a redirect sends
it, while the servers talk to each other at full speed. All its connections share the line, and it counts what passes.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint, connectProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure

BURST = 16 * 1024
"""Bytes that pass at once after a pause; without them each small message would wait for the reactor's clock."""


class Direction:
    """One way of the line: a token bucket."""

    def __init__(self, reactor: Any, rate: float) -> None:
        self._reactor = reactor
        self._rate = rate
        self._free_at = 0.0

    def wait(self, size: int) -> float:
        """Seconds until so many more bytes have passed."""
        now = self._reactor.seconds()
        self._free_at = max(self._free_at, now - BURST / self._rate) + size / self._rate
        return max(0.0, self._free_at - now)

    def push(self, data: bytes, source: Any, sink: Any) -> None:
        """Writes the data when the line has room; until then the source, a transport, is not read."""
        if not (seconds := self.wait(len(data))):
            sink.write(data)
            return

        def deliver() -> None:
            sink.write(data)
            source.resumeProducing()

        source.pauseProducing()
        self._reactor.callLater(seconds, deliver)


@dataclass
class Traffic:
    """What passed the line: bytes towards the client, and the seconds that it waited for each answer to begin.

    `waits` are by kind: `pages`, `metadata`, `wheels`, and `others`, which is whatever is no GET of these.
    """

    bytes: int = 0
    waits: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))


class Line(Factory):
    """The line. `port` is where it listens once started; `traffic` passed since it was set."""

    noisy = False

    def __init__(self, reactor: Any, rate: float) -> None:
        self.reactor = reactor
        self.up = Direction(reactor, rate)
        self.down = Direction(reactor, rate)
        self.traffic = Traffic()

    async def start(self) -> None:
        self._listening = await TCP4ServerEndpoint(self.reactor, 0, interface="127.0.0.1").listen(self)
        self.port = self._listening.getHost().port

    async def stop(self) -> None:
        await self._listening.stopListening()

    def buildProtocol(self, address: object) -> Protocol:
        return _Client(self)


def kind_of(method: str, path: str) -> str:
    """What a request is for, as `Traffic` has it."""
    kinds = {"/": "pages", ".metadata": "metadata", ".whl": "wheels"}
    kind = next((kind for ending, kind in kinds.items() if path.endswith(ending)), "others")
    return kind if method == "GET" else "others"


class _Client(Protocol):
    """A client's connection; it keeps one to each server that the client asks over it."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._buffer = b""
        self._servers: dict[tuple[str, int], _Server] = {}

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)

    def dataReceived(self, data: bytes) -> None:
        """Requests without a body, one after the other: pip sends no others."""
        self._buffer += data
        if self._buffer.endswith(b"\r\n\r\n"):
            request, self._buffer = self._buffer, b""
            Deferred.fromCoroutine(self._send(request)).addErrback(self._give_up)

    async def _send(self, request: bytes) -> None:
        method, url, rest = request.split(b" ", 2)
        parts = urlsplit(url.decode())
        server = await self._server(parts.hostname or "", parts.port or 80)
        server.expect(kind_of(method.decode(), parts.path))
        target = parts._replace(scheme="", netloc="").geturl().encode()
        self._line.up.push(b" ".join((method, target, rest)), self.transport, server.transport)

    async def _server(self, host: str, port: int) -> _Server:
        if (host, port) not in self._servers:
            endpoint = TCP4ClientEndpoint(self._line.reactor, host, port)
            self._servers[host, port] = await connectProtocol(endpoint, _Server(self._line, self))
        return self._servers[host, port]

    def _give_up(self, failure: Failure) -> None:
        print(f"The line is broken: {failure.getErrorMessage()}")
        self.transport.loseConnection()

    def connectionLost(self, reason: object = None) -> None:
        for server in self._servers.values():
            server.transport.loseConnection()


class _Server(Protocol):
    """A connection to a server; when it ends, the client's ends with it."""

    def __init__(self, line: Line, client: _Client) -> None:
        self._line = line
        self._client = client
        self._expected: tuple[str, float] | None = None

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)

    def expect(self, kind: str) -> None:
        """A request is on its way; the time until its answer begins is measured."""
        self._expected = kind, self._line.reactor.seconds()

    def dataReceived(self, data: bytes) -> None:
        if self._expected:
            kind, since = self._expected
            self._line.traffic.waits[kind].append(self._line.reactor.seconds() - since)
            self._expected = None
        self._line.traffic.bytes += len(data)
        self._line.down.push(data, self.transport, self._client.transport)

    def connectionLost(self, reason: object = None) -> None:
        self._client.transport.loseConnection()
