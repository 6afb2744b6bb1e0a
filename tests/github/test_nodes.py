"""GraphQL node ids, and the REST ids inside them."""

from __future__ import annotations

import base64
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypihub.errors import NotFoundError, UpstreamError
from pypihub.github.nodes import asset_number, check_node_id, release_number


def _new(repository: int, asset: int) -> str:
    packed = msgspec.msgpack.encode([0, repository, asset])
    return "RA_" + base64.urlsafe_b64encode(packed).decode().rstrip("=")


def _old(number: int) -> str:
    return base64.b64encode(f"012:ReleaseAsset{number}".encode()).decode()


def test_a_real_node_id_holds_the_rest_id() -> None:
    assert asset_number("RA_kwDOMcJSyM4K9qiP") == 183937167
    assert _new(834818760, 183937167) == "RA_kwDOMcJSyM4K9qiP"


def test_the_old_form_is_read_too() -> None:
    assert asset_number("MDEyOlJlbGVhc2VBc3NldDE=") == 1


def test_a_releases_number_is_read_in_both_forms() -> None:
    assert release_number("RE_kwDOMcJSyM4J0gcp") == 164759337
    assert release_number(base64.b64encode(b"07:Release123").decode()) == 123
    for other in ("RA_kwDOMcJSyM4K9qiP", "MDEyOlJlbGVhc2VBc3NldDE=", "RE_kwDO"):
        with pytest.raises(UpstreamError):
            release_number(other)


@given(st.integers(1, 2**53), st.integers(1, 2**53))
def test_every_assets_number_is_found_in_an_id_that_passes_the_check(repository: int, asset: int) -> None:
    for node_id in (_new(repository, asset), _old(asset)):
        assert asset_number(check_node_id(node_id)) == asset


@pytest.mark.parametrize(
    "node_id",
    ["", "x", "a" * 201, "RA_ x", "RA_kw/x", "RA_kw+x", "RA_é", "../etc", 'RA_"', "RA_kwDO\n", "RA_kwDO%3D"],
)
def test_what_looks_like_no_id_need_not_be_asked_for(node_id: str) -> None:
    with pytest.raises(NotFoundError):
        check_node_id(node_id)


@pytest.mark.parametrize(
    "node_id",
    ["", "RA_", "RA_kwDO", "RA_____", "MDEyOlJlbGVhc2UxMjM=", "MDEyOlJlbGVhc2VBc3NldA==", "R_kgDOMcJSyA", "RA_é"],
)
def test_an_id_of_an_unknown_form_is_githubs_trouble(node_id: str) -> None:
    with pytest.raises(UpstreamError):
        asset_number(node_id)


@given(st.text() | st.from_regex(r"(RA_)?[A-Za-z0-9_=-]{0,200}", fullmatch=True))
def test_no_id_upsets_the_reader(node_id: str) -> None:
    with suppress(NotFoundError, UpstreamError):
        assert isinstance(asset_number(check_node_id(node_id)), int)
