"""The client: puts queries to GitHub's API with the caller's token, and tries again where that may help."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar
from urllib.parse import quote, urlsplit

import msgspec
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from pypihub.errors import UpstreamError
from pypihub.github.answers import ExhaustedError, TooLargeError, UnknownFieldError, read_answer, refuse_bad_status
from pypihub.github.credentials import SignedURL, Token
from pypihub.github.decoding import ReleaseAsset
from pypihub.github.listing import read_listing
from pypihub.github.nodes import asset_number
from pypihub.github.queries import AssetQuery, Query
from pypihub.github.transport import Transport
from pypihub.index.model import Listing
from pypihub.index.names import Repository

T = TypeVar("T")

BACKOFF = (0.25, 1.0)
"""Seconds to wait before the second and the third try."""


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
        self._reactor = reactor
        self._api_url = api_url
        self._graphql_url = graphql_url
        self._backoff = backoff
        self._digest = True  # until the server says that its schema has none (GHES)

    async def listing(self, token: Token, repository: Repository) -> Listing:
        """All releases of the repository that the token may see.

        Raises NotFoundError and the other errors of `pypihub.errors` that begin with GitHub.
        """
        return await read_listing(partial(self._ask, token), repository)

    async def asset(self, token: Token, asset_id: str) -> ReleaseAsset:
        """The asset with this node id; raises like `listing`."""
        return await self._ask(token, AssetQuery(asset_id))

    async def download_url(self, token: Token, asset: ReleaseAsset) -> SignedURL:
        """Where the asset's bytes can be had for a few minutes, without the token; raises like `listing`.

        GraphQL's `url` serves where it points at storage. Where it points at GitHub itself, which would
        want the token, REST tells: https://docs.github.com/en/rest/releases/assets#get-a-release-asset
        """
        if _origin(asset.url.reveal()) not in self._own_origins():
            return _checked(asset.url)
        url = f"{self._api_url}/repos/{quote(asset.name_with_owner)}/releases/assets/{asset_number(asset.id)}"
        return await self._patiently(partial(self._resolve, token, url))

    async def _resolve(self, token: Token, url: str) -> SignedURL:
        reply = await self._transport.send("GET", url, token, {"Accept": "application/octet-stream"})
        refuse_bad_status(reply, self._reactor.seconds())
        location = reply.header("location")
        if reply.status not in (301, 302, 307) or not location:
            raise UpstreamError(f"GitHub gave no download URL for this file (status {reply.status}).")
        return _checked(SignedURL(location))

    async def _ask(self, token: Token, query: Query[T]) -> T:
        """The answer to the query, made smaller where GitHub found it too large."""

        async def attempt() -> T:
            nonlocal query
            while True:
                digest = self._digest
                try:
                    return await self._put(token, query, digest=digest)
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

    async def _put(self, token: Token, query: Query[T], *, digest: bool) -> T:
        body = msgspec.json.encode({"query": query.document(digest=digest), "variables": query.variables()})
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        reply = await self._transport.send("POST", self._graphql_url, token, headers, body)
        return read_answer(reply, query, self._reactor.seconds())

    async def _patiently(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """What `attempt` gives, tried again after a pause where GitHub had trouble."""
        for pause in self._backoff:
            try:
                return await attempt()
            except UpstreamError:
                await deferLater(self._reactor, pause)
        return await attempt()

    def _own_origins(self) -> set[tuple[str | None, int | None]]:
        api, graphql = _origin(self._api_url), _origin(self._graphql_url)
        web = (api[0].removeprefix("api.") if api[0] else None, api[1])
        return {api, graphql, web}


def _origin(url: str) -> tuple[str | None, int | None]:
    """Host and port of a URL; (None, None) for what is none."""
    try:
        parts = urlsplit(url)
        return parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return None, None


def _checked(url: SignedURL) -> SignedURL:
    """The URL, if it can stand in a Location header; raises UpstreamError where it cannot."""
    text = url.reveal()
    sound = text.startswith(("https://", "http://")) and text.isascii() and text.isprintable() and " " not in text
    if not sound or _origin(text)[0] is None:
        raise UpstreamError("GitHub gave a download URL that is none.")
    return url
