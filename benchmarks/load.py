"""What the benchmarks share: servers as children, a keep-alive load, and their CPU time and memory (Linux)."""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import ProcessProtocol, Protocol
from twisted.python.failure import Failure

TICKS = os.sysconf("SC_CLK_TCK")


class Server(ProcessProtocol):
    """A server in a process of its own that says `listens on 127.0.0.1:PORT` when it is ready."""

    def __init__(self, reactor: Any, *command: str) -> None:
        self._out = ""
        self._ready: Deferred[int] = Deferred()
        self._ended: Deferred[None] = Deferred()
        self._process = reactor.spawnProcess(self, sys.executable, [sys.executable, *command], os.environ)

    def outReceived(self, data: bytes) -> None:
        if self._ready.called:
            return  # the access log
        self._out += data.decode()
        if "listens on 127.0.0.1:" in self._out and self._out.endswith("\n"):
            self._ready.callback(int(self._out.split("listens on 127.0.0.1:")[1].split()[0]))

    def errReceived(self, data: bytes) -> None:
        sys.stderr.write(data.decode())

    def processEnded(self, reason: Failure) -> None:
        self._ended.callback(None)
        if not self._ready.called:
            self._ready.errback(reason)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def port(self) -> int:
        return await self._ready

    async def stop(self) -> None:
        if not self._ended.called:
            self._process.signalProcess("TERM")
            await self._ended

    def cpu_seconds(self) -> float:
        """User and system time so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def rss_mb(self) -> float:
        """Resident memory now."""
        return self._status("VmRSS")

    def peak_mb(self) -> float:
        """The most resident memory that it ever had."""
        return self._status("VmHWM")

    def _status(self, name: str) -> float:
        text = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(text.split(f"{name}:")[1].split()[0]) / 1024


class _Requests(Protocol):
    """Sends one request after the other on one connection; counts answers with the status that is expected."""

    def __init__(self, request: bytes, times: int, status: bytes) -> None:
        self._request = request
        self._left = times
        self._expected = b"HTTP/1.1 " + status
        self._buffer = b""
        self.done: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        self.transport.write(self._request)

    def dataReceived(self, data: bytes) -> None:
        self._buffer += data
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
        if len(rest) < int(length or 0):
            return
        if not head.startswith(self._expected):
            self.done.errback(AssertionError(head.split(b"\r\n")[0].decode("latin-1")))
            self.transport.loseConnection()
            return
        self._buffer, self._left = b"", self._left - 1
        if self._left:
            self.transport.write(self._request)
        else:
            self.transport.loseConnection()
            self.done.callback(None)


class _Exchange(Protocol):
    """Sends a request and collects its answer, up to the end of the connection."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._answer = b""
        self.done: Deferred[bytes] = Deferred()

    def connectionMade(self) -> None:
        self.transport.write(self._request)

    def dataReceived(self, data: bytes) -> None:
        self._answer += data

    def connectionLost(self, reason: Failure) -> None:
        self.done.callback(self._answer)


async def exchange(reactor: Any, port: int, request: bytes) -> bytes:
    """The answer to a request, as it came over the wire."""
    protocol = _Exchange(request.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
    await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port), protocol)
    return await protocol.done


@dataclass(frozen=True)
class Target:
    """A URL of a server under load: `request` is the whole request, `status` what it must be answered with."""

    name: str
    server: Server
    port: int
    request: bytes
    status: bytes = b"200"

    async def requests_a_cpu_second(self, reactor: Any, times: int, connections: int = 4) -> float:
        """Puts load on it and gives the requests answered in a second of the server's CPU."""
        before = self.server.cpu_seconds()
        protocols = []
        for _ in range(connections):
            protocol = _Requests(self.request, times // connections, self.status)
            await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", self.port), protocol)
            protocols.append(protocol)
        for protocol in protocols:
            await protocol.done
        return times / max(self.server.cpu_seconds() - before, 1 / TICKS)


def request(path: str, **headers: str) -> bytes:
    """A GET request."""
    lines = [f"GET {path} HTTP/1.1", "Host: benchmark", *(f"{k.replace('_', '-')}: {v}" for k, v in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def median(values: Iterable[float]) -> float:
    return statistics.median(values)
