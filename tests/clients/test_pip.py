"""pip, as a user runs it, at a running daemon over a GitHub in a box."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from support.hub import Hub

from pypihub.sandbox.faults import Html
from pypihub.sandbox.samples import sample_wheel
from pypihub.sandbox.world import Refusal

Client = Callable[..., Any]


def requirements(folder: Path, hub: Hub, **wrong: str) -> Path:
    """A requirements file with the hashes of app 1.0 and lib 2.0, but for the wrong ones."""
    file = folder / "req.txt"
    hashes = {
        name: wrong.get(name) or asset.sha256
        for name, tag in (("app", "v1.0"), ("lib", "v2.0"))
        for asset in hub.world.find_repository("octo", name).releases[tag].assets.values()
    }
    file.write_text("app==1.0 --hash=sha256:{app}\nlib==2.0 --hash=sha256:{lib}\n".format(**hashes))
    return file


@ensureDeferred
async def test_pip_installs_a_wheel_and_what_it_needs_from_another_private_repository(
    stocked: Hub, pip: Client, fetched: Client, tmp_path: Path, log_lines: list[str]
) -> None:
    ended = await pip("install", "--target", "site", "app", index=stocked.index_url())
    assert ended.code == 0, ended.text
    assert "Successfully installed app-1.1 lib-2.0" in ended.out
    assert (tmp_path / "site/app.py").read_text() == '__version__ = "1.1"\n'
    assert (tmp_path / "site/lib.py").read_text() == '__version__ = "2.0"\n'
    assert fetched(stocked) == ["app-1.1-py3-none-any.whl", "lib-2.0-py3-none-any.whl"]
    assert {call.login for call in stocked.sandbox.calls if call.where == "graphql"} == {"octo"}
    assert stocked.token not in ended.text + "".join(log_lines)


@ensureDeferred
async def test_the_token_stays_at_the_hub_and_does_not_go_to_the_storage(stocked: Hub, pip: Client) -> None:
    assert (await pip("download", "app", index=stocked.index_url())).code == 0
    stored = [call for call in stocked.sandbox.calls if call.where == "storage"]
    assert [call.status for call in stored].count(200) == 2, "two wheels; METADATA is read by ranges"
    assert not any("authorization" in call.headers for call in stored)


@ensureDeferred
async def test_with_the_owner_in_the_path_the_user_is_token(stocked: Hub, pip: Client, tmp_path: Path) -> None:
    index = stocked.index_url("__token__", path="/octo/simple/")
    ended = await pip("install", "--target", "site", "app", index=index)
    assert ended.code == 0, ended.text
    assert (tmp_path / "site/lib.py").exists()


@ensureDeferred
async def test_a_downloaded_file_is_the_asset_to_the_byte(stocked: Hub, pip: Client, tmp_path: Path) -> None:
    ended = await pip("download", "--no-deps", "--dest", "files", "app==1.0", index=stocked.index_url())
    assert ended.code == 0, ended.text
    (asset,) = stocked.world.find_repository("octo", "app").releases["v1.0"].assets.values()
    (file,) = (tmp_path / "files").iterdir()
    assert (file.name, file.read_bytes()) == (asset.name, asset.content)
    assert asset.download_count >= 1


@ensureDeferred
async def test_the_right_hashes_are_accepted(stocked: Hub, pip: Client, tmp_path: Path) -> None:
    wanted = requirements(tmp_path, stocked)
    ended = await pip("download", "--require-hashes", "--dest", "files", "-r", wanted, index=stocked.index_url())
    assert ended.code == 0, ended.text
    assert len(list((tmp_path / "files").iterdir())) == 2


@ensureDeferred
async def test_a_wrong_hash_is_refused(stocked: Hub, pip: Client, tmp_path: Path) -> None:
    wanted = requirements(tmp_path, stocked, lib="0" * 64)
    ended = await pip("download", "--require-hashes", "--dest", "files", "-r", wanted, index=stocked.index_url())
    assert ended.code == 1
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in ended.err
    assert list((tmp_path / "files").iterdir()) == []


@ensureDeferred
async def test_a_release_newer_than_the_given_day_is_not_chosen(stocked: Hub, pip: Client, fetched: Client) -> None:
    ended = await pip("download", "--uploaded-prior-to", "2026-01-01", "app", index=stocked.index_url())
    assert ended.code == 0, ended.text
    assert fetched(stocked) == ["app-1.0-py3-none-any.whl", "lib-2.0-py3-none-any.whl"]


@ensureDeferred
async def test_pip_lists_the_versions(stocked: Hub, pip: Client, fetched: Client) -> None:
    ended = await pip("index", "versions", "app", "--json", index=stocked.index_url())
    assert ended.code == 0, ended.text
    assert json.loads(ended.out) == {"name": "app", "versions": ["1.1", "1.0"], "latest": "1.1"}
    assert fetched(stocked) == []


@ensureDeferred
async def test_pages_that_pip_has_in_its_cache_are_answered_with_304(
    stocked: Hub, pip: Client, answered: list[tuple[str, str, int]]
) -> None:
    for code in (200, 200, 304):  # the second time the pages tell the hashes of what was read meanwhile
        answered.clear()
        ended = await pip(
            "install", "--target", "site", "--upgrade", "app", index=stocked.index_url(), PIP_TRUSTED_HOST="127.0.0.1"
        )
        assert ended.code == 0, ended.text
        pages = [answer for answer in answered if answer[1].startswith("/simple/")]
        assert pages == [("GET", "/simple/app/", code), ("GET", "/simple/lib/", code)]


@ensureDeferred
async def test_pip_s_cache_does_not_hide_a_new_release(stocked: Hub, pip: Client) -> None:
    trusted = {"index": stocked.index_url(), "PIP_TRUSTED_HOST": "127.0.0.1"}
    assert (await pip("index", "versions", "app", **trusted)).out.startswith("app (1.1)")
    stocked.world.find_repository("octo", "app").add_release("v3").add_asset(*sample_wheel("app", "3.0"))
    assert (await pip("index", "versions", "app", **trusted)).out.startswith("app (3.0)")


@ensureDeferred
async def test_one_user_s_cached_page_is_not_shown_to_another(stocked: Hub, pip: Client) -> None:
    for token, code in ((stocked.token, 0), (stocked.world.add_token("stranger"), 1)):
        index = stocked.index_url("__token__", token, "/octo/simple/")
        ended = await pip("index", "versions", "app", index=index, PIP_TRUSTED_HOST="127.0.0.1")
        assert ended.code == code
    assert "No matching distribution found for app" in ended.err


@ensureDeferred
async def test_pip_says_that_a_bad_token_is_not_correct(
    stocked: Hub, pip: Client, answered: list[tuple[str, str, int]]
) -> None:
    ended = await pip("download", "app", index=stocked.index_url(token="ghp_wrong"))
    assert ended.code == 1
    assert "401 Error, Credentials not correct for" in ended.err
    assert "ghp_wrong" not in ended.text
    assert answered == [("GET", "/simple/app/", 401)] * 2
    assert stocked.asked() == 1, "pip tries twice, GitHub is asked once"


@ensureDeferred
async def test_pip_finds_nothing_where_github_finds_nothing(
    stocked: Hub, pip: Client, answered: list[tuple[str, str, int]]
) -> None:
    ended = await pip("download", "-vv", "missing", index=stocked.index_url())
    assert ended.code == 1
    assert "No matching distribution found for missing" in ended.err
    assert "GitHub has no repository octo/missing, or this token may not see it." in ended.out
    assert answered == [("GET", "/simple/missing/", 404)]


@ensureDeferred
async def test_pip_tells_why_github_refuses_when_it_is_asked_for_more_words(
    stocked: Hub, pip: Client, answered: list[tuple[str, str, int]]
) -> None:
    index = stocked.index_url(token=stocked.world.add_token("octo", refuse=Refusal.SAML))
    ended = await pip("download", "-vv", "app", index=index)
    assert ended.code == 1
    assert "No matching distribution found for app" in ended.err
    assert "You must grant your Personal Access token access to this organization." in ended.out
    assert answered == [("GET", "/simple/app/", 403)]


@ensureDeferred
async def test_in_an_outage_pip_fails(
    stocked: Hub, pip: Client, tmp_path: Path, answered: list[tuple[str, str, int]]
) -> None:
    stocked.sandbox.faults.add(Html(502), times=None)
    ended = await pip("download", "--dest", "files", "app", index=stocked.index_url())
    assert ended.code == 1
    assert "No matching distribution found for app" in ended.err
    assert answered == [("GET", "/simple/app/", 502)] * 2, "pip tries again after 502"
    assert list((tmp_path / "files").iterdir()) == []


@ensureDeferred
async def test_an_outage_half_way_leaves_nothing_installed(stocked: Hub, pip: Client, tmp_path: Path) -> None:
    stocked.sandbox.faults.add(Html(502), times=None, skip=2)
    ended = await pip("install", "--target", "site", "app", index=stocked.index_url())
    assert ended.code == 1
    # 503 once GitHub is left in peace, which comes the sooner the more of the wheels are read ahead.
    assert re.search("too many 50[23] error responses", ended.err)
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize("spelling", ["My_Pkg.Name", "MY.PKG__NAME", "my-_-pkg.name"])
@ensureDeferred
async def test_a_project_installs_under_every_spelling(hub: Hub, pip: Client, tmp_path: Path, spelling: str) -> None:
    release = hub.world.add_repository("octo/My-Pkg-Name").add_release("v1")
    release.add_asset(*sample_wheel("My_Pkg.Name", "1.0"))
    ended = await pip("install", "--target", "site", spelling, index=hub.index_url())
    assert ended.code == 0, ended.text
    assert (tmp_path / "site/my_pkg_name.py").exists()
    assert {call.variables["name"] for call in hub.sandbox.calls if call.operation == "Listing"} == {"my-pkg-name"}
