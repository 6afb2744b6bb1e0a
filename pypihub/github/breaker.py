"""A breaker: where GitHub fails again and again it is left in peace, and asked by one request at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from twisted.logger import Logger

from pypihub.errors import UpstreamError, UpstreamTimeoutError, UpstreamUnreachableError

_log = Logger("pypihub")

MOST_FAILURES = 5
"""Failed exchanges in a row until it opens: more than the three tries of one request, less than those of two."""
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
"""Seconds until the next probe; each that fails doubles them, up to the longest."""


class Answer(Protocol):
    """What an exchange gives."""

    @property
    def status(self) -> int:
        """The HTTP status."""


A = TypeVar("A", bound=Answer)


class BreakerOpenError(UpstreamUnreachableError):
    """GitHub was not asked, because it has failed too often."""


class Breaker:
    """Counts the failures of what is called `name`; `seconds` is a clock.

    No answer, none in time, and 5xx are failures. Every other answer is a success, be it a refusal.
    """

    def __init__(self, name: str, seconds: Callable[[], float]) -> None:
        self._name = name
        self._seconds = seconds
        self._failures = 0
        self._pause = FIRST_PAUSE
        self._next_probe: float | None = None  # None while it is closed
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Whether it is left in peace."""
        return self._next_probe is not None

    def check(self) -> None:
        """Raises BreakerOpenError where an exchange would not be let through."""
        if self._next_probe is not None and (self._probing or self._seconds() < self._next_probe):
            raise BreakerOpenError(
                f"{self._name} has failed {self._failures} times in a row; it is asked again in a few seconds."
            )

    async def guard(self, exchange: Callable[[], Awaitable[A]]) -> A:
        """What `exchange` gives, which is a probe where the breaker is open.

        Raises BreakerOpenError, without having begun the exchange, and what the exchange raises. One that is cancelled
        tells nothing.
        """
        self.check()
        is_probe = self.is_open
        self._probing |= is_probe
        try:
            reply = await exchange()
        except (UpstreamTimeoutError, UpstreamUnreachableError) as error:
            self._failed(error.message, is_probe)
            raise
        except UpstreamError:  # an answer, if none that can be used
            self._succeeded()
            raise
        else:
            if reply.status >= 500:
                self._failed(f"status {reply.status}", is_probe)
            else:
                self._succeeded()
            return reply
        finally:
            if is_probe:
                self._probing = False

    def _failed(self, why: str, is_probe: bool) -> None:
        self._failures += 1
        if self.is_open:
            if is_probe:  # others, which began before it opened, say nothing new
                self._pause = min(2 * self._pause, LONGEST_PAUSE)
                self._next_probe = self._seconds() + self._pause
        elif self._failures >= MOST_FAILURES:
            self._pause = FIRST_PAUSE
            self._next_probe = self._seconds() + self._pause
            _log.warn(
                "{name} has failed {failures} times in a row and is left in peace, the last time by: {why}",
                name=self._name,
                failures=self._failures,
                why=why,
            )

    def _succeeded(self) -> None:
        if self._next_probe is not None:
            _log.info("{name} answers again, after {failures} failures", name=self._name, failures=self._failures)
        self._failures = 0
        self._next_probe = None
