"""Where a release's assets are uploaded to, and a file as the body of a request."""

from __future__ import annotations

from typing import Any, BinaryIO, TypeVar
from urllib.parse import quote, urlsplit

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer, IReactorTime
from twisted.internet.task import Cooperator
from twisted.web.client import FileBodyProducer

from pypihub.errors import UpstreamError

T = TypeVar("T")

_PIECE = 64 * 1024
"""Bytes that are read at once."""


def upload_address(upload_url: str, name: str, api_url: str) -> str:
    """The URL that an asset of this name is posted to; `upload_url` is the release's, a template.

    Raises UpstreamError where that is no host of the same GitHub as `api_url`: the token would go there.
    """
    address = upload_url.partition("{")[0]
    sound = address.isascii() and address.isprintable() and not set(" ?#@\\") & set(address)
    if not sound or not _is_related(address, api_url):
        raise UpstreamError("GitHub gave an address for uploads that is not its own, and the token is not sent there.")
    return f"{address}?name={quote(name, safe='')}"


def _is_related(address: str, api_url: str) -> bool:
    """Whether it is on the API's own host, or on `uploads.HOST` beside `api.HOST`.

    https://docs.github.com/en/enterprise-server/rest/releases/assets#upload-a-release-asset
    """
    try:
        there, api = urlsplit(address), urlsplit(api_url)
        there_port, api_port = there.port, api.port
    except ValueError:
        return False
    host = api.hostname or ""
    beside = there.hostname == f"uploads.{host.removeprefix('api.')}" and there_port == api_port
    return there.scheme == api.scheme and (there.hostname == host or (host.startswith("api.") and beside))


class FileBody(FileBodyProducer):
    """A whole file as the body of a request, read as fast as it is sent; the file stays open.

    `end` is to be called when the request is over: GitHub may answer before it has read all.
    """

    def __init__(self, file: BinaryIO, reactor: IReactorTime) -> None:
        file.seek(0)
        cooperator = Cooperator(scheduler=lambda work: reactor.callLater(0, work))
        super().__init__(_LeftOpen(file), cooperator, _PIECE)
        self._consumer: Any = None  # while the body is being sent

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        """Called by Twisted once there is a connection."""
        self._consumer = consumer
        return super().startProducing(consumer).addCallback(self._sent)

    def end(self) -> None:
        """Reads no more of the file: the next request may send it again, or its owner close it."""
        if self._consumer is not None:
            self.stopProducing()
            self._consumer._consumer.abortConnection()  # Twisted has no name for a connection that is of no use now

    def _sent(self, result: T) -> T:
        self._consumer = None
        return result


class _LeftOpen:
    """A file that Twisted may not close."""

    def __init__(self, file: BinaryIO) -> None:
        self.read, self.seek, self.tell = file.read, file.seek, file.tell

    def close(self) -> None:
        """Called when the body was sent, or nobody wants it any more."""
