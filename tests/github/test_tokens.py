"""A hash stands for a token, and nobody else can make it."""

from __future__ import annotations

from pypihub.github.credentials import Token
from pypihub.github.tokens import TokenHasher


def test_a_hash_is_of_use_to_its_process_only() -> None:
    one, other, token = TokenHasher(), TokenHasher(), Token("ghp_secret")
    assert one(token) == one(Token("ghp_secret"))
    assert one(token) != other(token)
    assert one(token) != one(Token("ghp_other"))
    assert b"ghp_secret" not in one(token)
