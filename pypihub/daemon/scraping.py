"""The page of metrics, on an endpoint of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import Request as HTTPRequest
from twisted.web.pages import notFound
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from pypihub.daemon.listening import Listener, described
from pypihub.daemon.refusals import Keys

_log = Logger("pypihub")

_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_IDLE = 60


class MetricsSite(Site):
    """Answers `GET /metrics` by what `collect` gives, to whoever can reach it, and nothing else."""

    noisy = False

    def __init__(self, collect: Callable[[], Deferred[bytes]]) -> None:
        root = Resource()
        root.putChild(b"metrics", _Page(collect))
        super().__init__(root, timeout=_IDLE)
        self.displayTracebacks = False

    def log(self, request: HTTPRequest) -> None:
        """Called by Twisted; these requests come every few seconds, and are nobody's."""


class _Page(Resource):
    def __init__(self, collect: Callable[[], Deferred[bytes]]) -> None:
        super().__init__()
        self._collect = collect

    def getChild(self, path: bytes, request: Request) -> IResource:
        return notFound() if path else self

    def render_GET(self, request: Request) -> int:
        gone = request.notifyFinish()
        is_gone: list[object] = []
        gone.addErrback(is_gone.append)
        request.setHeader("Content-Type", _TYPE)
        request.setHeader("Cache-Control", "no-store")

        def send(text: bytes) -> None:
            if not is_gone:
                request.setHeader("Content-Length", str(len(text)))
                request.write(text)
                request.finish()

        def fail(failure: Failure) -> None:
            _log.failure("The metrics could not be collected", failure)
            if not is_gone:
                request.setResponseCode(500)
                request.finish()

        self._collect().addCallback(send).addErrback(fail)
        return NOT_DONE_YET


def metrics_listener(endpoint: str, collect: Callable[[], Deferred[bytes]], reactor: Any) -> Listener:
    """What listens for those who collect metrics; raises ConfigError for an endpoint that Twisted does not know."""
    key = "metrics.endpoint"
    place = described(reactor, endpoint, key)
    return Listener(place, MetricsSite(collect), Keys(key, key), tells="Metrics are at http://{address}/metrics")
