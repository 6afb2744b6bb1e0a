"""Who and what the documentation speaks of: the owner acme, GitHub and a hub under their names, a reader at a desk."""

from __future__ import annotations

import fcntl
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import pytest
import pytest_twisted
from support.enterprise import enterprise_server
from support.gallery import OWNER
from support.init import Init
from support.internet import API, STORAGE, UPLOADS, Internet
from support.moving import OLD, Stage
from support.process import Process
from support.prose import ROOT
from support.registry import download
from support.tools import Tools
from support.walk import Walk

from pypihub.sandbox.samples import sample_wheel
from pypihub.sandbox.server import Sandbox
from pypihub.sandbox.world import World

HUB, ENTERPRISE = "hub.example.com", "github.example.com"
SYSTEM = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The package index can be reached, from which readers install: else their tests are skipped, with the reason."""
    download(tmp_path_factory.mktemp("registry"), "--no-deps", "iniconfig")


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """Where the reader sits: an empty folder."""
    folder = tmp_path / "desk"
    folder.mkdir()
    return folder


@pytest.fixture
def usual_port() -> Iterator[None]:
    """Nobody else on this machine tests with PyPIHub's usual port meanwhile."""
    with (Path(gettempdir()) / "pypihub-tests-3141.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest_twisted.async_yield_fixture
async def github(reactor: Any) -> AsyncIterator[Sandbox]:
    """A GitHub that says that it is github.com.

    There acme has empty repositories, greeting and flight; globex has doomsday 1.0.
    """
    sandbox = Sandbox(reactor, World(), known_as=(f"https://{API}", f"https://{STORAGE}", f"https://{UPLOADS}"))
    for name in ("greeting", "flight"):
        sandbox.world.add_repository(f"{OWNER}/{name}")
    doomsday = sandbox.world.add_repository("globex/doomsday")
    doomsday.add_release("v1.0").add_asset(*sample_wheel("doomsday", "1.0"))
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


@pytest.fixture
def secrets(github: Sandbox) -> dict[str, str]:
    """What the reader types where a page asks for it."""
    world = github.world
    in_a_month = world.now() + timedelta(days=30)
    own = world.add_token(OWNER, f"github_pat_{'a1' * 30}", scopes=["contents:write"], expires_at=in_a_month)
    return {"a token": own, "a token of globex": world.add_token("globex")}


@pytest_twisted.async_yield_fixture
async def internet(reactor: Any, github: Sandbox, tmp_path: Path) -> AsyncIterator[Internet]:
    """That GitHub, an Enterprise Server with the same in it, and a hub, which is a daemon of its own.

    A page's stage may serve `OLD` as well.
    """
    (folder := tmp_path / "net").mkdir()
    net = Internet(reactor, folder, [API, STORAGE, UPLOADS, ENTERPRISE, HUB, OLD])
    await net.start()
    for name, url in ((API, github.api_url), (STORAGE, github.storage_url), (UPLOADS, github.uploads_url)):
        await net.serve(name, url)
    enterprise = await enterprise_server(reactor, github.api_url)
    await net.serve(ENTERPRISE, f"http://127.0.0.1:{enterprise.getHost().port}")
    (folder / "hub.toml").write_text(
        f'[server]\nendpoint = "tcp:0:interface=127.0.0.1"\nurl = "https://{HUB}"\n[cache]\ndirectory = ""\n'
    )
    init = Init(str(folder / "notify"), reactor)
    surroundings = net.environment | {"NOTIFY_SOCKET": init.address}
    daemon = Process(reactor, ["pypihub", "-c", "hub.toml"], cwd=folder, timeout=1200, environment=surroundings)
    where = await daemon.says("listens on ")
    await init.is_told("READY=1")  # /readyz says so on some pages
    init.close()
    await net.serve(HUB, f"http://{where}")
    yield net
    daemon.signal("TERM")
    assert await daemon.ends() == 0, daemon.out + daemon.err
    await net.stop()
    await enterprise.stopListening()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The reader's home."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest_twisted.async_yield_fixture
async def stage(
    reactor: Any, github: Sandbox, internet: Internet, tools: Tools, desk: Path, home: Path
) -> AsyncIterator[Stage]:
    """Where a page's scene is set."""
    stage = Stage(reactor, github.world, internet, tools, desk, home)
    yield stage
    await stage.end()


@pytest_twisted.async_yield_fixture
async def reader(
    reactor: Any,
    internet: Internet,
    secrets: dict[str, str],
    desk: Path,
    home: Path,
    tmp_path: Path,
    registry: None,
    usual_port: None,
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
            "COMPANY_CA": str(internet.authority),
            "LC_ALL": "C.UTF-8",
            "PATH": f"{commands_here}:{SYSTEM}",
            "PIP_CACHE_DIR": str(home / "pip"),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            "NO_COLOR": "1",
        }
        walks.append(Walk(reactor, desk, environment | more, secrets))
        return walks[-1]

    yield make
    for walk in walks:
        await walk.end()
