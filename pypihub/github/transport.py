"""One HTTP exchange with GitHub: bounded in time, size and number, its failures in the domain's words."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, TypeVar

from hyperlink import EncodedURL
from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse

from pypihub import __version__
from pypihub.errors import UpstreamError, UpstreamTimeoutError
from pypihub.github.answers import Reply, read_header
from pypihub.github.body import Sink, read_body
from pypihub.github.breaker import Answer, Breaker
from pypihub.github.broken import BROKEN, in_our_words, is_cancelled
from pypihub.github.calls import Call, counted
from pypihub.github.credentials import Source, Token
from pypihub.github.places import Places
from pypihub.github.tokens import TokenHash, TokenHasher
from pypihub.tally import Tally

T = TypeVar("T")
A = TypeVar("A", bound=Answer)

LARGEST_BODY = 8 * 1024 * 1024
"""Bytes of an answer that are read at most: 100 releases of 100 assets take about 3 MB."""
SLOWEST = 128 * 1024
"""Bytes a second that a download or an upload may take at least, on top of the timeout."""

_Exchange = Coroutine[Deferred[Any], Any, Reply]


@dataclass(frozen=True, slots=True)
class _Opened:
    status: int
    response: IResponse


class Transport:
    """Sends requests to GitHub's API and its storage, and to them alone: no redirect is followed, no cookie is kept.

    `timeout` is in seconds, of the `reactor`'s clock. `api`, `storage` and `uploads` are the breakers of GitHub's
    hosts: the trouble of one is not the others'. The `tally` is told of every call.
    """

    def __init__(self, agent: IAgent, reactor: IReactorTime, timeout: float, tally: Tally | None = None) -> None:
        no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        self._http = HTTPClient(agent, cookiejar=no_cookies)  # type: ignore[arg-type]  # treq wants its own subclass
        self.reactor = reactor
        self.timeout = timeout
        self._places = Places()
        self._hasher = TokenHasher()
        self._tally = tally or Tally()
        self.api = Breaker("GitHub", reactor.seconds)
        self.storage = Breaker("GitHub's storage", reactor.seconds)
        self.uploads = Breaker("GitHub's host for uploads", reactor.seconds)

    @property
    def breakers(self) -> dict[str, Breaker]:
        """The breakers by short names of their hosts."""
        return {"api": self.api, "storage": self.storage, "uploads": self.uploads}

    @property
    def waiting(self) -> int:
        """How many calls wait for a place towards GitHub."""
        return self._places.waiting

    async def send(
        self,
        method: str,
        url: str,
        token: Token,
        headers: Mapping[str, str],
        body: bytes | None = None,
        *,
        admit: Callable[[], None],
        kind: Call = Call.REST,
    ) -> Reply:
        """The API's reply, whatever its status. The body of a redirect or a download is not read.

        `admit` raises the error for a request that is not to be sent; it is asked again after the wait for a place.
        Raises UpstreamTimeoutError, UpstreamUnreachableError (BreakerOpenError where GitHub is left in peace),
        BusyError, and UpstreamError for a body that is too large.
        """
        authorized = {"Authorization": f"bearer {token.reveal()}", **headers}

        def exchange() -> _Exchange:
            return self._exchange(method, url, authorized, body, _largest_of_api)

        return await self._bounded(kind, exchange, self.api, self._hasher(token), admit)

    async def upload(
        self,
        url: str,
        token: Token,
        headers: Mapping[str, str],
        body: IBodyProducer,
        size: int,
        *,
        admit: Callable[[], None],
    ) -> Reply:
        """The reply to a POST whose body, of `size` bytes, is sent as fast as it is taken. Otherwise like `send`."""
        authorized = {"Authorization": f"bearer {token.reveal()}", **headers}

        def exchange() -> _Exchange:
            return self._exchange("POST", url, authorized, body, _largest_of_api)

        return await self._bounded(Call.UPLOAD, exchange, self.uploads, self._hasher(token), admit, size / SLOWEST)

    async def fetch(self, source: Source, headers: Mapping[str, str], limit: int, sink: Sink | None = None) -> Reply:
        """The reply of a file's source, with a body of up to `limit` bytes. No token goes to a signed URL.

        A `sink` takes the body as it comes, and the reply's is empty. Raises like `send`.
        """
        authorized = _authorized(source, headers)

        def exchange() -> _Exchange:
            return self._exchange("GET", source.url.reveal(), authorized, None, lambda _: limit, sink)

        return await self._bounded(Call.STORAGE, exchange, self.storage, None, _always, limit / SLOWEST)

    async def open(self, source: Source, headers: Mapping[str, str]) -> IResponse:
        """The response of a file's source, whose body is still to come. Raises like `send`."""
        authorized = _authorized(source, headers)

        async def exchange() -> _Opened:
            response = await self._request("GET", source.url.reveal(), authorized, None)
            return _Opened(response.code, response)

        opened = await self.storage.guard(lambda: self._told(Call.STORAGE, exchange, self.timeout))
        return opened.response

    async def _bounded(
        self,
        kind: Call,
        exchange: Callable[[], _Exchange],
        breaker: Breaker,
        who: TokenHash | None,
        admit: Callable[[], None],
        allowance: float = 0,
    ) -> Reply:
        """The wait for a place counts as a wait for GitHub, as long as half of the time remains for GitHub itself.

        Less would be no fair trial, and a call that is given up has cost GitHub as much.
        """
        until = self.reactor.seconds() + self.timeout
        breaker.check()
        admit()
        await self._within(self.timeout, self._places.take(who), "There was no place towards GitHub")
        try:
            admit()
            left = max(until - self.reactor.seconds(), self.timeout / 2) + allowance
            return await breaker.guard(lambda: self._told(kind, exchange, left))
        finally:
            self._places.give_back(who)

    async def _told(self, kind: Call, exchange: Callable[[], Coroutine[Deferred[Any], Any, A]], timeout: float) -> A:
        """The exchange, its failures in the domain's words."""

        async def call() -> A:
            try:
                return await self._within(timeout, Deferred.fromCoroutine(exchange()), "GitHub did not answer")
            except BROKEN as error:
                raise in_our_words(error) from None

        return await counted(self._tally, kind, call)

    async def _exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | IBodyProducer | None,
        largest: Callable[[IResponse], int],
        sink: Sink | None = None,
    ) -> Reply:
        response = await self._request(method, url, headers, body)
        return Reply(response.code, response.headers, await read_body(response, largest(response), sink))

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | IBodyProducer | None
    ) -> IResponse:
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

    async def _within(self, timeout: float, running: Deferred[T], what: str) -> T:
        """Cancels what is running when its time is over; tells that apart from a caller who went away."""
        timer = self.reactor.callLater(timeout, running.cancel)
        try:
            return await running
        except (CancelledError, *BROKEN) as error:
            if not is_cancelled(error):
                raise
            if timer.active():
                raise CancelledError from None
            raise UpstreamTimeoutError(f"{what} within {round(timeout, 2):g} s.") from None
        finally:
            if timer.active():
                timer.cancel()


def _authorized(source: Source, headers: Mapping[str, str]) -> Mapping[str, str]:
    """The headers for a source that treq can ask; raises UpstreamError where it cannot, be it that others can."""
    if not _can_be_asked(source.url.reveal()):
        raise UpstreamError("PyPIHub cannot ask the host of the download URL that GitHub gave.")
    if source.token is None:
        return headers
    return {
        "Authorization": f"bearer {source.token.reveal()}",
        "Accept": "application/octet-stream",
        **headers,
    }


def _can_be_asked(url: str) -> bool:
    """Treq takes no host but a name by the rules of IDNA, or an IPv4 address. A user before an @ is part of it."""
    try:
        return not EncodedURL.from_text(url).to_uri().userinfo
    except ValueError:  # URLParseError and IDNAError are some
        return False


def _largest_of_api(response: IResponse) -> int:
    """Redirects are not read, nor the bytes of a file."""
    is_file = response.code in (200, 206) and "json" not in (read_header(response.headers, "content-type") or "json")
    return 0 if is_file or 300 <= response.code < 400 else LARGEST_BODY


def _always() -> None:
    """Admits whatever it is."""
