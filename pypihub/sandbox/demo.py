"""`pypihub demo`: a GitHub in a box, the daemon in front of it, and a real pip that installs through both."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace
from packaging.tags import sys_tags
from packaging.utils import parse_wheel_filename
from twisted.application.service import IService
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from pypihub.config import Config, Server
from pypihub.errors import ConfigError
from pypihub.sandbox.fill import fill_flat, fill_tree, parse_distribution
from pypihub.sandbox.samples import sample_sdist, sample_wheel
from pypihub.sandbox.server import Sandbox
from pypihub.sandbox.world import Repository, World

OWNER = "octo-demo"
HOST = "127.0.0.1"
# Of the user's own files only the one wheel is installed: what it needs, or what builds an sdist, may be elsewhere.
_OWN_FILES = ("--no-deps", "--only-binary", ":all:")
StartDaemon = Callable[[Config], IService]


def run_demo(
    reactor: Any, start_daemon: StartDaemon, *, config: Config, folder: Path | None, port: int, once: bool
) -> int:
    """Runs the demo and the reactor; the exit status: 0 when the installation worked.

    `start_daemon` gives the running service of a configuration and raises ConfigError where it cannot run.
    Of `config` all counts but [server], which GitHub and whose packages, and the cache's folder. `folder` holds the
    files to publish, else there are samples. With `once` it ends after the installation.
    Raises BrokenPipeError where nobody reads what it says any more.
    """
    status = [1]
    unread: list[Any] = []

    def finish(result: int | Failure) -> None:
        if isinstance(result, Failure) and result.check(BrokenPipeError):
            unread.append(result.value)
        elif isinstance(result, Failure):
            result.printTraceback(file=sys.stderr)
        else:
            status[0] = result
        if (once or status[0]) and reactor.running:
            reactor.stop()

    def start() -> None:
        Deferred.fromCoroutine(_Demo(reactor, start_daemon, config, port).run(folder, once)).addBoth(finish)

    reactor.callWhenRunning(start)
    reactor.run()
    if unread:
        raise unread[0]
    return status[0]


class _Demo:
    def __init__(self, reactor: Any, start_daemon: StartDaemon, config: Config, port: int) -> None:
        self._reactor = reactor
        self._start_daemon = start_daemon
        self._wanted = config
        self._port = port

    async def run(self, folder: Path | None, once: bool) -> int:
        world = World()
        try:
            repositories = _fill(world, folder)
            repository, project = _choose(repositories)
        except (OSError, ValueError) as error:
            return _complain(f"{folder}: {error}")
        owner = repository.name_with_owner.partition("/")[0]
        token = world.add_token(owner)
        sandbox = await self._start_sandbox(world)
        _say(f"1. A GitHub in a box is at {sandbox.api_url}; {_count(repositories)}.")
        try:
            daemon = self._start_daemon(self._config(sandbox))
        except ConfigError as error:
            return _complain(error.message)
        self._reactor.addSystemEventTrigger("before", "shutdown", daemon.stopService)
        _say(f"2. PyPIHub is at http://{HOST}:{self._port}/ and asks it instead of api.github.com.")
        index_url = f"http://{owner}:{token}@{HOST}:{self._port}/simple/"
        wanted = [*(_OWN_FILES if folder else ()), project]
        _say(f"3. pip install --index-url http://{owner}:TOKEN@{HOST}:{self._port}/simple/ {' '.join(wanted)}")
        with tempfile.TemporaryDirectory(prefix="pypihub-demo-") as place:
            code = await self._install(index_url, wanted, Path(place))
            if not (code or folder):
                code = await self._greet(project, Path(place))
        if code:
            return _complain(f"pip could not install {project} (exit status {code}).")
        _say(f"4. It worked: {project} came from a release of {repository.name_with_owner}.")
        if not once:
            _say(_TO_TRY.format(index_url=index_url, project=project, page=f"{index_url}{project}/"))
        return 0

    async def _start_sandbox(self, world: World) -> Sandbox:
        sandbox = Sandbox(self._reactor, world)
        await sandbox.start()
        self._reactor.addSystemEventTrigger("before", "shutdown", lambda: maybeDeferred(sandbox.stop))
        return sandbox

    def _config(self, sandbox: Sandbox) -> Config:
        github = {"api_url": sandbox.api_url, "graphql_url": sandbox.graphql_url, "owners": ()}
        return replace(
            self._wanted,
            cache=replace(self._wanted.cache, directory=""),
            server=Server(host=HOST, port=self._port),
            github=replace(self._wanted.github, **github),
        )

    async def _install(self, index_url: str, wanted: list[str], place: Path) -> int:
        """Runs pip in an environment that knows this index only; the exit status."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PIP_")}
        environment |= {
            "PIP_INDEX_URL": index_url,  # not on the command line, where every user of the machine could read it
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_CACHE_DIR": "1",
            "PIP_NO_INPUT": "1",
            "NO_PROXY": HOST,
            "no_proxy": HOST,
        }
        pip = [sys.executable, "-m", "pip", "install", "--target", str(place), *wanted]
        return await _run(self._reactor, pip, environment)

    async def _greet(self, project: str, place: Path) -> int:
        """Runs what was installed of the samples; the exit status."""
        greet = [sys.executable, "-c", f"import {project.replace('-', '_')} as hub; print('   ' + hub.greeting())"]
        return await _run(self._reactor, greet, {**os.environ, "PYTHONPATH": str(place)})


