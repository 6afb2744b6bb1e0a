"""uv, as a user runs it, at a running daemon over a GitHub in a box."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from support.hub import Hub

from pypihub.sandbox.faults import Html
from pypihub.sandbox.samples import sample_wheel
from pypihub.sandbox.world import Refusal

Client = Callable[..., Any]


@pytest_twisted.async_fixture
async def elsewhere(make_hub: Client) -> Hub:
    """Another index, where somebody else has an app."""
    hub: Hub = await make_hub()
    hub.world.add_repository("octo/app").add_release("v9").add_asset(*sample_wheel("app", "9.0"))
    hub.world.add_repository("octo/other").add_release("v1").add_asset(*sample_wheel("other", "1.0"))
    return hub


@ensureDeferred
async def test_uv_installs_a_wheel_and_what_it_needs_from_another_private_repository(
    stocked: Hub, uv: Client, fetched: Client, tmp_path: Path, log_lines: list[str]
) -> None:
    ended = await uv("pip", "install", "--target", "site", "app", index=stocked.index_url())
    assert ended.code == 0, ended.text
    assert (tmp_path / "site/app.py").read_text() == '__version__ = "1.1"\n'
    assert (tmp_path / "site/lib.py").read_text() == '__version__ = "2.0"\n'
    assert set(fetched(stocked)) == {"app-1.1-py3-none-any.whl", "lib-2.0-py3-none-any.whl"}
    assert {call.login for call in stocked.sandbox.calls if call.where == "graphql"} == {"octo"}
    assert not any("authorization" in call.headers for call in stocked.sandbox.calls if call.where == "storage")
    assert stocked.token not in ended.text + "".join(log_lines)


@ensureDeferred
async def test_the_second_time_uv_is_answered_with_304_and_loads_nothing(
    stocked: Hub, uv: Client, fetched: Client, answered: list[tuple[str, str, int]]
) -> None:
    for target in ("first", "again"):  # the second time the pages tell the hashes of what was read meanwhile
        assert (await uv("pip", "install", "--target", target, "app", index=stocked.index_url())).code == 0
    answered.clear()
    stocked.sandbox.calls.clear()
    ended = await uv("pip", "install", "--target", "second", "app", index=stocked.index_url())
    assert ended.code == 0, ended.text
    pages = sorted(answer for answer in answered if answer[1].startswith("/simple/"))
    assert pages == [("GET", "/simple/app/", 304), ("GET", "/simple/lib/", 304)]
    assert fetched(stocked) == []
    assert stocked.asked(operation="Listing") == 2, "GitHub is asked each time whether the token may still see it"


@ensureDeferred
async def test_uv_s_cache_does_not_hide_a_new_release(stocked: Hub, uv: Client) -> None:
    index = stocked.index_url()
    assert "app==1.1" in (await uv("pip", "compile", "-", stdin="app", index=index)).out
    stocked.world.find_repository("octo", "app").add_release("v3").add_asset(*sample_wheel("app", "3.0"))
    assert "app==3.0" in (await uv("pip", "compile", "-", stdin="app", index=index)).out


@ensureDeferred
async def test_one_user_s_cached_page_is_not_shown_to_another(stocked: Hub, uv: Client) -> None:
    for token, code in ((stocked.token, 0), (stocked.world.add_token("stranger"), 1)):
        index = stocked.index_url("__token__", token, "/octo/simple/")
        ended = await uv("pip", "compile", "-", stdin="app\n", index=index)
        assert ended.code == code, ended.text
    assert "app was not found in the package registry" in ended.err


@ensureDeferred
async def test_uv_compiles_requirements_with_github_s_hashes(stocked: Hub, uv: Client) -> None:
    ended = await uv("pip", "compile", "-", "--generate-hashes", stdin="app==1.0\n", index=stocked.index_url())
    assert ended.code == 0, ended.text
    for name, tag in (("app", "v1.0"), ("lib", "v2.0")):
        (asset,) = stocked.world.find_repository("octo", name).releases[tag].assets.values()
        assert f"{name}=={tag[1:]} \\\n    --hash=sha256:{asset.sha256}" in ended.out


@ensureDeferred
async def test_files_newer_than_the_given_day_are_excluded(stocked: Hub, uv: Client) -> None:
    ended = await uv("pip", "compile", "-", "--exclude-newer", "2026-01-01", stdin="app\n", index=stocked.index_url())
    assert ended.code == 0, ended.text
    assert "app==1.0" in ended.out


@ensureDeferred
async def test_what_the_hub_does_not_have_comes_from_the_next_index(stocked: Hub, elsewhere: Hub, uv: Client) -> None:
    private = stocked.index_url()
    ended = await uv("pip", "compile", "-", stdin="app\nother\n", index=elsewhere.index_url(), UV_INDEX=private)
    assert ended.code == 0, ended.text
    assert [line for line in ended.out.splitlines() if "==" in line] == ["app==1.1", "lib==2.0", "other==1.0"]
    assert {call.variables["name"] for call in elsewhere.sandbox.calls if call.operation == "Listing"} == {"other"}


@ensureDeferred
async def test_a_bad_token_stops_uv_before_the_next_index(
    stocked: Hub, elsewhere: Hub, uv: Client, answered: list[tuple[str, str, int]]
) -> None:
    private = stocked.index_url(token="ghp_wrong")
    ended = await uv("pip", "install", "--target", "site", "app", index=elsewhere.index_url(), UV_INDEX=private)
    assert ended.code == 1
    assert "due to a lack of valid authentication credentials (401 Unauthorized)" in ended.err
    assert "ghp_wrong" not in ended.text
    assert answered == [("GET", "/simple/app/", 401)]
    assert elsewhere.sandbox.calls == []


@ensureDeferred
async def test_a_refusal_stops_uv_before_the_next_index(
    stocked: Hub, elsewhere: Hub, uv: Client, answered: list[tuple[str, str, int]]
) -> None:
    private = stocked.index_url(token=stocked.world.add_token("octo", refuse=Refusal.SAML))
    ended = await uv("pip", "install", "--target", "site", "app", index=elsewhere.index_url(), UV_INDEX=private)
    assert ended.code == 1
    assert "returned a 403 Forbidden error" in ended.err
    assert answered == [("GET", "/simple/app/", 403)]
    assert elsewhere.sandbox.calls == []


@ensureDeferred
async def test_an_outage_stops_uv_before_the_next_index(
    stocked: Hub, elsewhere: Hub, uv: Client, answered: list[tuple[str, str, int]]
) -> None:
    stocked.sandbox.faults.add(Html(502), times=None)
    private = stocked.index_url()
    ended = await uv("pip", "install", "--target", "site", "app", index=elsewhere.index_url(), UV_INDEX=private)
    assert ended.code == 2
    assert "502 Bad Gateway: GitHub " in ended.err
    assert answered == [("GET", "/simple/app/", 502)] * 2
    assert elsewhere.sandbox.calls == []


@pytest.mark.parametrize("spelling", ["My_Pkg.Name", "MY.PKG__NAME"])
@ensureDeferred
async def test_a_project_installs_under_every_spelling(hub: Hub, uv: Client, tmp_path: Path, spelling: str) -> None:
    release = hub.world.add_repository("octo/My-Pkg-Name").add_release("v1")
    release.add_asset(*sample_wheel("My_Pkg.Name", "1.0"))
    ended = await uv("pip", "install", "--target", "site", spelling, index=hub.index_url())
    assert ended.code == 0, ended.text
    assert (tmp_path / "site/my_pkg_name.py").exists()
