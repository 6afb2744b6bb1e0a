"""A file's bytes on their way through PyPIHub: as fast as their reader takes them, and whole or visibly broken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer, IDelayedCall, IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.iweb import IResponse
from zope.interface import implementer

from pypihub.errors import UpstreamError, UpstreamTimeoutError
from pypihub.github.body import undecoded

T = TypeVar("T")

LONGEST_PAUSE = 300.0
"""Seconds for which a reader may take nothing, before its download ends."""


@dataclass
class Download:
    """An answer of storage: its status (200, 206 or 416), the `headers` to pass on, and `length` bytes to come.

    Either `deliver` or `close` is to be called, once; `over` fires when that is done. `silence` is for how many seconds
    storage may send nothing.
    """

    status: int
    headers: Mapping[str, str]
    length: int
    response: IResponse = field(repr=False)
    reactor: IReactorTime = field(repr=False)
    silence: float
    over: Deferred[None] = field(default_factory=Deferred, repr=False)

    def deliver(self, consumer: IConsumer) -> Deferred[None]:
        """Writes the bytes to the consumer, which may pause them; fires when all are written.

        Fails with UpstreamError where they break off, and UpstreamTimeoutError where nothing moves any more.
        Cancelling it, or the consumer's `stopProducing`, closes the connection to storage.
        """
        stream = _Stream(self, consumer)
        self.response.deliverBody(stream)
        return stream.done.addBoth(self._ended)

    def _ended(self, result: T) -> T:
        self.over.callback(None)
        return result

    def close(self) -> None:
        """Gives up the bytes and closes the connection to storage."""
        plain, _ = undecoded(self.response)
        plain.deliverBody(_Refusal())
        self.over.callback(None)


class _Refusal(Protocol):
    def connectionMade(self) -> None:
        if self.transport is not None:
            self.transport.loseConnection()


@implementer(IPushProducer)
class _Stream(Protocol):
    """Stands between the connection to storage and the consumer, with one timer for either's silence."""

    def __init__(self, download: Download, consumer: IConsumer) -> None:
        self._reactor = download.reactor
        self._consumer = consumer
        self._left = download.length
        self._silence = download.silence
        self._timer: IDelayedCall | None = None
        self.done: Deferred[None] = Deferred(lambda _: self._close())

    def connectionMade(self) -> None:
        self._wait(self._silence)
        self._consumer.registerProducer(self, True)

    def pauseProducing(self) -> None:
        if self._timer is not None:
            self._wait(LONGEST_PAUSE)
            self._upstream().pauseProducing()

    def resumeProducing(self) -> None:
        if self._timer is not None:
            self._wait(self._silence)
            self._upstream().resumeProducing()

    def stopProducing(self) -> None:
        """The consumer's connection is gone."""
        self._end(Failure(UpstreamError("Nobody reads this file any more.")))

    def dataReceived(self, data: bytes) -> None:
        if self._timer is None:
            return
        self._wait(self._silence)
        self._left -= len(data)
        if self._left < 0:
            self._end(Failure(UpstreamError("GitHub's storage sent more than the file's bytes.")))
        else:
            self._consumer.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._left == 0 and reason.check(ResponseDone):
            self._end(None)
        else:
            self._end(Failure(UpstreamError(f"GitHub's storage cut a file short by {self._left} bytes.")))

    def _wait(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = self._reactor.callLater(seconds, self._give_up)
        else:
            self._timer.reset(seconds)

    def _give_up(self) -> None:
        self._end(Failure(UpstreamTimeoutError("A download was given up, for nothing moved any more.")))

    def _end(self, result: Failure | None) -> None:
        if self._timer is not None:
            self._close()
            self.done.callback(result)

    def _close(self) -> None:
        timer, self._timer = self._timer, None
        if timer is None:
            return
        if timer.active():
            timer.cancel()
        self._consumer.unregisterProducer()
        self._upstream().loseConnection()

    def _upstream(self) -> Any:
        return self.transport  # Twisted's TransportProxyProducer
