"""Reads a whole listing, page by page. Sans-io: `ask` is whatever puts a query to GitHub."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace
from typing import Protocol, TypeVar

from pypihub.errors import UpstreamError
from pypihub.github.decoding import ReleasePart
from pypihub.github.queries import AssetsQuery, ListingQuery, Query
from pypihub.index.model import Asset, Listing, Release
from pypihub.index.names import Repository

T = TypeVar("T")

MOST_PAGES = 1000
"""Calls that one listing costs at most: 100,000 releases, or a thousandth of them with 100,000 assets each."""


class Ask(Protocol):
    """Puts a query to GitHub; gives the answer, and the query as it was answered (its pages maybe smaller)."""

    def __call__(self, query: Query[T]) -> Awaitable[tuple[T, Query[T]]]: ...


async def read_listing(ask: Ask, repository: Repository) -> Listing:
    """All releases of the repository with all their assets; one call up to 100 releases of up to 100 assets.

    Raises what `ask` raises, and UpstreamError where GitHub's pages come to no end.
    """
    query = ListingQuery(repository)
    releases: dict[str, Release] = {}
    for _ in range(MOST_PAGES):
        page, answered = await ask(query)
        for part in page.parts:
            releases[part.release.id] = await _whole_release(ask, part)
        if page.more is None:
            return Listing(page.name_with_owner, page.is_archived, tuple(releases.values()))
        size = answered.size if isinstance(answered, ListingQuery) else query.size
        query = replace(query, after=page.more, size=size)
    raise UpstreamError(f"{repository} has more releases than can be listed.")


async def _whole_release(ask: Ask, part: ReleasePart) -> Release:
    if part.more is None:
        return part.release
    assets: dict[str, Asset] = {asset.id: asset for asset in part.release.assets}
    more: str | None = part.more
    for _ in range(MOST_PAGES):
        if more is None:
            return replace(part.release, assets=tuple(assets.values()))
        page, _answered = await ask(AssetsQuery(part.release.id, more))
        assets.update((asset.id, asset) for asset in page.assets)
        more = page.more
    raise UpstreamError("A release has more assets than can be listed.")
