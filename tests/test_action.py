"""action.yml, run as a runner runs it: its scripts in order, then a step that installs."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from pytest_twisted import ensureDeferred
from support.hub import Hub
from support.process import BIN, Process

from pypihub.sandbox.samples import sample_wheel

ROOT = Path(__file__).parent.parent
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
INSTALL, START = ACTION["runs"]["steps"]
BASH = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c"]
_NO_CONNECTION = re.compile(r"(?:NewConnection|NameResolution|ConnectTimeout|Proxy)Error")


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A runner's variables; what was started there ends with it."""
    (tmp_path / "temp").mkdir()
    (tmp_path / "env").touch()
    yield {
        "RUNNER_TEMP": str(tmp_path / "temp"),
        "GITHUB_ENV": str(tmp_path / "env"),
        "GITHUB_ACTION_PATH": str(ROOT),
        "HOME": str(tmp_path),
    }
    pid = tmp_path / "temp" / "pypihub.pid"
    if pid.exists():
        with suppress(ProcessLookupError):
            os.kill(int(pid.read_text()), signal.SIGTERM)


@pytest.fixture
def start(hub: Hub, run: Callable[..., Process], runner: dict[str, str], tmp_path: Path) -> Callable[..., Any]:
    """Runs the step that starts PyPIHub, which is installed already, with these inputs."""
    (tmp_path / "temp" / "pypihub" / "bin").mkdir(parents=True)
    (tmp_path / "temp" / "pypihub" / "bin" / "pypihub").symlink_to(BIN / "pypihub")
    (tmp_path / "hub.toml").write_text(f'[github]\napi_url = "{hub.sandbox.api_url}"\n[cache]\ndirectory = ""\n')

    async def step(**inputs: str) -> Process:
        chosen = {name: str(each["default"]) for name, each in ACTION["inputs"].items()}
        chosen |= {"owner": "octo", "token": hub.token, "config": str(tmp_path / "hub.toml"), **inputs}
        given = {
            name: re.sub(r"\$\{\{ inputs\.(\w+) \}\}", lambda match: chosen[match[1]], value)
            for name, value in START["env"].items()
        }
        process = run(*BASH, START["run"], **runner, **given)
        await process.ends()
        return process

    return step


def exported(runner: dict[str, str]) -> dict[str, str]:
    """What the following steps have in their environment."""
    return dict(line.split("=", 1) for line in Path(runner["GITHUB_ENV"]).read_text().splitlines())


@ensureDeferred
async def test_following_steps_install(
    hub: Hub, start: Callable[..., Any], runner: dict[str, str], run: Callable[..., Process], tmp_path: Path
) -> None:
    hub.world.add_repository("octo/app").add_release("v1").add_asset(*sample_wheel("app", "1.0"))
    process = await start(pypi="false")
    assert (process.code, process.err) == (0, "")
    assert process.out == f"::add-mask::{hub.token}\n"
    alone = {"PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": ""}
    pip = run(sys.executable, "-m", "pip", "install", "--target", "there", "app", **exported(runner), **alone)
    assert await pip.ends() == 0, pip.err
    assert (tmp_path / "there" / "app.py").exists()
    assert hub.token not in (tmp_path / "temp" / "pypihub.log").read_text()


@ensureDeferred
async def test_inputs_are_options(start: Callable[..., Any], runner: dict[str, str]) -> None:
    assert (await start(port="31416")).code == 0
    variables = exported(runner)
    assert variables["PYPIHUB_INDEX_URL"].endswith("@127.0.0.1:31416/octo/simple/")
    assert variables["PIP_EXTRA_INDEX_URL"] == "https://pypi.org/simple/"
    assert "UV_DEFAULT_INDEX" not in variables


@ensureDeferred
async def test_what_keeps_it_from_starting_is_told(start: Callable[..., Any], runner: dict[str, str]) -> None:
    process = await start(owner="$(touch /tmp/x) no owner")
    assert process.code == 1
    assert "is no GitHub user or organization" in process.out
    assert "::error::PyPIHub did not start." in process.out
    assert exported(runner) == {}


def test_it_is_installed_from_the_actions_own_folder(runner: dict[str, str]) -> None:
    environment = os.environ | runner
    ended = subprocess.run([*BASH, INSTALL["run"]], env=environment, capture_output=True, text=True, check=False)
    if ended.returncode and _NO_CONNECTION.search(ended.stderr):
        pytest.skip("the package registry cannot be reached")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    hub = Path(runner["RUNNER_TEMP"]) / "pypihub" / "bin" / "pypihub"
    said = subprocess.run([hub, "run", "--help"], capture_output=True, text=True, check=True).stdout
    assert "--env-file" in said
    again = subprocess.run(["/bin/bash", *BASH[1:], INSTALL["run"]], env=environment | {"PATH": ""}, check=False)
    assert again.returncode == 0


def test_a_runner_without_a_python_is_told_so(runner: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "python3").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "python3").chmod(0o755)
    for number in (11, 12, 13):
        (tmp_path / f"python3.{number}").symlink_to(tmp_path / "python3")
    environment = runner | {"PATH": f"{tmp_path}{os.pathsep}{os.defpath}"}
    ended = subprocess.run([*BASH, INSTALL["run"]], env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "::error::PyPIHub needs Python 3.11" in ended.stdout


def test_the_scripts_take_inputs_from_the_environment_alone() -> None:
    """An expression in a script would be run as code."""
    for step in (INSTALL, START):
        assert step["shell"] == "bash"
        assert "${{" not in step["run"]
        subprocess.run(["bash", "-n", "-c", step["run"]], check=True)


def test_each_input_is_described_and_used() -> None:
    used = set(re.findall(r"inputs\.(\w+)", str(START["env"])))
    assert used == set(ACTION["inputs"])
    assert all(each["description"] for each in ACTION["inputs"].values())
