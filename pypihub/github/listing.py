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
Q = TypeVar("Q", ListingQuery, AssetsQuery)

MOST_PAGES = 1000
"""Calls that one listing costs at most: 100,000 releases, or a thousandth of them with 100,000 assets each."""


class Ask(Protocol):
    """Puts a query to GitHub, maybe with smaller pages than asked for, and gives its answer."""

    def __call__(self, query: Query[T]) -> Awaitable[T]: ...


async def read_listing(ask: Ask, repository: Repository) -> Listing:
    """All releases of the repository with all their assets; one call up to 100 releases of up to 100 assets.

    Raises what `ask` raises, and UpstreamError where GitHub's pages come to no end.
    """
    query = ListingQuery(repository)
    releases: dict[str, Release] = {}
    for _ in range(MOST_PAGES):
        page, following = await ask(query)
        for part in page.parts:
            releases[part.release.id] = await _whole_release(ask, part)
        if following is None:
            return Listing(page.name_with_owner, page.is_archived, tuple(releases.values()))
        query = _moved_on(query, following)
    raise UpstreamError(f"{repository} has more releases than can be listed.")


async def _whole_release(ask: Ask, part: ReleasePart) -> Release:
    if part.more is None:
        return part.release
    assets: dict[str, Asset] = {asset.id: asset for asset in part.release.assets}
    query = AssetsQuery(part.release.id, part.more)
    for _ in range(MOST_PAGES):
        page, following = await ask(query)
        assets.update((asset.id, asset) for asset in page.assets)
        if following is None:
            return replace(part.release, assets=tuple(assets.values()))
        query = _moved_on(query, following)
    raise UpstreamError("A release has more assets than can be listed.")


def _moved_on(query: Q, following: Q) -> Q:
    if following == query:
        raise UpstreamError("GitHub gives the same page again and again. Try again in a moment.")
    return following
