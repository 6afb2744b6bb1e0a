"""Who and what the documentation speaks of: the owner acme, GitHub and a hub under their names, a reader at a desk."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from support.gallery import OWNER
from support.hub import Hub
from support.internet import API, STORAGE, UPLOADS, Internet
from support.moving import OLD, Stage
from support.prose import ROOT
from support.tools import Tools
from support.walk import Walk

HUB = "hub.example.com"
NAMES = (API, STORAGE, UPLOADS)
SYSTEM = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Tools:
    """The tools that publish and install."""
    return Tools(tmp_path_factory.mktemp("tools"))


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """Where the reader sits: an empty folder."""
    folder = tmp_path / "desk"
    folder.mkdir()
    return folder


@pytest.fixture
def usual_port() -> Iterator[None]:
    """Nobody else on this machine tests with PyPIHub's usual port meanwhile."""
    with open("/tmp/pypihub-tests-3141.lock", "w") as lock:  # noqa: S108 - holds nothing
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest_twisted.async_yield_fixture
async def hub_by_name(make_hub: Callable[..., Any]) -> AsyncIterator[Hub]:
    """A hub whose GitHub says that it is github.com; there acme has a token and an empty repository, greeting."""
    hub = await make_hub(known_as=tuple(f"https://{name}" for name in NAMES), server={"url": f"https://{HUB}"})
    hub.token = hub.world.add_token(
        OWNER, f"github_pat_{'a1' * 30}", scopes=["contents:write"], expires_at=hub.world.now() + timedelta(days=30)
    )
    hub.world.add_repository(f"{OWNER}/greeting")
    yield hub


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The reader's home."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest_twisted.async_yield_fixture
async def internet(reactor: Any, hub_by_name: Hub, tmp_path: Path) -> AsyncIterator[Internet]:
    """GitHub and the hub under their names; a page's stage may serve `OLD` as well."""
    (net := tmp_path / "net").mkdir()
    internet = Internet(reactor, net, [*NAMES, HUB, OLD])
    await internet.start()
    sandbox = hub_by_name.sandbox
    for name, url in zip(NAMES, (sandbox.api_url, sandbox.storage_url, sandbox.uploads_url), strict=True):
        await internet.serve(name, url)
    await internet.serve(HUB, hub_by_name.url)
    yield internet
    await internet.stop()


@pytest_twisted.async_yield_fixture
async def stage(
    reactor: Any, hub_by_name: Hub, internet: Internet, tools: Tools, desk: Path, home: Path
) -> AsyncIterator[Stage]:
    """Where a page's scene is set."""
    stage = Stage(reactor, hub_by_name, internet, tools, desk, home)
    yield stage
    await stage.end()


@pytest_twisted.async_yield_fixture
async def reader(
    reactor: Any, hub_by_name: Hub, internet: Internet, desk: Path, home: Path, tmp_path: Path, usual_port: None
) -> AsyncIterator[Callable[..., Walk]]:
    """Makes readers, with more commands in their PATH and variables: `reader({"twine": PATH}, PYPIHUB_TOKEN=…)`."""
    walks: list[Walk] = []

    def make(commands: Mapping[str, Path] | None = None, **more: str) -> Walk:
        commands_here = tmp_path / "bin"
        commands_here.mkdir()
        for name, path in ({"python3": Path(sys.executable).resolve()} | dict(commands or {})).items():
            (commands_here / name).symlink_to(path)
        (home / ".gitconfig").write_text("[safe]\n\tdirectory = *\n")
        environment = internet.environment | {
            "HOME": str(home),
            "REPOSITORY": str(ROOT),
            "LC_ALL": "C.UTF-8",
            "PATH": os.pathsep.join(
                [str(commands_here), "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
            ),
            "PIP_CACHE_DIR": str(home / "pip"),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            "NO_COLOR": "1",
        }
        environment |= more
        walks.append(Walk(reactor, desk, environment, {"a token": hub_by_name.token}))
        return walks[-1]

    yield make
    for walk in walks:
        await walk.end()
