"""Work that nobody waits for: done in the background, a few pieces at a time, and only so many in a row."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from pypihub.errors import NotFoundError, PyPIHubError, UpstreamError
from pypihub.tally import for_nobody

_log = Logger("pypihub.background")

Chore = Callable[[], Awaitable[object]]

PAUSE = 30.0
"""Seconds for which a chore that failed is not tried again: pages that are asked for all the time would pay for it."""
MOST_FAILED = 10_000
"""Failures that are remembered."""


class Chores:
    """Does chores, up to `at_once` at a time; with `size` of them waiting a further one is not taken.

    `seconds` is a clock.
    """

    def __init__(self, at_once: int, size: int, seconds: Callable[[], float]) -> None:
        self._at_once = at_once
        self._size = size
        self._seconds = seconds
        self._waiting: dict[Hashable, Chore] = {}
        self._under_way: set[Hashable] = set()
        self._failed: OrderedDict[Hashable, float] = OrderedDict()  # and when that was
        self._workers: set[Deferred[None]] = set()

    def add(self, name: Hashable, chore: Chore) -> bool:
        """Does the chore when its turn comes, unless one of this name is waiting or under way, or failed lately.

        Tells whether it, or the other one, will be done.
        """
        if name in self._waiting or name in self._under_way:
            return True
        if len(self._waiting) >= self._size or self._seconds() < self._failed.get(name, float("-inf")) + PAUSE:
            return False
        self._waiting[name] = chore
        if len(self._workers) < self._at_once:
            worker = for_nobody(lambda: Deferred.fromCoroutine(self._work()))
            self._workers.add(worker)
            worker.addBoth(lambda _: self._workers.discard(worker))
        return True

    def stop(self) -> None:
        """Forgets what waits and ends what is under way."""
        self._waiting.clear()
        for worker in list(self._workers):
            worker.cancel()

    async def _work(self) -> None:
        while self._waiting:
            name = next(iter(self._waiting))
            chore = self._waiting.pop(name)
            self._under_way.add(name)
            try:
                await chore()
            except (UpstreamError, NotFoundError):
                self._remember_failed(name)  # nobody waits; whoever needs it asks for it and is told
            except (PyPIHubError, CancelledError):
                pass  # one caller's limit or refusal is not another's, and costs no call when it comes again
            except Exception:
                self._remember_failed(name)
                _log.failure("Work in the background failed")
            finally:
                self._under_way.discard(name)

    def _remember_failed(self, name: Hashable) -> None:
        self._failed[name] = self._seconds()
        self._failed.move_to_end(name)
        if len(self._failed) > MOST_FAILED:
            self._failed.popitem(last=False)
