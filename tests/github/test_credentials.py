"""Tokens and signed URLs show themselves nowhere."""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from pypihub.github.credentials import Credentials, Secret, SignedURL, Token
from pypihub.index.names import Owner

_TEXT = "ghp_0123456789secret"
_SECRETS = [Token(_TEXT), SignedURL(_TEXT)]


@pytest.mark.parametrize("secret", _SECRETS)
@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        ascii,
        "{}".format,
        "{0!r:>40}".format,
        lambda secret: f"{secret}",
        lambda secret: "%s %r" % (secret, secret),  # noqa: UP031
        lambda secret: str([secret]),
        lambda secret: str(ValueError(secret)),
        lambda secret: repr(Credentials(Owner("octo"), secret)),
        lambda secret: logging.makeLogRecord({"msg": "%s", "args": (secret,)}).getMessage(),
        lambda secret: str(getattr(secret, "__dict__", "")),
    ],
)
def test_a_secret_shows_its_kind_only(secret: Secret, show: Callable[[Any], str]) -> None:
    assert _TEXT not in show(secret)


def test_a_secret_can_be_told_from_another_kind_in_a_log() -> None:
    assert [repr(secret) for secret in _SECRETS] == ["<Token>", "<SignedURL>"]


@pytest.mark.parametrize("secret", _SECRETS)
def test_a_traceback_with_all_its_variables_shows_none(secret: Secret) -> None:
    credentials = Credentials(Owner("octo"), Token(_TEXT))
    try:
        raise ValueError(secret, credentials)
    except ValueError as error:
        lines = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert "credentials" in lines
    assert _TEXT not in lines


@pytest.mark.parametrize("secret", _SECRETS)
@pytest.mark.parametrize("write", [pickle.dumps, copy.copy, copy.deepcopy, json.dumps])
def test_a_secret_stays_in_memory(secret: Secret, write: Callable[[Any], object]) -> None:
    with pytest.raises(TypeError) as caught:
        write(secret)
    assert _TEXT not in str(caught.value)


def test_a_secret_is_revealed_on_purpose_and_compares_by_kind() -> None:
    assert Token(_TEXT).reveal() == _TEXT
    assert Token(_TEXT) == Token(_TEXT)
    assert len({Token(_TEXT), Token(_TEXT), Token("other"), SignedURL(_TEXT)}) == 3
    assert Token(_TEXT) != _TEXT


def test_credentials_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Credentials(Owner("octo"), Token(_TEXT)).owner = Owner("other")  # type: ignore[misc]
