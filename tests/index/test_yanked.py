"""Yanked releases: what a title says, and what may come of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypihub.index.yanked import yanked_reason, yanked_title


@pytest.mark.parametrize(
    ("title", "yanked"),
    [
        ("[yanked] loses data", "loses data"),
        ("[YANKED]loses data", "loses data"),
        ("  [Yanked]\t loses data \n", "loses data"),
        ("[yanked]", True),
        (" [yanked]  ", True),
        ("", False),
        ("yanked", False),
        ("v1.0 [yanked]", False),
        ("[yanked", False),
        ("[yank] it", False),
    ],
)
def test_a_title_that_begins_with_the_mark_is_yanked_and_the_rest_is_the_reason(title: str, yanked: str | bool) -> None:
    assert yanked_reason(title) == yanked


@pytest.mark.parametrize(
    ("title", "reason"),
    [
        ("[yanked] one\r\nX-Header: two", "one X-Header: two"),
        ("[yanked] \x1b[31mred\x07", "[31mred"),
        ("[yanked] a\u202eb\u2028c\x00d", "a b c d"),
        ("[yanked] \x00\u200b", True),
        ("[yanked] half \ud800", "half"),
        ("[yanked] größer als 100 %", "größer als 100 %"),
    ],
)
def test_a_reason_is_one_line_without_control_characters(title: str, reason: str | bool) -> None:
    assert yanked_reason(title) == reason


@given(st.text() | st.text(min_size=250))
def test_a_reason_is_short_and_printable_and_comes_back_from_its_title(text: str) -> None:
    reason = yanked_reason(f"[yanked] {text}")
    assert reason is True or (isinstance(reason, str) and 0 < len(reason) <= 300 and reason.isprintable())
    assert yanked_reason(yanked_title(text)) == reason


def test_without_a_reason_the_title_is_the_mark() -> None:
    assert yanked_title() == "[yanked]"
