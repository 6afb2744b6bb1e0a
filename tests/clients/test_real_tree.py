"""The real case: real packages from PyPI, published as an owner's releases, installed from PyPIHub alone."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name, parse_wheel_filename
from pytest_twisted import ensureDeferred
from support.hub import Hub

from pypihub.sandbox.fill import fill_flat
from pypihub.sandbox.samples import sample_sdist

WANTED = ("klein", "treq", "twisted[tls]")
SCRIPT = """
import klein, treq, twisted, twisted.internet.ssl
from importlib.metadata import distributions
print(*(distribution.name for distribution in distributions()))
"""
_NO_CONNECTION = re.compile(r"^.*(?:NewConnection|NameResolution|ConnectTimeout|Proxy)Error.*$", re.MULTILINE)
_SOME_FILE = re.compile(r"^ +(?:Downloading|Using cached) ", re.MULTILINE)


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wanted packages and all that they need, from PyPI as this machine's own pip is configured to reach it.

    Only a registry that cannot be reached at all is a reason to skip.
    """
    folder = tmp_path_factory.mktemp("tree")
    command = [sys.executable, "-m", "pip", "download", "--prefer-binary", "--dest", str(folder), *WANTED]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    lost = _NO_CONNECTION.search(ended.stderr)
    if ended.returncode and lost and not _SOME_FILE.search(ended.stdout):
        pytest.skip(f"the package registry cannot be reached: {lost[0]}")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    (klein,) = folder.glob("klein-*.whl")
    name, content = sample_sdist("klein", str(parse_wheel_filename(klein.name)[1]))
    (folder / name).write_bytes(content)  # so that there is an sdist in every tree, whatever PyPI had
    return folder


@pytest.fixture
def filled(hub: Hub, tree: Path) -> Hub:
    """A hub whose owner octo has a private repository for each of the packages."""
    fill_flat(hub.world, tree, "octo")
    return hub


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
    ended = await pip("--python", python, "install", *WANTED, index=filled.index_url())
    assert ended.code == 0, ended.text
    await check(filled, python, run)


@ensureDeferred
async def test_uv_installs_a_real_tree_from_the_hub_alone(
    filled: Hub, run: Callable[..., Any], uv: Callable[..., Any], tmp_path: Path
) -> None:
    python = await bare_venv(run, tmp_path / "venv")
    ended = await uv("pip", "install", "--python", python, *WANTED, index=filled.index_url())
    assert ended.code == 0, ended.text
    await check(filled, python, run)
