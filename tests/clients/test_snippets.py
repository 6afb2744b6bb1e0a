"""`pypihub config`: what it prints is pasted into a file, and the real tool installs with it."""

from __future__ import annotations

import configparser
import re
import sys
import tomllib
from collections.abc import Callable
from netrc import netrc
from pathlib import Path
from typing import Any

import pytest
import uv as uv_package
import yaml
from click.testing import CliRunner
from pytest_twisted import ensureDeferred
from support.hub import Hub
from support.tools import Tools

from pypihub.cli import main
from pypihub.sandbox.samples import sample_wheel

Client = Callable[..., Any]
PIP = [sys.executable, "-m", "pip"]
THING = '[project]\nname = "thing"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["app"]\n'


def printed(tool: str, url: str, owner: str = "octo") -> str:
    """What the command prints."""
    ended = CliRunner().invoke(main, ["config", tool, owner, "--url", url])
    assert ended.exit_code == 0, ended.output
    assert ended.stdout.isascii()
    return ended.stdout


def exported(snippet: str, token: str) -> dict[str, str]:
    """The variables that the snippet says to export."""
    lines = re.findall(r"^# +export (\w+)=(.*)$", snippet, re.MULTILINE)
    return {name: value.replace("$PYPIHUB_TOKEN", token) for name, value in lines}


@ensureDeferred
async def test_pip_installs_with_its_file_and_netrc(make_hub: Any, run: Client, tmp_path: Path) -> None:
    stocked = await make_hub(mode="proxy")  # storage is on the same host here, and would get the netrc's login
    stocked.world.add_repository("octo/app").add_release("v1").add_asset(*sample_wheel("app", "1.0"))
    (tmp_path / "pip.conf").write_text(printed("pip", stocked.url))
    secret = tmp_path / "home" / ".netrc"
    secret.write_text(printed("netrc", stocked.url).replace("TOKEN", stocked.token))
    secret.chmod(0o600)
    ended = await run(*PIP, "install", "--target", "there", "app", PIP_CONFIG_FILE=str(tmp_path / "pip.conf"))
    assert ended.code == 0, ended.text
    assert (tmp_path / "there" / "app.py").exists()


@ensureDeferred
async def test_pip_installs_with_the_variable_alone(stocked: Hub, run: Client, tmp_path: Path) -> None:
    variables = exported(printed("pip", stocked.url), stocked.token)
    ended = await run(*PIP, "install", "--target", "there", "app", **variables)
    assert ended.code == 0, ended.text


@ensureDeferred
async def test_uv_installs_with_its_table(stocked: Hub, run: Client, tmp_path: Path) -> None:
    snippet = printed("uv", stocked.url)
    sources = 'app = { index = "hub" }\nlib = { index = "hub" }\n'
    (tmp_path / "pyproject.toml").write_text(THING.replace('["app"]', '["app", "lib"]') + snippet + sources)
    variables = exported(snippet, stocked.token)
    ended = await run(uv_package.find_uv_bin(), "sync", **variables, UV_NO_CONFIG="0")
    assert ended.code == 0, ended.text
    assert "app==1.1" in ended.text


@ensureDeferred
async def test_uv_reads_the_netrc(stocked: Hub, uv: Client, tmp_path: Path) -> None:
    secret = tmp_path / "home" / ".netrc"
    secret.write_text(printed("netrc", stocked.url).replace("TOKEN", stocked.token))
    ended = await uv("pip", "install", "--target", "there", "app", index=f"{stocked.url}/octo/simple/")
    assert ended.code == 0, ended.text


@ensureDeferred
async def test_poetry_installs_with_its_source(stocked: Hub, run: Client, tools: Tools, tmp_path: Path) -> None:
    snippet = printed("poetry", stocked.url)
    wanted = "".join(f'{name} = {{ source = "hub" }}\n' for name in ("app", "lib"))
    (tmp_path / "pyproject.toml").write_text(
        THING.replace('["app"]', '["app", "lib"]')
        + f"[tool.poetry]\npackage-mode = false\n[tool.poetry.dependencies]\n{wanted}{snippet}"
    )
    quiet = {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring", "POETRY_VIRTUALENVS_IN_PROJECT": "true"}
    command = tools.command("poetry")
    ended = await run(command, "install", "--no-interaction", **exported(snippet, stocked.token), **quiet)
    assert ended.code == 0, ended.text
    assert list(tmp_path.glob(".venv/lib/*/site-packages/app.py"))


@ensureDeferred
async def test_pdm_locks_with_its_source(stocked: Hub, run: Client, tools: Tools, tmp_path: Path) -> None:
    snippet = printed("pdm", stocked.url).replace('["my-tool"]', '["app", "lib"]')
    (tmp_path / "pyproject.toml").write_text(f"{THING}[tool.pdm]\ndistribution = false\n{snippet}")
    command = [tools.command("pdm"), "lock"]
    ended = await run(*command, PYPIHUB_TOKEN=stocked.token, PDM_PYTHON=sys.executable, PDM_CHECK_UPDATE="false")
    assert ended.code == 0, ended.text
    assert 'name = "lib"' in (tmp_path / "pdm.lock").read_text()
    assert stocked.token not in (tmp_path / "pdm.lock").read_text()


@pytest.mark.parametrize("url", ["https://hub.example.org", "http://127.0.0.1:3141", "https://[::1]:8443/below"])
def test_each_snippet_can_be_read_by_what_it_is_for(url: str, tmp_path: Path) -> None:
    ini = configparser.ConfigParser()
    ini.read_string(printed("pip", url))
    assert ini["global"]["index-url"] == f"{url}/octo/simple/"
    for tool, key in (("uv", "index"), ("poetry", "source"), ("pdm", "source")):
        (table,) = tomllib.loads(printed(tool, url))["tool"][tool][key]
        assert table["url"].replace("__token__:${PYPIHUB_TOKEN}@", "") == f"{url}/octo/simple/"
    (tmp_path / "netrc").write_text(printed("netrc", url))
    assert list(netrc(str(tmp_path / "netrc")).hosts.values()) == [("__token__", "", "TOKEN")]
    (step,) = yaml.safe_load(printed("actions", url))["jobs"]["build"]["steps"]
    assert step["env"]["PIP_INDEX_URL"].endswith("@" + f"{url}/octo/simple/".partition("://")[2])


def test_the_server_is_this_machine_unless_it_is_told() -> None:
    assert "url = http://127.0.0.1:3141/octo/simple/" in CliRunner().invoke(main, ["config", "pip", "Octo"]).output


@pytest.mark.parametrize(
    ("owner", "url"),
    [
        ("a/b", "https://hub"),
        ("octo", "hub.example.org"),
        ("octo", "https://me:secret@hub"),
        ("octo", 'https://hub"\nx = "'),
        ("octo", "https://hub:x"),
        ("octo", "https://hub/acme/simple/"),
        ("octo", "https://hub/legacy"),
    ],
)
def test_what_is_no_owner_or_no_url_is_one_line(owner: str, url: str) -> None:
    ended = CliRunner().invoke(main, ["config", "uv", owner, "--url", url])
    assert ended.exit_code == 1
    assert ended.output.startswith("pypihub: ")
    assert len(ended.output.splitlines()) == 1
    assert "secret" not in ended.output
