"""Tokens that GitHub refused, remembered for a while so that they are not tried again and again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from pypihub.errors import TokenRefusedError
from pypihub.github.credentials import Token
from pypihub.github.tokens import TokenHash, TokenHasher


class RefusedTokens:
    """Remembers up to `size` refused tokens for `lifetime` seconds; `seconds` is a clock."""

    def __init__(
        self, hasher: TokenHasher, seconds: Callable[[], float], *, lifetime: float = 60, size: int = 10_000
    ) -> None:
        self._hasher = hasher
        self._seconds = seconds
        self._lifetime = lifetime
        self._size = size
        self._until: OrderedDict[TokenHash, float] = OrderedDict()

    def add(self, token: Token) -> None:
        """Remembers the token from now on; the one refused longest ago is forgotten where there is no room."""
        key = self._hasher(token)
        self._until[key] = self._seconds() + self._lifetime
        self._until.move_to_end(key)
        if len(self._until) > self._size:
            self._until.popitem(last=False)

    def __contains__(self, who: TokenHash) -> bool:
        """Whether the token may be refused: `check` knows."""
        return who in self._until

    def check(self, token: Token) -> None:
        """Raises TokenRefusedError for a token that GitHub refused within the lifetime."""
        key = self._hasher(token)
        until = self._until.get(key)
        if until is None:
            return
        if until <= self._seconds():
            del self._until[key]
            return
        raise TokenRefusedError(
            "GitHub did not accept this token a moment ago. Check that it is complete and has not expired;"
            f" it is tried again after {self._lifetime:g} s."
        )
