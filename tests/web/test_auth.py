"""Basic credentials: the user is the owner, the password the caller's GitHub token."""

from __future__ import annotations

import base64
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypihub.errors import CredentialsError, NotFoundError
from pypihub.web.auth import read_credentials

_TOKEN = "github_pat_11ABCDEFG0secret"


def _basic(pair: str | bytes, scheme: str = "Basic ") -> bytes:
    return scheme.encode() + base64.b64encode(pair.encode() if isinstance(pair, str) else pair)


@pytest.mark.parametrize("scheme", ["Basic ", "basic ", "BASIC ", "Basic   "])
def test_user_and_password_are_owner_and_token(scheme: str) -> None:
    credentials = read_credentials(_basic(f"Octo-Org:{_TOKEN}", scheme))
    assert (credentials.owner, credentials.token.reveal()) == ("octo-org", _TOKEN)


def test_a_token_may_hold_colons() -> None:
    assert read_credentials(_basic("octo:a:b:")).token.reveal() == "a:b:"


@pytest.mark.parametrize("user", ["", "__token__", "x-access-token", "other", "no owner/at all", "é"])
def test_with_an_owner_in_the_path_the_user_may_be_anything(user: str) -> None:
    credentials = read_credentials(_basic(f"{user}:{_TOKEN}"), "Octo")
    assert (credentials.owner, credentials.token.reveal()) == ("octo", _TOKEN)


@pytest.mark.parametrize("user", ["__token__", "x-access-token"])
def test_a_placeholder_user_learns_where_the_owner_goes(user: str) -> None:
    with pytest.raises(CredentialsError, match=r"put the owner into the path, as /OWNER/ or /OWNER/simple/\."):
        read_credentials(_basic(f"{user}:{_TOKEN}"))


@pytest.mark.parametrize("owner", ["", "a.b", "a b", "..", "é", "-a", "a/b"])
def test_a_path_without_a_possible_owner_is_not_found(owner: str) -> None:
    with pytest.raises(NotFoundError):
        read_credentials(_basic(f"octo:{_TOKEN}"), owner)


def test_whoever_has_no_credentials_learns_nothing_of_the_path() -> None:
    with pytest.raises(CredentialsError):
        read_credentials(None, "..")


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        b"",
        b"Basic",
        b"Basic ",
        b"Basic !!!",
        b"Basic b2N0bzp0b2tlbg",  # without padding
        b"Basic b2N0bzp0b2t\nlbg==",
        b"Basic \xff\xfe",
        b"Bearer " + _TOKEN.encode(),
        b"token " + _TOKEN.encode(),
        _TOKEN.encode(),
        _basic(_TOKEN),  # no colon
        _basic("octo:"),
        _basic(":"),
        _basic(f":{_TOKEN}"),
        _basic(f"a/b:{_TOKEN}"),
        _basic(f"a b:{_TOKEN}"),
        _basic(f"octo\n:{_TOKEN}"),
        _basic(f"octo:{_TOKEN} x"),
        _basic(f"octo:{_TOKEN}\r\nX-Injected: 1"),
        _basic(f"octo:{_TOKEN}é"),
        _basic(b"octo:\xff" + _TOKEN.encode()),
        _basic("octo:" + "x" * 4097),
    ],
)
def test_what_can_be_no_credentials_is_refused_without_a_word_of_the_token(authorization: bytes | None) -> None:
    with pytest.raises(CredentialsError, match="GitHub token") as caught:
        read_credentials(authorization)
    assert _TOKEN not in caught.value.message
    assert caught.value.message.isprintable()


def test_long_tokens_are_taken() -> None:
    assert len(read_credentials(_basic("octo:" + "x" * 4096)).token.reveal()) == 4096


@given(st.binary() | st.binary().map(_basic) | st.text().map(_basic), st.none() | st.text())
def test_no_header_upsets_the_reader(authorization: bytes, path_owner: str | None) -> None:
    with suppress(CredentialsError, NotFoundError):
        assert read_credentials(authorization, path_owner).token.reveal().isascii()
