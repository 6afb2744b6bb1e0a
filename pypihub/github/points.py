"""Tokens whose points are used up, or that GitHub told to wait: they are not sent again before their time.

https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum

from pypihub.errors import RateLimitedError
from pypihub.github.answers import Reply, rate_limited
from pypihub.github.credentials import Token
from pypihub.github.tokens import TokenHash, TokenHasher

LONGEST = 3600.0
"""Seconds that a token rests at most, whatever a header or a wrong clock says: GitHub's windows are an hour."""
UNTOLD = 60.0
"""Seconds that GitHub's documentation asks for where an answer tells no time."""
MOST_SHOWN = 100
"""Tokens and budgets of which it is known how many points are left."""


class Budget(StrEnum):
    """What GitHub counts by itself, under GitHub's names."""

    GRAPHQL = "graphql"
    REST = "core"


class Points:
    """Remembers up to `size` budgets that are used up; `seconds` is a clock since the epoch."""

    def __init__(self, hasher: TokenHasher, seconds: Callable[[], float], *, size: int = 10_000) -> None:
        self._hasher = hasher
        self._seconds = seconds
        self._size = size
        self._until: OrderedDict[tuple[TokenHash, Budget], float] = OrderedDict()
        self._left: OrderedDict[tuple[TokenHash, Budget], tuple[int, float]] = OrderedDict()

    def check(self, token: Token, budget: Budget) -> None:
        """Raises RateLimitedError, with the seconds that are left, for a token that GitHub would refuse."""
        key = self._hasher(token), budget
        until = self._until.get(key)
        if until is None:
            return
        left = until - self._seconds()
        if 0 < left <= LONGEST:  # more of it are left only where the clock was set back
            raise rate_limited(left)
        del self._until[key]

    @contextmanager
    def heeding(self, token: Token, budget: Budget, reply: Reply) -> Iterator[None]:
        """Remembers what the reply's headers tell, and the RateLimitedError that is raised while it is read."""
        remaining = reply.number("x-ratelimit-remaining")
        used_up = remaining == 0
        # A 401 tells of the budget that the address has without a token.
        is_its_own = reply.status != 401 and reply.header("x-ratelimit-resource") in ("", budget)
        reset = reply.number("x-ratelimit-reset")
        if is_its_own and remaining is not None and reset is not None:
            self._note_left(token, budget, int(remaining), reset)
            if used_up:
                self._rest(token, budget, reset - self._seconds())
        try:
            yield
        except RateLimitedError as error:
            # The secondary limits, which come with points left, are the whole API's.
            for each in (budget,) if used_up else Budget:
                self._rest(token, each, error.retry_after or UNTOLD)
            raise

    def left(self) -> Iterator[tuple[str, Budget, int]]:
        """Points that tokens have left, as GitHub told last, with 8 hex digits that stand for the token.

        Only those of tokens used last, and each until GitHub counts anew.
        """
        now = self._seconds()
        for (who, budget), (remaining, reset) in self._left.items():
            if now < reset:
                yield who[:4].hex(), budget, remaining

    def _note_left(self, token: Token, budget: Budget, remaining: int, reset: float) -> None:
        key = self._hasher(token), budget
        self._left[key] = remaining, reset
        self._left.move_to_end(key)
        if len(self._left) > MOST_SHOWN:
            self._left.popitem(last=False)

    def _rest(self, token: Token, budget: Budget, wait: float) -> None:
        key = self._hasher(token), budget
        until = self._seconds() + min(wait, LONGEST)
        self._until[key] = max(until, self._until.get(key, 0))
        self._until.move_to_end(key)
        if len(self._until) > self._size:
            self._until.popitem(last=False)
