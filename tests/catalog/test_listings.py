"""How long a listing is shown, when GitHub is asked again, and what is shown while it has trouble; on a clock."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from pypihub.catalog import listings as module
from pypihub.catalog.listings import FRESHEST, PAUSE, Listings
from pypihub.catalog.memory import Memory
from pypihub.catalog.snapshots import Snapshot
from pypihub.errors import (
    BusyError,
    ForbiddenError,
    NotFoundError,
    PyPIHubError,
    RateLimitedError,
    StoppingError,
    TokenRefusedError,
    UpstreamError,
    UpstreamUnreachableError,
)
from pypihub.github.credentials import Token
from pypihub.github.tokens import TokenHasher
from pypihub.index.model import Listing, Release
from pypihub.index.names import Owner, Repository

MINE, YOURS = Token("ghp_mine"), Token("ghp_yours")
DEMO, OTHER = Repository(Owner("octo"), "demo"), Repository(Owner("octo"), "other")
TTL, STALE = 30.0, 3600.0
TROUBLES = [UpstreamError("502"), UpstreamUnreachableError("cut"), RateLimitedError("limit"), BusyError()]
REFUSALS = [TokenRefusedError("401"), ForbiddenError("403"), NotFoundError("404")]


class Desk:
    """Listings over a GitHub whose answers the test gives; each answer is a listing of one more release."""

    def __init__(self, limit: int = 1_000_000) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.memory: Memory[object, object] = Memory(limit)
        self.calls: list[Deferred[Listing]] = []
        self.serials: set[int] = set()
        self.listings = Listings(self._ask, Listing, TokenHasher(), self.memory, self.clock, ttl=TTL, stale=STALE)

    def _ask(self, token: Token, repository: Repository) -> Deferred[Listing]:
        self.calls.append(Deferred())
        return self.calls[-1]

    def get(
        self, token: Token = MINE, repository: Repository = DEMO, *, fresh: bool = False
    ) -> tuple[list[object], Deferred[None]]:
        """What a caller is told, once that is so: the number of releases, or the error; and what they wait for."""
        told: list[object] = []
        waiting = Deferred.fromCoroutine(self.listings.snapshot(token, repository, fresh=fresh))

        def tell(snapshot: Snapshot[Listing]) -> None:
            self.serials.add(snapshot.serial)
            told.append(len(snapshot.content().releases))

        waiting.addCallbacks(tell, lambda failure: told.append(failure.value))
        return told, waiting

    def told(self, token: Token = MINE, repository: Repository = DEMO, *, fresh: bool = False) -> list[object]:
        """What a caller is told who is told something at once."""
        return self.get(token, repository, fresh=fresh)[0]

    def answer(self, releases: int = 1, call: int = -1) -> None:
        made = tuple(Release(f"RE_{number}", False, None, ()) for number in range(releases))
        self.calls[call].callback(Listing("octo/demo", False, made))

    def fail(self, error: Exception, call: int = -1) -> None:
        self.calls[call].errback(error)

    def warm(self, releases: int = 1) -> None:
        """One caller has asked, and GitHub has answered."""
        told = self.told()
        self.answer(releases)
        assert told == [releases]


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def warm(desk: Desk) -> Desk:
    """With a listing of one release that was just read."""
    desk.warm()
    return desk


@pytest.fixture
def warnings() -> Iterator[list[str]]:
    """What is logged for the operator."""
    lines: list[str] = []

    def observe(event: LogEvent) -> None:
        if event["log_level"].name == "warn":
            lines.append(str(formatEvent(event)))

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)


def test_for_its_time_nobody_is_asked_and_then_the_caller_waits(warm: Desk) -> None:
    warm.clock.advance(TTL * 2 / 3 - 0.01)
    assert (warm.told(), len(warm.calls)) == ([1], 1)
    warm.clock.advance(TTL / 3 + 0.01)
    told = warm.told()
    assert (told, len(warm.calls)) == ([], 2)
    warm.answer(2)
    assert told == [2]


def test_in_the_last_third_it_is_renewed_and_nobody_waits(warm: Desk) -> None:
    warm.clock.advance(TTL * 2 / 3)
    assert [warm.told() for _ in range(3)] == [[1]] * 3
    assert (len(warm.calls), len(warm.listings)) == (2, 1)
    warm.answer(2)
    assert (warm.told(), len(warm.calls), len(warm.listings)) == ([2], 2, 0)
    warm.clock.advance(TTL * 2 / 3 - 0.01)
    assert (warm.told(), len(warm.calls)) == ([2], 2)


def test_a_renewal_that_fails_is_tried_again_after_a_pause(warm: Desk) -> None:
    warm.clock.advance(TTL * 2 / 3)
    warm.told()
    warm.fail(UpstreamError("502"))
    assert (warm.told(), len(warm.calls)) == ([1], 2)
    warm.clock.advance(PAUSE)
    assert (warm.told(), len(warm.calls)) == ([1], 3)


def test_who_wants_it_fresh_has_it_from_github_once_a_second(warm: Desk) -> None:
    assert (warm.told(fresh=True), len(warm.calls)) == ([1], 1)
    warm.clock.advance(FRESHEST)
    told = [warm.told(fresh=True) for _ in range(3)]
    assert (told, len(warm.calls)) == ([[]] * 3, 2)
    warm.answer(2)
    assert told == [[2]] * 3
    assert (warm.told(fresh=True), warm.told(), len(warm.calls)) == ([2], [2], 2)


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda error: type(error).__name__)
def test_in_trouble_the_last_one_is_shown_with_one_line_in_the_log(
    warm: Desk, trouble: PyPIHubError, warnings: list[str]
) -> None:
    warm.clock.advance(TTL)
    waiting = [warm.told() for _ in range(3)]
    assert len(warm.calls) == 2
    warm.fail(trouble)
    assert waiting == [[1]] * 3
    assert (warm.told(fresh=True), warm.told(), len(warm.calls)) == ([1], [1], 2), "a pause comes first"
    for _ in range(3):
        warm.clock.advance(PAUSE)
        asked = len(warm.calls)
        assert (warm.told(), warm.told(), len(warm.calls)) == ([1], [1], asked + 1), "and nobody waits"
        warm.fail(trouble)
    assert warnings == [f"A stale listing of octo/demo is shown: {trouble.message}"]


def test_after_the_trouble_it_is_fresh_and_new_trouble_is_a_new_line(warm: Desk, warnings: list[str]) -> None:
    for releases in (1, 2):
        warm.clock.advance(TTL)
        warm.told()
        warm.fail(UpstreamError("502"))
        warm.clock.advance(PAUSE)
        warm.told()
        warm.answer(releases)
        assert warm.told() == [releases]
        assert len(warnings) == releases
    asked = len(warm.calls)
    warm.clock.advance(TTL)
    assert (warm.told(), len(warm.calls)) == ([], asked + 1), "its time is over, and the caller waits again"


def test_a_stale_listing_has_an_end(warm: Desk) -> None:
    warm.clock.advance(TTL + STALE)
    told = warm.told()
    warm.fail(UpstreamError("502"))
    assert told == [1]
    warm.clock.advance(0.1)
    told = warm.told()
    assert told == []
    error = UpstreamError("502 again")
    warm.fail(error)
    assert told == [error]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("ahead", [True, False])
def test_a_refusal_ends_it_at_once(warm: Desk, refusal: PyPIHubError, ahead: bool) -> None:
    warm.clock.advance(TTL * 2 / 3 if ahead else TTL)
    told = warm.told()
    warm.fail(refusal)
    assert told == ([1] if ahead else [refusal])
    assert (warm.memory.used, len(warm.memory)) == (0, 0)
    after = warm.told()
    if isinstance(refusal, NotFoundError):
        assert [str(error) for error in after] == ["404"]
    else:
        assert after == [], "GitHub is asked"
        trouble = UpstreamError("502")
        warm.fail(trouble)
        assert after == [trouble], "what was seen before the refusal is not shown in trouble either"


def test_what_was_made_of_a_listing_that_ended_is_not_current(desk: Desk) -> None:
    snapshots: list[Snapshot[Listing]] = []
    Deferred.fromCoroutine(desk.listings.snapshot(MINE, DEMO)).addCallback(snapshots.append)
    desk.answer()
    (snapshot,) = snapshots
    assert desk.listings.is_current(MINE, DEMO, snapshot.serial)
    assert not desk.listings.is_current(YOURS, DEMO, snapshot.serial)
    desk.listings.end(MINE)
    assert not desk.listings.is_current(MINE, DEMO, snapshot.serial)
    assert snapshot.until < desk.clock.seconds()


def test_a_token_that_ends_takes_nothing_from_another(warm: Desk) -> None:
    warm.told(YOURS)
    warm.answer(7)
    warm.told(repository=OTHER)
    warm.answer(3)
    warm.listings.end(MINE)
    assert (warm.told(YOURS), warm.told(), warm.told(repository=OTHER)) == ([7], [], [])


def test_who_changed_a_repository_is_shown_it_anew(warm: Desk) -> None:
    yours = warm.get(YOURS)[0]
    warm.answer(1)
    warm.listings.expire(MINE, DEMO)
    told = warm.told()
    assert (told, warm.told(YOURS), yours) == ([], [1], [1])
    warm.answer(2)
    assert told == [2]


def test_what_was_asked_before_the_change_is_asked_again(warm: Desk) -> None:
    warm.clock.advance(TTL)
    told, _ = warm.get()
    warm.listings.expire(MINE, DEMO)
    late, _ = warm.get()
    warm.answer(1, call=1)
    assert (told, late, len(warm.calls)) == ([], [], 3)
    warm.answer(2)
    assert (told, late, warm.told()) == ([2], [2], [2])


def test_a_repository_that_was_missing_is_not_missing_for_who_published_into_it(desk: Desk) -> None:
    told = desk.told()
    desk.fail(NotFoundError("404"))
    desk.listings.expire(MINE, DEMO)
    again = desk.told()
    desk.answer(1)
    assert (len(told), again) == (1, [1])


def test_what_is_missing_is_asked_for_again_after_its_time(desk: Desk) -> None:
    first = desk.told()
    desk.fail(NotFoundError("404"))
    assert [str(error) for error in (*first, *desk.told(), *desk.told(fresh=True))] == ["404"] * 3
    assert desk.told(YOURS) == [], "another token is asked for by itself"
    desk.clock.advance(FRESHEST)
    assert (len(desk.told()), desk.told(fresh=True), len(desk.calls)) == (1, [], 3)
    desk.fail(NotFoundError("404"))
    desk.clock.advance(TTL)
    told = desk.told()
    desk.answer(5)
    assert (told, desk.told()) == ([5], [5])


def test_what_is_there_after_all_is_missing_no_more(desk: Desk) -> None:
    desk.told()
    desk.fail(NotFoundError("404"))
    desk.clock.advance(FRESHEST)
    told = desk.told(fresh=True)
    desk.answer(5)
    desk.listings.end(MINE)
    assert (told, desk.told(), len(desk.calls)) == ([5], [], 3), "GitHub is asked"


def test_the_missing_are_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_MISSING", 2)
    repositories = [Repository(Owner("octo"), name) for name in "abc"]
    for repository in repositories:
        desk.told(repository=repository)
        desk.fail(NotFoundError("404"))
    assert [len(desk.told(repository=each)) for each in repositories[::-1]] == [1, 1, 0]


def test_who_has_waited_long_is_shown_the_old_one_and_the_call_goes_on(warm: Desk, warnings: list[str]) -> None:
    warm.clock.advance(TTL)
    told = warm.told()
    warm.clock.advance(module.PATIENCE - 0.01)
    assert told == []
    warm.clock.advance(0.01)
    assert told == [1]
    assert warnings == ["A stale listing of octo/demo is shown: it takes long to answer."]
    assert (warm.told(), len(warm.calls), len(warm.listings)) == ([1], 2, 1)
    warm.answer(2)
    assert (warm.told(), len(warm.listings), warm.clock.getDelayedCalls()) == ([2], 0, [])


@pytest.mark.parametrize("is_late", [True, False])
def test_who_waits_is_not_shown_what_ended_meanwhile(warm: Desk, is_late: bool) -> None:
    warm.clock.advance(TTL)
    told = warm.told()
    warm.listings.end(MINE)
    if is_late:
        warm.clock.advance(module.PATIENCE)
    else:
        warm.fail(UpstreamError("502"))
    assert told == []
    refusal = TokenRefusedError("401")
    warm.fail(refusal)
    assert told == [refusal]


def test_an_answer_that_was_begun_before_its_listing_ended_has_no_age(desk: Desk) -> None:
    snapshots: list[Snapshot[Listing]] = []
    Deferred.fromCoroutine(desk.listings.snapshot(MINE, DEMO)).addCallback(snapshots.append)
    desk.answer()
    (snapshot,) = snapshots
    ages = [snapshot.age(desk.clock.seconds() + later) for later in (0, TTL)]
    desk.listings.expire(MINE, DEMO)
    assert [*ages, snapshot.age(desk.clock.seconds() + TTL)] == [None, TTL, None]


def test_without_an_old_one_the_caller_waits_as_long_as_it_takes(desk: Desk) -> None:
    told = desk.told()
    desk.clock.advance(10 * module.PATIENCE)
    assert (told, desk.clock.getDelayedCalls()) == ([], [])
    desk.answer()
    assert told == [1]


def test_the_last_caller_who_leaves_a_cold_call_ends_it(desk: Desk) -> None:
    (gone, first), (_, second) = desk.get(), desk.get()
    first.cancel()
    assert (len(desk.listings), len(gone)) == (1, 1)
    second.cancel()
    assert (len(desk.listings), len(desk.calls)) == (0, 1)
    assert desk.calls[0].called, "GitHub is not asked on for nobody"


def test_a_caller_who_leaves_a_renewal_leaves_it_to_itself(warm: Desk) -> None:
    warm.clock.advance(TTL)
    _, waiting = warm.get()
    waiting.cancel()
    assert (len(warm.listings), warm.clock.getDelayedCalls()) == (1, [])
    warm.answer(2)
    assert (warm.told(), len(warm.listings)) == ([2], 0)


def test_stopping_tells_who_waits_and_leaves_nothing(warm: Desk) -> None:
    cold = warm.told(repository=OTHER)
    warm.clock.advance(TTL)
    renewed = warm.told()
    warm.listings.stop()
    assert [type(error) for error in (*cold, *renewed)] == [StoppingError, StoppingError]
    assert (len(warm.listings), warm.clock.getDelayedCalls()) == (0, [])
    assert [type(error) for error in warm.told(YOURS)] == [StoppingError]
    assert len(warm.calls) == 3


def test_a_listing_that_is_the_same_stays_what_it_was(warm: Desk) -> None:
    used = warm.memory.used
    for _ in range(5):
        warm.clock.advance(TTL)
        warm.told()
        warm.answer(1)
    assert (len(warm.memory), warm.memory.used, len(warm.serials)) == (1, used, 1)
    warm.clock.advance(TTL)
    warm.told()
    warm.answer(2)
    warm.told()
    assert (len(warm.memory), len(warm.serials)) == (1, 2)


def test_without_memory_every_caller_is_answered_all_the_same() -> None:
    desk = Desk(limit=0)
    desk.warm()
    desk.warm(2)
    assert (len(desk.calls), desk.memory.used) == (2, 0)
