"""One flight: those who want the same thing at the same moment share one call for it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from pypihub.errors import StoppingError

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(eq=False)
class _Flight(Generic[V]):
    waiters: list[Deferred[V]] = field(default_factory=list)
    call: Deferred[V] | None = None


class Flights(Generic[K, V]):
    """Calls under way, by what they are for."""

    def __init__(self) -> None:
        self._flights: dict[K, _Flight[V]] = {}
        self._stopped = False

    def join(self, key: K, start: Callable[[], Coroutine[Deferred[Any], Any, V]]) -> Deferred[V]:
        """What the call for `key` gives; `start` begins it where none is under way.

        Everyone has a Deferred of their own. Who cancels it takes nothing from the others; the call is cancelled when
        the last one leaves. Fails with StoppingError once the flights are stopped.
        """
        if self._stopped:
            waiter: Deferred[V] = Deferred()
            waiter.errback(StoppingError())
            return waiter
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight()
            waiter = self._board(key, flight)
            flight.call = Deferred.fromCoroutine(start())
            flight.call.addBoth(self._land, key, flight)
            return waiter
        return self._board(key, flight)

    def stop(self) -> None:
        """Ends all calls, and takes no more; those who wait are told."""
        self._stopped = True
        for flight in list(self._flights.values()):
            if flight.call is not None:
                flight.call.cancel()

    def __len__(self) -> int:
        return len(self._flights)

    def __contains__(self, key: K) -> bool:
        """Whether a call for the key is under way."""
        return key in self._flights

    def _board(self, key: K, flight: _Flight[V]) -> Deferred[V]:
        waiter: Deferred[V] = Deferred(lambda left: self._leave(key, flight, left))
        flight.waiters.append(waiter)
        return waiter

    def _leave(self, key: K, flight: _Flight[V], waiter: Deferred[V]) -> None:
        flight.waiters.remove(waiter)
        if not flight.waiters and self._flights.get(key) is flight:
            del self._flights[key]  # who comes now begins anew
            if flight.call is not None:
                flight.call.cancel()

    def _land(self, result: V | Failure, key: K, flight: _Flight[V]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
        if isinstance(result, Failure) and result.check(CancelledError):
            result = Failure(StoppingError())
        while flight.waiters:  # one who is told may make others leave
            flight.waiters.pop(0).callback(result)
