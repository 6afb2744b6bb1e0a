"""A listing is read page by page until it is whole. (How its two ends meet: test_both_ends.py)"""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest

from pypihub.errors import NotFoundError, UpstreamError
from pypihub.github.decoding import AssetsPage, ListingPage, ReleasePart
from pypihub.github.listing import read_listing
from pypihub.github.queries import AssetsQuery, ListingQuery, PageSize, Query
from pypihub.index.model import Asset, Listing, Release
from pypihub.index.names import Owner, Repository

T = TypeVar("T")
_TIME = datetime(2026, 1, 1, tzinfo=UTC)
_REPOSITORY = Repository(Owner("octo"), "pkg")


def _assets(*names: str) -> tuple[Asset, ...]:
    return tuple(Asset(f"RA_{name}", name, 1, None, _TIME) for name in names)


def _release(name: str, *assets: str) -> Release:
    return Release(f"RE_{name}", False, _TIME, _assets(*assets))


def _part(name: str, *assets: str, more: str | None = None) -> ReleasePart:
    return ReleasePart(_release(name, *assets), more)


def _page(*parts: ReleasePart, more: str | None = None, name: str = "octo/pkg") -> ListingPage:
    """A page of a repository that says that it is small, so that nobody comes from its other end."""
    return ListingPage(name, False, 1, parts, more)


class _GitHub:
    """Answers from a script; `smaller` stands for a GitHub that finds pages of the full size too large."""

    def __init__(self, *pages: object, smaller: bool = False) -> None:
        self._pages = iter(pages)
        self._smaller = smaller
        self.asked: list[Any] = []

    async def ask(self, query: Query[T]) -> Any:
        self.asked.append(query)
        page = next(self._pages)
        if isinstance(page, Exception):
            raise page
        answered: Any = (self._smaller and query.smaller()) or query
        return page, replace(answered, after=page.more) if page.more else None


def _listing(github: _GitHub) -> Listing:
    """The listing; the script answers at once, so that no reactor is needed."""
    reading: Coroutine[Any, Any, Listing] = read_listing(github.ask, _REPOSITORY)
    try:
        reading.send(None)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    raise AssertionError("it waits for something that is not in the script")


def test_a_small_repository_costs_one_call() -> None:
    github = _GitHub(_page(_part("2", "b"), _part("1", "a"), name="Octo/Pkg"))
    assert _listing(github) == Listing("Octo/Pkg", False, (_release("2", "b"), _release("1", "a")))
    assert github.asked == [ListingQuery(_REPOSITORY)]


def test_a_repository_without_releases_is_an_empty_listing() -> None:
    assert _listing(_GitHub(_page())).releases == ()


def test_all_pages_of_releases_are_read_in_order() -> None:
    github = _GitHub(_page(_part("3"), more="c1"), _page(_part("2"), more="c2"), _page(_part("1")))
    assert [release.id for release in _listing(github).releases] == ["RE_3", "RE_2", "RE_1"]
    assert [query.after for query in github.asked] == [None, "c1", "c2"]


def test_all_pages_of_a_releases_assets_are_read() -> None:
    github = _GitHub(
        _page(_part("2", "a", "b", more="c1"), _part("1", "z")),
        AssetsPage(_assets("c"), "c2"),
        AssetsPage(_assets("d"), None),
    )
    assert _listing(github).releases == (_release("2", "a", "b", "c", "d"), _release("1", "z"))
    assert github.asked[1:] == [AssetsQuery("RE_2", "c1"), AssetsQuery("RE_2", "c2")]


def test_what_slides_onto_the_next_page_is_there_once() -> None:
    """A release or an asset was added between two calls."""
    github = _GitHub(
        _page(_part("2", "a"), more="c1"),
        _page(_part("2", "a"), _part("1", "b", "c", more="c2")),
        AssetsPage(_assets("c", "d"), None),
    )
    assert _listing(github).releases == (_release("2", "a"), _release("1", "b", "c", "d"))


def test_a_size_that_was_found_too_large_is_not_asked_for_again() -> None:
    github = _GitHub(_page(more="c1"), _page(more="c2"), _page(), smaller=True)
    _listing(github)
    assert [query.size for query in github.asked] == [PageSize(100), PageSize(25), PageSize(6)]


def test_nor_is_it_for_assets() -> None:
    pages = (_page(_part("1", more="c1")), AssetsPage((), "c2"), AssetsPage((), "c3"), AssetsPage((), None))
    github = _GitHub(*pages, smaller=True)
    _listing(github)
    assert [query.size for query in github.asked[1:]] == [100, 25, 6]


@pytest.mark.parametrize(
    "pages",
    [
        [_page(more=f"c{number}") for number in range(2000)],
        [_page(_part("1", more="c")), *(AssetsPage((), f"c{number}") for number in range(2000))],
    ],
    ids=["releases", "assets"],
)
def test_pages_without_end_come_to_an_end(pages: list[object]) -> None:
    with pytest.raises(UpstreamError, match=r"more .* than can be listed"):
        _listing(_GitHub(*pages))


@pytest.mark.parametrize("before", [(), (_page(more="c1"),), (_page(_part("1", more="c1")),)])
@pytest.mark.parametrize("error", [NotFoundError("gone"), UpstreamError("trouble")])
def test_a_part_of_a_listing_is_none(before: tuple[object, ...], error: Exception) -> None:
    with pytest.raises(type(error)):
        _listing(_GitHub(*before, error))
