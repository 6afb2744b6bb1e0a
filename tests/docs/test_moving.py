"""What the pages about moving say in tables and in passing, where no command shows it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import treq
from pytest_twisted import ensureDeferred
from support.forms import CONTENT_TYPE, form, upload_parts
from support.hub import Hub, basic
from support.moving import PIP_TOOLS, UV_PROJECT, ancient, packages, wharf_release
from support.process import Process
from support.tools import Tools

from pypihub.config import load_config
from pypihub.errors import ConfigError
from pypihub.sandbox.samples import sample_sdist, sample_wheel

GO = "[server]\n{server}\n[github]\n{github}\n"


@ensureDeferred
async def test_answers_are_those_of_the_table_for_who_comes_from_the_go_program(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(owners=("octo",))
    repository = hub.world.add_repository("octo/sled")
    repository.add_release("v1").add_asset(*sample_wheel("sled", "1.0"))
    hub.world.add_repository("octo/bare")
    foreign = hub.world.add_repository("other/sled", readers=["octo"])
    asset = foreign.add_release("v1").add_asset(*sample_wheel("sled", "1.0"))

    nobody = await hub.get("/simple/sled/", user=None)
    assert (nobody.code, bool(nobody.header("WWW-Authenticate"))) == (401, True)
    assert (await hub.get("/simple/sled/", token="ghp_" + "0" * 36)).code == 401
    assert (await hub.get("/simple/sled/", user="other")).code == 403
    assert (await hub.get("/simple/sled/", user="OCTO")).code == 200
    assert (await hub.get("/simple/nothing/")).code == 404
    assert (await hub.get("/simple/bare/")).code == 404
    assert (await hub.get(f"/asset/{asset.id}/{asset.name}")).code == 404
    assert (await hub.head("/simple/sled/")).code == 200
    assert (await hub.request("PUT", "/simple/sled/")).code == 405
    moved = await hub.get("/simple/SLED/")
    assert (moved.code, moved.header("Location")) == (301, "../sled/")
    assert ">sled<" in (await hub.get("/simple/")).text


@ensureDeferred
async def test_a_used_up_limit_and_an_outage_are_no_404(make_hub: Callable[..., Any]) -> None:
    limited = await make_hub(quota=0)
    assert (await limited.get("/simple/sled/")).code == 429
    lost = await make_hub()
    await lost.sandbox.stop()
    assert (await lost.get("/simple/sled/")).code == 503


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (GO.format(server='[server.tls]\ncrt = "server.pem"', github=""), "server.tls.key: is missing"),
        (GO.format(server='[server.tls]\ncrt = ""\nkey = ""', github=""), "server.tls.crt"),
        (GO.format(server='hots = "0.0.0.0"', github=""), "server.hots: unknown key; did you mean server.host"),
        ('[Server]\nHost = "0.0.0.0"\n', "Server: unknown key; did you mean server"),
        (GO.format(server="", github='[[github.replace]]\npatt = "x"'), "repl: is missing"),
    ],
)
def test_what_the_go_program_passed_over_is_an_error(text: str, why: str, tmp_path: Path) -> None:
    (file := tmp_path / "pypihub.toml").write_text(text)
    with pytest.raises(ConfigError, match=why.replace(".", r"\.")):
        load_config(file)


@ensureDeferred
async def test_what_is_attached_by_hand_is_shown_by_its_name_alone(hub: Hub) -> None:
    jet, anvil = (hub.world.add_repository(f"octo/{name}") for name in ("jet-skates", "old-anvil"))
    for name, content in packages().items():
        if "!" in name:
            (jet.releases.get("v1.2.0") or jet.add_release("v1.2.0")).add_asset(name, content)
    release = anvil.add_release("all")
    for name, content in ancient().items():
        release.add_asset(name, content)
    release.add_asset("old-anvil-1.0.doc.zip", b"PK")

    assert ">jet_skates-1.2.0.tar.gz<" in (await hub.get("/simple/jet-skates/")).text, "of version 1!2.0"
    page = (await hub.get("/simple/old-anvil/")).text
    assert ">old-anvil-0.7.tar.gz<" in page, "it has no PKG-INFO"
    assert ">old-anvil-1.0.tar.gz<" in page
    assert not any(name in page for name in ("tar.bz2", "0.8-final", "doc.zip"))


@ensureDeferred
async def test_a_draft_that_pywharf_left_behind_catches_the_upload_of_its_file(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(replace=[("^sled$", "wharf")])
    wharf = hub.world.add_repository("octo/wharf")
    name, content = sample_sdist("sled", "1.0")
    wharf.add_release(name, name=name, draft=True).add_asset(name, content)

    assert "in a draft release" in await _published(hub, name, content, "sled", "1.0")
    assert (await hub.get("/simple/sled/")).code == 404


@ensureDeferred
async def test_projects_of_one_repository_share_a_release_by_default(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(replace=[("^.*$", "wharf")])
    wharf = hub.world.add_repository("octo/wharf")
    old = sample_sdist("sled", "0.9")
    wharf_release(wharf, *old)
    for project, version in (("sled", "1.0"), ("skates", "1.0"), ("sled", "0.9")):
        await _published(hub, *sample_wheel(project, version), project, version)

    held = {tag: sorted(release.assets) for tag, release in wharf.releases.items()}
    assert held == {
        "v1.0": ["skates-1.0-py3-none-any.whl", "sled-1.0-py3-none-any.whl"],
        "sled-0.9.tar.gz": ["sled-0.9-py3-none-any.whl", "sled-0.9.tar.gz"],
    }


@ensureDeferred
async def test_uv_goes_by_an_old_lock_where_the_index_is_the_same_alone(
    hub: Hub, run: Callable[..., Process], tmp_path: Path
) -> None:
    _fill(hub)
    project, old, new = tmp_path / "pyproject.toml", f"{hub.url}/octo/simple/", f"{hub.url}/OCTO/simple/"
    credentials = {"UV_INDEX_HUB_USERNAME": "octo", "UV_INDEX_HUB_PASSWORD": hub.token, "UV_PYTHON": sys.executable}
    for wanted, index, locked in (("==1.0.0", old, "1.0.0"), (">=1.0.0", old, "1.0.0"), (">=1.0.0", new, "1.1.0")):
        project.write_text(UV_PROJECT.format(wanted=wanted, index=index))
        lock = run("uv", "lock", **credentials)
        assert await lock.ends() == 0, lock.err
        assert f'name = "rocket-sled"\nversion = "{locked}"' in (tmp_path / "uv.lock").read_text()


@ensureDeferred
async def test_pip_compile_writes_the_token_unless_it_is_told_not_to(
    hub: Hub, run: Callable[..., Process], tmp_path: Path, tools: Tools
) -> None:
    _fill(hub)
    command = str(tools.python("pip-tools", *PIP_TOOLS).with_name("pip-compile"))
    (tmp_path / "requirements.in").write_text("rocket-sled\n")
    for option, is_there in (("--quiet", True), ("--no-emit-index-url", False)):
        compiling = run(command, "--strip-extras", option, "requirements.in", PIP_INDEX_URL=hub.index_url())
        assert await compiling.ends() == 0, compiling.err
        assert (hub.token in (tmp_path / "requirements.txt").read_text()) is is_there


@ensureDeferred
async def test_twine_and_uv_have_the_snags_that_the_page_tells(
    hub: Hub, run: Callable[..., Process], tmp_path: Path, tools: Tools
) -> None:
    hub.world.add_repository("octo/old-anvil")
    name = "old-anvil-1.0.tar.gz"
    (tmp_path / name).write_bytes(ancient()[name])
    url = f"{hub.url}/legacy/"
    login = {"TWINE_USERNAME": "octo", "TWINE_PASSWORD": hub.token, "TWINE_REPOSITORY_URL": url}
    skipping = run(str(tools.command("twine")), "upload", "--skip-existing", name, **login)
    assert await skipping.ends() == 1
    assert "does not have support for the following" in " ".join((skipping.out + skipping.err).split())

    login = {"UV_PUBLISH_USERNAME": "octo", "UV_PUBLISH_PASSWORD": hub.token, "UV_PUBLISH_URL": url}
    publishing = run("uv", "publish", "--trusted-publishing", "never", name, **login)
    assert await publishing.ends() == 0
    assert "has a non-normalized filename (expected `old_anvil-1.0.tar.gz`), skipping" in publishing.err


def _fill(hub: Hub) -> None:
    repository = hub.world.add_repository("octo/rocket-sled")
    for version in ("1.0.0", "1.1.0"):
        repository.add_release(f"v{version}").add_asset(*sample_wheel("rocket-sled", version))


async def _published(hub: Hub, filename: str, content: bytes, name: str, version: str) -> str:
    headers = {"Authorization": basic("octo", hub.token), "Content-Type": CONTENT_TYPE}
    body = form(upload_parts(filename, content, name, version))
    answer = await treq.post(f"{hub.url}/legacy/", body, headers=headers, persistent=False)
    text = await answer.text()
    assert answer.code == 200, text
    return str(text)
