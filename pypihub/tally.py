"""What is counted while PyPIHub runs: plain numbers, next to free to count, which are read when somebody wants them.

Whoever counts is given the tally of the process; nothing here is global but the name under which a request's visit
goes along with what is done for it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable
from contextvars import Context, ContextVar
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""The upper bounds, in seconds, of the classes into which durations are counted; one more class has the rest."""


class Timing:
    """Durations: how many there were in each class, and their sum in seconds."""

    __slots__ = ("classes", "total")

    def __init__(self) -> None:
        self.classes = [0] * (len(BOUNDS) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        """Counts a duration."""
        self.classes[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds


@dataclass(slots=True)
class Visit:
    """What a request came to, as the rooms below tell: calls to GitHub that were begun for it, and the cache's word."""

    calls: int = 0
    cache: str = "-"


VISIT: ContextVar[Visit | None] = ContextVar("visit", default=None)
"""The visit of the request that is worked for; None where it is nobody's."""


def for_nobody(begin: Callable[[], T]) -> T:
    """What `begin` gives, which begins work that nobody waits for: no visit is told of it."""
    return Context().run(begin)


@dataclass(eq=False, slots=True)
class Tally:
    """Counts since the start of the process. All words are from small fixed sets."""

    requests: Counter[tuple[str, int]] = field(default_factory=Counter)
    """Answers by route and status."""
    durations: defaultdict[str, Timing] = field(default_factory=lambda: defaultdict(Timing))
    """Of answers, by route."""
    front_hits: int = 0
    front_misses: int = 0
    looks: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Looks into caches by kind and outcome: hit, miss, stale, and refresh for what is renewed with nobody waiting."""
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Calls to GitHub by kind and outcome."""
    call_durations: defaultdict[str, Timing] = field(default_factory=lambda: defaultdict(Timing))
    """Of calls, by kind."""
    calls_under_way: int = 0

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Counts a request that was answered."""
        self.requests[route, status] += 1
        self.durations[route].add(seconds)

    def looked(self, kind: str, outcome: str) -> None:
        """Counts a look into a cache, and tells the visit of it."""
        self.looks[kind, outcome] += 1
        visit = VISIT.get()
        if visit is not None:
            visit.cache = outcome

    def began_call(self) -> None:
        """Counts a call to GitHub that begins, and tells the visit of it; `ended_call` is to follow."""
        self.calls_under_way += 1
        visit = VISIT.get()
        if visit is not None:
            visit.calls += 1

    def ended_call(self, kind: str, outcome: str, seconds: float) -> None:
        """Counts a call to GitHub that is over."""
        self.calls_under_way -= 1
        self.calls[kind, outcome] += 1
        self.call_durations[kind].add(seconds)
