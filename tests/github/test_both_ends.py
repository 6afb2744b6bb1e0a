"""A large listing is read from both ends at once: as much as one reading from the front gives, in half the time."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from graphql import GraphQLSchema
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.web.http_headers import Headers

from pypihub.errors import ForbiddenError
from pypihub.github.answers import Reply, read_answer
from pypihub.github.listing import read_listing
from pypihub.github.queries import AssetsQuery, ListingQuery, PageSize, Query
from pypihub.index.model import Listing
from pypihub.index.names import Owner, Repository
from pypihub.sandbox.execution import Engine, Question
from pypihub.sandbox.links import Links
from pypihub.sandbox.quotas import Quotas
from pypihub.sandbox.records import Release
from pypihub.sandbox.schema import github_schema
from pypihub.sandbox.world import World

T = TypeVar("T")
_REPOSITORY = Repository(Owner("octo"), "pkg")


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return github_schema()


@dataclass(eq=False)
class Call:
    """A query that was put. GitHub looks into its data when it `works` on it; the answer `arrives` later."""

    query: Query[Any]
    answer: Callable[[], Any]
    arrived: Deferred[Any]
    result: Any = None

    def works(self) -> Call:
        self.result = self.result or self.answer()
        return self

    def arrives(self) -> None:
        self.works().arrived.callback(self.result)


@dataclass(eq=False)
class Box:
    """GitHub without a network: what is asked waits until the test has it answered. Pages have `size` releases."""

    schema: GraphQLSchema
    size: int = 100
    asked: list[Query[Any]] = field(default_factory=list)
    open: list[Call] = field(default_factory=list)
    cancelled: int = 0

    def __post_init__(self) -> None:
        self.world = World()
        self.repository = self.world.add_repository(str(_REPOSITORY))
        self._caller = self.world.authenticate(self.world.add_token("octo"))
        links = Links("http://api", "http://storage", "http://uploads", self.world.now)
        self._engine, self._quotas = Engine(self.schema, self.world, links), Quotas()

    def add(self, releases: int, *, assets: int = 0) -> list[Release]:
        """Releases with assets, the oldest first."""
        added = [self.repository.add_release(f"v{number}") for number in range(releases)]
        for release in added:
            for number in range(assets):
                release.add_asset(f"{release.tag_name}-{number}.zip", b"x")
        return added

    def read(self) -> Deferred[Listing]:
        return Deferred.fromCoroutine(read_listing(self.ask, _REPOSITORY))

    def ask(self, query: Query[T]) -> Deferred[T]:
        """Stands for the client, which asks for smaller pages where those asked for are too large."""
        asked: Any = query
        if isinstance(query, ListingQuery):
            asked = replace(query, size=min(query.size, PageSize(self.size, 100)))
        call = Call(query, lambda: self._answer(asked), Deferred(self._cancel))
        self.asked.append(query)
        self.open.append(call)
        call.arrived.addBoth(lambda result: self.open.remove(call) or result)
        return call.arrived

    def _cancel(self, arrived: Deferred[Any]) -> None:
        self.cancelled += 1

    def _answer(self, query: Query[T]) -> T:
        assert self._caller
        result = self._engine.run(
            Question(query.document(digest=True), query.variables()),
            self._caller,
            lambda points: self._quotas.spend("octo", "graphql", points, self.world.now()),
        )
        return read_answer(Reply(200, Headers(), json.dumps(result.payload).encode()), query, 0)

    def rounds(self) -> int:
        """Answers everything; gives how many times in a row it was waited for GitHub."""
        count = 0
        while self.open:
            for call in [call.works() for call in self.open]:
                call.arrives()
            count += 1
        return count

    @property
    def backward(self) -> list[bool]:
        """The direction of the open calls for pages."""
        return [call.query.backward for call in self.open if isinstance(call.query, ListingQuery)]


def ids(listing: Deferred[Listing]) -> list[str]:
    return [release.id for release in done(listing).releases]


def done(listing: Deferred[Listing]) -> Listing:
    """The result of a reading that is over."""
    results: list[Any] = []
    listing.addBoth(results.append)
    (result,) = results
    assert isinstance(result, Listing), result
    return result


def failure(listing: Deferred[Listing]) -> BaseException:
    results: list[Any] = []
    listing.addErrback(results.append)
    (result,) = results
    error = result.value
    assert isinstance(error, BaseException)
    return error


# releases, calls, and how many of them one after the other
COSTS = [
    (0, 1, 1),
    (100, 1, 1),
    (101, 2, 2),
    (200, 2, 2),
    (201, 3, 2),
    (300, 3, 3),
    (399, 4, 3),
    (400, 4, 3),
    (1000, 10, 6),
    (1001, 11, 6),
    (1099, 11, 6),
    (1100, 11, 7),
]


@pytest.mark.parametrize(("releases", "calls", "rounds"), COSTS)
def test_both_ends_come_to_meet_without_a_call_too_many(
    schema: GraphQLSchema, releases: int, calls: int, rounds: int
) -> None:
    box = Box(schema)
    added = box.add(releases)
    listing = box.read()
    assert box.rounds() == rounds
    assert len(box.asked) == calls
    assert ids(listing) == [release.id for release in reversed(added)]


@pytest.mark.parametrize("size", [1, 6, 25])
def test_pages_that_come_smaller_than_asked_for_are_read_from_both_ends(schema: GraphQLSchema, size: int) -> None:
    box = Box(schema, size)
    added = box.add(120)
    listing = box.read()
    assert box.rounds() <= 120 / size / 2 + 2
    assert len(box.asked) <= 120 / size + 1
    assert ids(listing) == [release.id for release in reversed(added)]
    sizes = {query.size.releases for query in box.asked[1:] if isinstance(query, ListingQuery)}
    assert sizes == {size}, "what was found too large is not asked for again, from neither end"


def test_pages_become_too_large_at_one_end(schema: GraphQLSchema) -> None:
    box = Box(schema)
    added = box.add(450)
    listing = box.read()
    box.open[0].arrives()
    assert box.backward == [False, True]
    box.size = 25
    assert box.rounds() <= 9
    assert ids(listing) == [release.id for release in reversed(added)]


def test_many_assets_of_a_release_do_not_hold_up_the_pages(schema: GraphQLSchema) -> None:
    box = Box(schema, 2)
    added = box.add(12)
    for release in (added[-1], added[0]):
        for number in range(205):
            release.add_asset(f"{number}.zip", b"x")
    listing = box.read()
    while any(isinstance(call.query, ListingQuery) for call in box.open):
        next(call for call in box.open if isinstance(call.query, ListingQuery)).arrives()
    assert len({call.query for call in box.open}) == 2, "the assets of both releases are asked for at once"
    box.rounds()
    assert sum(isinstance(query, ListingQuery) for query in box.asked) == 6
    assert sum(isinstance(query, AssetsQuery) for query in box.asked) == 4
    assert [len(release.assets) for release in done(listing).releases] == [205, *[0] * 10, 205]


# Releases come and go.


@dataclass(frozen=True)
class Change:
    """A release is added or deleted, `after` so many moments, at a place of the order (0 is the oldest's)."""

    after: int
    place: int
    is_new: bool


def apply(box: Box, change: Change, number: int) -> None:
    in_order = sorted(box.repository.releases.values(), key=lambda release: (release.created_at, release.database_id))
    if not change.is_new and in_order:
        box.repository.remove_release(in_order[change.place % len(in_order)].tag_name)
    elif change.is_new and change.place < len(in_order):
        before = in_order[change.place].created_at
        box.repository.add_release(f"new{number}", created_at=before - timedelta(milliseconds=1 + number))
    elif change.is_new:
        box.repository.add_release(f"new{number}")


Moment = Callable[[Box], None]


def the_first_is_answered(box: Box) -> None:
    box.open[0].arrives()


def the_last_is_answered(box: Box) -> None:
    box.open[-1].arrives()


def all_are_worked_on_and_the_last_arrives(box: Box) -> None:
    [call.works() for call in box.open][-1].arrives()


def all_are_worked_on_and_the_first_arrives(box: Box) -> None:
    next(iter([call.works() for call in box.open])).arrives()


MOMENTS = (
    the_first_is_answered,
    the_last_is_answered,
    all_are_worked_on_and_the_first_arrives,
    all_are_worked_on_and_the_last_arrives,
)


def check(box: Box, releases: int, moments: Sequence[Moment], changes: Sequence[Change]) -> int:
    """Reads while the releases change, and checks what comes of it; gives how many moments there were."""
    at_first = [release.id for release in box.add(releases)]
    known = set(at_first)
    listing, moment = box.read(), 0
    while box.open:
        for number, change in enumerate(changes):
            if change.after == moment:
                apply(box, change, number)
                known.update(release.id for release in box.repository.releases.values())
        moments[moment % len(moments)](box)
        moment += 1
        assert moment <= releases / box.size + len(changes) + 3, "it goes on and on"
    left = {release.id for release in box.repository.releases.values()}
    found = ids(listing)
    stayed = [each for each in reversed(at_first) if each in left]
    assert [each for each in found if each in stayed] == stayed, "each that stayed is there once, the newest first"
    assert len(found) == len(set(found))
    assert set(found) <= known
    return moment


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: moment.__name__)
@pytest.mark.parametrize("releases", [7, 8])
def test_a_release_comes_or_goes_at_any_point(schema: GraphQLSchema, releases: int, moment: Moment) -> None:
    moments = check(Box(schema, 2), releases, [moment], [])
    for after in range(1, moments):
        for place in range(releases + 1):
            check(Box(schema, 2), releases, [moment], [Change(after, place, is_new=True)])
            check(Box(schema, 2), releases, [moment], [Change(after, place, is_new=False)])


