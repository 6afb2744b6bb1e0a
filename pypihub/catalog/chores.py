"""Work that nobody waits for: done in the background, a few pieces at a time, and only so many in a row."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from pypihub.errors import PyPIHubError
from pypihub.tally import for_nobody

_log = Logger("pypihub.background")

Chore = Callable[[], Awaitable[object]]


class Chores:
    """Does chores, up to `at_once` at a time; with `size` of them waiting a further one is not taken."""

    def __init__(self, at_once: int, size: int) -> None:
        self._at_once = at_once
        self._size = size
        self._waiting: dict[Hashable, Chore] = {}
        self._under_way: set[Hashable] = set()
        self._workers: set[Deferred[None]] = set()

    def add(self, name: Hashable, chore: Chore) -> bool:
        """Does the chore when its turn comes, unless one of this name is waiting or under way.

        Tells whether it, or the other one, will be done.
        """
        if name in self._waiting or name in self._under_way:
            return True
        if len(self._waiting) >= self._size:
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
            except (PyPIHubError, CancelledError):
                pass  # nobody waits; whoever needs it asks again and is told
            except Exception:
                _log.failure("Work in the background failed")
            finally:
                self._under_way.discard(name)
