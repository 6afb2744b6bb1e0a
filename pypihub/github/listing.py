"""Reads a whole listing: one page where that is all, and else from both ends at once, until they meet.

No sockets and no reactor: `ask` is whatever puts a query to GitHub.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace
from typing import Protocol, TypeVar

from msgspec import structs

from pypihub.errors import NotFoundError, UpstreamError
from pypihub.github.decoding import ListingPage, ReleasePart
from pypihub.github.queries import AssetsQuery, ListingQuery, Query
from pypihub.github.together import together
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

    Raises what `ask` raises, NotFoundError for one that has moved to another owner (GitHub still finds it by its old
    name), and UpstreamError where GitHub's pages come to no end.
    """
    query = ListingQuery(repository)
    page, following = await ask(query)
    if page.name_with_owner.partition("/")[0].lower() != repository.owner.lower():
        raise NotFoundError(f"This does not belong to {repository.owner}.")
    reading = _Reading(ask, query)
    reading.take(page, query, following)
    await together(reading.read(reading.front), reading.read(reading.back))
    releases = (*reading.front.releases.values(), *reversed(reading.back.releases.values()))
    return Listing(page.name_with_owner, page.is_archived, releases, page.is_private)


class _End:
    """One end of a listing: the releases that were read from there, and how many are asked for at the moment."""

    def __init__(self) -> None:
        self.releases: dict[str, Release] = {}
        self.under_way = 0


class _Reading:
    """A listing while it is read.

    Releases come and go meanwhile, so only GitHub's answers prove that the ends have met. Counts merely keep both
    from asking for the last page between them.
    """

    def __init__(self, ask: Ask, query: ListingQuery) -> None:
        self._ask = ask
        self._gap: ListingQuery | None = query  # what neither end has read yet; None once they have met
        self._total = 0
        self._pages = 1
        self._incomplete: list[tuple[_End, ReleasePart]] = []
        self.front = _End()
        self.back = _End()

    async def read(self, end: _End) -> None:
        """Reads pages from this end, and completes then the releases that are incomplete, whoever found them."""
        while query := self._next(end):
            self._pages += 1
            end.under_way = query.size.releases
            page, following = await self._ask(query)
            end.under_way = 0
            self.take(page, query, following)
        while self._incomplete:
            its_end, part = self._incomplete.pop()
            its_end.releases[part.release.id] = await _whole_release(self._ask, part)

    def take(self, page: ListingPage, query: ListingQuery, following: ListingQuery | None) -> None:
        """Adds the answer to a query. What was read before stays: it slid onto this page, or the ends have met."""
        end, other = (self.back, self.front) if query.backward else (self.front, self.back)
        parts = page.parts[::-1] if query.backward else page.parts
        if following is None or (parts and parts[-1].release.id in other.releases):
            self._gap = None
        for part in parts:
            if part.release.id not in end.releases and part.release.id not in other.releases:
                end.releases[part.release.id] = part.release
                if part.more is not None:
                    self._incomplete.append((end, part))
        if self._gap is not None and following is not None:
            self._gap = _narrowed(self._gap, _moved_on(query, following))
        self._total = page.total

    def _next(self, end: _End) -> ListingQuery | None:
        """The query for this end's next page; None where the ends have met, or the other will do the rest.

        The other is left alone with what its page under way leaves over where that is nothing, or a full page:
        two pages that just fill the gap would not show that the ends have met.
        """
        gap, other = self._gap, self.front if end is self.back else self.back
        if gap is None:
            return None
        if self._pages >= MOST_PAGES:
            raise UpstreamError(f"{gap.repository} has more releases than can be listed.")
        left = self._total - len(end.releases) - len(other.releases) - other.under_way
        if other.under_way and (left <= 0 or left == gap.size.releases):
            return None
        return replace(gap, backward=end is self.back)


def _narrowed(gap: ListingQuery, following: ListingQuery) -> ListingQuery:
    """What is left of the gap, in pages as small as GitHub wanted them."""
    size = min(gap.size, following.size)
    if following.backward:
        return replace(gap, before=following.before, size=size)
    return replace(gap, after=following.after, size=size)


async def _whole_release(ask: Ask, part: ReleasePart) -> Release:
    if part.more is None:
        return part.release
    assets: dict[str, Asset] = {asset.id: asset for asset in part.release.assets}
    query = AssetsQuery(part.release.id, part.more)
    for _ in range(MOST_PAGES):
        page, following = await ask(query)
        assets.update((asset.id, asset) for asset in page.assets)
        if following is None:
            return structs.replace(part.release, assets=tuple(assets.values()))
        query = _moved_on(query, following)
    raise UpstreamError("A release has more assets than can be listed.")


def _moved_on(query: Q, following: Q) -> Q:
    if following == query:
        raise UpstreamError("GitHub gives the same page again and again. Try again in a moment.")
    return following
