"""Those who want the same thing share one call; who leaves takes nothing from the others."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred

from pypihub.catalog.flights import Flights
from pypihub.errors import NotFoundError, StoppingError


class Airport:
    """Flights to keys; the test lets them land. `told` is what each passenger was told."""

    def __init__(self) -> None:
        self.flights: Flights[str, str] = Flights()
        self.begun: list[Deferred[str]] = []
        self.told: dict[str, object] = {}
        self.cancelled = 0

    def board(self, passenger: str, key: str = "there") -> Deferred[Any]:
        waiting = self.flights.join(key, self._fly)

        def tell(answer: object) -> None:
            self.told[passenger] = getattr(answer, "value", answer)

        return waiting.addBoth(tell)

    async def _fly(self) -> str:
        call: Deferred[str] = Deferred()
        self.begun.append(call)
        try:
            return await call
        except CancelledError:
            self.cancelled += 1
            raise


@pytest.fixture
def airport() -> Airport:
    return Airport()


def test_all_share_one_call_and_its_answer(airport: Airport) -> None:
    for passenger in "abc":
        airport.board(passenger)
    assert (len(airport.begun), len(airport.flights)) == (1, 1)
    airport.begun[0].callback("answer")
    assert airport.told == dict.fromkeys("abc", "answer")
    assert len(airport.flights) == 0


def test_all_share_the_error(airport: Airport) -> None:
    for passenger in "abc":
        airport.board(passenger)
    error = NotFoundError("gone")
    airport.begun[0].errback(error)
    assert airport.told == dict.fromkeys("abc", error)
    assert len(airport.flights) == 0


def test_other_keys_have_other_calls(airport: Airport) -> None:
    airport.board("a", "here")
    airport.board("b", "there")
    airport.begun[1].callback("there")
    assert airport.told == {"b": "there"}
    airport.begun[0].callback("here")
    assert airport.told == {"a": "here", "b": "there"}


def test_who_comes_after_the_landing_begins_anew(airport: Airport) -> None:
    airport.board("a")
    airport.begun[0].callback("first")
    airport.board("b")
    airport.begun[1].callback("second")
    assert airport.told == {"a": "first", "b": "second"}


def test_who_leaves_takes_nothing_from_the_others(airport: Airport) -> None:
    first, _, _ = (airport.board(passenger) for passenger in "abc")
    first.cancel()
    assert isinstance(airport.told["a"], CancelledError)
    airport.begun[0].callback("answer")
    assert (airport.told["b"], airport.told["c"], airport.cancelled) == ("answer", "answer", 0)


def test_the_last_one_to_leave_ends_the_call(airport: Airport) -> None:
    passengers = [airport.board(passenger) for passenger in "ab"]
    passengers[0].cancel()
    assert airport.cancelled == 0
    passengers[1].cancel()
    assert (airport.cancelled, len(airport.flights)) == (1, 0)
    assert all(isinstance(answer, CancelledError) for answer in airport.told.values())


def test_who_comes_while_an_abandoned_call_still_ends_has_one_of_their_own() -> None:
    flights: Flights[str, str] = Flights()
    slow: Deferred[str] = Deferred()
    told: list[str] = []

    async def stubborn() -> str:
        try:
            return await Deferred()
        except CancelledError:
            return await slow

    async def new() -> str:
        return await answer

    answer: Deferred[str] = Deferred()
    flights.join("there", stubborn).addErrback(lambda _: None).cancel()
    for _ in range(2):
        flights.join("there", new).addCallback(told.append)
        slow.called or slow.callback("old")
        assert (told, len(flights)) == ([], 1), "the end of the old call is not that of the new one"
    answer.callback("new")
    assert (told, len(flights)) == (["new"] * 2, 0)


def test_one_who_is_told_may_make_another_leave(airport: Airport) -> None:
    others: list[Deferred[Any]] = []
    first = airport.flights.join("there", airport._fly)
    first.addCallback(lambda _: others[0].cancel())
    others.append(airport.board("b"))
    airport.begun[0].callback("answer")
    assert isinstance(airport.told["b"], CancelledError)
    assert len(airport.flights) == 0


def test_who_is_told_may_ask_again_at_once(airport: Airport) -> None:
    airport.flights.join("there", airport._fly).addErrback(lambda _: airport.board("again"))
    airport.begun[0].errback(NotFoundError("gone"))
    assert len(airport.flights) == 1
    airport.begun[1].callback("answer")
    assert airport.told == {"again": "answer"}


def test_a_call_that_ends_at_once_leaves_nothing_behind() -> None:
    flights: Flights[str, str] = Flights()
    told: list[object] = []

    async def good() -> str:
        return "answer"

    async def bad() -> str:
        raise NotFoundError("gone")

    flights.join("there", good).addCallback(told.append)
    flights.join("there", bad).addErrback(lambda failure: told.append(type(failure.value)))
    assert (told, len(flights)) == (["answer", NotFoundError], 0)


def test_stopping_tells_all_and_takes_no_more(airport: Airport) -> None:
    airport.board("a", "here")
    airport.board("b", "there")
    airport.board("c", "there")
    airport.flights.stop()
    airport.board("late")
    assert {type(answer) for answer in airport.told.values()} == {StoppingError}
    assert (set(airport.told), airport.cancelled) == ({"a", "b", "c", "late"}, 2)
    assert (len(airport.begun), len(airport.flights)) == (2, 0)
