"""The token of whoever runs a command: from the environment, or from GitHub's own command line."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from urllib.parse import urlsplit

from pypihub.errors import CommandError
from pypihub.github.credentials import Token

VARIABLES = ("PYPIHUB_TOKEN", "GITHUB_TOKEN", "GH_TOKEN")
"""Environment variables that may hold the token, the first one first."""
_LONGEST = 4096
_TOKEN = re.compile(r"[\x21-\x7e]+")
_GH = "gh auth token"
_PATIENCE = 10  # seconds for `gh`, which may ask a key ring


def find_token(environment: Mapping[str, str], host: str) -> Token:
    """The token in the first variable that has one, else the one that `gh` keeps for GitHub's `host`.

    It never stands in an argument list. `gh` may take ten seconds, in which nothing else runs.
    Raises CommandError where there is none, or what is there cannot be a token.
    """
    return find_token_and_origin(environment, host)[0]


def find_token_and_origin(environment: Mapping[str, str], host: str) -> tuple[Token, str]:
    """As `find_token`, and what holds the token: the variable's name, or `gh`'s command."""
    for name in VARIABLES:
        if text := environment.get(name, "").strip():
            return _token(text, name), name
    text = _of_gh(environment, host)
    if not text:
        first, *others = VARIABLES
        raise CommandError(
            f"There is no GitHub token: set {first} (or {' or '.join(others)}), or log in with: gh auth login"
        )
    return _token(text, _GH), _GH


def github_host(api_url: str) -> str:
    """The host that `gh` knows a GitHub by: github.com, an enterprise's SUB.ghe.com or an Enterprise Server's own."""
    return (urlsplit(api_url).hostname or "").removeprefix("api.")


def _token(text: str, origin: str) -> Token:
    if len(text) > _LONGEST or not _TOKEN.fullmatch(text):
        raise CommandError(f"{origin} holds no GitHub token.")
    return Token(text)


def _of_gh(environment: Mapping[str, str], host: str) -> str:
    """What `gh auth token` says; nothing where there is no gh, or nobody is logged in."""
    command = ["gh", "auth", "token", "--hostname", host]
    try:
        ended = subprocess.run(  # noqa: S603 - the host comes from the configuration
            command, env=dict(environment), capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return ""
    return ended.stdout.strip() if ended.returncode == 0 else ""
