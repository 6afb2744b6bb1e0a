"""What a page showed is known for a moment, to the caller whose page it was."""

from __future__ import annotations

from datetime import UTC, datetime

from packaging.version import Version
from twisted.internet.task import Clock

from pypihub.catalog.shown import Shown
from pypihub.github.credentials import Credentials, Token
from pypihub.github.tokens import TokenHasher
from pypihub.index.model import File
from pypihub.index.names import Owner

NAME = "demo-1.0.tar.gz"


def caller(token: str = "ghp_mine", owner: str = "octo") -> Credentials:
    """Who asks."""
    return Credentials(Owner(owner), Token(token))


def file(asset_id: str, size: int = 20) -> File:
    """A file on a page."""
    return File(NAME, Version("1.0"), asset_id, size, None, datetime(2025, 7, 1, tzinfo=UTC))


def test_a_file_on_the_caller_s_page_is_known_by_its_id_and_name() -> None:
    shown = Shown(TokenHasher(), Clock().seconds)
    shown.note(caller(), [file("RA_one", 20), file("RA_two", 30)])
    assert [shown.size(caller(), one, NAME) for one in ("RA_one", "RA_two", "RA_three")] == [20, 30, None]
    assert shown.size(caller(), "RA_one", "other-1.0.tar.gz") is None


def test_another_token_or_owner_was_shown_nothing() -> None:
    shown = Shown(TokenHasher(), Clock().seconds)
    shown.note(caller(), [file("RA_one")])
    assert shown.size(caller(token="ghp_other"), "RA_one", NAME) is None
    assert shown.size(caller(owner="other"), "RA_one", NAME) is None


def test_a_page_is_forgotten_when_its_time_is_over_unless_it_is_shown_again() -> None:
    clock = Clock()
    shown = Shown(TokenHasher(), clock.seconds, lifetime=30)
    shown.note(caller(), [file("RA_one")])
    clock.advance(29)
    assert shown.size(caller(), "RA_one", NAME) == 20
    shown.note(caller(), [file("RA_one")])
    clock.advance(29)
    assert shown.size(caller(), "RA_one", NAME) == 20
    clock.advance(1)
    assert shown.size(caller(), "RA_one", NAME) is None


def test_what_was_shown_longest_ago_makes_room() -> None:
    shown = Shown(TokenHasher(), Clock().seconds, size=2)
    for one in ("RA_one", "RA_two", "RA_one", "RA_three"):
        shown.note(caller(), [file(one)])
    assert [shown.size(caller(), one, NAME) for one in ("RA_one", "RA_two", "RA_three")] == [20, None, 20]
