"""Threads for what would hold up all others: work on what is large."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.threads import deferToThreadPool

T = TypeVar("T")

LARGE = 256 * 1024
"""Bytes from which on a listing, packed, or a part of a wheel is large: work on less takes less than 0.1 s."""
AT_ONCE = 2
"""Pieces of large work that are done at once: names are looked up in the reactor's threads too."""


class Threads:
    """Does work on what is small at once, and on what is large in one of the reactor's threads."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._turns = DeferredSemaphore(AT_ONCE)

    async def do(self, size: int, work: Callable[[], T]) -> T:
        """What `work` gives, or raises, which is on something of so many bytes and touches nothing that others change.

        Where it is cancelled, work that was begun goes on, and keeps its turn until it ends.
        """
        if size < LARGE:
            return work()
        await self._turns.acquire()
        waiter: Deferred[T] = Deferred()
        working = deferToThreadPool(self._reactor, self._reactor.getThreadPool(), work)
        working.addBoth(self._done, waiter)
        return await waiter

    def _done(self, result: Any, waiter: Deferred[T]) -> None:
        self._turns.release()
        if not waiter.called:
            waiter.callback(result)  # or a Failure
