"""Tokens that GitHub refused are remembered for a while, and never themselves."""

from __future__ import annotations

import pytest

from pypihub.catalog.tokens import RefusedTokens
from pypihub.errors import TokenRefusedError
from pypihub.github.credentials import Token
from pypihub.github.tokens import TokenHasher


class _Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def _is_refused(refused: RefusedTokens, text: str) -> bool:
    try:
        refused.check(Token(text))
    except TokenRefusedError:
        return True
    return False


def test_a_refused_token_is_refused_at_once_until_its_time_is_over() -> None:
    clock = _Clock()
    refused = RefusedTokens(TokenHasher(), clock, lifetime=60)
    refused.add(Token("bad"))
    seen = []
    for second in (0, 59.9, 60, 61):
        clock.now = 1000 + second
        seen.append(_is_refused(refused, "bad"))
    assert seen == [True, True, False, False]


def test_other_tokens_pass() -> None:
    refused = RefusedTokens(TokenHasher(), _Clock())
    refused.add(Token("bad"))
    assert not _is_refused(refused, "bad2")


def test_a_token_that_is_refused_again_is_remembered_for_longer() -> None:
    clock = _Clock()
    refused = RefusedTokens(TokenHasher(), clock, lifetime=60)
    refused.add(Token("bad"))
    clock.now += 50
    refused.add(Token("bad"))
    clock.now += 50
    assert _is_refused(refused, "bad")


def test_the_one_refused_longest_ago_makes_room() -> None:
    refused = RefusedTokens(TokenHasher(), _Clock(), size=2)
    for text in ("one", "two", "one", "three"):
        refused.add(Token(text))
    assert [_is_refused(refused, text) for text in ("one", "two", "three")] == [True, False, True]


def test_the_error_says_what_to_do_and_when() -> None:
    refused = RefusedTokens(TokenHasher(), _Clock(), lifetime=90)
    refused.add(Token("ghp_secret"))
    with pytest.raises(TokenRefusedError, match=r"Check that it is complete .* after 90 s\.$") as caught:
        refused.check(Token("ghp_secret"))
    assert "ghp_secret" not in caught.value.message
