"""Which form of a page a client gets, and whether it has it already."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypihub.errors import NotAcceptableError
from pypihub.index.negotiate import Format, choose_format, is_for_people, matches_etag

_JSON = "application/vnd.pypi.simple.v1+json"
_HTML = "application/vnd.pypi.simple.v1+html"


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        # what clients send
        (f"{_JSON}, {_HTML};q=0.1, text/html;q=0.01", Format.JSON),  # pip, pdm
        (f"{_JSON}, {_HTML};q=0.2, text/html;q=0.01", Format.JSON),  # uv
        (f"{_JSON}, */*;q=0.1", Format.JSON),  # poetry
        (f"{_JSON}, {_HTML}, text/html;q=0.01", Format.JSON),  # pypi-simple
        ("*/*", Format.TEXT_HTML),  # hatch, curl
        ("", Format.TEXT_HTML),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Format.TEXT_HTML),  # browsers
        # one by one
        (_JSON, Format.JSON),
        (_HTML, Format.HTML),
        ("text/html", Format.TEXT_HTML),
        ("application/vnd.pypi.simple.latest+json", Format.JSON),
        ("application/vnd.pypi.simple.latest+html", Format.HTML),
        ("application/*", Format.JSON),
        ("text/*", Format.TEXT_HTML),
        # weighed
        (f"{_JSON};q=0.1, text/html", Format.TEXT_HTML),
        (f"{_JSON};q=0.1, {_HTML};q=0.2", Format.HTML),
        (f"text/html, {_HTML}, {_JSON}", Format.JSON),
        (f"*/*, {_JSON}", Format.JSON),
        (f"*/*, {_HTML}", Format.HTML),
        (f"*/*;q=1, {_JSON};q=0.9", Format.TEXT_HTML),
        (f"*/*, text/html;q=0, {_HTML};q=0", Format.JSON),
        ("text/*;q=0.2, text/html;q=0", None),
        # spelled in other ways
        ("TEXT/HTML ; Q=0.5", Format.TEXT_HTML),
        (f"text/html;q=0.5,{_JSON};q=0.500", Format.JSON),
        ("text/html;charset=utf-8;q=1.", Format.TEXT_HTML),
        # not here
        ("application/json", None),
        ("image/png, application/pdf;q=0.5", None),
        ("text/html;q=0", None),
        ("*/*;q=0", None),
        ("application/vnd.pypi.simple.v2+json", None),
        # malformed: passed over
        (f"text/html;q=abc, {_JSON};q=0.1", Format.JSON),
        ("text/html;q=", Format.TEXT_HTML),
        ("q=1", Format.TEXT_HTML),
        (",;,", Format.TEXT_HTML),
    ],
)
def test_the_accept_header_decides(accept: str, form: Format | None) -> None:
    if form is None:
        with pytest.raises(NotAcceptableError, match="text/html"):
            choose_format(accept)
    else:
        assert choose_format(accept) is form


@pytest.mark.parametrize("quality", ["2", "-1", "nan", "inf", "1e9", "0.1234", "0x1", "٠", "1.001", "=", " ", "q=q"])
def test_a_malformed_quality_says_nothing(quality: str) -> None:
    assert choose_format(f"text/html;q={quality}, {_HTML};q=0.1") is Format.HTML


@pytest.mark.parametrize(
    ("wanted", "form"),
    [
        (_JSON, Format.JSON),
        (_HTML, Format.HTML),
        ("text/html", Format.TEXT_HTML),
        ("application/vnd.pypi.simple.latest+json", Format.JSON),
        ("application/vnd.pypi.simple.v1 json", Format.JSON),  # a plus sign that was not quoted
    ],
)
def test_the_format_in_the_url_wins(wanted: str, form: Format) -> None:
    assert choose_format("image/png", wanted) is form


@pytest.mark.parametrize("wanted", ["", "json", "*/*", "application/json", "\x00"])
def test_an_unknown_format_in_the_url_is_refused(wanted: str) -> None:
    with pytest.raises(NotAcceptableError, match="there are application/vnd"):
        choose_format("*/*", wanted)


_SCRAPS = st.lists(st.sampled_from([*",;=/* qQ.01", "text/html", "*/*", "application/*", _JSON, _HTML])).map("".join)


@given(st.text() | _SCRAPS, st.none() | st.text())
def test_no_request_upsets_the_choice(accept: str, wanted: str | None) -> None:
    with suppress(NotAcceptableError):
        assert choose_format(accept, wanted) in Format


def test_html_says_its_charset_and_v1_types_are_exact() -> None:
    assert [form.content_type for form in Format] == [_JSON, _HTML, "text/html; charset=utf-8"]


@pytest.mark.parametrize(
    ("if_none_match", "matches"),
    [
        ('"abc"', True),
        ('W/"abc"', True),
        ('"x", "abc"', True),
        ('"x","abc","y"', True),
        (' "abc" ', True),
        ("*", True),
        ("", False),
        ("abc", False),
        ('"ab"', False),
        ('"abcd"', False),
        ('"ABC"', False),
        ('"abc', False),
        ('"x" *', False),
        ('"a b", "abc"', True),
    ],
)
def test_if_none_match_names_the_page(if_none_match: str, matches: bool) -> None:
    assert matches_etag(if_none_match, '"abc"') is matches


@given(st.text() | st.text('"W/abc, *'))
def test_no_if_none_match_upsets(header: str) -> None:
    assert matches_etag(f'{header}, "abc"', '"abc"') in (True, False)
    assert not matches_etag(header.replace('"', "").replace("*", ""), '"abc"')


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8", True),  # browsers
        ("text/html", True),
        ("text/html;q=0.9, */*;q=0.8", True),
        ("*/*", False),  # curl, hatch
        ("", False),
        ("text/html;q=0", False),
        # pip, uv, poetry
        (
            "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01",
            False,
        ),
        ("application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01", False),
        ("application/json", False),
    ],
)
def test_browsers_want_html_more_than_anything_else(accept: str, expected: bool) -> None:
    assert is_for_people(accept) is expected
