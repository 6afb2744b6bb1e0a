"""Work in the background: some at once, some waiting, each once, and none after the end."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent, Logger

from pypihub.catalog import chores as module
from pypihub.catalog.chores import PAUSE, Chores
from pypihub.errors import BusyError, ForbiddenError, PyPIHubError, RateLimitedError, TokenRefusedError, UpstreamError
from pypihub.tally import VISIT, Visit


class Work:
    """Chores that say when they begin, and end when the test wants it."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.cancelled: list[str] = []
        self._under_way: dict[str, Deferred[None]] = {}

    def __call__(self, name: str) -> Callable[[], Deferred[None]]:
        """A chore of this name."""

        def begin() -> Deferred[None]:
            self.begun.append(name)
            self._under_way[name] = Deferred(lambda _: self.cancelled.append(name))
            return self._under_way[name]

        return begin

    def end(self, name: str, error: Exception | None = None) -> None:
        """Ends the chore, well or with the error."""
        self.ended.append(name)
        chore = self._under_way.pop(name)
        chore.callback(None) if error is None else chore.errback(error)


def add(chores: Chores, work: Work, names: str) -> None:
    """Adds a chore for each letter."""
    for name in names:
        chores.add(name, work(name))


def test_chores_are_done_in_turn_a_few_at_a_time() -> None:
    chores, work = Chores(2, 10, Clock().seconds), Work()
    add(chores, work, "abcd")
    assert work.begun == ["a", "b"]
    work.end("b")
    assert work.begun == ["a", "b", "c"]
    work.end("a")
    work.end("c")
    assert work.begun == ["a", "b", "c", "d"]
    work.end("d")
    add(chores, work, "e")
    assert work.begun[-1] == "e"


def test_a_chore_that_waits_or_is_under_way_is_not_taken_again() -> None:
    chores, work = Chores(1, 10, Clock().seconds), Work()
    add(chores, work, "abab")
    work.end("a")
    work.end("b")
    assert work.begun == ["a", "b"]
    add(chores, work, "a")
    assert work.begun == ["a", "b", "a"]


def test_only_so_many_wait() -> None:
    chores, work = Chores(1, 2, Clock().seconds), Work()
    add(chores, work, "abcd")
    for name in "abc":
        work.end(name)
    assert work.begun == ["a", "b", "c"]


@pytest.mark.parametrize("error", [PyPIHubError("no"), UpstreamError("trouble")])
def test_an_expected_error_ends_that_chore_alone_and_is_not_logged(error: Exception) -> None:
    chores, work = Chores(1, 10, Clock().seconds), Work()
    add(chores, work, "ab")
    work.end("a", error)
    work.end("b")
    assert work.begun == ["a", "b"]


def test_what_failed_is_not_tried_again_before_a_pause_is_over() -> None:
    clock, work = Clock(), Work()
    chores = Chores(1, 10, clock.seconds)
    assert chores.add("a", work("a"))
    work.end("a", UpstreamError("trouble"))
    clock.advance(PAUSE - 0.1)
    assert not chores.add("a", work("a"))
    assert chores.add("b", work("b"))
    work.end("b")
    clock.advance(0.1)
    assert chores.add("a", work("a"))
    assert work.begun == ["a", "b", "a"]


@pytest.mark.parametrize(
    "error", [RateLimitedError("limit"), TokenRefusedError("401"), ForbiddenError("403"), BusyError()]
)
def test_what_one_caller_could_not_do_another_may(error: Exception) -> None:
    chores, work = Chores(1, 10, Clock().seconds), Work()
    chores.add("a", work("a"))
    work.end("a", error)
    assert chores.add("a", work("a"))


def test_only_so_many_failures_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_FAILED", 2)
    chores, work = Chores(1, 10, Clock().seconds), Work()
    for name in "abc":
        chores.add(name, work(name))
        work.end(name, UpstreamError("trouble"))
    assert [chores.add(name, work(name)) for name in "abc"] == [True, False, False]


def test_a_mistake_is_logged_and_the_next_chore_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[LogEvent] = []
    # A log of its own: a failure in the usual one fails every test.
    monkeypatch.setattr("pypihub.catalog.chores._log", Logger("test", observer=events.append))  # type: ignore[arg-type]
    chores, work = Chores(1, 10, Clock().seconds), Work()
    add(chores, work, "ab")
    work.end("a", mistake := ZeroDivisionError())
    assert [event["log_failure"].value for event in events] == [mistake]
    assert work.begun == ["a", "b"]
    work.end("b")


def test_a_chore_that_is_done_at_once_leaves_room_for_the_next() -> None:
    chores = Chores(1, 10, Clock().seconds)
    done: list[int] = []

    def chore(number: int) -> Callable[[], Deferred[None]]:
        async def work() -> None:
            done.append(number)

        return lambda: Deferred.fromCoroutine(work())

    for number in range(100):
        chores.add(number, chore(number))
    assert done == list(range(100))


def test_stopping_cancels_what_is_under_way_and_forgets_what_waits() -> None:
    chores, work = Chores(2, 10, Clock().seconds), Work()
    add(chores, work, "abcd")
    chores.stop()
    assert sorted(work.cancelled) == ["a", "b"]
    assert work.begun == ["a", "b"]


def test_chores_are_done_for_nobody() -> None:
    visits: list[Visit | None] = []

    async def chore() -> None:
        visits.append(VISIT.get())

    token = VISIT.set(Visit())
    try:
        Chores(1, 1, Clock().seconds).add("a", chore)
    finally:
        VISIT.reset(token)
    assert visits == [None]
