"""Files that pass through PyPIHub: at their reader's pace, and never short without being seen to be."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer, IProducer
from twisted.logger import Logger
from twisted.web.server import Request
from zope.interface import implementer

from pypihub.errors import UpstreamError
from pypihub.github.downloads import Download
from pypihub.web.connections import break_off

_log = Logger("pypihub")


async def send_download(request: Request, download: Download) -> bytes:
    """Passes the bytes on; where they break off, breaks the client's connection too."""
    request.setResponseCode(download.status)
    for name, value in download.headers.items():
        request.setHeader(name, value)
    request.setHeader("Content-Type", "application/octet-stream")
    request.setHeader("Content-Length", str(download.length))
    request.setHeader("Accept-Ranges", "bytes")
    # An asset's bytes never change. They stay with this client, who was allowed to have them.
    has_bytes = download.status in (200, 206)
    request.setHeader("Cache-Control", "private, max-age=31536000, immutable" if has_bytes else "no-store")
    request.setHeader("X-Content-Type-Options", "nosniff")
    try:
        await download.deliver(_Reader(request))
    except UpstreamError as error:
        _log.warn("{message}", message=error.message)
        await _break_off(request)
    return b""


@implementer(IConsumer)
class _Reader:
    """The request as a consumer; Twisted's own fails once its connection is gone."""

    def __init__(self, request: Request) -> None:
        self._request = request

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        if self._request.channel is None:
            producer.stopProducing()
        else:
            self._request.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        if self._request.channel is not None:
            self._request.unregisterProducer()

    def write(self, data: bytes) -> None:
        if self._request.channel is not None:
            self._request.write(data)


def _break_off(request: Request) -> Deferred[Any]:
    """Ends the connection (of HTTP/2, the stream) in the middle. Klein then cancels what waits for this Deferred."""
    over: Deferred[Any] = Deferred()
    channel: Any = request.channel
    if channel is None:
        over.callback(b"")
    else:
        break_off(channel)
    return over
