"""Basic credentials (RFC 7617): the user is the owner, the password the caller's GitHub token."""

from __future__ import annotations

import base64
import binascii
import re

from pypihub.errors import CredentialsError, NotFoundError
from pypihub.github.credentials import Credentials, Token
from pypihub.index.names import parse_owner

LONGEST_TOKEN = 4096
_HOW = "Use the GitHub owner as the user name and a GitHub token as the password."
# What tools send as the user where a token stands alone: no account on GitHub has these names.
_PLACEHOLDERS = ("__token__", "x-access-token")
_PRINTABLE = re.compile(r"[\x21-\x7e]+")


def read_credentials(authorization: bytes | None, path_owner: str | None = None) -> Credentials:
    """The caller's credentials from an Authorization header.

    `path_owner` is the owner in a path `/<owner>/…`; the Basic user may be anything then.
    Raises CredentialsError for none or malformed ones, NotFoundError for a path whose owner cannot be one.
    """
    user, token = _basic(authorization)
    if path_owner is not None:
        owner = parse_owner(path_owner)
        if owner is None:
            raise NotFoundError("This is not a GitHub user or organization.")
        return Credentials(owner, token)
    if user in _PLACEHOLDERS:
        raise CredentialsError(
            f"The user name {user} names no owner: put the owner into the path, as /OWNER/ or /OWNER/simple/."
        )
    owner = parse_owner(user)
    if owner is None:
        raise CredentialsError(f"The user name is not a GitHub owner. {_HOW}")
    return Credentials(owner, token)


def _basic(authorization: bytes | None) -> tuple[str, Token]:
    if not authorization:
        raise CredentialsError(f"Credentials are needed. {_HOW}")
    scheme, _, encoded = authorization.partition(b" ")
    try:
        if scheme.lower() != b"basic":
            raise ValueError
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise CredentialsError(f"The credentials are not Basic ones. {_HOW}") from None
    if not colon or not password:
        raise CredentialsError(f"The token is missing. {_HOW}")
    if len(password) > LONGEST_TOKEN or not _PRINTABLE.fullmatch(password):
        raise CredentialsError(f"The password cannot be a GitHub token. {_HOW}")
    return user, Token(password)
