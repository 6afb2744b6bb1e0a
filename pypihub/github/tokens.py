"""Hashes that stand for tokens wherever something is remembered of them."""

from __future__ import annotations

import hashlib
import secrets
from typing import NewType

from pypihub.github.credentials import Token

TokenHash = NewType("TokenHash", bytes)
"""Stands for a token; of use only to the process, and the hasher, that made it."""


class TokenHasher:
    """Makes keyed hashes of tokens; the key is random, lives in memory and ends with the process."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def __call__(self, token: Token) -> TokenHash:
        return TokenHash(hashlib.blake2b(token.reveal().encode(), key=self._key, digest_size=16).digest())
