"""The client: puts queries to GitHub's API with the caller's token, and tries again where that may help."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import msgspec
from twisted.internet.interfaces import IReactorTime

from pypihub.errors import PyPIHubError, UpstreamError
from pypihub.github.answers import (
    ExhaustedError,
    Reply,
    UnknownFieldError,
    read_answer,
    read_lookup,
    refuse_bad_status,
)
from pypihub.github.body import TooLargeError
from pypihub.github.calls import Call
from pypihub.github.credentials import SignedURL, Source, Token
from pypihub.github.decoding import ReleaseAsset
from pypihub.github.downloads import Download
from pypihub.github.listing import read_listing
from pypihub.github.nodes import asset_number
from pypihub.github.patience import BACKOFF, Patience
from pypihub.github.points import Budget, Points
from pypihub.github.queries import LookupQuery, Query
from pypihub.github.releases import Releases
from pypihub.github.rest import Rest
from pypihub.github.standing import Standing, StandingQuery, read_standing
from pypihub.github.storage import Storage
from pypihub.github.survey import Sight, survey
from pypihub.github.tokens import TokenHasher
from pypihub.github.transport import Transport
from pypihub.index.model import Listing
from pypihub.index.names import Owner, Repository

_LABEL = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"  # more hosts than IDNA has: clients ask them, be it that treq cannot
_DOWNLOAD = re.compile(
    rf"https?://(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:.]{{2,45}}\])(?::[0-9]{{1,5}})?(?:[/?][\x21-\x7e]*)?"
)

T = TypeVar("T")
Q = TypeVar("Q", bound=Query[Any])


class Client:
    """GitHub's API at one place: github.com, an Enterprise Server, or the sandbox."""

    def __init__(
        self,
        transport: Transport,
        reactor: IReactorTime,
        *,
        api_url: str,
        graphql_url: str,
        backoff: Sequence[float] = BACKOFF,
    ) -> None:
        self._transport = transport
        self._storage = Storage(transport)
        self.points = Points(TokenHasher(), reactor.seconds)
        self._reactor = reactor
        self._api_url = api_url
        self._graphql_url = graphql_url
        self._patiently = Patience(backoff, transport.api, reactor)
        self._digest = True  # until the server says that its schema has none (GHES)

    async def listing(self, token: Token, repository: Repository) -> Listing:
        """All releases of the repository that the token may see.

        Raises NotFoundError and the other errors of `pypihub.errors` that begin with GitHub.
        """
        return await read_listing(partial(self._answer, token, Call.LISTING), repository)

    async def survey(self, token: Token, owner: Owner, sight: Sight) -> None:
        """Shows `sight` the files of all repositories of the owner that the token may see; raises like `listing`."""
        await survey(partial(self._answer, token, Call.SURVEY), owner, sight)

    async def standing(self, token: Token) -> Standing:
        """How the token stands with GitHub, for one point; raises like `listing`."""
        return await self._ask(token, StandingQuery(), read_standing, Call.STANDING)

    async def assets(self, token: Token, ids: Sequence[str]) -> tuple[ReleaseAsset | PyPIHubError, ...]:
        """The assets with these node ids (up to 100), each of them or its own error; raises like `listing`."""
        return await self._ask(token, LookupQuery(tuple(ids)), read_lookup, Call.LOOKUP)

    async def source(self, token: Token, asset: ReleaseAsset) -> Source:
        """Where the asset's bytes can be had for a few minutes; raises like `listing`.

        GraphQL's `url` serves where it points at storage. Where it points at GitHub itself, which would
        want the token, REST tells: https://docs.github.com/en/rest/releases/assets#get-a-release-asset
        """
        if _origin(asset.url.reveal()) not in self._own_origins():
            return Source(_checked(asset.url))
        url = f"{self._api_url}/repos/{quote(asset.name_with_owner)}/releases/assets/{asset_number(asset.id)}"
        return await self._patiently(partial(self._resolve, token, url))

    def releases(self, token: Token, name_with_owner: str) -> Releases:
        """The releases of a repository, under the name that its listing tells, to be written to."""
        now = self._reactor.seconds
        rest = Rest(self._transport, self.points, self._api_url, token, name_with_owner, now)
        return Releases(rest, self._api_url, self._patiently, self._reactor)

    async def read(self, source: Source, start: int, end: int, size: int) -> bytes:
        """A range of a file's bytes; see `Storage.read`."""
        return await self._storage.read(source, start, end, size)

    async def sha256(self, source: Source, size: int) -> str:
        """The hash of a file; see `Storage.sha256`."""
        return await self._storage.sha256(source, size)

    async def open(self, source: Source, size: int, wanted: Mapping[str, str]) -> Download:
        """A file's bytes as they come; see `Storage.open`."""
        return await self._storage.open(source, size, wanted)

    async def _resolve(self, token: Token, url: str) -> Source:
        accept = {"Accept": "application/octet-stream"}
        admit = partial(self.points.check, token, Budget.REST)
        reply = await self._transport.send("GET", url, token, accept, admit=admit)
        with self.points.heeding(token, Budget.REST, reply):
            refuse_bad_status(reply, self._reactor.seconds())
        if reply.status == 200 and not reply.body:
            return Source(SignedURL(url), token)  # an Enterprise Server that sends the bytes itself
        location = reply.header("location")
        if reply.status not in (301, 302, 307) or not location:
            raise UpstreamError(f"GitHub gave no download URL for this file (status {reply.status}).")
        return Source(_checked(SignedURL(location)))

    async def _answer(self, token: Token, kind: Call, query: Query[T]) -> T:
        return await self._ask(token, query, read_answer, kind)

    async def _ask(self, token: Token, query: Q, read: Callable[[Reply, Q, float], T], kind: Call) -> T:
        """The answer to the query, made smaller where GitHub found it too large."""

        async def attempt() -> T:
            nonlocal query
            while True:
                digest = self._digest
                try:
                    reply = await self._put(token, query, kind, digest=digest)
                    with self.points.heeding(token, Budget.GRAPHQL, reply):
                        return read(reply, query, self._reactor.seconds())
                except UnknownFieldError as error:
                    if error.field != "digest" or not digest:
                        raise
                    self._digest = False
                except TooLargeError:
                    if (smaller := query.smaller()) is None:
                        raise
                    query = smaller
                except ExhaustedError:
                    query = query.smaller() or query
                    raise

        return await self._patiently(attempt)

    async def _put(self, token: Token, query: Query[Any], kind: Call, *, digest: bool) -> Reply:
        body = msgspec.json.encode({"query": query.document(digest=digest), "variables": query.variables()})
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        admit = partial(self.points.check, token, Budget.GRAPHQL)
        return await self._transport.send("POST", self._graphql_url, token, headers, body, admit=admit, kind=kind)

    def _own_origins(self) -> set[tuple[str | None, int | None]]:
        """GitHub's API and its web site beside it, there also by the other scheme's usual port."""
        api, graphql = _origin(self._api_url), _origin(self._graphql_url)
        web = api[0].removeprefix("api.") if api[0] else None
        usual = {(host, port) for host in (api[0], web) for port in (80, 443)} if api[1] in (80, 443) else set()
        return {api, graphql, (web, api[1]), *usual}


def _origin(url: str) -> tuple[str | None, int | None]:
    """Host and port of a URL; (None, None) for what is none."""
    try:
        parts = urlsplit(url)
        return parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return None, None


def _checked(url: SignedURL) -> SignedURL:
    """The URL, if it can stand in a Location header; raises UpstreamError where it cannot."""
    if not _DOWNLOAD.fullmatch(url.reveal()):
        raise UpstreamError("GitHub gave a download URL that is none.")
    return url
