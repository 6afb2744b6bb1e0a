"""The connections of a site, and how they end without an answer cut short."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeoutError
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IProtocol, IReactorTime, ITransport
from twisted.internet.protocol import Protocol
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.server import Request
from zope.interface import implementer

from pypihub.web.http2 import Multiplexed

_log = Logger("pypihub")

GRACE = 0.5
"""Seconds for which a request may be on its way on a connection that was kept for it, before that is closed."""

# A TLS handshake begins with it, and no request does. (`uv publish` without credentials tries TLS on a plain port four
# times, and waits ten seconds for each answer.)
_TLS = b"\x16"
_SILENCE = 60.0  # seconds between two warnings


class Connections:
    """The open connections of a site. A request costs one call more; what goes on is looked at in the end only."""

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._open: set[Connection] = set()
        self._of: dict[str, int] = {}
        self._warned = -_SILENCE
        self._ending = self._grace_is_over = False
        self._awaited: tuple[Callable[[], bool], Deferred[None]] | None = None

    def has_room(self, address: str | None, most: int) -> bool:
        """Whether fewer than `most` connections are open that are counted for the address."""
        if address is None or self._of.get(address, 0) < most:
            return True
        if self._reactor.seconds() - self._warned > _SILENCE:
            self._warned = self._reactor.seconds()
            _log.warn("{address} has {most} connections: more are closed at once", address=address, most=most)
        return False

    def watch(self, channel: Any, address: str | None) -> Connection:
        """What stands between a new connection and the HTTP channel for it; it is counted for the address."""
        return Connection(channel, self, self._reactor, address)

    def __len__(self) -> int:
        """How many are open."""
        return len(self._open)

    def under_way(self) -> list[Request]:
        """The requests that are not answered yet."""
        return [request for connection in self._open for request in connection.under_way()]

    async def drain(self, patience: float) -> None:
        """Ends each connection when its answers are sent, and waits for that, `patience` seconds at most.

        On those where nothing goes on requests may be on their way: for `GRACE` seconds, or `patience`, these are
        answered too. Then a connection that had a request is closed, and one that had none is not waited for.
        """
        self._ending = True
        for connection in list(self._open):
            connection.begin_no_more()
        grace = min(GRACE, patience)
        if not await self._is_quiet(lambda: not self._open, grace):
            self._grace_is_over = True
            for connection in list(self._open):
                connection.end()
            if not await self._is_quiet(lambda: not self._is_busy(), patience - grace):
                _log.warn("Some requests were under way for more than {seconds:g} s", seconds=patience)

    async def _is_quiet(self, is_so: Callable[[], bool], patience: float) -> bool:
        """Waits until something is so; tells whether it came about within so many seconds."""
        if is_so():
            return True
        quiet: Deferred[None] = Deferred()
        self._awaited = is_so, quiet
        try:
            await quiet.addTimeout(patience, self._reactor)
        except DeferredTimeoutError:
            return False
        finally:
            self._awaited = None
        return True

    def opened(self, connection: Connection) -> None:
        """Called by a connection that is made."""
        self._open.add(connection)
        if connection.address is not None:
            self._of[connection.address] = self._of.get(connection.address, 0) + 1

    def asked(self, connection: Connection) -> None:
        """Called by a connection that a request begins on."""
        if self._ending:
            connection.begin_no_more()
        if self._grace_is_over:
            connection.end()

    def closed(self, connection: Connection) -> None:
        """Called by a connection that is gone."""
        self._open.discard(connection)
        self._uncount(connection.address)
        if self._awaited is None:
            return
        is_so, quiet = self._awaited
        if not quiet.called and is_so():
            quiet.callback(None)

    def _uncount(self, address: str | None) -> None:
        if address is None:
            return
        self._of[address] -= 1
        if not self._of[address]:
            del self._of[address]

    def _is_busy(self) -> bool:
        return any(connection.was_used for connection in self._open)


@implementer(IProtocol)
class Connection:
    """A connection that knows the latest request on it; of HTTP/2 all that are under way."""

    def __init__(self, channel: Any, connections: Connections, reactor: IReactorTime, address: str | None) -> None:
        self.address = address
        self._channel = channel
        self._connections = connections
        self._reactor = reactor
        self._multiplexed: Multiplexed | None = None
        self._transport: Any = None
        self._request: Request | None = None
        self._make_request: Callable[..., Request] = channel.requestFactory
        channel.requestFactory = self._begin

    @property
    def was_used(self) -> bool:
        """Whether there was a request on it."""
        return self._request is not None

    def under_way(self) -> list[Request]:
        """The requests that are not answered yet."""
        if self._multiplexed is not None:
            return self._multiplexed.under_way()
        request = self._request
        return [] if request is None or request.finished or request.channel is None else [request]

    def begin_no_more(self) -> None:
        """Tells the client with the answer that it is the last one; the connection is closed then."""
        request = self._request
        if request is None:
            return
        if self._multiplexed is not None:
            self._multiplexed.begin_no_more()
        elif not request.finished:
            request.responseHeaders.setRawHeaders(b"connection", [b"close"])
            request.notifyFinish().addCallbacks(lambda _: self.end(), lambda _: None)  # or the client has gone

    def end(self) -> None:
        """Closes it when all answers are sent; leaves it alone while it had no request."""
        if self._multiplexed is not None:
            self._multiplexed.end(self._close)
        elif self._request is not None and self._request.finished:
            self._close()

    def makeConnection(self, transport: ITransport) -> None:
        """Twisted's: the beginning."""
        self._transport = transport
        self._connections.opened(self)
        self._channel.makeConnection(transport)

    def connectionMade(self) -> None:
        """Twisted's; the channel has its own from `makeConnection`."""

    def dataReceived(self, data: bytes) -> None:
        """Twisted's: the client's first bytes. What follows goes to the channel directly."""
        if data.startswith(_TLS):
            self._close()
            return
        self.dataReceived = self._channel.dataReceived  # type: ignore[method-assign]  # a call less for each piece
        self._channel.dataReceived(data)

    def connectionLost(self, reason: Failure) -> None:
        """Twisted's: the end."""
        self._channel.connectionLost(reason)
        if self._multiplexed is not None:
            self._multiplexed.lost()
        self._connections.closed(self)

    def _begin(self, *arguments: Any, **options: Any) -> Request:
        self._request = request = self._make_request(*arguments, **options)
        if not isinstance(request.channel, HTTPChannel):
            if self._multiplexed is None:
                stream: Any = request.channel
                self._multiplexed = Multiplexed(stream._conn, self._reactor)  # Twisted has no other way to it
            self._multiplexed.began(request)
        self._connections.asked(self)
        return request

    def _close(self) -> None:
        self._transport.unregisterProducer()  # as the channel does: TLS would wait for it
        self._transport.loseConnection()


class TurnedAway(Protocol):
    """A connection that is closed at once."""

    def connectionMade(self) -> None:
        """Twisted's: the beginning."""
        self.transport.abortConnection()  # type: ignore[union-attr]  # TCP, TLS and Unix have it


def break_off(channel: Any) -> None:
    """Ends a connection in the middle; of HTTP/2, whose channel is a stream, this stream alone."""
    if hasattr(channel, "abortConnection"):
        channel.abortConnection()
        channel.connectionLost(Failure(ConnectionAborted()))  # it would tell the request nothing
    else:
        channel.transport.abortConnection()
