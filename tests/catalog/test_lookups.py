"""Look-ups that come together share a call; each waiter is told for itself, and no caller of another's."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from pypihub.catalog.lookups import GATHERING, MANY, MOMENT, MOST_CALLS, Lookups
from pypihub.errors import NotFoundError, PyPIHubError, StoppingError, TokenRefusedError
from pypihub.github.credentials import SignedURL, Token
from pypihub.github.decoding import ReleaseAsset
from pypihub.github.tokens import TokenHasher

MINE, YOURS = Token("ghp_mine"), Token("ghp_yours")
Answers = tuple[ReleaseAsset | PyPIHubError, ...]


def found(asset_id: str) -> ReleaseAsset:
    """An asset of this id."""
    moment = datetime(2025, 7, 1, tzinfo=UTC)
    return ReleaseAsset(asset_id, "demo.whl", 1, None, moment, False, "octo/demo", SignedURL("https://storage/x"))


class GitHub:
    """Remembers what it was asked; answers when the test wants it. Ids that begin with `-` are missing."""

    def __init__(self) -> None:
        self.calls: list[tuple[Token, list[str]]] = []
        self._open: list[Deferred[Answers]] = []

    def __call__(self, token: Token, ids: Sequence[str]) -> Deferred[Answers]:
        """The client's method."""
        self.calls.append((token, list(ids)))
        self._open.append(Deferred())
        return self._open[-1]

    def answer(self, error: Exception | None = None) -> None:
        """Answers the oldest open call."""
        ids = self.calls[len(self.calls) - len(self._open)][1]
        call = self._open.pop(0)
        if error is not None:
            call.errback(error)
        else:
            call.callback(tuple(NotFoundError(one) if one.startswith("-") else found(one) for one in ids))


class Desk:
    """Look-ups over a GitHub and a clock of the test's; `ask` collects what each waiter is told."""

    def __init__(self, size: int = 10_000) -> None:
        self.clock = Clock()
        self.github = GitHub()
        self.lookups = Lookups(self.github, TokenHasher(), self.clock, lifetime=60, size=size)
        self.told: dict[str, object] = {}

    def ask(self, asset_id: str, token: Token = MINE, waiter: str = "", name: str = "demo.whl") -> Deferred[None]:
        """Asks for an asset; the answer or the error goes to `told`, under the waiter's name or else the id."""
        waiting = Deferred.fromCoroutine(self.lookups.asset(token, asset_id, name))

        def tell(answer: object) -> None:
            self.told[waiter or asset_id] = getattr(answer, "value", answer)

        return waiting.addBoth(tell)

    def turn(self) -> None:
        """Lets the reactor turn once."""
        self.clock.advance(0)

    @property
    def batches(self) -> list[list[str]]:
        """The ids of each call."""
        return [ids for _, ids in self.github.calls]


@pytest.fixture
def desk() -> Desk:
    """Look-ups."""
    return Desk()


def test_what_is_asked_in_one_turn_is_one_call(desk: Desk) -> None:
    ids = [f"RA_{number}" for number in range(50)]
    for one in ids:
        desk.ask(one)
    desk.turn()
    desk.github.answer()
    assert desk.batches == [ids]
    assert desk.told == {one: found(one) for one in ids}


def test_what_comes_while_a_call_is_under_way_is_the_next_call(desk: Desk) -> None:
    desk.ask("RA_first")
    desk.turn()
    desk.ask("RA_second")
    desk.ask("RA_third")
    desk.turn()
    assert desk.batches == [["RA_first"]]
    desk.github.answer()
    assert desk.batches == [["RA_first"], ["RA_second", "RA_third"]]
    desk.github.answer()
    assert list(desk.told) == ["RA_first", "RA_second", "RA_third"]


def test_many_gather_for_a_moment_and_do_not_wait_for_a_few_who_came_before(desk: Desk) -> None:
    desk.ask("RA_first")
    desk.turn()
    many = [f"RA_{number}" for number in range(MANY)]
    for one in many[:-1]:
        desk.ask(one)
    desk.clock.advance(GATHERING)
    assert desk.batches == [["RA_first"]], "some few wait"
    desk.ask(many[-1])
    desk.turn()
    desk.ask("RA_also")
    desk.clock.advance(GATHERING)
    assert desk.batches == [["RA_first"], [*many, "RA_also"]]
    desk.github.answer()
    desk.github.answer()
    assert set(desk.told) == {"RA_first", *many, "RA_also"}


