"""`pypihub yank`, as somebody runs it at a GitHub in a box, and what comes of it on a page."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from support.hub import Hub
from support.process import Process

from pypihub.sandbox.faults import Hang
from pypihub.sandbox.samples import sample_sdist, sample_wheel

Yank = Callable[..., Any]


@pytest.fixture
def yank(run: Callable[..., Process], hub: Hub, tmp_path: Path) -> Yank:
    """Runs `pypihub yank` with the token of octo (or other variables) and waits for its end."""
    file = tmp_path / "hub.toml"
    file.write_text(f'[github]\napi_url = "{hub.sandbox.api_url}"\ngraphql_url = "{hub.sandbox.graphql_url}"\n')

    async def start(*arguments: str, **environment: str) -> Process:
        process = run("pypihub", "yank", "-c", str(file), *arguments, **(environment or {"PYPIHUB_TOKEN": hub.token}))
        await process.ends()
        assert "Traceback" not in process.out + process.err
        assert hub.token not in process.out + process.err
        return process

    return start


def publish(hub: Hub, repository: str = "octo/app", *versions: str, name: str | None = None) -> Any:
    """A repository with a release of a wheel and an sdist for each version."""
    made = hub.world.add_repository(repository)
    for version in versions or ("1.0", "1.1"):
        release = made.add_release(f"v{version}", name=name)
        release.add_asset(*sample_wheel(made.name, version))
        release.add_asset(*sample_sdist(made.name, version))
    return made


async def yanked(hub: Hub, project: str = "app") -> dict[str, object]:
    """What the page says of the project's versions."""
    answer = await hub.get(f"/simple/{project}/", headers={"Accept": "application/vnd.pypi.simple.v1+json"})
    page = json.loads(answer.body)
    return {file["filename"].split("-")[1].removesuffix(".tar.gz"): file.get("yanked", False) for file in page["files"]}


@ensureDeferred
async def test_a_version_is_yanked_and_brought_back(hub: Hub, yank: Yank) -> None:
    repository = publish(hub)
    process = await yank("octo/app", "1.1", "--reason", "loses data")
    assert (process.code, process.err) == (0, "")
    assert process.out == 'Release v1.1 of octo/app (app 1.1) is yanked: "loses data".\n'
    assert repository.releases["v1.1"].name == "[yanked] loses data"
    assert await yanked(hub) == {"1.0": False, "1.1": "loses data"}
    process = await yank("octo/app", "1.1", "--undo")
    assert (process.code, process.err) == (0, "")
    assert process.out == "Release v1.1 of octo/app (app 1.1) is yanked no more. Its title is its tag.\n"
    assert await yanked(hub) == {"1.0": False, "1.1": False}


@ensureDeferred
async def test_a_reason_is_not_needed(hub: Hub, yank: Yank) -> None:
    publish(hub)
    process = await yank("OCTO/App", "v1.1.0")
    assert process.out == "Release v1.1 of octo/app (app 1.1) is yanked.\n"
    assert await yanked(hub) == {"1.0": False, "1.1": True}


@ensureDeferred
async def test_a_title_that_is_lost_is_told(hub: Hub, yank: Yank) -> None:
    publish(hub, name='The "spring"\nrelease')
    process = await yank("octo/app", "1.1", "--reason", "loses\ndata\x1b[2J")
    said = 'is yanked: "loses data [2J". Its title was "The "spring" release".'
    assert process.out == f"Release v1.1 of octo/app (app 1.1) {said}\n"


@ensureDeferred
async def test_what_is_done_already_is_not_done_again(hub: Hub, yank: Yank) -> None:
    repository = publish(hub)
    assert (await yank("octo/app", "1.1", "--undo")).out.endswith(" was not yanked.\n")
    repository.releases["v1.1"].name = "[YANKED] loses data"
    for arguments in ([], ["--reason", "loses data"]):
        process = await yank("octo/app", "1.1", *arguments)
        assert (process.code, process.out) == (
            0,
            'Release v1.1 of octo/app (app 1.1) was yanked already: "loses data".\n',
        )
    assert hub.asked("rest") == 0
    process = await yank("octo/app", "1.1", "--reason", "worse")
    assert process.out.endswith(' is yanked: "worse".\n')
    assert await yanked(hub) == {"1.0": False, "1.1": "worse"}


