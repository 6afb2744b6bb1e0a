"""Dependency confusion: a private name that the caller may not see is never answered from anywhere else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from support.hub import Hub

from pypihub.sandbox.samples import sample_sdist, sample_wheel

Client = Callable[..., Any]
Answered = list[tuple[str, str, int]]

_PROJECT = """
[project]
name = "tool"
version = "1.0"
requires-python = ">=3.11"
dependencies = ["app"]

[[tool.uv.index]]
name = "hub"
url = "{hub}/octo/simple/"
explicit = true
authenticate = "always"

[tool.uv.sources]
app = {{ index = "hub" }}
"""


@pytest_twisted.async_fixture
async def elsewhere(make_hub: Client) -> Hub:
    """A public index, where somebody registered the private name with a higher version."""
    hub: Hub = await make_hub()
    hub.world.add_repository("octo/app", private=False).add_release("v9").add_asset(*sample_wheel("app", "9.0"))
    hub.world.add_repository("octo/lib", private=False).add_release("v2").add_asset(*sample_wheel("lib", "2.0"))
    return hub


@pytest.fixture
def stranger(stocked: Hub) -> str:
    """A good token of somebody who may see none of octo's repositories."""
    return str(stocked.world.add_token("stranger"))


@pytest.fixture
def reached(reactor: Any, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Where this process, and so the daemon, opened connections to."""
    seen: set[str] = set()
    connect = reactor.connectTCP

    def spy(host: str, port: int, *more: Any, **options: Any) -> Any:
        seen.add(f"{host}:{port}")
        return connect(host, port, *more, **options)

    monkeypatch.setattr(reactor, "connectTCP", spy)
    return seen


def only_github(hub: Hub) -> set[str]:
    """The hub's GitHub, and the hub itself, which the tests ask."""
    sandbox = hub.sandbox
    return {urlsplit(url).netloc for url in (sandbox.api_url, sandbox.storage_url, sandbox.uploads_url, hub.url)}


def asked_for_app(hub: Hub) -> bool:
    """Whether the public index was asked for the private name."""
    return any(call.variables.get("name") == "app" for call in hub.sandbox.calls)


@ensureDeferred
async def test_pip_with_a_single_index_finds_nothing(
    stocked: Hub, stranger: str, pip: Client, reached: set[str], answered: Answered
) -> None:
    ended = await pip("install", "--target", "site", "app", index=stocked.index_url(token=stranger))
    assert ended.code == 1
    assert "No matching distribution found for app" in ended.err
    assert answered == [("GET", "/simple/app/", 404)]
    assert reached <= only_github(stocked)


@ensureDeferred
async def test_uv_asks_nobody_else_for_a_name_of_an_explicit_index(
    stocked: Hub, elsewhere: Hub, stranger: str, run: Client, uv: Client, tmp_path: Path
) -> None:
    (tmp_path / "pyproject.toml").write_text(_PROJECT.format(hub=stocked.url))
    settings = {"UV_NO_CONFIG": "0", "UV_INDEX_HUB_USERNAME": "__token__"}
    ended = await uv("lock", index=elsewhere.index_url(), UV_INDEX_HUB_PASSWORD=stranger, **settings)
    assert ended.code == 1
    assert "app was not found in the package registry" in ended.err, ended.text
    assert not (tmp_path / "uv.lock").exists()
    assert not asked_for_app(elsewhere)

    ended = await uv("lock", index=elsewhere.index_url(), UV_INDEX_HUB_PASSWORD=stocked.token, **settings)
    assert ended.code == 0, ended.text
    lock = (tmp_path / "uv.lock").read_text()
    assert 'name = "app"\nversion = "1.1"' in lock, "the private one, though there is a 9.0 elsewhere"
    assert 'name = "lib"\nversion = "2.0"' in lock
    assert not asked_for_app(elsewhere)


@pytest.mark.parametrize("path", ["/simple/{}/", "/octo/simple/{}/", "/pypi/{}/json", "/pypi/{}/1.1/json"])
@ensureDeferred
async def test_what_may_not_be_seen_is_answered_as_what_is_not_there(
    stocked: Hub, stranger: str, reached: set[str], path: str
) -> None:
    hidden, missing = [await stocked.get(path.format(name), token=stranger) for name in ("app", "nothing")]
    assert hidden.code == missing.code == 404
    assert hidden.text.replace("app", "nothing") == missing.text
    assert {name for name, _ in hidden.headers.getAllRawHeaders()} == {
        name for name, _ in missing.headers.getAllRawHeaders()
    }
    assert reached <= only_github(stocked)


@pytest.mark.parametrize("path", ["/simple/", "/octo/simple/"])
@pytest.mark.parametrize("accept", ["text/html", "application/vnd.pypi.simple.v1+json"])
@ensureDeferred
async def test_the_root_page_does_not_name_it(
    stocked: Hub, stranger: str, reached: set[str], path: str, accept: str
) -> None:
    root = await stocked.get(path, token=stranger, headers={"Accept": accept})
    assert root.code == 200
    assert not any(name in root.text for name in ("app", "lib"))
    assert reached <= only_github(stocked)


@ensureDeferred
async def test_its_files_are_not_there_either(stocked: Hub, stranger: str, reached: set[str]) -> None:
    repository: Any = stocked.world.find_repository("octo", "app")
    for asset in repository.releases["v1.1"].assets.values():
        for suffix in ("", ".metadata"):
            assert (await stocked.get(f"/asset/{asset.id}/{asset.name}{suffix}", token=stranger)).code == 404
    assert stocked.asked("storage") == 0
    assert reached <= only_github(stocked)


@ensureDeferred
async def test_nobody_publishes_under_a_name_that_they_may_not_see(
    stocked: Hub, stranger: str, uv: Client, tmp_path: Path, reached: set[str], answered: Answered
) -> None:
    files = []
    for name, content in (sample_wheel("app", "9.0"), sample_sdist("app", "9.0")):
        (tmp_path / name).write_bytes(content)
        files.append(name)
    ended = await uv(
        "publish", *files, index="",
        UV_PUBLISH_URL=f"{stocked.url}/octo/legacy/", UV_PUBLISH_USERNAME="__token__", UV_PUBLISH_PASSWORD=stranger,
    )  # fmt: skip
    assert ended.code != 0
    assert stranger not in ended.text
    assert {code for method, _, code in answered if method == "POST"} == {404}
    assert all(call.status >= 400 or call.where == "graphql" for call in stocked.sandbox.calls)
    (repository,) = (each for each in stocked.world.repositories() if each.name == "app")
    assert set(repository.releases) == {"v1.0", "v1.1"}
    assert len(list(stocked.world.repositories())) == 2, "none was made for it"
    assert reached <= only_github(stocked)
