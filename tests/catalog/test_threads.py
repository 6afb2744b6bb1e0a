"""Work on what is large goes on in a thread, a few pieces at a time; all else at once."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import CancelledError, Deferred, gatherResults

from pypihub.catalog.threads import AT_ONCE, LARGE, Threads

WORST = 20.0
"""Seconds that a thread waits for another at most."""


def begun(threads: Threads, work: Any, size: int = LARGE) -> Deferred[Any]:
    return Deferred.fromCoroutine(threads.do(size, work))


def test_what_is_small_is_done_at_once() -> None:
    told: list[object] = []
    begun(Threads(None), threading.get_ident, LARGE - 1).addCallback(told.append)
    assert told == [threading.get_ident()]


@ensureDeferred
async def test_what_is_large_is_done_in_a_thread_and_fails_as_it_would(reactor: Any) -> None:
    threads = Threads(reactor)
    assert await begun(threads, threading.get_ident) != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        await begun(threads, lambda: 1 // 0)
    assert await begun(threads, lambda: "and on") == "and on"


@ensureDeferred
async def test_so_many_are_done_at_once_and_no_more(reactor: Any) -> None:
    threads, lock = Threads(reactor), threading.Lock()
    now, most = 0, 0
    several = threading.Barrier(AT_ONCE)

    def work() -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        several.wait(WORST)
        with lock:
            now -= 1

    await gatherResults([begun(threads, work) for _ in range(3 * AT_ONCE)])
    assert most == AT_ONCE


@ensureDeferred
async def test_work_that_nobody_waits_for_any_more_keeps_its_turn(reactor: Any) -> None:
    threads, goes_on = Threads(reactor), threading.Event()
    left = [begun(threads, lambda: goes_on.wait(WORST)) for _ in range(AT_ONCE)]
    for each in left:
        each.cancel()
        with pytest.raises(CancelledError):
            await each
    late = begun(threads, goes_on.is_set)
    reactor.callLater(0, goes_on.set)
    assert await late
