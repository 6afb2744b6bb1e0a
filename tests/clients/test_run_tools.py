"""poetry and pdm below `pypihub run`; pip and uv are in tests/commands."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from support.hub import Hub
from support.process import BIN, free_port
from support.tools import Tools

Client = Callable[..., Any]


@pytest.fixture
def running(stocked: Hub, run: Client, tmp_path: Path) -> Client:
    """Runs a command by `pypihub run octo`."""
    (tmp_path / "hub.toml").write_text(f'[github]\napi_url = "{stocked.sandbox.api_url}"\n[cache]\ndirectory = ""\n')
    quiet = {"PDM_PYTHON": sys.executable, "PDM_CHECK_UPDATE": "false", "POETRY_VIRTUALENVS_IN_PROJECT": "true"}
    keyring = {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}

    async def start(*words: str | Path) -> Any:
        command = [BIN / "pypihub", "run", "octo", "-c", "hub.toml", *words]
        return await run(*command, PYPIHUB_TOKEN=stocked.token, **quiet, **keyring)

    return start


def project(folder: Path, more: str = "", *, dependencies: str = '["app", "lib"]') -> None:
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "thing"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = {dependencies}\n{more}'
    )


@ensureDeferred
async def test_pdm_needs_nothing_else(running: Client, tools: Tools, tmp_path: Path) -> None:
    project(tmp_path, "[tool.pdm]\ndistribution = false\n", dependencies='["app"]')
    ended = await running("--no-pypi", "--", tools.command("pdm"), "lock")
    assert ended.code == 0, ended.text
    assert 'name = "lib"' in (tmp_path / "pdm.lock").read_text()


@ensureDeferred
async def test_poetry_needs_a_source_at_the_port(running: Client, tools: Tools, tmp_path: Path) -> None:
    port = free_port()
    source = f'name = "hub"\nurl = "http://127.0.0.1:{port}/octo/simple/"\npriority = "explicit"\n'
    wanted = 'app = { source = "hub" }\nlib = { source = "hub" }\n'
    project(
        tmp_path,
        f"[tool.poetry]\npackage-mode = false\n[tool.poetry.dependencies]\n{wanted}[[tool.poetry.source]]\n{source}",
    )
    ended = await running(f"--port={port}", "--", tools.command("poetry"), "install", "--no-interaction")
    assert ended.code == 0, ended.text
    assert list(tmp_path.glob(".venv/lib/*/site-packages/app.py"))
