"""A survey of an owner's repositories keeps to its budget, whatever they hold. (On the sandbox: web/test_root.py)"""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from datetime import datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypihub.errors import NotFoundError, UpstreamError
from pypihub.github.decoding import AssetsPage, ListingPage
from pypihub.github.owned import DeeperQuery, OwnedPage, OwnedQuery, OwnedRelease, OwnedRepository
from pypihub.github.queries import AssetsQuery, ListingQuery, PageSize
from pypihub.github.survey import MOST_CALLS, MOST_POINTS, survey
from pypihub.index.model import Home
from pypihub.index.names import Owner

_OCTO = Owner("octo")


class _Sight:
    """Remembers what it sees; a repository whose name is in `settled` is settled."""

    def __init__(self, settled: Iterable[str] = ()) -> None:
        self.seen: dict[str, list[str]] = {}
        self._settled = set(settled)

    def meet(self, home: Home) -> None:
        self.seen.setdefault(home.name, [])

    def see(self, repository: str, filenames: Iterable[str], published_at: datetime | None, *, is_yanked: bool) -> None:
        self.seen.setdefault(repository, []).extend(filenames)

    def is_settled(self, repository: str) -> bool:
        return repository in self._settled


class _GitHub:
    """Repositories by name with so many releases, each with more assets than fit a page if `wide`."""

    def __init__(self, totals: dict[str, int], *, wide: bool = False, gone: bool = False) -> None:
        self._totals = totals
        self._wide = wide
        self._gone = gone
        self.asked: list[Any] = []

    def _repository(self, name: str, releases: int) -> OwnedRepository:
        total = self._totals[name]
        shown = min(releases, total)
        cursor = "c" if self._wide else None
        found = tuple(
            OwnedRelease(f"RE_{name}_{number}", None, False, (f"{name}-{number}",), cursor) for number in range(shown)
        )
        return OwnedRepository(name, Home(name, "", True, False), total, found, "c" if total > shown else None)

    async def ask(self, query: Any) -> Any:
        self.asked.append(query)
        match query:
            case OwnedQuery():
                names = list(self._totals)
                start = int(query.after or 0)
                end = start + query.repositories
                found = tuple(self._repository(name, 1) for name in names[start:end])
                following = OwnedQuery(_OCTO, str(end)) if end < len(names) else None
                return OwnedPage(found, following)
            case DeeperQuery():
                return tuple(self._repository(name, query.size.releases) for name in query.ids)
            case ListingQuery():
                if self._gone:
                    raise NotFoundError("It was removed.")
                return ListingPage(str(query.repository), False, 0, (), "c"), query
            case AssetsQuery():
                return AssetsPage((), "c"), query

    @property
    def points(self) -> int:
        return sum(getattr(query, "points", 1) for query in self.asked)


def _run(github: _GitHub, sight: _Sight) -> None:
    work: Coroutine[Any, Any, None] = survey(github.ask, _OCTO, sight)
    with pytest.raises(StopIteration):
        work.send(None)


@given(st.lists(st.integers(0, 100) | st.integers(0, 100_000), max_size=600), st.booleans())
def test_no_owner_costs_more_than_the_budget(totals: list[int], wide: bool) -> None:
    github = _GitHub({f"r{number}": total for number, total in enumerate(totals)}, wide=wide)
    sight = _Sight()
    _run(github, sight)
    assert len(github.asked) <= MOST_CALLS
    assert github.points <= MOST_POINTS
    assert len(sight.seen) == len(totals)
    for query in github.asked:
        if isinstance(query, DeeperQuery):
            assert len(query.ids) <= 100
            assert len(query.ids) * query.size.releases * 101 < 500_000, "GitHub's own limit for nodes"


def test_an_endless_number_of_repositories_keeps_to_it_too() -> None:
    github = _GitHub({f"r{number}": 50 for number in range(30_000)})
    _run(github, _Sight())
    assert len(github.asked) <= MOST_CALLS
    assert github.points <= MOST_POINTS


@pytest.mark.parametrize("totals", [[2] * 500, [45] * 500, [1, 100, 3, 60] * 100, [100]])
def test_what_fits_the_budget_is_read_whole(totals: list[int]) -> None:
    github = _GitHub({f"r{number}": total for number, total in enumerate(totals)})
    sight = _Sight()
    _run(github, sight)
    assert [len(set(files)) for files in sight.seen.values()] == totals


def test_where_the_budget_is_short_every_repository_is_read_to_some_depth() -> None:
    github = _GitHub({f"r{number}": 1000 for number in range(500)})
    sight = _Sight()
    _run(github, sight)
    assert {len(set(files)) for files in sight.seen.values()} == {45}


def test_of_what_is_settled_nothing_more_is_read() -> None:
    names = [f"r{number}" for number in range(150)]
    github = _GitHub(dict.fromkeys(names, 200), wide=True)
    _run(github, _Sight(names))
    assert [type(query) for query in github.asked] == [OwnedQuery, OwnedQuery]


def test_a_repository_that_is_removed_meanwhile_takes_nothing_from_the_others() -> None:
    github = _GitHub({"a": 101, "b": 101}, gone=True)
    sight = _Sight()
    _run(github, sight)
    assert {name: len(set(files)) for name, files in sight.seen.items()} == {"a": 100, "b": 100}


def _raw(data: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(data))


def _owner(login: str = "Octo", nodes: object = ()) -> dict[str, object]:
    page = {"hasNextPage": False, "endCursor": None}
    return {"repositoryOwner": {"login": login, "repositories": {"pageInfo": page, "nodes": nodes}}}


def test_nobody_s_login_is_not_found() -> None:
    assert OwnedQuery(_OCTO).decode(_raw(_owner())) == OwnedPage((), None)
    for data in ({"repositoryOwner": None}, _owner("another")):
        with pytest.raises(NotFoundError, match="octo"):
            OwnedQuery(_OCTO).decode(_raw(data))


@pytest.mark.parametrize(
    "data",
    [
        {},
        None,
        {"repositoryOwner": {"login": "octo", "repositories": None}},
        {"repositoryOwner": {"login": None}},
        _owner(nodes=None),
        _owner(
            nodes=[{"id": "R_1", "nameWithOwner": "octo/a", "isPrivate": True, "isArchived": False, "releases": None}]
        ),
    ],
)
def test_partial_data_is_no_page(data: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        OwnedQuery(_OCTO).decode(_raw(data))


def test_a_repository_that_is_missing_among_others_is_trouble() -> None:
    query = DeeperQuery(("R_1",), PageSize())
    with pytest.raises(msgspec.ValidationError):
        query.decode(_raw({"nodes": [None]}))
    assert isinstance(query.missing(), UpstreamError)
