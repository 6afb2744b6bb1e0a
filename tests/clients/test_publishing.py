"""The tools that publish, as their users run them, through a running daemon onto releases of a GitHub in a box."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name
from pytest_twisted import ensureDeferred
from support.hub import Hub
from support.registry import download
from support.tools import Tools

Client = Callable[..., Any]
JSON = "application/vnd.pypi.simple.v1+json"
Answered = list[tuple[str, str, int]]

_PROJECT = """
[project]
name = "{name}"
version = "{version}"
description = "Published by a tool"
readme = "README.md"
requires-python = ">=3.9"

[build-system]
requires = ["{requires}"]
build-backend = "{backend}"

[tool.flit.module]
name = "{module}"
"""
_QUIET = {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring", "SOURCE_DATE_EPOCH": "1750000000"}


@dataclass(frozen=True)
class Publisher:
    """A tool: what builds its projects, its command, and how it is told where to and as whom by the environment.

    In a value, `{url}` stands for the address and `{token}` for the token. Some skip what is there under the same name.
    """

    tool: str
    requires: str
    backend: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    takes_files: bool = False
    skips: bool = False

    def settings(self, url: str, token: str) -> dict[str, str]:
        return {key: value.format(url=url, token=token) for key, value in self.environment.items()} | _QUIET


PUBLISHERS = [
    Publisher(
        "uv",
        "uv_build>=0.9,<1",
        "uv_build",
        ("publish",),
        {"UV_PUBLISH_URL": "{url}/legacy/", "UV_PUBLISH_USERNAME": "octo", "UV_PUBLISH_PASSWORD": "{token}"},
    ),
    Publisher(
        "twine",
        "hatchling",
        "hatchling.build",
        ("upload", "--non-interactive", "--disable-progress-bar"),
        {
            "TWINE_REPOSITORY_URL": "{url}/octo/legacy/",
            "TWINE_USERNAME": "__token__",
            "TWINE_PASSWORD": "{token}",
        },
        takes_files=True,
    ),
    Publisher(
        "poetry",
        "poetry-core>=2.0",
        "poetry.core.masonry.api",
        ("publish", "--repository", "hub", "--skip-existing", "--no-interaction"),
        {
            "POETRY_REPOSITORIES_HUB_URL": "{url}/octo/legacy/",
            "POETRY_HTTP_BASIC_HUB_USERNAME": "__token__",
            "POETRY_HTTP_BASIC_HUB_PASSWORD": "{token}",
        },
        skips=True,
    ),
    Publisher(
        "pdm",
        "pdm-backend",
        "pdm.backend",
        ("publish", "--no-build", "--skip-existing"),
        {
            "PDM_PUBLISH_REPO": "{url}/legacy/",
            "PDM_PUBLISH_USERNAME": "octo",
            "PDM_PUBLISH_PASSWORD": "{token}",
            "PDM_CHECK_UPDATE": "false",
        },
        skips=True,
    ),
    Publisher(
        "hatch",
        "hatchling",
        "hatchling.build",
        ("publish", "--no-prompt"),
        {"HATCH_INDEX_REPO": "{url}/legacy/", "HATCH_INDEX_USER": "octo", "HATCH_INDEX_AUTH": "{token}"},
        skips=True,
    ),
    Publisher(
        "flit",
        "flit_core>=4",
        "flit_core.buildapi",
        ("publish",),
        {"FLIT_INDEX_URL": "{url}/octo/legacy/", "FLIT_USERNAME": "__token__", "FLIT_PASSWORD": "{token}"},
    ),
]


@pytest.fixture(params=PUBLISHERS, ids=lambda publisher: publisher.tool)
def publisher(request: pytest.FixtureRequest) -> Publisher:
    """Each of the tools."""
    chosen: Publisher = request.param
    return chosen


@dataclass(frozen=True)
class Workshop:
    """Somebody's project for a tool, in a folder of its own, and the tool."""

    run: Client
    tools: Tools
    publisher: Publisher
    folder: Path

    @property
    def name(self) -> str:
        """The project's name, as it is written in its file."""
        return f"By.{self.publisher.tool}"

    @property
    def module(self) -> str:
        return f"by_{self.publisher.tool}"

    async def build(self, version: str = "1.0", code: str = "") -> None:
        """Writes the project and builds its wheel and its sdist into `dist`."""
        backend = self.publisher.backend
        text = _PROJECT.format(
            name=self.name,
            version=version,
            requires=self.publisher.requires,
            backend=backend,
            module=self.module,
        )
        package = self.folder / "src" / self.module
        package.mkdir(parents=True, exist_ok=True)
        (self.folder / "pyproject.toml").write_text(text)
        (self.folder / "README.md").write_text("# Größer\n\nA *readme*.\n")
        (package / "__init__.py").write_text(f'"""A module."""\nVERSION = "{version}"\n{code}')
        build = f"import {backend} as backend; backend.build_sdist('dist'); backend.build_wheel('dist')"
        (self.folder / "dist").mkdir(exist_ok=True)
        python = self.tools.backends()
        path = os.pathsep.join([str(python.parent), os.defpath])  # uv's backend looks for its program
        ended = await self.run(python, "-c", build, cwd=self.folder, PATH=path, **_QUIET)
        assert ended.code == 0, ended.text

    def files(self) -> list[Path]:
        """What was built."""
        return sorted(path for path in (self.folder / "dist").iterdir() if path.suffix in (".whl", ".gz"))

    async def publish(self, url: str, token: str, *more: str, **environment: str) -> Any:
        """Runs the tool as its user does."""
        files = self.files() if self.publisher.takes_files else ()
        command = self.tools.command(self.publisher.tool)
        settings = self.publisher.settings(url, token) | environment
        return await self.run(command, *self.publisher.arguments, *more, *files, cwd=self.folder, **settings)


