"""HTTP/2 connections: what is under way on one, how it is told to end, and whom its timeout is for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakSet

from twisted.internet.task import LoopingCall
from twisted.web.server import Request

# GOAWAY with the highest stream id and no error: begin no more, all that was begun is answered (RFC 9113, 6.8). h2 has
# no such thing: its own ends the connection.
_BEGIN_NO_MORE = b"\x00\x00\x08\x07\x00\x00\x00\x00\x00\x7f\xff\xff\xff\x00\x00\x00\x00"
_PAUSE = 0.02  # seconds between two looks at what is still to be sent


class Multiplexed:
    """The requests on one HTTP/2 connection; `connection` is Twisted's."""

    def __init__(self, connection: Any, reactor: Any) -> None:
        self._connection = connection
        self._requests: WeakSet[Request] = WeakSet()
        self._ending = LoopingCall(self._end_if_sent)
        self._ending.clock = reactor
        self._is_told = False
        self._close: Callable[[], None] | None = None
        self._time_out: Callable[[], None] = connection.timeoutConnection
        connection.timeoutConnection = self._timed_out

    def began(self, request: Request) -> None:
        """Called with each new request."""
        self._requests.add(request)

    def under_way(self) -> list[Request]:
        """The requests that are not answered yet."""
        return [request for request in self._requests if not request.finished and request.channel is not None]

    def begin_no_more(self) -> None:
        """Tells the client to begin no more requests."""
        if not self._is_told:
            self._is_told = True
            self._connection.transport.write(_BEGIN_NO_MORE)

    def end(self, close: Callable[[], None]) -> None:
        """Calls `close` when all answers are sent."""
        if self._close is None:
            self._close = close
            self._ending.start(_PAUSE)

    def lost(self) -> None:
        """The connection is gone."""
        if self._ending.running:
            self._ending.stop()

    def _end_if_sent(self) -> None:
        if self._connection.streams or self._close is None:
            return
        self._ending.stop()
        self._connection.conn.close_connection()  # GOAWAY, now with the last stream that was answered
        self._connection.transport.write(self._connection.conn.data_to_send())
        self._close()

    def _timed_out(self) -> None:
        """Twisted counts the time without a frame, also while the client waits for us: that is no fault of its own."""
        if any(request.site is not None and not request.startedWriting for request in self.under_way()):
            self._connection.setTimeout(self._connection.timeOut)
        else:
            self._time_out()
            self._connection.transport.unregisterProducer()  # TLS would wait for it
