"""Real clients and yanked releases: not chosen unless they are pinned, and then with the reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from support.hub import Hub

from pypihub.sandbox.samples import sample_wheel

Client = Callable[..., Any]
TITLES = {"with a reason": "[yanked] loses data", "without one": "[Yanked]"}


@pytest.fixture(params=TITLES.values(), ids=TITLES)
def yanked(hub: Hub, request: pytest.FixtureRequest) -> Hub:
    """A hub where the newer one of two releases is yanked."""
    repository = hub.world.add_repository("octo/app")
    for version, title in (("1.0", "One"), ("1.1", request.param)):
        repository.add_release(f"v{version}", name=title).add_asset(*sample_wheel("app", version))
    return hub


def installed(site: Path) -> str:
    """The version that is installed."""
    (info,) = site.glob("app-*.dist-info")
    return info.name


@ensureDeferred
async def test_pip_does_not_choose_a_yanked_release(yanked: Hub, pip: Client, tmp_path: Path) -> None:
    ended = await pip("install", "--target", "site", "app>=1", index=yanked.index_url())
    assert ended.code == 0, ended.text
    assert installed(tmp_path / "site") == "app-1.0.dist-info"
    assert "yanked" not in ended.text


@ensureDeferred
async def test_pip_takes_a_yanked_release_that_is_pinned_and_says_why_it_was(
    yanked: Hub, pip: Client, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    ended = await pip("install", "--target", "site", "app==1.1", index=yanked.index_url())
    assert ended.code == 0, ended.text
    assert installed(tmp_path / "site") == "app-1.1.dist-info"
    reason = "loses data" if "[with a reason]" in request.node.name else "<none given>"
    assert f"Reason for being yanked: {reason}" in ended.err


@ensureDeferred
async def test_uv_does_not_choose_a_yanked_release(yanked: Hub, uv: Client) -> None:
    ended = await uv("pip", "compile", "-", stdin="app>=1\n", index=yanked.index_url())
    assert ended.code == 0, ended.text
    assert "app==1.0" in ended.out


@ensureDeferred
async def test_uv_takes_a_yanked_release_that_is_pinned_and_says_so(
    yanked: Hub, uv: Client, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    ended = await uv("pip", "install", "--target", "site", "app==1.1", index=yanked.index_url())
    assert ended.code == 0, ended.text
    assert installed(tmp_path / "site") == "app-1.1.dist-info"
    reason = ' (reason: "loses data")' if "[with a reason]" in request.node.name else ""
    assert f"`app==1.1` is yanked{reason}" in ended.err