class _Exit(ProcessProtocol):
    """Tells the exit status of a child that shares this process's terminal."""

    def __init__(self) -> None:
        self.code: Deferred[int] = Deferred()

    def processEnded(self, reason: Failure) -> None:
        self.code.callback(getattr(reason.value, "exitCode", None) or (1 if getattr(reason.value, "signal", 0) else 0))


async def _run(reactor: Any, command: list[str], environment: dict[str, str]) -> int:
    sys.stdout.flush()
    child = _Exit()
    reactor.spawnProcess(child, command[0], command, environment, childFDs={0: 0, 1: 1, 2: 2})
    return await child.code


def _fill(world: World, folder: Path | None) -> list[Repository]:
    if folder is None:
        return _samples(world)
    is_flat = any(entry.is_file() and parse_distribution(entry.name) for entry in folder.iterdir())
    return fill_flat(world, folder, OWNER) if is_flat else fill_tree(world, folder)


def _samples(world: World) -> list[Repository]:
    """Two private repositories; the first one's package needs the second's."""
    hello = world.add_repository(f"{OWNER}/hello-hub")
    words = world.add_repository(f"{OWNER}/hello-words")
    for version in ("1.0", "1.1"):
        release = hello.add_release(f"v{version}")
        source = f"import hello_words\n\n__version__ = '{version}'\n\n\ndef greeting():\n    return hello_words.WORDS\n"
        files = {"hello_hub.py": source.encode()}
        release.add_asset(*sample_wheel("hello-hub", version, requires=["hello-words>=2"], extra_files=files))
        release.add_asset(*sample_sdist("hello-hub", version))
    said = {"hello_words.py": b"WORDS = 'Hello from a private GitHub release.'\n"}
    words.add_release("v2.0").add_asset(*sample_wheel("hello-words", "2.0", extra_files=said))
    return [hello, words]


def _choose(repositories: list[Repository]) -> tuple[Repository, str]:
    """A repository, and the project of the same name that has a wheel for this Python in it.

    Raises ValueError with the reason where there is none.
    """
    files = list(_distributions(repositories))
    if not files:
        raise ValueError("it holds no wheel or sdist.")
    named = [file for file in files if file[0].name.lower() == file[1]]
    if not named:
        raise ValueError("no repository has the name of a project in it; the daemon has [[github.replace]] for that.")
    supported = frozenset(sys_tags())
    for repository, project, name in named:
        if name.endswith(".whl") and supported & parse_wheel_filename(name)[3]:
            return repository, project
    raise ValueError("it holds no wheel for this Python, and pip finds nothing in the demo that builds an sdist.")


def _distributions(repositories: list[Repository]) -> Iterator[tuple[Repository, str, str]]:
    """Every wheel and sdist that holds something: its repository, its project and its name."""
    for repository in repositories:
        for release in repository.releases.values():
            for asset in release.assets.values():
                if asset.size and (parsed := parse_distribution(asset.name)):
                    yield repository, parsed[0], asset.name


def _count(repositories: list[Repository]) -> str:
    names = ", ".join(repository.name_with_owner for repository in repositories[:4])
    more = len(repositories) - 4
    return f"it holds {names}" + (f" and {more} more repositories" if more > 0 else "")


def _say(text: str) -> None:
    click.secho(text, bold=True)


def _complain(text: str) -> int:
    click.secho(f"pypihub demo: {text}", err=True)
    return 1


_TO_TRY = """
It runs until Ctrl-C. To try, in another terminal:

    pip download --no-deps --index-url {index_url} {project}
    uv pip install --target somewhere --default-index {index_url} {project}
    curl {page}
"""
