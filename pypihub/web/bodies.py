"""Requests whose bodies are taken in while they come, and that may be answered before all of it is there."""

from __future__ import annotations

from io import BytesIO
from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel, datetimeToString
from twisted.web.server import Request, version

from pypihub.errors import UploadRefusedError, UploadTooLargeError
from pypihub.web.connections import break_off
from pypihub.web.responses import send_failure

MOST_UNWANTED = 64 * 1024
"""Bytes of a body that nobody asked for."""
MOST_DISCARDED = 256 * 1024 * 1024
"""Bytes that are still read once a request is refused, so that its client reads the answer: most send all before."""
LINGER = 30.0
"""Seconds for which they are read."""
LONGEST = 3600.0
"""Seconds that a body may take. (One that stands still is ended before, by the channel.)"""


class Body(Protocol):
    """A request's body while it comes."""

    def take(self, data: bytes) -> None:
        """Takes the next bytes; raises the error that the request is to be answered with at once."""

    def close(self) -> None:
        """Called when the request is over, be it answered or not."""


class Unwanted:
    """A body that nobody reads, such as a GET's."""

    def __init__(self) -> None:
        self._came = 0

    def take(self, data: bytes) -> None:
        """Forgets the bytes. Raises UploadTooLargeError where there are many."""
        self._came += len(data)
        if self._came > MOST_UNWANTED:
            raise UploadTooLargeError("So much is not taken here. Packages are published by POST to /legacy/.")

    def close(self) -> None:
        """There is nothing to close."""


class StreamedRequest(Request):
    """A request that keeps none of its body: `begin_body` says what takes it in."""

    body: Body | None = None
    _timer: IDelayedCall | None = None
    _is_refused = False
    _discarded = 0

    def begin_body(self) -> Body:
        """What takes the body in; method, URI and headers are known. Raises the error to answer with at once."""
        return Unwanted()

    def answer(self) -> None:
        """Answers; all of the body is there."""
        super().process()

    def gotLength(self, length: int | None) -> None:
        """Twisted's: the head is there. (HTTP/2 calls it in the midst of the headers.)"""
        self.content = BytesIO()  # stays empty
        if length != 0 and isinstance(self.channel, HTTPChannel):
            self._begin()

    def handleContentChunk(self, data: bytes) -> None:
        """Twisted's: some of the body."""
        if self.body is None and not self._is_refused:
            self._begin()
        if self._is_refused:
            self._discard(len(data))
            return
        try:
            self.body.take(data)  # type: ignore[union-attr]  # there is one where nothing was refused
        except Exception:
            self._refuse(Failure())

    def process(self) -> None:
        """Twisted's: all of the request is there."""
        self._stop_timer()
        if self._is_refused:
            self.finish()
        else:
            self.answer()

    def connectionLost(self, reason: Failure) -> None:
        """Twisted's: nobody waits for the answer any more."""
        self._stop_timer()
        if self._is_refused:
            self.channel.site.log(self)  # type: ignore[attr-defined]  # Twisted sets it; the answer was sent
        super().connectionLost(reason)

    def _begin(self) -> None:
        channel: Any = self.channel
        # Twisted lets the request itself know this only when the body is there.
        if isinstance(channel, HTTPChannel):
            self.method, self.uri, self.clientproto = channel._command, channel._path, channel._version
        else:
            self.method, self.uri, self.clientproto = channel.command, channel.path, b"HTTP/2"
        self.client = channel.getPeer()
        self.path = self.uri.partition(b"?")[0]
        try:
            self.body = body = self.begin_body()
        except Exception:
            self._refuse(Failure())
            return
        self.notifyFinish().addBoth(lambda _: body.close())
        self._timer = channel.site.reactor.callLater(LONGEST, self._refuse_late)

    def _refuse_late(self) -> None:
        self._timer = None
        self._refuse(Failure(UploadRefusedError(f"The upload took more than {LONGEST / 60:.0f} minutes.")))

    def _refuse(self, failure: Failure) -> None:
        """Answers now. The connection ends when the body does, or more of it comes than can be borne."""
        self._stop_timer()
        self._is_refused = True
        if self.body is not None:
            self.body.close()
        channel: Any = self.channel
        if isinstance(channel, HTTPChannel):  # HTTP/2 has no such header, and no need to end the others' connection
            channel.persistent = False
            self.setHeader("Connection", "close")
            self.requestHeaders.removeHeader("Expect")  # or Twisted would tell the client to go on
        self.setHeader("Server", version)
        self.setHeader("Date", datetimeToString())
        self.write(send_failure(self, failure))
        self._timer = channel.site.reactor.callLater(LINGER, self._break_off)

    def _discard(self, amount: int) -> None:
        self._discarded += amount
        if self._discarded > MOST_DISCARDED and self._timer is not None:
            self._timer.reset(0)  # not now: Twisted has more of the body in its hands

    def _break_off(self) -> None:
        self._timer = None
        break_off(self.channel)

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