@pytest.fixture
def make_workshop(run: Client, tools: Tools, tmp_path: Path) -> Callable[[Publisher], Workshop]:
    """Makes a workshop for a publisher."""

    def make(publisher: Publisher) -> Workshop:
        (folder := tmp_path / "project").mkdir()
        return Workshop(run, tools, publisher, folder)

    return make


def uv_workshop(make: Callable[[Publisher], Workshop]) -> Workshop:
    """A workshop with uv."""
    return make(PUBLISHERS[0])


def published(hub: Hub, repository: str) -> dict[str, list[str]]:
    """What a repository of octo's shows: its releases' assets by their tags."""
    found: Any = hub.world.find_repository("octo", repository)
    assert not any(release.is_draft for release in found.releases.values())
    return {release.tag_name: sorted(release.assets) for release in found.releases.values()}


def posts(answered: Answered) -> list[int]:
    """The status codes of the uploads."""
    return [code for method, _, code in answered if method == "POST"]


@ensureDeferred
async def test_each_tool_publishes_a_wheel_and_an_sdist_twice_and_pip_and_uv_install_them(
    hub: Hub,
    make_workshop: Callable[[Publisher], Workshop],
    publisher: Publisher,
    pip: Client,
    uv: Client,
    tools: Tools,
    tmp_path: Path,
    log_lines: list[str],
) -> None:
    workshop = make_workshop(publisher)
    repository = str(canonicalize_name(workshop.name))
    hub.world.add_repository(f"octo/{repository}")
    await workshop.build()
    wheel, sdist = f"{workshop.module}-1.0-py3-none-any.whl", f"{workshop.module}-1.0.tar.gz"

    for _ in range(2):
        ended = await workshop.publish(hub.url, hub.token)
        assert ended.code == 0, ended.text
        assert hub.token not in ended.text
        assert published(hub, repository) == {"v1.0": [wheel, sdist]}

    index = hub.index_url()
    ended = await pip("install", "--target", "by-pip", workshop.name, index=index)
    assert ended.code == 0, ended.text
    assert (tmp_path / "by-pip" / workshop.module / "__init__.py").exists()
    ended = await uv(
        "pip", "install", "--target", "by-uv", "--no-binary", ":all:", "--no-build-isolation",
        "--python", tools.backends(), workshop.name, index=index,
    )  # fmt: skip
    assert ended.code == 0, ended.text
    assert (tmp_path / "by-uv" / workshop.module / "__init__.py").exists()
    assert hub.token not in "".join(log_lines)


@ensureDeferred
async def test_another_content_under_the_same_name_is_not_taken(
    hub: Hub, make_workshop: Callable[[Publisher], Workshop], publisher: Publisher
) -> None:
    workshop = make_workshop(publisher)
    hub.world.add_repository(f"octo/{canonicalize_name(workshop.name)}")
    await workshop.build()
    ended = await workshop.publish(hub.url, hub.token)
    assert ended.code == 0, ended.text
    (repository,) = hub.world.repositories()
    before = {asset.name: asset.sha256 for asset in repository.releases["v1.0"].assets.values()}
    await workshop.build(code="CHANGED = True\n")
    ended = await workshop.publish(hub.url, hub.token)
    assert (ended.code == 0) == publisher.skips, ended.text
    assert publisher.skips or "File already exists" in ended.text, ended.text
    assert {asset.name: asset.sha256 for asset in repository.releases["v1.0"].assets.values()} == before


