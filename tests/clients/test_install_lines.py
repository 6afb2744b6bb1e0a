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
    (lines,) = (
        each.lines
        for each in installing(hub.url, Owner("octo"), normalize_project("my-tool"), version)
        if each.tool == tool
    )
    (tmp_path / "pyproject.toml").write_text(_PROJECT)
    made = await run(sys.executable, "-m", "venv", tmp_path / ".venv")
    assert made.code == 0, made.text
    folders = [tmp_path / ".venv" / "bin", Path(sys.executable).parent]
    if tool in ("poetry", "pdm"):
        folders.insert(1, tools.command(tool).parent)
    path = os.pathsep.join([*map(str, folders), os.defpath])
    ended = await run(
        "/bin/sh",
        "-e",
        "-c",
        lines,
        PATH=path,
        VIRTUAL_ENV=str(tmp_path / ".venv"),
        PYPIHUB_TOKEN=hub.token,
        UV_PYTHON="",
    )
    assert ended.code == 0, ended.text
    shown = await run(tmp_path / ".venv/bin/python", "-c", "import my_tool; print(my_tool.__version__)")
    assert shown.out.strip() == installed
    for file in tmp_path.glob("*.*"):
        assert file.is_dir() or hub.token not in file.read_text(), file
