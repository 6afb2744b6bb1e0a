"""Turns: one at a time for each key."""

from __future__ import annotations

from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from twisted.internet.defer import DeferredLock


class Turns:
    """Locks by key, as long as somebody has them or waits."""

    def __init__(self) -> None:
        self._locks: dict[Hashable, DeferredLock] = {}

    @asynccontextmanager
    async def of(self, key: Hashable) -> AsyncIterator[None]:
        """Waits until nobody before has the key's turn, and has it then."""
        lock = self._locks.setdefault(key, DeferredLock())
        async with lock:
            try:
                yield
            finally:
                if not lock.waiting:
                    del self._locks[key]

    def __len__(self) -> int:
        return len(self._locks)