@ensureDeferred
async def test_uv_skips_what_the_check_url_has(
    hub: Hub, make_workshop: Callable[[Publisher], Workshop], answered: Answered
) -> None:
    hub.world.add_repository("octo/by-uv")
    workshop = uv_workshop(make_workshop)
    await workshop.build()
    check = ("--check-url", f"{hub.index_url()}")
    ended = await workshop.publish(hub.url, hub.token, *check)
    assert ended.code == 0, ended.text
    assert posts(answered) == [200, 200]
    answered.clear()
    ended = await workshop.publish(hub.url, hub.token, *check)
    assert ended.code == 0, ended.text
    assert ended.text.count("already exists, skipping") == 2
    assert posts(answered) == []


@ensureDeferred
async def test_uv_publishes_to_an_index_of_its_configuration(
    hub: Hub, make_workshop: Callable[[Publisher], Workshop], answered: Answered
) -> None:
    hub.world.add_repository("octo/by-uv")
    workshop = uv_workshop(make_workshop)
    await workshop.build()
    with (workshop.folder / "pyproject.toml").open("a") as file:
        file.write(
            f'[[tool.uv.index]]\nname = "hub"\nurl = "{hub.url}/octo/simple/"\n'
            f'publish-url = "{hub.url}/octo/legacy/"\nexplicit = true\n'
        )
    settings = {
        "UV_NO_CONFIG": "0",
        "UV_INDEX_HUB_USERNAME": "__token__",
        "UV_INDEX_HUB_PASSWORD": hub.token,
        "UV_PUBLISH_TRUSTED_PUBLISHING": "never",  # which would be tried over https, for seconds
    }
    uv = workshop.tools.command("uv")
    for statuses in ([200, 200], []):
        answered.clear()
        ended = await workshop.run(uv, "publish", "--index", "hub", cwd=workshop.folder, **settings)
        assert ended.code == 0, ended.text
        assert posts(answered) == statuses
    assert list(published(hub, "by-uv")) == ["v1.0"]


@ensureDeferred
async def test_what_github_refuses_is_told_by_the_tool(
    hub: Hub, make_workshop: Callable[[Publisher], Workshop], publisher: Publisher
) -> None:
    workshop = make_workshop(publisher)
    repository = hub.world.add_repository(f"octo/{canonicalize_name(workshop.name)}")
    await workshop.build()
    token = hub.world.add_token("octo", scopes=["contents:read"])
    ended = await workshop.publish(hub.url, token)
    assert ended.code != 0
    assert "403" in ended.text, ended.text
    assert token not in ended.text
    assert repository.releases == {}


@pytest.fixture(scope="session")
def ten(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Ten real distributions from PyPI, two of them sdists."""
    folder = tmp_path_factory.mktemp("ten")
    download(folder, "--no-deps", "--no-binary", ":all:", "flit-core==4.2.0", "setuptools==80.9.0")
    wheels = sorted(path for path in tree.iterdir() if path.suffix == ".whl")
    return [*folder.iterdir(), *wheels[:8]]


@ensureDeferred
async def test_twine_uploads_ten_real_distributions(
    hub: Hub, run: Client, uv: Client, tools: Tools, ten: list[Path], answered: Answered
) -> None:
    assert len(ten) == 10
    names = {str(canonicalize_name(path.name.split("-")[0])) for path in ten}
    for name in names:
        hub.world.add_repository(f"octo/{name}")
    twine = next(publisher for publisher in PUBLISHERS if publisher.tool == "twine")
    settings = twine.settings(hub.url, hub.token)
    for _ in range(2):
        answered.clear()
        ended = await run(tools.command("twine"), *twine.arguments, *ten, **settings)
        assert ended.code == 0, ended.text
        assert posts(answered) == [200] * 10
    for name in names:
        page = json.loads((await hub.get(f"/simple/{name}/", headers={"Accept": JSON})).body)
        hashes = {asset.name: asset.sha256 for asset in _assets(hub, name)}
        assert {file["filename"]: file["hashes"]["sha256"] for file in page["files"]} == hashes
    stored = {asset.name: asset.sha256 for name in names for asset in _assets(hub, name)}
    assert set(stored) == {path.name for path in ten}


def _assets(hub: Hub, repository: str) -> list[Any]:
    found: Any = hub.world.find_repository("octo", repository)
    return [asset for release in found.releases.values() for asset in release.assets.values()]
