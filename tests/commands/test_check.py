"""`pypihub check`, as somebody runs it at a GitHub in a box: what it finds in order, and what helps where it is not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from support.checks import Found, publish
from support.hub import Hub
from support.process import Process

from pypihub.sandbox.accounts import Refusal
from pypihub.sandbox.faults import Drop, Hang, Html, LoginAttempts, PrimaryLimit
from pypihub.sandbox.samples import sample_sdist, sample_wheel

Check = Callable[..., Any]
TO_GITHUB = ["configuration", "token", "DNS", "TLS", "API", "access", "points", "owner"]
OF_PROJECT = ["repository", "releases", "assets", "files", "download", "METADATA"]


@pytest.fixture
def check(run: Callable[..., Process], hub: Hub, tmp_path: Path) -> Check:
    """Runs `pypihub check` with the token of octo (or other variables), and with `more` in [github]."""

    async def start(*arguments: str, more: str = "", **environment: str) -> Process:
        file = tmp_path / "hub.toml"
        api = f'api_url = "{hub.sandbox.api_url}"\ngraphql_url = "{hub.sandbox.graphql_url}"\n'
        file.write_text(f"[github]\n{api}{more}")
        wanted = {"PYPIHUB_TOKEN": hub.token, **environment}
        process = run("pypihub", "check", "-c", str(file), *arguments, **wanted)
        await process.ends()
        assert "Traceback" not in process.out + process.err
        assert not any(
            value in process.out + process.err for name, value in wanted.items() if value and "TOKEN" in name
        )
        assert "sig=" not in process.out + process.err
        return process

    return start


@pytest.fixture
def found(check: Check) -> Check:
    """Runs it with `--json` and reads that."""

    async def start(*arguments: str, **options: str) -> Found:
        return Found(await check("--json", *arguments, **options))

    return start


@ensureDeferred
async def test_where_all_is_well_each_step_has_a_tick(hub: Hub, check: Check) -> None:
    publish(hub)
    process = await check("OCTO", "App", LC_ALL="C.UTF-8")
    assert (process.code, process.err) == (0, "")
    steps = [line for line in process.out.splitlines() if line[0] in "✓✗–"]
    assert [line.split()[1] for line in steps] == TO_GITHUB + OF_PROJECT
    assert [line.split()[1] for line in steps if line[0] != "✓"] == ["TLS"]
    assert "    ✓ app-1.0-py3-none-any.whl (v1.0)" in process.out
    assert "app is looked for in octo/app, of the project's own name" in process.out
    assert "of app-1.0-py3-none-any.whl, Requires-Python >=3.9" in process.out


@ensureDeferred
async def test_machines_get_one_document(hub: Hub, found: Check) -> None:
    publish(hub)
    told = await found("octo", "app")
    assert (told.code, told.ok) == (0, True)
    assert told.names == TO_GITHUB + OF_PROJECT
    assert (told.with_(False), told.with_(None)) == ([], ["TLS"])
    assert set(told.step["API"]) == {"name", "ok", "detail", "remedy", "notes"}
    assert told.step["files"]["notes"] == ["✓ app-1.0-py3-none-any.whl (v1.0)", "✓ app-1.0.tar.gz (v1.0)"]
    assert told.step["files"]["detail"] == "2 files of app counted, 0 not; 1 version, the highest is 1.0"


@ensureDeferred
async def test_a_pre_release_is_told_from_what_installers_take(hub: Hub, found: Check) -> None:
    repository = hub.world.add_repository("octo/app")
    for version in ("1.0", "1.1", "2.0rc1"):
        repository.add_release(f"v{version}").add_asset(*sample_wheel("app", version))
    repository.releases["v1.1"].name = "[yanked] loses data"
    told = await found("octo", "app")
    assert (told.code, told.ok) == (0, True)
    assert told.step["files"]["detail"].endswith("; 3 versions, the highest is 2.0rc1, installers take 1.0")
    assert told.step["files"]["notes"] == [
        "✓ app-2.0rc1-py3-none-any.whl (v2.0rc1), pre-release",
        "✓ app-1.1-py3-none-any.whl (v1.1), yanked: loses data",
        "✓ app-1.0-py3-none-any.whl (v1.0)",
    ]
    assert told.step["download"]["detail"].startswith("app-1.0-py3-none-any.whl ")


@pytest.mark.parametrize(
    ("final", "said", "remedy"),
    [
        ("[yanked]", "every version is yanked", "VERSION --undo."),
        ("2.0rc1", "every version that is no pre-release is yanked", "or allow pre-releases (--pre)."),
    ],
)
@ensureDeferred
async def test_where_installers_find_no_version_it_fails(
    hub: Hub, found: Check, final: str, said: str, remedy: str
) -> None:
    repository = hub.world.add_repository("octo/app")
    for version, title in (("1.0", "[Yanked]"), ("2.0rc1", final)):
        repository.add_release(f"v{version}", name=title).add_asset(*sample_wheel("app", version))
    told = await found("octo", "app")
    assert (told.code, told.with_(False)) == (1, ["files"])
    assert said in told.step["files"]["detail"]
    assert told.step["files"]["remedy"].startswith("Bring one back: pypihub yank octo/app VERSION --undo")
    assert told.step["files"]["remedy"].endswith(remedy)
    assert "✓ app-1.0-py3-none-any.whl (v1.0), yanked" in told.step["files"]["notes"]


@ensureDeferred
async def test_a_terminal_without_the_signs_gets_ascii(hub: Hub, check: Check) -> None:
    publish(hub)
    hub.world.find_repository("octo", "app").add_release("v2", draft=True).add_asset(*sample_wheel("app", "2.0"))  # type: ignore[union-attr]
    process = await check("octo", "app", PYTHONIOENCODING="ascii")
    assert (process.code, process.err) == (0, "")
    assert process.out.isascii()
    assert "\nok API " in process.out
    assert "\n    -- app-2.0-py3-none-any.whl (v2): its release is a draft" in process.out
    process = await check("octo", "none", PYTHONIOENCODING="latin-1")
    assert "\n!! releases " in process.out
    assert "\n  -> Check the name" in process.out
    assert "\n-- assets         needs releases\n" in process.out


@ensureDeferred
async def test_without_a_project_it_lists_the_owners_projects(hub: Hub, found: Check) -> None:
    publish(hub, "app")
    publish(hub, "lib")
    told = await found("octo")
    assert told.names == [*TO_GITHUB, "projects"]
    assert told.step["projects"]["notes"] == ["app", "lib"]
    told = await found("nobody")
    assert (told.code, told.with_(False)) == (1, ["projects"])


@ensureDeferred
async def test_each_rules_effect_is_told(hub: Hub, found: Check) -> None:
    publish(hub, "tools")
    rules = "".join(
        f"[[github.replace]]\npatt = '{patt}'\nrepl = '{repl}'\n"
        for patt, repl in [("^x-", ""), ("^octo-", ""), ("^too?l$", "tools")]
    )
    told = await found("octo", "octo-tool", more=rules)
    assert told.step["repository"]["notes"] == [
        "github.replace[0], '^x-' → '': leaves it as it is",
        "github.replace[1], '^octo-' → '': octo-tool → tool",
        "github.replace[2], '^too?l$' → 'tools': tool → tools",
    ]
    assert told.step["repository"]["detail"] == "octo-tool is looked for in octo/tools, by github.replace"
    assert told.with_(False) == ["files"]  # its files are those of another project
    assert "– tools-1.0.tar.gz (v1.0): it is a file of tools" in told.step["files"]["notes"]


@ensureDeferred
async def test_rules_that_lead_nowhere_fail_and_end_the_way(hub: Hub, found: Check) -> None:
    told = await found("octo", "app", more="[[github.replace]]\npatt = 'a'\nrepl = '/'\n")
    assert told.with_(False) == ["repository"]
    assert {told.step[name]["detail"] for name in OF_PROJECT[1:]} == {"needs repository"}


@ensureDeferred
async def test_what_fails_does_not_hide_what_does_not_need_it(hub: Hub, found: Check) -> None:
    told = await found("octo", "app", more='owners = ["acme"]\n', PYPIHUB_TOKEN="ghp_refused")
    assert told.with_(False) == ["access", "owner"]
    assert told.with_(None) == ["TLS", "points", *OF_PROJECT[1:]]
    assert told.step["repository"]["ok"]
    assert "not among github.owners: acme" in told.step["owner"]["detail"]
    assert "Make a new token" in told.step["access"]["remedy"]


@ensureDeferred
async def test_an_address_without_an_api_is_told_by_the_key_to_change(
    run: Callable[..., Process], hub: Hub, tmp_path: Path
) -> None:
    (tmp_path / "hub.toml").write_text(f'[github]\napi_url = "{hub.sandbox.api_url}/wrong"\n')
    process = run("pypihub", "check", "octo", "-c", "hub.toml", "--json", PYPIHUB_TOKEN=hub.token)
    assert await process.ends() == 1
    step = Found(process).step["API"]
    assert step["detail"] == (
        "GitHub answered the query with status 404. Check github.api_url (an Enterprise Server's ends with /api/v3)."
    )
    assert step["remedy"].startswith("Set github.api_url to where GitHub's API is: ")


@ensureDeferred
async def test_a_configuration_that_cannot_be_used_is_a_step_too(run: Callable[..., Process], tmp_path: Path) -> None:
    (tmp_path / "hub.toml").write_text("[github]\nowner = 'octo'\n")
    process = run("pypihub", "check", "octo", "-c", "hub.toml", "--json", PYPIHUB_TOKEN="ghp_x")
    assert await process.ends() == 1
    told = Found(process)
    assert told.with_(False) == ["configuration"]
    assert "github.owner: unknown key" in told.step["configuration"]["detail"]
    assert told.with_(None) == [*TO_GITHUB[1:], "projects"]


@ensureDeferred
async def test_without_a_token_the_connection_is_looked_at_all_the_same(hub: Hub, found: Check, tmp_path: Path) -> None:
    told = await found("octo", PYPIHUB_TOKEN="", PATH=str(tmp_path))
    assert told.with_(False) == ["token"]
    assert told.step["DNS"]["ok"]
    assert told.step["API"]["detail"] == "needs token"


@pytest.mark.parametrize(
    ("token", "kind"),
    [
        ("ghp_1", "a classic personal access token"),
        ("github_pat_1", "a fine-grained personal access token"),
        ("ghs_1", "an installation's token, as GitHub Actions has it"),
        ("0" * 40, "a classic token of the old form"),
        ("letmein", "a token of a kind that is not known here"),
    ],
)
@ensureDeferred
async def test_the_tokens_kind_and_origin_are_told(hub: Hub, found: Check, token: str, kind: str) -> None:
    hub.world.add_token("octo", token)
    told = await found("octo", PYPIHUB_TOKEN="", GITHUB_TOKEN=token)
    assert told.step["token"]["detail"] == f"{kind}, from GITHUB_TOKEN"


@ensureDeferred
async def test_a_refresh_token_is_none(found: Check) -> None:
    assert (await found("octo", PYPIHUB_TOKEN="ghr_1")).with_(False) == ["token"]


@ensureDeferred
async def test_scopes_expiry_and_points_are_told(hub: Hub, found: Check) -> None:
    ends = datetime.now(UTC) + timedelta(days=3, hours=1)
    token = hub.world.add_token("octo", scopes=["public_repo"], expires_at=ends)
    publish(hub)
    told = await found("octo", "app", PYPIHUB_TOKEN=token)
    access = (
        f"scopes: public_repo (without repo it sees public repositories only); good until {ends:%Y-%m-%d} (in 3 days)"
    )
    assert told.step["access"]["detail"] == f"accepted; {access}"
    assert " of 5,000 are left until " in told.step["points"]["detail"]
    assert told.with_(False) == ["releases"]
    assert "no scope repo" in told.step["releases"]["remedy"]
    fine = hub.world.add_token("octo", scopes=["contents:read"])
    told = await found("octo", "app", PYPIHUB_TOKEN=fine)
    assert told.step["access"]["detail"] == "accepted; its permissions GitHub does not tell; GitHub tells no expiry"
    assert told.code == 0


@ensureDeferred
async def test_a_token_without_points_is_told_when_to_come_again(hub: Hub, found: Check) -> None:
    hub.sandbox.faults.add(PrimaryLimit())
    told = await found("octo")
    assert told.with_(False) == ["points"]
    assert "Try again in" in told.step["points"]["detail"]
    assert told.step["access"]["ok"] is None


@ensureDeferred
async def test_github_that_refuses_the_token_says_what_for(hub: Hub, found: Check) -> None:
    publish(hub)
    told = await found("octo", "app", PYPIHUB_TOKEN=hub.world.add_token("octo", refuse=Refusal.SAML))
    assert told.with_(False) == ["releases"]
    assert "Authorize the token at https://github.com/orgs/octo/sso" in told.step["releases"]["detail"]
    hub.sandbox.faults.add(LoginAttempts())
    assert (await found("octo")).with_(False) == ["points"]


@pytest.mark.parametrize("fault", [Drop(), Html(200)], ids=["dropped", "a page of somebody else"])
@ensureDeferred
async def test_an_api_that_is_none_fails_there(hub: Hub, found: Check, fault: Any) -> None:
    hub.sandbox.faults.add(fault, times=None)
    told = await found("octo")
    assert told.with_(False) == ["API"]
    assert told.step["API"]["remedy"]
    assert told.step["access"]["detail"] == "needs API"


@ensureDeferred
async def test_a_host_that_is_none_fails_at_its_name(hub: Hub, run: Callable[..., Process], tmp_path: Path) -> None:
    (tmp_path / "hub.toml").write_text("[github]\napi_url = 'https://github.invalid/api/v3'\n")
    process = run("pypihub", "check", "octo", "-c", "hub.toml", "--json", PYPIHUB_TOKEN="ghp_x", https_proxy="")
    assert await process.ends() == 1
    told = Found(process)
    assert told.with_(False) == ["DNS"]
    assert told.step["DNS"]["detail"].startswith("github.invalid has no address")


@ensureDeferred
async def test_every_reason_for_which_a_file_does_not_count_is_told(hub: Hub, found: Check) -> None:
    made = publish(hub)
    release = made.add_release("v1.1")
    release.add_asset(*sample_sdist("app", "1.1"))
    for name in ("notes.txt", "app-1.2.tar.bz2", "app-1.1.cu118-py3-none-any.whl", "app-1.1.ZIP", "lib-1.0.tar.gz"):
        release.add_asset(name, b"x")
    release.add_asset("app-1.3.tar.gz", b"")
    release.add_asset("app-1.0.tar.gz", b"later")
    made.add_release("v2.0", draft=True).add_asset(*sample_wheel("app", "2.0"))
    notes = (await found("octo", "app")).step["files"]["notes"]
    said = dict(note[2:].split(": ", 1) for note in notes if note.startswith("– "))
    assert said == {
        "app-2.0-py3-none-any.whl (v2.0)": "its release is a draft: publish that on GitHub",
        "notes.txt (v1.1)": "it is neither a wheel nor an sdist (.whl, .tar.gz, .zip)",
        "app-1.2.tar.bz2 (v1.1)": "it is neither a wheel nor an sdist (.whl, .tar.gz, .zip)",
        "app-1.1.cu118-py3-none-any.whl (v1.1)": "GitHub changed its name, which was app-1.1+cu118-py3-none-any.whl"
        " perhaps: upload it again, with a + as %2B",
        "app-1.1.ZIP (v1.1)": "its name should end in .zip, in lower case",
        "lib-1.0.tar.gz (v1.1)": "it is a file of lib",
        "app-1.3.tar.gz (v1.1)": "it is empty, its upload failed: delete it and upload it again",
        "app-1.0.tar.gz (v1.0)": "another release has a file of this name that was uploaded later",
    }
    assert [note for note in notes if note.startswith("✓")] == [
        "✓ app-1.1.tar.gz (v1.1)",
        "✓ app-1.0.tar.gz (v1.1)",
        "✓ app-1.0-py3-none-any.whl (v1.0)",
    ]


@pytest.mark.parametrize(
    ("what", "failed"), [("nothing", "releases"), ("draft", "releases"), ("empty", "assets"), ("other", "files")]
)
@ensureDeferred
async def test_a_repository_without_files_fails_where_they_should_be(
    hub: Hub, found: Check, what: str, failed: str
) -> None:
    made = hub.world.add_repository("octo/app")
    if what != "nothing":
        release = made.add_release("v1", draft=what == "draft")
        if what != "empty":
            release.add_asset(*sample_wheel("app" if what == "draft" else "lib", "1.0"))
    told = await found("octo", "app")
    assert told.with_(False) == [failed]
    assert told.step[failed]["remedy"]


@ensureDeferred
async def test_a_wheel_without_metadata_that_can_be_read_fails_there(hub: Hub, found: Check) -> None:
    release = hub.world.add_repository("octo/app").add_release("v1")
    release.add_asset("app-1.0-py3-none-any.whl", sample_wheel("app", "1!1.0")[1])
    told = await found("octo", "app")
    assert told.with_(False) == ["METADATA"]
    assert "an epoch" in told.step["METADATA"]["remedy"]


@ensureDeferred
async def test_an_sdist_alone_has_no_metadata_beside_it(hub: Hub, found: Check) -> None:
    hub.world.add_repository("octo/app").add_release("v1").add_asset(*sample_sdist("app", "1.0"))
    told = await found("octo", "app")
    assert (told.code, told.with_(None)) == (0, ["TLS", "METADATA"])


@ensureDeferred
async def test_storage_that_cannot_be_reached_fails_there(hub: Hub, found: Check) -> None:
    publish(hub)
    hub.sandbox.faults.add(Drop(), where="storage", times=None)
    told = await found("octo", "app")
    assert told.with_(False) == ["download"]
    assert "reach 127.0.0.1" in told.step["download"]["remedy"]
    assert told.step["METADATA"]["detail"] == "needs download"


@ensureDeferred
async def test_a_server_that_sends_files_itself_needs_the_proxy_mode(make_hub: Any, run: Any, tmp_path: Path) -> None:
    hub = await make_hub(stream_assets=True, web_urls=True)
    publish(hub)
    for mode, wrong in (("redirect", ["download"]), ("proxy", [])):
        (tmp_path / "hub.toml").write_text(
            f'[github]\napi_url = "{hub.sandbox.api_url}"\n[downloads]\nmode = "{mode}"\n'
        )
        process = run("pypihub", "-c", "hub.toml", "check", "octo", "app", "--json", PYPIHUB_TOKEN=hub.token)
        await process.ends()
        assert Found(process).with_(False) == wrong, process.out


@ensureDeferred
async def test_what_takes_long_is_told_and_can_be_interrupted(
    run: Callable[..., Process], hub: Hub, check: Check, tmp_path: Path
) -> None:
    hub.sandbox.faults.add(Hang(), times=None)
    (tmp_path / "hub.toml").write_text(f'[github]\napi_url = "{hub.sandbox.api_url}"\n')
    process = run("pypihub", "check", "octo", "-c", "hub.toml", PYPIHUB_TOKEN=hub.token, LC_ALL="C.UTF-8")
    await process.says("Asking GitHub …", "err")
    process.signal("INT")
    assert await process.ends() == 130
    assert "Traceback" not in process.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a/b"], "'a/b' is no GitHub user or organization."),
        (["octo", "a b"], "'a b' is no project's name."),
    ],
)
@ensureDeferred
async def test_names_that_can_be_none_are_one_line(check: Check, arguments: list[str], said: str) -> None:
    process = await check(*arguments)
    assert (process.code, process.out, process.err) == (1, "", f"pypihub: {said}\n")


@ensureDeferred
async def test_names_from_github_cannot_draw_on_the_terminal(hub: Hub, check: Check) -> None:
    made = publish(hub)
    made.releases["v1.0"].tag_name = "v1\x1b[2J"
    process = await check("octo", "app", LC_ALL="C.UTF-8")
    assert "\x1b" not in process.out
