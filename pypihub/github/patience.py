"""Trying again where GitHub had trouble."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from pypihub.errors import UpstreamError
from pypihub.github.body import TooLargeError
from pypihub.github.breaker import Breaker

T = TypeVar("T")

BACKOFF = (0.25, 1.0)
"""Seconds to wait before the second and the third try."""


class Patience:
    """Makes one try more than there are `pauses`, which are in seconds of the reactor's clock."""

    def __init__(self, pauses: Sequence[float], breaker: Breaker, reactor: IReactorTime) -> None:
        self.pauses = pauses
        self._breaker = breaker
        self._reactor = reactor

    async def __call__(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """What `attempt` gives, tried again after a pause where GitHub had trouble; it must be safe to repeat."""
        for pause in self.pauses:
            try:
                return await attempt()
            except UpstreamError as error:
                await self.rest(pause, error)
        return await attempt()

    async def rest(self, pause: float, error: UpstreamError) -> None:
        """Waits; raises the error at once where another try would be no use."""
        # An answer that is too large would be so again, and while the breaker is open nobody is to ask.
        if isinstance(error, TooLargeError) or self._breaker.is_open:
            raise error
        await deferLater(self._reactor, pause)