@ensureDeferred
async def test_an_immutable_release_can_be_yanked(hub: Hub, yank: Yank) -> None:
    publish(hub).releases["v1.1"].immutable = True
    assert (await yank("octo/app", "1.1")).code == 0
    assert await yanked(hub) == {"1.0": False, "1.1": True}


@ensureDeferred
async def test_every_release_with_files_of_the_version_is_yanked_and_all_that_they_hold_is_told(
    hub: Hub, yank: Yank
) -> None:
    made = hub.world.add_repository("octo/app")
    made.add_release("wheels").add_asset(*sample_wheel("app", "1.0"))
    sources = made.add_release("sources")
    for name in ("app", "lib"):
        sources.add_asset(*sample_sdist(name, "1.0" if name == "app" else "3.0"))
    process = await yank("octo/app", "1.0")
    assert process.out.splitlines() == [
        "Release sources of octo/app (app 1.0, lib 3.0) is yanked.",
        "Release wheels of octo/app (app 1.0) is yanked.",
    ]


@ensureDeferred
async def test_where_two_projects_have_the_version_the_project_is_asked_for(hub: Hub, yank: Yank) -> None:
    made = hub.world.add_repository("octo/mono")
    for name in ("app", "lib"):
        made.add_release(name).add_asset(*sample_wheel(name, "1.0"))
    process = await yank("octo/mono", "1.0")
    assert (process.code, process.out) == (1, "")
    assert process.err == (
        "pypihub: Different releases of octo/mono hold a version 1.0 of app, lib: say which one with --project NAME.\n"
    )
    process = await yank("octo/mono", "1.0", "--project", "LIB")
    assert process.out == "Release lib of octo/mono (lib 1.0) is yanked.\n"
    assert made.releases["app"].name is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["octo/app", "9"], "No published release holds files of version 9 of octo/app. It has 1.1, 1.0."),
        (["octo/nothing", "1.0"], "GitHub has no repository octo/nothing"),
        (["octo", "1.0"], "'octo' is no repository: write it as OWNER/REPO."),
        (["octo/app/x", "1.0"], "'octo/app/x' is no repository: write it as OWNER/REPO."),
        (["octo/app", "one"], "'one' is no version: write it like 1.0 or 2.1rc1."),
        (["octo/app", "1" * 5000], f"'{'1' * 50}' is no version: write it like 1.0 or 2.1rc1."),
        (["octo/app", "1.0", "--project", "a b"], "'a b' is no project's name."),
    ],
)
@ensureDeferred
async def test_what_cannot_be_done_is_one_line_and_status_1(
    hub: Hub, yank: Yank, arguments: list[str], said: str
) -> None:
    publish(hub)
    process = await yank(*arguments)
    assert process.code == 1
    assert process.err.startswith(f"pypihub: {said}")
    assert (process.out, len(process.err.splitlines())) == ("", 1)


@ensureDeferred
async def test_a_reason_to_bring_it_back_is_a_mistake(yank: Yank) -> None:
    process = await yank("octo/app", "1.0", "--undo", "--reason", "why not")
    assert process.code == 2
    assert "--reason and --undo do not go together." in process.err


@pytest.mark.parametrize("scope", ["contents:read", "public_repo"])
@ensureDeferred
async def test_a_token_that_may_not_write_is_told_what_it_needs(hub: Hub, yank: Yank, scope: str) -> None:
    made = hub.world.add_repository("octo/app", private=False)
    made.add_release("v1").add_asset(*sample_wheel("app", "1.0"))
    process = await yank("octo/app", "1.0", PYPIHUB_TOKEN=hub.world.add_token("octo", scopes=[scope]))
    assert (process.code, process.out) == (1, "")
    assert "Contents: write" in process.err
    assert ". This needs a token that may write" in process.err
    assert len(process.err.splitlines()) == 1
    assert made.releases["v1"].name is None


