"""The workflows of the page about GitHub Actions: what they run is run, as a runner does."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from pytest_twisted import ensureDeferred
from support.gallery import hang
from support.process import BIN
from support.prose import ROOT, Block, read_blocks
from support.walk import Walk

from pypihub.sandbox.server import Sandbox

PAGE = ROOT / "docs/howto/github-actions.md"
WORKFLOWS: dict[str, Any] = {
    flow["name"]: flow
    for flow in (yaml.safe_load(block.text) for block in read_blocks(PAGE) if block.language == "yaml")
}
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())


def steps(name: str) -> list[dict[str, Any]]:
    (job,) = WORKFLOWS[name]["jobs"].values()
    return list(job["steps"])


def typed(step: dict[str, Any], known: dict[str, str]) -> Block:
    """A step that runs something, as a block of a page; `known` are the expressions that it may have."""
    variables = {
        name: re.sub(r"\$\{\{ ([\w.]+) \}\}", lambda match: known[match[1]], value)
        for name, value in step.get("env", {}).items()
    }
    lines = [*(f"export {name}='{value}'" for name, value in variables.items()), step["run"]]
    return Block(PAGE, 0, "sh", "\n".join(lines) + "\n")


@pytest.fixture
def runner(reader: Callable[..., Walk], github: Sandbox, desk: Path) -> Walk:
    """A runner with Python, pip and uv; acme has its packages."""
    hang(github.world)
    (desk / "runner").mkdir()
    return reader(
        {"python": BIN / "python", "uv": BIN / "uv"},
        RUNNER_TEMP=str(desk / "runner"),
        GITHUB_ENV=str(desk / "runner" / "env"),
        GITHUB_ACTION_PATH=str(ROOT),
    )


@ensureDeferred
async def test_a_step_installs_from_a_server(runner: Walk, secrets: dict[str, str], desk: Path) -> None:
    *_, step = steps("From a server")
    await runner.go([typed(step, {"secrets.HUB_TOKEN": secrets["a token"]})])
    assert (desk / "site" / "rocket_fuel.py").exists()


@ensureDeferred
async def test_a_step_installs_with_the_action(runner: Walk, secrets: dict[str, str], desk: Path) -> None:
    _, action, step = steps("With the action")
    assert set(action["with"]) <= set(ACTION["inputs"])
    given = {name: each["default"] for name, each in ACTION["inputs"].items()} | action["with"]
    known = {f"inputs.{name}": str(value) for name, value in given.items()}
    known["inputs.token"] = secrets["a token"]
    (desk / "runner" / "pypihub" / "bin").mkdir(parents=True)
    (desk / "runner" / "pypihub" / "bin" / "pypihub").symlink_to(BIN / "pypihub")  # its first step installs it
    exported = Block(PAGE, 0, "sh", 'set -a; . "$GITHUB_ENV"; set +a\n')
    ended = Block(PAGE, 0, "sh", 'kill "$(cat "$RUNNER_TEMP/pypihub.pid")"\n')
    start = ACTION["runs"]["steps"][-1]
    await runner.go([typed(start, known), exported, typed(step, {}), ended])
    assert (desk / "site" / "rocket_fuel.py").exists()


@ensureDeferred
async def test_a_workflow_publishes(runner: Walk, secrets: dict[str, str], github: Sandbox) -> None:
    project = [block for block in read_blocks(ROOT / "docs/howto/publish.md") if block.mark == "file"]
    *_, step = steps("Publish")
    enter = Block(PAGE, 0, "sh", "cd greeting\n")
    await runner.go([*project, enter, typed(step, {"github.token": secrets["a token"]})])
    repository = github.world.find_repository("acme", "greeting")
    assert repository is not None
    assert set(repository.releases["v1.0"].assets) == {"greeting-1.0.tar.gz", "greeting-1.0-py3-none-any.whl"}


def test_the_table_of_inputs_is_the_action_s() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.MULTILINE)
    assert rows == list(ACTION["inputs"])
