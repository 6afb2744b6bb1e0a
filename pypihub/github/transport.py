"""One HTTP exchange with GitHub's API: bounded in time, size and number, its failures in the domain's words."""

from __future__ import annotations

from collections.abc import Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING

from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError
from twisted.internet.interfaces import ITransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web._newclient import RequestNotSent
from twisted.web.client import (
    Agent,
    HTTPConnectionPool,
    RequestTransmissionFailed,
    ResponseDone,
    ResponseFailed,
    ResponseNeverReceived,
)
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IResponse

from pypihub import __version__
from pypihub.errors import UpstreamError, UpstreamTimeoutError, UpstreamUnreachableError
from pypihub.github.answers import Reply
from pypihub.github.credentials import Token

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from twisted.internet.interfaces import IReactorTime

LARGEST_BODY = 32 * 1024 * 1024
"""Bytes of an answer that are read at most: 100 releases of 100 assets take about 3 MB."""
MOST_AT_ONCE = 50
"""Exchanges under way at once; GitHub limits them to 100 for a user."""
_BROKEN = (
    ConnectError,
    ConnectionClosed,
    DNSLookupError,
    RequestNotSent,
    RequestTransmissionFailed,
    ResponseFailed,
    ResponseNeverReceived,
)


def pooled_agent(reactor: Any, timeout: float) -> tuple[Agent, HTTPConnectionPool]:
    """An agent that keeps up to ten idle connections to GitHub, and its pool to be closed at the end."""
    pool = HTTPConnectionPool(reactor)
    pool.maxPersistentPerHost = 10
    return Agent(reactor, connectTimeout=timeout, pool=pool), pool


class Transport:
    """Sends requests to GitHub's API, and to it alone: no redirect is followed, no cookie is kept."""

    def __init__(self, agent: IAgent, reactor: IReactorTime, timeout: float) -> None:
        no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        self._http = HTTPClient(agent, cookiejar=no_cookies)  # type: ignore[arg-type]  # treq wants its own subclass
        self._reactor = reactor
        self._timeout = timeout
        self._places = DeferredSemaphore(MOST_AT_ONCE)

    async def send(
        self, method: str, url: str, token: Token, headers: Mapping[str, str], body: bytes | None = None
    ) -> Reply:
        """GitHub's reply, whatever its status. The body of a redirect or a download is not read.

        Raises UpstreamTimeoutError, UpstreamUnreachableError, and UpstreamError for a body that is too large.
        """
        await self._places.acquire()
        try:
            return await self._within_timeout(self._exchange(method, url, token, headers, body))
        except _BROKEN as error:
            raise UpstreamUnreachableError(f"The connection to GitHub failed: {_why(error)}") from None
        finally:
            self._places.release()

    async def _exchange(
        self, method: str, url: str, token: Token, headers: Mapping[str, str], body: bytes | None
    ) -> Reply:
        all_headers = Headers({name: [value] for name, value in headers.items()})
        all_headers.setRawHeaders("Authorization", [f"bearer {token.reveal()}"])
        all_headers.setRawHeaders("User-Agent", [f"PyPIHub/{__version__}"])
        response = await self._http.request(
            method,
            url,
            headers=all_headers,
            data=body,
            allow_redirects=False,
            unbuffered=True,
            reactor=self._reactor,  # type: ignore[arg-type]  # treq uses only its clock
        )
        wanted = response.headers.getRawHeaders("content-type", [""])[-1] != "application/octet-stream"
        read = _read(response, LARGEST_BODY if wanted and not 300 <= response.code < 400 else 0)
        return Reply(response.code, response.headers, await read)

    async def _within_timeout(self, exchange: Coroutine[Deferred[Any], Any, Reply]) -> Reply:
        """Cancels the exchange when its time is over; tells that apart from a caller who went away."""
        running = Deferred.fromCoroutine(exchange)
        timer = self._reactor.callLater(self._timeout, running.cancel)
        try:
            return await running
        except (CancelledError, *_BROKEN) as error:
            if not _is_cancelled(error):
                raise
            if timer.active():
                raise CancelledError from None
            raise UpstreamTimeoutError(f"GitHub did not answer within {self._timeout:g} s.") from None
        finally:
            if timer.active():
                timer.cancel()


def _is_cancelled(error: BaseException) -> bool:
    reasons: list[Failure] = getattr(error, "reasons", [])
    return isinstance(error, CancelledError) or any(reason.check(CancelledError) for reason in reasons)


def _why(error: BaseException) -> str:
    """The innermost reason in one line."""
    while reasons := getattr(error, "reasons", None):
        error = reasons[0].value
    return " ".join(str(error).split())[:200] or type(error).__name__


class _Body(Protocol):
    """Collects a body of up to `limit` bytes; a longer one, and any where the limit is 0, is cut off."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._chunks: list[bytes] = []
        self._size = 0
        self.done: Deferred[bytes] = Deferred(lambda _: self._close())
        self._open = True

    def connectionMade(self) -> None:
        if not self._limit:
            self._finish(b"")

    def dataReceived(self, data: bytes) -> None:
        self._size += len(data)
        if self._size <= self._limit:
            self._chunks.append(data)
        elif self._open:
            self._finish(Failure(UpstreamError("GitHub's answer is too large to be read.")))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._open:
            self._open = False
            complete = reason.check(ResponseDone, PotentialDataLoss)
            self.done.callback(b"".join(self._chunks)) if complete else self.done.errback(reason)

    def _finish(self, result: bytes | Failure) -> None:
        self._close()
        self.done.callback(result)

    def _close(self) -> None:
        self._open = False
        transport: ITransport | None = self.transport
        if transport is not None:
            transport.loseConnection()


def _read(response: IResponse, limit: int) -> Deferred[bytes]:
    body = _Body(limit)
    response.deliverBody(body)
    return body.done