@pytest.mark.parametrize("variable", ["PYPIHUB_TOKEN", "GITHUB_TOKEN", "GH_TOKEN"])
@ensureDeferred
async def test_the_token_comes_from_the_environment(hub: Hub, yank: Yank, variable: str) -> None:
    publish(hub)
    assert (await yank("octo/app", "1.0", **{variable: f" {hub.token}\n"})).code == 0


@ensureDeferred
async def test_the_first_variable_counts(hub: Hub, yank: Yank) -> None:
    publish(hub)
    assert (await yank("octo/app", "1.0", PYPIHUB_TOKEN="", GITHUB_TOKEN=hub.token, GH_TOKEN="ghp_wrong")).code == 0


@ensureDeferred
async def test_the_token_comes_from_gh(hub: Hub, yank: Yank, tmp_path: Path) -> None:
    publish(hub)
    gh = program(tmp_path, f"assert sys.argv[1:] == ['auth', 'token', '--hostname', '127.0.0.1']; print('{hub.token}')")
    assert (await yank("octo/app", "1.0", PATH=gh)).code == 0


@pytest.mark.parametrize("code", ["sys.exit('not logged in')", "print()", None])
@ensureDeferred
async def test_without_a_token_the_ways_to_give_one_are_told(yank: Yank, tmp_path: Path, code: str | None) -> None:
    process = await yank("octo/app", "1.0", PATH=program(tmp_path, code) if code else str(tmp_path))
    assert process.code == 1
    assert process.err == (
        "pypihub: There is no GitHub token: set PYPIHUB_TOKEN (or GITHUB_TOKEN or GH_TOKEN), or log in with: "
        "gh auth login\n"
    )


@ensureDeferred
async def test_what_cannot_be_a_token_is_not_shown(yank: Yank) -> None:
    process = await yank("octo/app", "1.0", GITHUB_TOKEN="ghp_secret and more")
    assert (process.code, process.err) == (1, "pypihub: GITHUB_TOKEN holds no GitHub token.\n")


@ensureDeferred
async def test_a_token_that_github_refuses_is_not_shown(yank: Yank) -> None:
    process = await yank("octo/app", "1.0", GITHUB_TOKEN="ghp_refused")
    assert process.code == 1
    assert process.err.startswith("pypihub: GitHub does not accept this token.")
    assert "ghp_refused" not in process.err


@ensureDeferred
async def test_in_an_archived_repository_no_token_would_help(hub: Hub, yank: Yank) -> None:
    publish(hub).is_archived = True
    process = await yank("octo/app", "1.0")
    assert process.code == 1
    assert process.err == "pypihub: octo/app is archived on GitHub: nothing can be changed in it.\n"


@ensureDeferred
async def test_what_takes_long_is_told_and_can_be_interrupted(
    run: Callable[..., Process], hub: Hub, yank: Yank, tmp_path: Path
) -> None:
    publish(hub)
    hub.sandbox.faults.add(Hang(), times=None)
    process = run("pypihub", "-c", "hub.toml", "yank", "octo/app", "1.0", PYPIHUB_TOKEN=hub.token)
    await process.says("Reading the releases of octo/app …", "err")
    process.signal("INT")
    assert await process.ends() == 130
    assert process.err == "Reading the releases of octo/app …\n"


def program(folder: Path, code: str) -> str:
    """A folder for PATH with a `gh` of this code in it."""
    (bin_ := folder / "bin").mkdir()
    (bin_ / "gh.py").write_text(f"import sys\n{code}\n")
    gh = bin_ / "gh"
    gh.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(str(bin_ / "gh.py"))} "$@"\n')
    gh.chmod(0o755)
    return str(bin_)
