"""The real case: real packages from PyPI, published as an owner's releases, installed from PyPIHub alone."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from pytest_twisted import ensureDeferred
from support.hub import Hub
from support.registry import TREE

SCRIPT = """
import klein, treq, twisted, twisted.internet.ssl
from importlib.metadata import distributions
print(*(distribution.name for distribution in distributions()))
"""


def fetched_projects(hub: Hub) -> set[str]:
    """The projects that somebody fetched a wheel of."""
    return {
        repository.name
        for repository in hub.world.repositories()
        for release in repository.releases.values()
        for asset in release.assets.values()
        if asset.download_count and asset.name.endswith(".whl")
    }


async def check(hub: Hub, python: Path, run: Callable[..., Any]) -> None:
    """What was installed works, all of it came from the releases, and nothing but what was asked for."""
    ended = await run(python, "-c", SCRIPT)
    assert ended.code == 0, ended.text
    assert {canonicalize_name(name) for name in ended.out.split()} == fetched_projects(hub)
    assert {call.login for call in hub.sandbox.calls if call.where == "graphql"} == {"octo"}


async def bare_venv(run: Callable[..., Any], folder: Path) -> Path:
    """The interpreter of a new environment with nothing in it."""
    assert (await run(sys.executable, "-m", "venv", "--without-pip", folder)).code == 0
    return folder / "bin" / "python"


@ensureDeferred
async def test_pip_installs_a_real_tree_from_the_hub_alone(
    filled: Hub, run: Callable[..., Any], pip: Callable[..., Any], tmp_path: Path
) -> None:
    python = await bare_venv(run, tmp_path / "venv")
    ended = await pip("--python", python, "install", *TREE, index=filled.index_url())
    assert ended.code == 0, ended.text
    await check(filled, python, run)


@ensureDeferred
async def test_uv_installs_a_real_tree_from_the_hub_alone(
    filled: Hub, run: Callable[..., Any], uv: Callable[..., Any], tmp_path: Path
) -> None:
    python = await bare_venv(run, tmp_path / "venv")
    ended = await uv("pip", "install", "--python", python, *TREE, index=filled.index_url())
    assert ended.code == 0, ended.text
    await check(filled, python, run)
