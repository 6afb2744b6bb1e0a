"""The lines that pages give people to copy, as a shell runs them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from support.hub import Hub
from support.tools import Tools

from pypihub.index.installing import installing
from pypihub.index.names import Owner, normalize_project
from pypihub.sandbox.samples import sample_wheel

Client = Callable[..., Any]

_PROJECT = """
[project]
name = "mine"
version = "1.0"
requires-python = ">=3.11"
dependencies = []

[tool.poetry]
package-mode = false

[tool.pdm]
distribution = false
"""


async def install(run: Client, tools: Tools, folder: Path, hub: Hub, tool: str, lines: str, **more: str) -> Any:
    """The lines of a tool, typed in a project's folder that has an environment."""
    made = await run(sys.executable, "-m", "venv", folder / ".venv")
    assert made.code == 0, made.text
    folders = [folder / ".venv" / "bin", Path(sys.executable).parent]
    if tool in ("poetry", "pdm"):
        folders.insert(1, tools.command(tool).parent)
    path = os.pathsep.join([*map(str, folders), os.defpath])
    known = {"PATH": path, "VIRTUAL_ENV": str(folder / ".venv"), "PYPIHUB_TOKEN": hub.token, "UV_PYTHON": ""}
    return await run("/bin/sh", "-e", "-c", lines, **known | more)


def lines_of(hub: Hub, tool: str, name: str, version: str | None = None) -> str:
    """What the page of octo's project gives to copy."""
    each = installing(hub.url, Owner("octo"), normalize_project(name), version)
    return next(line.lines for line in each if line.tool == tool)


@pytest.mark.parametrize(
    ("tool", "version", "installed"),
    [
        ("pip", None, "1.1"),
        ("pip", "1.0", "1.0"),
        ("uv", None, "1.1"),
        ("uv", "1.0", "1.0"),
        ("poetry", "1.0", "1.0"),
        ("pdm", "1.0", "1.0"),
    ],
)
@ensureDeferred
async def test_the_lines_install_the_project(
    hub: Hub, run: Client, tools: Tools, tmp_path: Path, tool: str, version: str | None, installed: str
) -> None:
    repository = hub.world.add_repository("octo/my-tool")
    for number in ("1.0", "1.1"):
        repository.add_release(f"v{number}").add_asset(*sample_wheel("my-tool", number))
    (tmp_path / "pyproject.toml").write_text(_PROJECT)
    ended = await install(run, tools, tmp_path, hub, tool, lines_of(hub, tool, "my-tool", version))
    assert ended.code == 0, ended.text
    shown = await run(tmp_path / ".venv/bin/python", "-c", "import my_tool; print(my_tool.__version__)")
    assert shown.out.strip() == installed
    for file in tmp_path.glob("*.*"):
        assert file.is_dir() or hub.token not in file.read_text(), file


@pytest.mark.parametrize("tool", ["pip", "uv", "poetry", "pdm"])
@ensureDeferred
async def test_the_lines_install_a_yanked_version_that_they_pin(
    hub: Hub, run: Client, tools: Tools, tmp_path: Path, tool: str
) -> None:
    release = hub.world.add_repository("octo/my-tool").add_release("v1.0", name="[yanked] eats data")
    release.add_asset(*sample_wheel("my-tool", "1.0"))
    (tmp_path / "pyproject.toml").write_text(_PROJECT)
    ended = await install(run, tools, tmp_path, hub, tool, lines_of(hub, tool, "my-tool", "1.0"))
    assert ended.code == 0, ended.text
    shown = await run(tmp_path / ".venv/bin/python", "-c", "import my_tool; print(my_tool.__version__)")
    assert shown.out.strip() == "1.0"


@ensureDeferred
async def test_uv_asks_the_hub_for_what_is_pinned_to_it_and_for_nothing_else(
    make_hub: Client, run: Client, tools: Tools, tmp_path: Path, answered: list[tuple[str, str, int]]
) -> None:
    """Neither now nor later: a name of PyPI's is not this hub's to know. The lines of a second project go on."""
    hub, elsewhere = await make_hub(), await make_hub()
    elsewhere.world.add_repository("octo/theirs").add_release("v1").add_asset(*sample_wheel("theirs", "1.0"))
    for name in ("my-tool", "other"):
        wheel = sample_wheel(name, "1.0", requires=["theirs"])
        hub.world.add_repository(f"octo/{name}").add_release("v1").add_asset(*wheel)
    (tmp_path / "pyproject.toml").write_text(_PROJECT)
    settings = {"UV_NO_CONFIG": "0", "UV_DEFAULT_INDEX": elsewhere.index_url()}
    for name in ("my-tool", "other"):
        ended = await install(run, tools, tmp_path, hub, "uv", lines_of(hub, "uv", name), **settings)
        assert ended.code == 0, ended.text
    shown = await run(tmp_path / ".venv/bin/python", "-c", "import my_tool, other, theirs; print(other.__version__)")
    assert shown.out.strip() == "1.0", shown.text
    assert "/octo/simple/my-tool/" in {path for _, path, _ in answered}
    assert "/octo/simple/theirs/" not in {path for _, path, _ in answered}, "only elsewhere, at /simple/theirs/"
