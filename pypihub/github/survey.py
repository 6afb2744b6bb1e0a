"""A survey: the names of the files in all of an owner's repositories, within a budget of calls and points.

First all repositories are read with their newest release each, then the further releases of those that may hold more.
GitHub charges a point for a hundred connections, so a release of a repository costs about a hundredth:
https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api

No sockets and no reactor: `ask` is whatever puts a query to GitHub.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Protocol

from pypihub.errors import NotFoundError
from pypihub.github.decoding import ReleasePart
from pypihub.github.listing import Ask
from pypihub.github.owned import DeeperQuery, OwnedQuery, OwnedRelease, OwnedRepository
from pypihub.github.queries import AssetsQuery, ListingQuery, PageSize
from pypihub.github.together import together
from pypihub.index.model import Asset, Home
from pypihub.index.names import Owner, Repository
from pypihub.index.yanked import yanked_reason

MOST_CALLS = 120
MOST_POINTS = 300
MOST_PAGES = 100
"""Pages of 100 repositories, or fewer where GitHub finds that too many; they leave a third of the points."""
AT_ONCE = 4
RELEASES_AT_ONCE = 250
"""Releases that are asked for in one call: GitHub takes ten seconds at most for it."""
_DEPTHS = (100, 75, 60, 45, 35, 25, 15, 10, 5, 2)


class Sight(Protocol):
    """What sees repositories and the names of their files."""

    def meet(self, home: Home) -> None:
        """A repository, before any of its files."""

    def see(self, repository: str, filenames: Iterable[str], published_at: datetime | None, *, is_yanked: bool) -> None:
        """Files of a release that can be downloaded from the repository of this name."""

    def is_settled(self, repository: str) -> bool:
        """Whether nothing more needs to be known of the repository."""


async def survey(ask: Ask, owner: Owner, sight: Sight) -> None:
    """Shows `sight` what the owner's repositories hold.

    At most 120 calls for 300 points are made. Where they do not suffice, what is left out is the oldest: of all
    repositories the older releases, and repositories beyond the newest 10,000; beyond 2,500, 600 or 100 where GitHub
    finds pages of 100, 25 or 6 too large, for what takes long are the calls.

    Raises what `ask` raises; NotFoundError where there is no such owner.
    """
    budget = _Budget(MOST_CALLS, MOST_POINTS)
    depths = _Depths(ask, owner, sight, budget)
    query = OwnedQuery(owner)
    for _ in range(MOST_PAGES):
        budget.take(query.points)
        page = await ask(query)
        for repository in page.repositories:
            _show(sight, repository)
            depths.add(repository)
        if page.following is None:
            break
        query = page.following
    depths.plan()
    await together(*(depths.read() for _ in range(AT_ONCE)))


class _Budget:
    """Calls and points that may still be spent."""

    def __init__(self, calls: int, points: int) -> None:
        self.calls = calls
        self.points = points

    def take(self, points: int) -> bool:
        """Spends a call of so many points; tells whether there was enough left."""
        if not self.calls or points > self.points:
            return False
        self.calls -= 1
        self.points -= points
        return True


class _Depths:
    """The repositories of which more is to be known than their newest release, and the steps that read it.

    A step is one call: its price in points and what makes it. What it leaves over becomes a further step behind all
    others, so that no repository takes the calls of the rest.
    """

    def __init__(self, ask: Ask, owner: Owner, sight: Sight, budget: _Budget) -> None:
        self._ask = ask
        self._owner = owner
        self._sight = sight
        self._budget = budget
        self._repositories: list[OwnedRepository] = []
        self._steps: deque[tuple[int, Callable[[], Awaitable[None]]]] = deque()

    def add(self, repository: OwnedRepository) -> None:
        """A repository, read with its newest release."""
        if not repository.more:
            self._add_wide(repository)
        elif not self._sight.is_settled(repository.name):
            self._repositories.append(repository)  # it is read again, with all that it has

    def plan(self) -> None:
        """Puts the repositories into calls, as deep as the budget allows."""
        self._repositories.sort(key=lambda repository: repository.total)
        for depth in _DEPTHS:
            batches = list(_batches(self._repositories, depth))
            points = sum(query.points for query in batches)
            if len(batches) <= self._budget.calls and points <= self._budget.points:
                break
        self._steps.extendleft((query.points, partial(self._read_releases, query)) for query in reversed(batches))

    async def read(self) -> None:
        """Takes steps until there are none, or nothing is left to be spent."""
        while self._steps:
            points, step = self._steps.popleft()
            if self._budget.take(points):
                await step()

    async def _read_releases(self, query: DeeperQuery) -> None:
        for repository in await self._ask(query):
            _show(self._sight, repository)
            self._add_wide(repository)
            if repository.more:
                further = ListingQuery(Repository(self._owner, repository.name), after=repository.more)
                self._add(repository.name, partial(self._read_further_releases, further))

    async def _read_further_releases(self, query: ListingQuery) -> None:
        name = query.repository.name
        try:
            page, following = await self._ask(query)
        except NotFoundError:
            return  # it was removed meanwhile
        releases = [_owned(part) for part in page.parts if not part.release.is_draft]
        for release in releases:
            _see(self._sight, name, release)
        for release in releases:
            self._add_assets(name, release)
        if following is not None:
            self._add(name, partial(self._read_further_releases, following))

    async def _read_assets(self, name: str, release: OwnedRelease, query: AssetsQuery) -> None:
        page, following = await self._ask(query)
        _see(self._sight, name, replace(release, filenames=_filenames(page.assets)))
        if following is not None:
            self._add(name, partial(self._read_assets, name, release, following))

    def _add_wide(self, repository: OwnedRepository) -> None:
        for release in repository.releases:
            self._add_assets(repository.name, release)

    def _add_assets(self, name: str, release: OwnedRelease) -> None:
        """A step for the release's further files, where it has any."""
        if release.more:
            self._add(name, partial(self._read_assets, name, release, AssetsQuery(release.id, release.more)))

    def _add(self, name: str, step: Callable[[], Awaitable[None]]) -> None:
        """A further step for the repository of this name, where that is of use."""
        if not self._sight.is_settled(name):
            self._steps.append((1, step))


def _batches(repositories: Collection[OwnedRepository], depth: int) -> Iterable[DeeperQuery]:
    """Calls for up to `depth` releases of each; those with the fewest come first, so that those of a call are alike."""
    batch: list[str] = []
    most = 0
    for repository in repositories:
        wanted = min(repository.total, depth)
        if batch and (len(batch) == 100 or (len(batch) + 1) * wanted > RELEASES_AT_ONCE):
            yield DeeperQuery(tuple(batch), PageSize(releases=most))
            batch = []
        batch.append(repository.id)
        most = wanted
    if batch:
        yield DeeperQuery(tuple(batch), PageSize(releases=most))


def _show(sight: Sight, repository: OwnedRepository) -> None:
    """The repository with what is known of its files."""
    sight.meet(repository.home)
    for release in repository.releases:
        _see(sight, repository.name, release)


def _see(sight: Sight, name: str, release: OwnedRelease) -> None:
    """Some files of a release."""
    sight.see(name, release.filenames, release.published_at, is_yanked=release.is_yanked)


def _owned(part: ReleasePart) -> OwnedRelease:
    release = part.release
    is_yanked = yanked_reason(release.title) is not False
    return OwnedRelease(release.id, release.published_at, is_yanked, _filenames(release.assets), part.more)


def _filenames(assets: Iterable[Asset]) -> tuple[str, ...]:
    return tuple(asset.name for asset in assets if asset.size)