_CHANGES = st.builds(Change, after=st.integers(0, 7), place=st.integers(0, 12), is_new=st.booleans())


@settings(max_examples=200)
@given(
    releases=st.integers(0, 12),
    size=st.integers(1, 4),
    moments=st.lists(st.sampled_from(MOMENTS), min_size=1, max_size=8),
    changes=st.lists(_CHANGES, max_size=6),
)
def test_releases_come_and_go_at_several_points(
    schema: GraphQLSchema, releases: int, size: int, moments: list[Moment], changes: list[Change]
) -> None:
    check(Box(schema, size), releases, moments, changes)


def test_one_that_goes_does_not_make_up_for_one_that_comes(schema: GraphQLSchema) -> None:
    """The number of releases is the same before and after, and yet they have not all been read."""
    box = Box(schema, 2)
    added = box.add(8)
    listing = box.read()
    box.open[0].arrives()
    box.open[1].arrives()  # the two oldest
    box.repository.remove_release(added[0].tag_name)
    box.repository.add_release("another", created_at=added[4].created_at)
    box.rounds()
    assert set(ids(listing)) >= {release.id for release in added[1:]}


def test_a_draft_is_published_meanwhile(schema: GraphQLSchema) -> None:
    box = Box(schema, 2)
    added = [box.repository.add_release(f"v{number}", draft=number == 2) for number in range(5)]
    listing = box.read()
    box.open[0].arrives()
    added[2].publish()
    box.rounds()
    assert ids(listing) == [release.id for release in reversed(added)]


def test_a_release_that_moves_hides_no_other(schema: GraphQLSchema) -> None:
    """It may happen to a draft that is published. The back sees it again, and has met nobody."""
    box = Box(schema, 3)
    added = box.add(12)
    listing = box.read()
    box.open[0].arrives()
    added[11].created_at = added[1].created_at - timedelta(milliseconds=1)
    box.rounds()
    assert ids(listing) == [release.id for release in reversed(added)]


# Trouble.


@pytest.mark.parametrize("which", [0, 1])
def test_trouble_at_one_end_ends_the_other(schema: GraphQLSchema, which: int) -> None:
    box = Box(schema, 2)
    box.add(9)
    listing = box.read()
    box.open[0].arrives()
    assert box.backward == [False, True]
    box.open[which].arrived.errback(ForbiddenError("no"))
    assert isinstance(failure(listing), ForbiddenError)
    assert (box.cancelled, box.open) == (1, [])


def test_who_hangs_up_ends_both(schema: GraphQLSchema) -> None:
    box = Box(schema, 2)
    box.add(9)
    listing = box.read()
    box.open[0].arrives()
    listing.cancel()
    assert isinstance(failure(listing), CancelledError)
    assert (box.cancelled, box.open) == (2, [])