def test_one_who_joins_a_call_waits_for_no_other(desk: Desk) -> None:
    desk.ask("RA_first")
    desk.turn()
    for number in range(MANY):
        desk.ask(f"RA_{number}")
    desk.clock.advance(GATHERING)
    desk.ask("RA_0", waiter="late")
    desk.ask("RA_first", waiter="late, too")
    desk.github.answer()
    desk.github.answer()
    assert (desk.told["late"], desk.told["late, too"]) == (found("RA_0"), found("RA_first"))
    assert len(desk.batches) == 2


def test_a_call_asks_for_a_hundred_at_most_and_so_many_are_made_at_once(desk: Desk) -> None:
    for number in range(450):
        desk.ask(f"RA_{number}")
    desk.turn()
    assert [len(ids) for ids in desk.batches] == [100] * MOST_CALLS
    for _ in range(5):
        desk.github.answer()
    assert [len(ids) for ids in desk.batches] == [100, 100, 100, 100, 50]
    assert len(desk.told) == 450
    assert desk.clock.getDelayedCalls() == []


def test_two_who_ask_for_the_same_are_both_told(desk: Desk) -> None:
    desk.ask("RA_one", waiter="first")
    desk.ask("RA_one", waiter="second")
    desk.turn()
    desk.github.answer()
    assert desk.batches == [["RA_one"]]
    assert desk.told == {"first": found("RA_one"), "second": found("RA_one")}


def test_who_asks_for_what_is_being_asked_for_waits_for_the_same_call(desk: Desk) -> None:
    for one in ("RA_one", "RA_two"):
        desk.ask(one)
    desk.turn()
    desk.ask("RA_two", waiter="late")
    desk.ask("RA_three")
    desk.ask("RA_two", waiter="leaving").cancel()
    desk.github.answer()
    assert desk.batches == [["RA_one", "RA_two"], ["RA_three"]]
    assert desk.told["late"] == found("RA_two")
    desk.github.answer()
    assert desk.told["RA_three"] == found("RA_three")


def test_who_is_told_of_trouble_and_asks_again_waits_for_another_call(desk: Desk) -> None:
    for one in ("RA_one", "RA_two"):
        desk.ask(one).addCallback(lambda _, one=one: desk.ask(one, waiter=f"{one} again"))
    desk.turn()
    desk.github.answer(TokenRefusedError("no"))
    desk.turn()
    desk.github.answer()
    assert desk.batches == [["RA_one", "RA_two"]] * 2
    assert (desk.told["RA_one again"], desk.told["RA_two again"]) == (found("RA_one"), found("RA_two"))


def test_two_tokens_never_share(desk: Desk) -> None:
    desk.ask("RA_one", MINE, "mine")
    desk.ask("RA_one", YOURS, "yours")
    desk.turn()
    assert desk.github.calls == [(MINE, ["RA_one"]), (YOURS, ["RA_one"])]
    desk.github.answer()
    assert list(desk.told) == ["mine"]
    desk.github.answer(TokenRefusedError("no"))
    assert isinstance(desk.told["yours"], TokenRefusedError)
    desk.ask("RA_one", YOURS, "yours again")
    desk.turn()
    assert desk.github.calls[-1] == (YOURS, ["RA_one"])
    desk.github.answer()


def test_a_found_asset_serves_for_a_minute(desk: Desk) -> None:
    desk.ask("RA_one", waiter="at first")
    desk.turn()
    desk.github.answer()
    desk.clock.advance(59)
    desk.ask("RA_one", waiter="soon")
    assert desk.told["soon"] == found("RA_one")
    desk.clock.advance(1)
    desk.ask("RA_one", waiter="late")
    desk.turn()
    assert len(desk.batches) == 2
    desk.github.answer()
    assert desk.told["late"] == found("RA_one")


def test_what_was_found_under_another_name_is_asked_for_again_after_a_moment(desk: Desk) -> None:
    answered: list[str] = []
    for name, later, calls in (
        ("old.whl", 0, 1),
        ("old.whl", MOMENT - 0.1, 1),
        ("old.whl", 0.1, 2),
        ("demo.whl", 59, 2),
    ):
        desk.clock.advance(later)
        desk.ask("RA_one", name=name)
        desk.turn()
        if len(desk.batches) > len(answered):
            desk.github.answer()
            answered.append(name)
        assert len(desk.batches) == calls


