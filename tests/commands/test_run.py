"""`pypihub run`: real tools install through it with nothing else set up, and it is gone when they are."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import uv
from pytest_twisted import ensureDeferred
from support.hub import Hub
from support.process import Process
from twisted.internet.task import deferLater

from pypihub.sandbox.samples import sample_wheel

Run = Callable[..., Any]
PIP = [sys.executable, "-m", "pip"]


@pytest.fixture
def during(run: Callable[..., Process], hub: Hub, tmp_path: Path) -> Run:
    """Starts `pypihub run octo` with octo's token; the tools have no configuration, and their caches are its own."""
    file = tmp_path / "hub.toml"
    file.write_text(
        f'[github]\napi_url = "{hub.sandbox.api_url}"\n[cache]\ndirectory = ""\n[server]\nport = 1\n[log]\naccess = true\n'
    )
    clean = {
        "PYPIHUB_TOKEN": hub.token,
        "HOME": str(tmp_path),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_FIND_LINKS": "",
        "PIP_RETRIES": "0",
        "UV_CACHE_DIR": str(tmp_path / "uv"),
        "UV_NO_CONFIG": "1",
        "UV_PYTHON": sys.executable,
        "UV_PYTHON_DOWNLOADS": "never",
        "PIP_INDEX_URL": "",
        "PIP_EXTRA_INDEX_URL": "",
        "UV_INDEX": "",
        "UV_DEFAULT_INDEX": "",
    }

    def start(*arguments: str, **environment: str) -> Process:
        return run("pypihub", "run", "octo", "-c", str(file), *arguments, **(clean | environment))

    return start


@pytest.fixture
def stocked(hub: Hub) -> Hub:
    """octo has app, which needs lib."""
    for name, requires in (("app", ["lib"]), ("lib", [])):
        made = hub.world.add_repository(f"octo/{name}")
        made.add_release("v1.0").add_asset(*sample_wheel(name, "1.0", requires=requires))
    return hub


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


@pytest.mark.parametrize("tool", ["pip", "uv"])
@ensureDeferred
async def test_tools_install_with_nothing_else_set_up(stocked: Hub, during: Run, tmp_path: Path, tool: str) -> None:
    command = PIP if tool == "pip" else [uv.find_uv_bin(), "pip"]
    process = during("--no-pypi", "--", *command, "install", "--target", "there", "app")
    assert await process.ends() == 0, process.out + process.err
    assert {path.name for path in (tmp_path / "there").glob("*.py")} == {"app.py", "lib.py"}
    assert stocked.token not in process.out + process.err
    assert "GET /" not in process.out + process.err
