"""A way through a proxy: CONNECT (RFC 9110, 9.3.6). What passes there is TLS, which the proxy cannot read."""

from __future__ import annotations

import re
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeoutError
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from pypihub.github.proxies import Proxy

_LONGEST_HEAD = 16 * 1024
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: [^\r\n]*)?\r?\n")
_END = re.compile(rb"\r?\n\r?\n")


class ProxyError(ConnectError):
    """The proxy does not open the way to GitHub."""

    def __str__(self) -> str:
        return f"the proxy opens no way, {self.args[0]}"


@implementer(IStreamClientEndpoint)
class Tunnel:
    """Connects to a host by way of a proxy, which gets `timeout` seconds to be reached and as many to answer.

    The Deferred of `connect` fails with ProxyError where the proxy does not open the way.
    """

    def __init__(self, reactor: Any, proxy: Proxy, host: str, port: int, timeout: float) -> None:
        self._reactor = reactor
        self._proxy = proxy
        self._there = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._timeout = timeout

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Twisted's: the protocol, once the way is open."""
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        proxy = HostnameEndpoint(self._reactor, self._proxy.host, self._proxy.port, timeout=self._timeout)
        asking = await connectProtocol(proxy, _Asking(self._request(), factory))
        try:
            return await asking.opened.addTimeout(self._timeout, self._reactor)
        except DeferredTimeoutError:
            raise ProxyError(string=f"no answer within {self._timeout:g} s") from None

    def _request(self) -> bytes:
        lines = [f"CONNECT {self._there} HTTP/1.1", f"Host: {self._there}"]
        if self._proxy.authorization is not None:
            lines.append(f"Proxy-Authorization: {self._proxy.authorization.reveal()}")
        return "\r\n".join([*lines, "", ""]).encode()


class _Asking(Protocol):
    """Asks for the way; once it is open it only passes on to the protocol that the factory makes."""

    def __init__(self, request: bytes, factory: IProtocolFactory) -> None:
        self._request = request
        self._factory = factory
        self._head = b""
        self._inner: Any = None
        self.opened: Deferred[IProtocol] = Deferred(lambda _: self._abort())

    def connectionMade(self) -> None:
        self._transport.write(self._request)

    def dataReceived(self, data: bytes) -> None:
        if self._inner is not None:
            self._inner.dataReceived(data)
            return
        self._head += data
        if end := _END.search(self._head):
            self._answered(self._head[: end.end()], self._head[end.end() :])
        elif len(self._head) > _LONGEST_HEAD:
            self._refuse("its answer has no end")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._inner is not None:
            self._inner.connectionLost(reason)
        else:
            self._refuse("it ended the connection")

    @property
    def _transport(self) -> Any:
        return self.transport

    def _answered(self, head: bytes, rest: bytes) -> None:
        status = _STATUS.match(head)
        if status is None:
            self._refuse("its answer is no HTTP")
        elif not status[1].startswith(b"2"):
            self._refuse(f"it answers with status {status[1].decode()}")
        else:
            self._head = b""
            inner: Any = self._factory.buildProtocol(self._transport.getPeer())
            self._inner = inner
            inner.makeConnection(self._transport)
            if rest:
                inner.dataReceived(rest)
            self.opened.callback(inner)

    def _refuse(self, why: str) -> None:
        self._abort()
        if not self.opened.called:
            self.opened.errback(ProxyError(string=why))

    def _abort(self) -> None:
        self._transport.abortConnection()
