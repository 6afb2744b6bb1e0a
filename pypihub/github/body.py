"""Reading the body of an HTTP answer: inflated, bounded in size, and closed when nobody wants it any more."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import ITransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import GzipDecoder, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import IResponse

from pypihub.errors import UpstreamError

Sink = Callable[[bytes], object]


class TooLargeError(UpstreamError):
    """The answer is larger than what is read, or GitHub gave up on a query for its size; less may do."""


def read_body(response: IResponse, limit: int, sink: Sink | None = None) -> Deferred[bytes]:
    """The body, of up to `limit` bytes once it is inflated; with 0 it is not read at all.

    A `sink` takes the bytes as they come, and the result is empty. Fires with TooLargeError for a longer body,
    UpstreamError for one that cannot be inflated, and with the connection's failure for one that is cut.
    """
    plain, is_gzip = undecoded(response)
    body = _Body(limit, sink, zlib.decompressobj(zlib.MAX_WBITS | 16) if is_gzip else None)
    plain.deliverBody(body)
    return body.done


def undecoded(response: IResponse) -> tuple[Any, bool]:
    """The response with its body as it is sent, and whether that is gzipped.

    treq's own decoder inflates a chunk whole before anyone can count (a small one may hold gigabytes), and raises where
    nobody expects it.
    """
    plain: Any = getattr(response, "original", response)
    is_gzip = isinstance(plain, GzipDecoder)
    while isinstance(plain, GzipDecoder):  # one for each time that a header says so: twice, and nobody can read it
        plain = plain.original
    return plain, is_gzip


class _Body(Protocol):
    def __init__(self, limit: int, sink: Sink | None, inflate: zlib._Decompress | None) -> None:
        self._room = limit
        self._chunks: list[bytes] = []
        self._sink = sink or self._chunks.append
        self._inflate = inflate
        self._open = True
        self.done: Deferred[bytes] = Deferred(lambda _: self._close())

    def connectionMade(self) -> None:
        if not self._room:
            self._end(b"")

    def dataReceived(self, data: bytes) -> None:
        if not self._open:
            return
        try:
            chunk = self._inflate.decompress(data, self._room + 1) if self._inflate else data
        except zlib.error:
            self._end(Failure(UpstreamError("GitHub's answer cannot be read. Try again in a moment.")))
            return
        self._room -= len(chunk)
        if self._room < 0:
            self._end(Failure(TooLargeError("GitHub's answer is too large to be read.")))
        else:
            self._sink(chunk)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self._open:
            return
        whole = reason.check(ResponseDone, PotentialDataLoss) and (self._inflate is None or self._inflate.eof)
        if whole:
            self._end(b"".join(self._chunks))
        elif reason.check(ResponseDone, PotentialDataLoss):
            self._end(Failure(UpstreamError("GitHub's answer was cut short. Try again in a moment.")))
        else:
            self._end(reason)

    def _end(self, result: bytes | Failure) -> None:
        self._close()
        self.done.callback(result)

    def _close(self) -> None:
        self._open = False
        self._chunks.clear()
        transport: ITransport | None = self.transport
        if transport is not None:
            transport.loseConnection()
