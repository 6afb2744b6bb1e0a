"""Places towards GitHub: only so many at once and for one token; the others wait in turn, and not all of them."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from pypihub.errors import BusyError
from pypihub.github.places import MOST_AT_ONCE, MOST_OF_A_TOKEN, MOST_WAITING, Places
from pypihub.github.tokens import TokenHash

A, B, C, D = (TokenHash(letter) for letter in (b"a", b"b", b"c", b"d"))


class Visitors:
    """Those who ask for places, and what became of them, in order: who got one, and who was turned away."""

    def __init__(self, places: Places) -> None:
        self.inside: list[TokenHash | None] = []
        self.busy: list[TokenHash | None] = []
        self._places = places

    def come(self, who: TokenHash | None, number: int = 1) -> list[Deferred[None]]:
        return [self._come(who) for _ in range(number)]

    def go(self, who: TokenHash | None) -> None:
        self._places.give_back(who)

    def _come(self, who: TokenHash | None) -> Deferred[None]:
        place = self._places.take(who)
        place.addCallbacks(lambda _: self.inside.append(who), lambda failure: self._leave(failure, who))
        return place

    def _leave(self, failure: Failure, who: TokenHash | None) -> None:
        if failure.trap(BusyError, CancelledError) is BusyError:
            self.busy.append(who)


@pytest.fixture
def visitors() -> Visitors:
    return Visitors(Places())


def full_house(visitors: Visitors, whose: Iterable[TokenHash | None] = (C, D, None)) -> None:
    """No place is left, and none of them is A's or B's."""
    first, second, third = whose
    visitors.come(first, MOST_OF_A_TOKEN)
    visitors.come(second, MOST_OF_A_TOKEN)
    visitors.come(third, MOST_AT_ONCE - 2 * MOST_OF_A_TOKEN)
    assert len(visitors.inside) == MOST_AT_ONCE
    visitors.inside.clear()


def test_one_token_gets_only_so_many_places(visitors: Visitors) -> None:
    visitors.come(A, MOST_OF_A_TOKEN + 1)
    assert visitors.inside == [A] * MOST_OF_A_TOKEN
    visitors.go(A)
    assert visitors.inside == [A] * (MOST_OF_A_TOKEN + 1)


def test_there_are_only_so_many_places_in_all(visitors: Visitors) -> None:
    full_house(visitors)
    visitors.come(A)
    assert visitors.inside == []
    visitors.go(C)
    assert visitors.inside == [A]


def test_reading_from_the_storage_has_no_limit_but_the_whole(visitors: Visitors) -> None:
    visitors.come(None, MOST_AT_ONCE + 1)
    assert visitors.inside == [None] * MOST_AT_ONCE
    visitors.come(A)
    visitors.go(None)
    visitors.go(None)
    assert visitors.inside[MOST_AT_ONCE:] == [None, A]


def test_a_token_whose_places_are_taken_keeps_nobody_waiting(visitors: Visitors) -> None:
    visitors.come(A, MOST_WAITING)
    visitors.inside.clear()
    visitors.come(B)
    assert visitors.inside == [B]


def test_those_of_one_token_get_places_as_they_came(visitors: Visitors) -> None:
    full_house(visitors)
    order: list[int] = []
    for number in range(3):
        visitors.come(A)[0].addCallback(lambda _, number=number: order.append(number))
    for _ in range(3):
        visitors.go(C)
    assert order == [0, 1, 2]


def test_places_go_round_among_the_tokens(visitors: Visitors) -> None:
    full_house(visitors)
    visitors.come(A, 500)
    visitors.come(B, 2)
    visitors.come(None, 1)
    for _ in range(6):
        visitors.go(C)
    assert visitors.inside == [A, B, None, A, B, A]


def test_a_token_that_has_all_its_places_is_passed_over(visitors: Visitors) -> None:
    full_house(visitors)
    visitors.come(C, 1)
    visitors.come(A, 1)
    visitors.go(D)
    assert visitors.inside == [A], "the place is C's turn, who has twenty"
    visitors.go(C)
    assert visitors.inside == [A, C]


def test_who_does_not_want_to_wait_any_more_is_out_of_the_queue_at_once(visitors: Visitors) -> None:
    full_house(visitors)
    (leaving,) = visitors.come(A)
    visitors.come(B)
    leaving.cancel()
    visitors.go(C)
    assert visitors.inside == [B]
    visitors.go(C)
    visitors.come(C)
    assert visitors.inside == [B, C], "no place was given to one who had left"


def test_one_more_than_can_wait_is_turned_away_at_once(visitors: Visitors) -> None:
    full_house(visitors)
    waiting = visitors.come(A, MOST_WAITING)
    with pytest.raises(BusyError, match="Too many requests wait for GitHub"):
        visitors.come(A)
    waiting[500].cancel()
    visitors.come(A)
    with pytest.raises(BusyError):
        visitors.come(A)
    assert visitors.inside == []


def test_in_a_full_queue_the_one_with_the_most_in_it_makes_room_for_others(visitors: Visitors) -> None:
    full_house(visitors)
    waiting = visitors.come(A, MOST_WAITING)
    visitors.come(B, MOST_WAITING // 2)
    assert visitors.busy == [A] * (MOST_WAITING // 2)
    assert not any(waiter.called for waiter in waiting[: MOST_WAITING // 2]), "the newest go, not who waited longest"
    with pytest.raises(BusyError):
        visitors.come(B)
    visitors.go(C)
    visitors.go(C)
    assert visitors.inside == [A, B]


def test_a_free_place_is_given_also_while_the_queue_is_full(visitors: Visitors) -> None:
    visitors.come(A, MOST_OF_A_TOKEN + MOST_WAITING)
    visitors.come(B)
    assert visitors.inside[-1] == B
    assert visitors.busy == []


def test_a_thousand_who_need_their_places_for_a_moment_only_are_not_too_deep_for_the_stack(visitors: Visitors) -> None:
    full_house(visitors)
    for waiter in visitors.come(A, MOST_WAITING):
        waiter.addCallback(lambda _: visitors.go(A))
    visitors.go(C)
    assert len(visitors.inside) == MOST_WAITING
    visitors.come(C)
    assert visitors.inside[-1] == C, "all places were given back"