def test_what_serves_no_more_is_not_kept(desk: Desk) -> None:
    for one in ("RA_one", "RA_two"):
        desk.ask(one)
        desk.turn()
        desk.github.answer()
        desk.clock.advance(60)
    assert len(desk.lookups) == 1


def test_an_asset_that_is_to_be_forgotten_is_asked_for_again(desk: Desk) -> None:
    desk.lookups.forget(MINE, "RA_one")
    desk.ask("RA_one")
    desk.turn()
    desk.github.answer()
    desk.lookups.forget(MINE, "RA_one")
    desk.ask("RA_one")
    desk.turn()
    assert len(desk.batches) == 2
    desk.github.answer()


def test_the_one_found_longest_ago_makes_room() -> None:
    desk = Desk(size=2)
    for one in ("RA_one", "RA_two", "RA_three"):
        desk.ask(one)
        desk.turn()
        desk.github.answer()
    for one in ("RA_two", "RA_three", "RA_one"):
        desk.ask(one)
        desk.turn()
    assert desk.batches == [["RA_one"], ["RA_two"], ["RA_three"], ["RA_one"]]
    desk.github.answer()


def test_the_error_of_one_is_not_the_others_and_is_not_remembered(desk: Desk) -> None:
    for one in ("RA_one", "-missing", "RA_two"):
        desk.ask(one)
    desk.turn()
    desk.github.answer()
    assert (desk.told["RA_one"], desk.told["RA_two"]) == (found("RA_one"), found("RA_two"))
    assert isinstance(desk.told["-missing"], NotFoundError)
    desk.ask("-missing")
    desk.turn()
    assert desk.batches[1:] == [["-missing"]]
    desk.github.answer()


@pytest.mark.parametrize("error", [TokenRefusedError("no"), ZeroDivisionError()])
def test_the_error_of_a_call_is_everyone_s_and_the_next_call_is_made(desk: Desk, error: Exception) -> None:
    for one in ("RA_one", "RA_two"):
        desk.ask(one)
    desk.turn()
    desk.github.answer(error)
    assert desk.told == {"RA_one": error, "RA_two": error}
    desk.ask("RA_one")
    desk.turn()
    desk.github.answer()
    assert desk.told["RA_one"] == found("RA_one")


@pytest.mark.parametrize("is_under_way", [False, True])
def test_one_who_leaves_takes_nothing_from_the_others(desk: Desk, is_under_way: bool) -> None:
    leaving = desk.ask("RA_one", waiter="leaving")
    desk.ask("RA_one", waiter="staying")
    desk.ask("RA_two")
    if is_under_way:
        desk.turn()
    leaving.cancel()
    desk.turn()
    desk.github.answer()
    assert isinstance(desk.told.pop("leaving"), CancelledError)
    assert desk.told == {"staying": found("RA_one"), "RA_two": found("RA_two")}


def test_what_nobody_waits_for_any_more_is_not_asked(desk: Desk) -> None:
    desk.ask("RA_one").cancel()
    desk.turn()
    assert desk.batches == []
    desk.ask("RA_two")
    desk.turn()
    desk.github.answer()
    assert desk.batches == [["RA_two"]]


def test_who_was_told_may_ask_on_in_the_same_breath(desk: Desk) -> None:
    desk.ask("RA_one").addCallback(lambda _: desk.ask("RA_two"))
    desk.turn()
    desk.github.answer()
    desk.turn()
    desk.github.answer()
    assert list(desk.told) == ["RA_one", "RA_two"]


@pytest.mark.parametrize("turns", [0, 1])
def test_stopping_tells_all_who_wait_and_leaves_no_timer(desk: Desk, turns: int) -> None:
    desk.ask("RA_one", waiter="first")
    for _ in range(turns):
        desk.turn()
    desk.ask("RA_two", waiter="second")
    desk.ask("RA_one", YOURS, "third")
    desk.ask("RA_one", waiter="fourth")
    desk.lookups.stop()
    assert sorted(desk.told) == ["first", "fourth", "second", "third"]
    assert all(isinstance(error, StoppingError) for error in desk.told.values())
    assert desk.clock.getDelayedCalls() == []
