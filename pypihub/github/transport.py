"""One HTTP exchange with GitHub's API: bounded in time, size and number, its failures in the domain's words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, TypeVar

from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.internet.error import (
    ConnectError,
    ConnectingCancelledError,
    ConnectionClosed,
    DNSLookupError,
)
from twisted.internet.error import TimeoutError as ConnectTimeoutError
from twisted.web._newclient import RequestGenerationFailed, RequestNotSent
from twisted.web.client import (
    Agent,
    HTTPConnectionPool,
    RequestTransmissionFailed,
    ResponseFailed,
    ResponseNeverReceived,
)
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IResponse

from pypihub import __version__
from pypihub.errors import UpstreamTimeoutError, UpstreamUnreachableError
from pypihub.github.answers import Reply
from pypihub.github.body import Sink, read_body
from pypihub.github.credentials import Source, Token

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from twisted.internet.interfaces import IReactorTime

T = TypeVar("T")

LARGEST_BODY = 8 * 1024 * 1024
"""Bytes of an answer that are read at most: 100 releases of 100 assets take about 3 MB."""
MOST_AT_ONCE = 50
"""Exchanges under way at once; GitHub limits them to 100 for a user."""
SLOWEST = 128 * 1024
"""Bytes a second that a download may take at least, on top of the timeout."""
_BROKEN = (
    ConnectError,
    ConnectingCancelledError,
    ConnectionClosed,
    DNSLookupError,
    RequestGenerationFailed,
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
    """Sends requests to GitHub's API, and to it alone: no redirect is followed, no cookie is kept.

    `timeout` is in seconds, of the `reactor`'s clock.
    """

    def __init__(self, agent: IAgent, reactor: IReactorTime, timeout: float) -> None:
        no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        self._http = HTTPClient(agent, cookiejar=no_cookies)  # type: ignore[arg-type]  # treq wants its own subclass
        self.reactor = reactor
        self.timeout = timeout
        self._places = DeferredSemaphore(MOST_AT_ONCE)

    async def send(
        self, method: str, url: str, token: Token, headers: Mapping[str, str], body: bytes | None = None
    ) -> Reply:
        """The API's reply, whatever its status. The body of a redirect or a download is not read.

        Raises UpstreamTimeoutError, UpstreamUnreachableError, and UpstreamError for a body that is too large.
        """
        authorized = {"Authorization": f"bearer {token.reveal()}", **headers}
        return await self._bounded(lambda: self._exchange(method, url, authorized, body, _largest_of_api))

    async def fetch(self, source: Source, headers: Mapping[str, str], limit: int, sink: Sink | None = None) -> Reply:
        """The reply of a file's source, with a body of up to `limit` bytes. No token goes to a signed URL.

        A `sink` takes the body as it comes, and the reply's is empty. Raises like `send`.
        """
        authorized, allowance = _authorized(source, headers), limit / SLOWEST
        return await self._bounded(
            lambda: self._exchange("GET", source.url.reveal(), authorized, None, lambda _: limit, sink), allowance
        )

    async def open(self, source: Source, headers: Mapping[str, str]) -> IResponse:
        """The response of a file's source, whose body is still to come. Raises like `send`."""
        authorized = _authorized(source, headers)
        return await self._translated(
            self._within_timeout(self._request("GET", source.url.reveal(), authorized, None), self.timeout)
        )

    async def _bounded(
        self, exchange: Callable[[], Coroutine[Deferred[Any], Any, Reply]], allowance: float = 0
    ) -> Reply:
        return await self._translated(self._within_timeout(self._in_a_place(exchange), self.timeout + allowance))

    async def _translated(self, exchange: Awaitable[T]) -> T:
        """Connection failures in the domain's words."""
        try:
            return await exchange
        except _BROKEN as error:
            reason = _innermost(error)
            if isinstance(reason, ConnectTimeoutError):
                raise UpstreamTimeoutError("GitHub took no connection in time.") from None
            why = " ".join(str(reason).split())[:200] or type(reason).__name__
            raise UpstreamUnreachableError(f"The connection to GitHub failed: {why}") from None

    async def _in_a_place(self, exchange: Callable[[], Coroutine[Deferred[Any], Any, Reply]]) -> Reply:
        """The wait for a place counts as a wait for GitHub."""
        await self._places.acquire()
        try:
            return await exchange()
        finally:
            self._places.release()

    async def _exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        largest: Callable[[IResponse], int],
        sink: Sink | None = None,
    ) -> Reply:
        response = await self._request(method, url, headers, body)
        return Reply(response.code, response.headers, await read_body(response, largest(response), sink))

    async def _request(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> IResponse:
        all_headers = Headers({name: [value] for name, value in headers.items()})
        all_headers.setRawHeaders("User-Agent", [f"PyPIHub/{__version__}"])
        response: IResponse = await self._http.request(
            method,
            url,
            headers=all_headers,
            data=body,
            allow_redirects=False,
            unbuffered=True,
            reactor=self.reactor,  # type: ignore[arg-type]  # treq uses only its clock
        )
        return response

    async def _within_timeout(self, exchange: Coroutine[Deferred[Any], Any, T], timeout: float) -> T:
        """Cancels the exchange when its time is over; tells that apart from a caller who went away."""
        running = Deferred.fromCoroutine(exchange)
        timer = self.reactor.callLater(timeout, running.cancel)
        try:
            return await running
        except (CancelledError, *_BROKEN) as error:
            if not _is_cancelled(error):
                raise
            if timer.active():
                raise CancelledError from None
            raise UpstreamTimeoutError(f"GitHub did not answer within {timeout:g} s.") from None
        finally:
            if timer.active():
                timer.cancel()


def _authorized(source: Source, headers: Mapping[str, str]) -> Mapping[str, str]:
    if source.token is None:
        return headers
    return {
        "Authorization": f"bearer {source.token.reveal()}",
        "Accept": "application/octet-stream",
        **headers,
    }


def _largest_of_api(response: IResponse) -> int:
    """Redirects are not read, nor the bytes of a file."""
    is_file = response.code in (200, 206) and "json" not in response.headers.getRawHeaders("content-type", ["json"])[-1]
    return 0 if is_file or 300 <= response.code < 400 else LARGEST_BODY


def _is_cancelled(error: BaseException) -> bool:
    if isinstance(error, CancelledError | ConnectingCancelledError):
        return True
    return any(_is_cancelled(reason.value) for reason in getattr(error, "reasons", ()))


def _innermost(error: BaseException) -> BaseException:
    """The reason of the reasons."""
    while reasons := getattr(error, "reasons", None):
        error = reasons[0].value
    return error
