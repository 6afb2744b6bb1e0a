"""The breaker: after failures in a row GitHub is left in peace, and one request at a time finds out when it is well."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.web.http_headers import Headers

from pypihub.errors import UpstreamError, UpstreamTimeoutError, UpstreamUnreachableError
from pypihub.github.answers import Reply
from pypihub.github.body import TooLargeError
from pypihub.github.breaker import MOST_FAILURES, Breaker, BreakerOpenError


def unreachable() -> UpstreamUnreachableError:
    return UpstreamUnreachableError("The connection to GitHub failed: refused")


def reply(status: int) -> Reply:
    return Reply(status, Headers(), b"")


class Bench:
    """A breaker on a clock, and exchanges that end when the test wants it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.breaker = Breaker("GitHub", self.clock.seconds)
        self.begun = 0

    def begin(self) -> tuple[Deferred[Reply], Deferred[Reply]]:
        """What the caller of a guarded exchange waits for, and the exchange, which has no end if it was not begun."""
        exchange: Deferred[Reply] = Deferred()

        def run() -> Deferred[Reply]:
            self.begun += 1
            return exchange

        caller = Deferred.fromCoroutine(self.breaker.guard(run))
        return caller, exchange

    def run(self, outcome: int | Exception | None = None) -> object:
        """One exchange from its begin to its end, a failure if nothing else is said: its status, or what was raised."""
        caller, exchange = self.begin()
        if caller.called:
            return result_of(caller)  # it was not begun
        outcome = unreachable() if outcome is None else outcome
        if isinstance(outcome, Exception):
            exchange.errback(outcome)
        else:
            exchange.callback(reply(outcome))
        return result_of(caller)

    def open(self) -> None:
        for _ in range(MOST_FAILURES):
            self.run()
        assert self.breaker.is_open

    def is_refused(self) -> bool:
        """Whether a request that comes now is turned away, without being one."""
        try:
            self.breaker.check()
        except BreakerOpenError:
            return True
        return False


def result_of(caller: Deferred[Reply]) -> object:
    results: list[object] = []
    caller.addCallbacks(lambda answer: results.append(answer.status), lambda failure: results.append(failure.value))
    (result,) = results
    return result


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """The lines of PyPIHub's own log."""
    lines: list[str] = []

    def observe(event: LogEvent) -> None:
        if event.get("log_namespace") == "pypihub":
            lines.append(f"{event['log_level'].name}: {formatEvent(event)}")

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)


@pytest.mark.parametrize(
    "failure", [unreachable, lambda: UpstreamTimeoutError("GitHub did not answer within 15 s."), 500, 502, 503, 504]
)
def test_it_opens_after_so_many_failures_in_a_row(bench: Bench, failure: int | Callable[[], Exception]) -> None:
    for _ in range(MOST_FAILURES):
        assert not bench.breaker.is_open
        outcome = failure() if callable(failure) else failure
        assert bench.run(outcome) == outcome, "who was let through is told what happened"
    assert bench.breaker.is_open
    error = bench.run(200)
    assert isinstance(error, BreakerOpenError)
    assert str(error) == "GitHub has failed 5 times in a row; it is asked again in a few seconds."
    assert bench.begun == MOST_FAILURES, "nothing goes to GitHub"


@pytest.mark.parametrize(
    "answer",
    [200, 302, 401, 403, 404, 429, lambda: UpstreamError("cannot be read"), lambda: TooLargeError("too large")],
)
def test_an_answer_is_a_success_whatever_it_says(bench: Bench, answer: int | Callable[[], Exception]) -> None:
    for _ in range(3):
        for _ in range(MOST_FAILURES - 1):
            bench.run()
        outcome = answer() if callable(answer) else answer
        assert bench.run(outcome) == outcome
    assert not bench.breaker.is_open


def test_one_who_goes_away_says_nothing_of_github(bench: Bench) -> None:
    for _ in range(MOST_FAILURES - 1):
        bench.run()
    for _ in range(10):
        caller, _exchange = bench.begin()
        caller.cancel()
        assert isinstance(result_of(caller), CancelledError)
    assert not bench.breaker.is_open
    bench.run()
    assert bench.breaker.is_open, "the failures before it still count"


def test_after_a_pause_one_probe_goes_and_closes_it(bench: Bench) -> None:
    bench.open()
    bench.clock.advance(0.9)
    assert bench.is_refused()
    bench.clock.advance(0.1)
    caller, exchange = bench.begin()
    assert bench.begun == MOST_FAILURES + 1
    assert bench.is_refused(), "one at a time"
    bench.clock.advance(10)
    assert bench.is_refused(), "however long it takes"
    exchange.callback(reply(200))
    assert result_of(caller) == 200
    assert not bench.breaker.is_open
    assert not bench.is_refused()


def test_each_probe_that_fails_doubles_the_pause(bench: Bench) -> None:
    bench.open()
    pauses = []
    for _ in range(8):
        pauses.append(0)
        while bench.is_refused() and pauses[-1] < 100:
            bench.clock.advance(1)
            pauses[-1] += 1
        assert isinstance(bench.run(), UpstreamUnreachableError)
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]
    bench.clock.advance(30)
    bench.run(200)
    bench.open()
    bench.clock.advance(1)
    assert not bench.is_refused(), "the next time begins with a short pause"


def test_a_probe_that_is_cancelled_makes_room_for_the_next(bench: Bench) -> None:
    bench.open()
    bench.clock.advance(1)
    caller, _exchange = bench.begin()
    caller.cancel()
    assert isinstance(result_of(caller), CancelledError)
    assert bench.breaker.is_open
    assert bench.run(200) == 200
    assert not bench.breaker.is_open


def test_a_mistake_of_ours_makes_room_too_and_says_nothing_of_github(bench: Bench) -> None:
    bench.open()
    bench.clock.advance(1)
    assert isinstance(bench.run(ZeroDivisionError()), ZeroDivisionError)
    assert bench.breaker.is_open
    assert bench.run(200) == 200


def test_those_under_way_when_it_opens_do_not_lengthen_the_pause(bench: Bench) -> None:
    under_way = [bench.begin() for _ in range(50)]
    for caller, exchange in under_way:
        exchange.errback(unreachable())
        assert isinstance(result_of(caller), UpstreamUnreachableError)
    bench.clock.advance(1)
    assert not bench.is_refused()


def test_an_answer_to_one_that_was_under_way_closes_it(bench: Bench) -> None:
    _caller, exchange = bench.begin()
    bench.open()
    exchange.callback(reply(200))
    assert not bench.breaker.is_open


def test_a_probe_of_long_ago_does_not_open_it_again(bench: Bench) -> None:
    _, slow = bench.begin()
    bench.open()
    bench.clock.advance(1)
    probe_s_caller, probe = bench.begin()
    slow.callback(reply(200))
    probe.errback(unreachable())
    assert isinstance(result_of(probe_s_caller), UpstreamUnreachableError)
    assert not bench.breaker.is_open


def test_one_line_is_logged_when_it_opens_and_one_when_it_closes(bench: Bench, logged: list[str]) -> None:
    bench.run()
    bench.run(200)
    assert logged == []
    bench.open()
    for _ in range(3):
        bench.run()
        bench.clock.advance(60)
        bench.run(503)
    bench.clock.advance(60)
    bench.run(200)
    bench.run(200)
    assert logged == [
        "warn: GitHub has failed 5 times in a row and is left in peace,"
        " the last time by: The connection to GitHub failed: refused",
        "info: GitHub answers again, after 8 failures",
    ]
