"""What reads a command's output may have enough of it, as `head` has: no traceback, and no half-done work."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_twisted import ensureDeferred
from support.checks import publish
from support.hub import Hub
from support.process import BIN, Process, free_port

from pypihub.sandbox.samples import sample_wheel

Run = Callable[..., Process]
_WITHOUT_A_READER = "import os, sys; r, w = os.pipe(); os.close(r); os.dup2(w, 1); os.execv(sys.argv[1], sys.argv[1:])"


@pytest.fixture
def unread(run: Run, hub: Hub, tmp_path: Path) -> Run:
    """Runs `pypihub` with the token of octo and a stdout that nobody reads any more."""
    github = f'api_url = "{hub.sandbox.api_url}"\ngraphql_url = "{hub.sandbox.graphql_url}"\n'
    (tmp_path / "hub.toml").write_text(f"[github]\n{github}")
    start = (sys.executable, "-c", _WITHOUT_A_READER, str(BIN / "pypihub"))
    return lambda *words: run(*start, *words, PYPIHUB_TOKEN=hub.token)


@pytest.mark.parametrize(
    "command",
    [
        ["-c", "hub.toml", "check", "octo", "app"],
        ["-c", "hub.toml", "check", "octo", "app", "--json"],
        ["-c", "hub.toml", "yank", "octo/app", "1.0"],
        ["check-config", "hub.toml"],
        ["config", "pip", "octo"],
        ["demo", "--once", "--port", "PORT"],
    ],
    ids=" ".join,
)
@ensureDeferred
async def test_it_ends_without_a_word(hub: Hub, unread: Run, command: list[str]) -> None:
    publish(hub)
    process = unread(*(str(free_port()) if word == "PORT" else word for word in command))
    assert (await process.ends(), process.err) == (1, "")


@ensureDeferred
async def test_a_version_is_yanked_in_all_its_releases_all_the_same(hub: Hub, unread: Run) -> None:
    repository = hub.world.add_repository("octo/app")
    for tag in ("v1", "v1-again"):
        repository.add_release(tag).add_asset(*sample_wheel("app", "1.0"))
    await unread("-c", "hub.toml", "yank", "octo/app", "1.0").ends()
    assert {release.name for release in repository.releases.values()} == {"[yanked]"}
