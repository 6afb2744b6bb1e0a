"""GitHub behind TLS, and a proxy on the way there, both on loopback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.certificates import write_certificate
from twisted.internet.endpoints import SSL4ServerEndpoint, TCP4ClientEndpoint, TCP4ServerEndpoint, connectProtocol
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.ssl import PrivateCertificate
from twisted.protocols.portforward import ProxyFactory
from twisted.python.failure import Failure


class Ports:
    """Listening ports, which are closed in the end with all their connections."""

    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor
        self._ports: list[Any] = []

    async def secure(self, url: str, folder: Path, interface: str = "127.0.0.1") -> tuple[str, Path]:
        """The same origin by https, as localhost, and the file of the authority to trust."""
        pem = write_certificate(folder / "github.crt", folder / "github.key")
        certificate = PrivateCertificate.loadPEM((folder / "github.key").read_bytes() + pem)
        factory = ProxyFactory("127.0.0.1", int(url.rpartition(":")[2]))
        factory.noisy = False
        endpoint = SSL4ServerEndpoint(self.reactor, 0, certificate.options(), interface=interface)
        port = await endpoint.listen(factory)
        self._ports.append(port)
        return f"https://localhost:{port.getHost().port}", folder / "github.crt"

    async def proxy(self, answer: bytes | None = b"HTTP/1.1 200 OK\r\n\r\n") -> ConnectProxy:
        """A proxy that answers so; None: that never does."""
        proxy = ConnectProxy(answer, self.reactor)
        port = await TCP4ServerEndpoint(self.reactor, 0, interface="127.0.0.1").listen(proxy)
        self._ports.append(port)
        proxy.address = f"127.0.0.1:{port.getHost().port}"
        return proxy

    async def close(self) -> None:
        for port in self._ports:
            await port.stopListening()


class ConnectProxy(Factory):
    """Answers CONNECT; `heads` are the requests, and `passed` is all that clients sent besides.

    `way` gives the endpoint of a host and a port; without one every host is this machine.
    """

    noisy = False
    address = ""

    def __init__(self, answer: bytes | None, reactor: Any, way: Callable[[str, int], Any] | None = None) -> None:
        self.answer = answer
        self.way = way or (lambda host, port: TCP4ClientEndpoint(reactor, "127.0.0.1", port))
        self.reactor = reactor
        self.heads: list[bytes] = []
        self.passed = b""
        self.open = 0

    def buildProtocol(self, addr: Any) -> Protocol:
        return _Connection(self)


class _Connection(Protocol):
    """A client's connection to the proxy."""

    def __init__(self, proxy: ConnectProxy) -> None:
        self._proxy = proxy
        self._head = b""
        self._beyond: _Beyond | None = None

    def connectionMade(self) -> None:
        self._proxy.open += 1

    def dataReceived(self, data: bytes) -> None:
        if self._beyond is not None:
            self._proxy.passed += data
            self._beyond.transport.write(data)
            return
        self._head += data
        answer = self._proxy.answer
        if b"\r\n\r\n" not in self._head or answer is None:
            return
        self._proxy.heads.append(self._head)
        if answer.startswith(b"HTTP/1.1 200"):
            host, _, port = self._head.split()[1].decode("ascii").rpartition(":")
            there = connectProtocol(self._proxy.way(host, int(port)), _Beyond(self))
            there.addCallbacks(self._opened, lambda failure: self.transport.loseConnection())
        elif answer:
            self.transport.write(answer)
        else:
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._proxy.open -= 1
        if self._beyond is not None:
            self._beyond.transport.loseConnection()

    def _opened(self, beyond: _Beyond) -> None:
        self._beyond = beyond
        self.transport.write(self._proxy.answer)


class _Beyond(Protocol):
    """The proxy's connection to where the client wants to."""

    def __init__(self, client: _Connection) -> None:
        self._client = client

    def dataReceived(self, data: bytes) -> None:
        self._client.transport.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._client.transport.loseConnection()
