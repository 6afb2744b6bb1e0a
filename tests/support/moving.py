"""What the pages about moving find before them: an index of another kind with acme's packages, and repositories.

The old indexes are the real pypiserver and devpi, in environments of their own.
"""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import tarfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from support.gallery import OWNER
from support.internet import Internet
from support.process import Process, free_port, takes_connections
from support.tools import Tools

from pypihub.sandbox.records import Repository
from pypihub.sandbox.samples import sample_sdist, sample_wheel
from pypihub.sandbox.world import World

OLD = "pypi.example.com"
"""The name that the pages have for the index that is left."""
PYPISERVER = ("pypiserver==2.4.2",)
DEVPI = ("devpi-server==6.20.3",)
PIP_TOOLS = ("pip-tools==7.6.2",)
_PROJECTS = ("rocket-sled", "jet-skates", "old-anvil")
_STARTS_WITHIN = 240.0


@dataclass
class Stage:
    """Where a page's scene is set; `commands` are those that its reader has beside the usual ones."""

    reactor: Any
    world: World
    internet: Internet
    tools: Tools
    desk: Path
    home: Path
    commands: dict[str, Path] = field(default_factory=dict)
    _going: list[Process] = field(default_factory=list)

    async def start(self, command: list[str], port: int) -> None:
        """Starts what goes on for as long as the page is read, and waits until it listens on the port."""
        surroundings = self.internet.environment | {"HOME": str(self.home), "PYTHONUNBUFFERED": "1"}
        process = Process(self.reactor, command, cwd=self.desk, timeout=240, environment=surroundings)
        self._going.append(process)
        await takes_connections(self.reactor, port, process)

    async def run(self, command: list[str], folder: Path | None = None, **environment: str) -> None:
        """Runs a command to its end."""
        surroundings = self.internet.environment | {"HOME": str(self.home), "NO_COLOR": "1"} | environment
        process = Process(
            self.reactor, command, cwd=folder or self.desk, timeout=_STARTS_WITHIN, environment=surroundings
        )
        assert await process.ends() == 0, f"{command}: {process.out}{process.err}"

    async def end(self) -> None:
        for process in self._going:
            if process.code is None:
                process.signal("TERM")
        for process in self._going:
            await process.ends()


async def old_pypiserver(stage: Stage) -> None:
    """pypiserver with a folder `packages`, some of it as old as packaging; acme has the repositories already."""
    folder = stage.desk / "packages"
    _write(folder, packages() | ancient())
    await _serve_pypiserver(stage, folder)
    stage.commands["twine"] = stage.tools.command("twine")
    for project in _PROJECTS:
        stage.world.add_repository(f"{OWNER}/{project}")


async def moved(stage: Stage) -> None:
    """The same files on both; projects of four tools, locked to the old index at a version before the newest."""
    folder = stage.desk.with_name("packages")
    files = packages()
    _write(folder, files)
    await _serve_pypiserver(stage, folder)
    for filename, content in files.items():
        _release(stage, filename).add_asset(filename, content)
    for tool in ("uv", "poetry", "pdm", "twine"):
        stage.commands[tool] = stage.tools.command(tool)
    pip_tools = stage.tools.python("pip-tools", *PIP_TOOLS)
    stage.commands["pip-compile"] = pip_tools.with_name("pip-compile")
    index = f"https://{OLD}/simple/"
    quiet = {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring", "PDM_CHECK_UPDATE": "0"}
    for tool, text, lock in (
        ("uv", UV_PROJECT, ["lock"]),
        ("poetry", _HEAD + _POETRY, ["lock", "--no-interaction"]),
        ("pdm", _HEAD + _PDM, ["lock"]),
    ):
        (here := stage.desk / f"{tool}-app").mkdir()
        for wanted in ("==1.0.0", ">=1.0.0"):  # so that what is locked is not what would be locked today
            (here / "pyproject.toml").write_text(text.format(wanted=wanted, index=index))
            more = ["--update-reuse"] if tool == "pdm" and wanted == ">=1.0.0" else []
            await stage.run([str(stage.commands[tool]), *lock, *more], here, **quiet)
    (here := stage.desk / "pip-tools-app").mkdir()
    for wanted in ("==1.0.0", ">=1.0.0"):
        (here / "requirements.in").write_text(f"rocket-sled{wanted}\n")
        command = [
            str(stage.commands["pip-compile"]),
            "-q",
            "--generate-hashes",
            "--strip-extras",
            "--index-url",
            index,
        ]
        await stage.run([*command, "requirements.in"], here)


async def old_devpi(stage: Stage) -> None:
    """devpi with two indexes, of which `acme/dev` builds upon `acme/prod`; acme has the repositories already."""
    python = stage.tools.python("devpi", *DEVPI)
    stage.commands["twine"] = stage.tools.command("twine")
    for command in ("devpi-export", "devpi-server"):
        stage.commands[command] = python.with_name(command)
    await stage.run([str(python.with_name("devpi-init")), "--no-root-pypi"])
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    await stage.start([str(python.with_name("devpi-server")), "--port", str(port)], port)
    _ask("PUT", f"{url}/{OWNER}", {"password": "secret", "email": "acme@example.com"})
    login = _ask("POST", f"{url}/+login", {"user": OWNER, "password": "secret"})
    key = base64.b64encode(f"{OWNER}:{login['result']['password']}".encode()).decode()
    for index, bases in (("prod", []), ("dev", [f"{OWNER}/prod"])):
        _ask("PUT", f"{url}/{OWNER}/{index}", {"bases": bases, "volatile": False}, key)
    (folder := stage.desk.with_name("uploads")).mkdir()
    files = packages()
    _write(folder, files)
    prod = [name for name in files if "1.0.0" in name]
    for index, names in (("prod", prod), ("dev", [name for name in files if name not in prod])):
        await _upload(stage, f"{url}/{OWNER}/{index}/", [folder / name for name in names])
    await stage.internet.serve(OLD, url)
    for project in _PROJECTS:
        stage.world.add_repository(f"{OWNER}/{project}")


async def old_pywharf(stage: Stage) -> None:
    """The repository that pywharf's GitHub backend keeps: a release for each file, with its tag, title and asset.

    So pywharf-github 0.2.0 leaves them: the form's fields and the hash are the release's text, as TOML, and an upload
    that broke off leaves a draft.
    """
    wharf = stage.world.add_repository(f"{OWNER}/wharf")
    for filename, content in packages().items():
        wharf_release(wharf, filename, content)
    filename, content = sample_sdist("jet-skates", "0.5.0")
    wharf.add_release(filename, name=filename, draft=True).add_asset(filename, content, content_type="application/zip")


async def old_go(stage: Stage) -> None:
    """A repository that only a replace rule finds."""
    release = stage.world.add_repository(f"{OWNER}/sled").add_release("v1.0.0")
    for sample in (sample_wheel, sample_sdist):
        release.add_asset(*sample("rocket-sled", "1.0.0"))


SCENES: Mapping[str, Callable[[Stage], Awaitable[None]]] = {
    "docs/howto/after-a-move.md": moved,
    "docs/howto/from-devpi.md": old_devpi,
    "docs/howto/from-pypiserver.md": old_pypiserver,
    "docs/howto/from-pywharf.md": old_pywharf,
    "docs/howto/from-the-go-original.md": old_go,
}
"""The pages that find more than acme's packages."""


def packages() -> dict[str, bytes]:
    """Files by their names; the last version has an epoch, which GitHub cannot keep."""
    releases = (("rocket-sled", "1.0.0"), ("rocket-sled", "1.1.0"), ("jet-skates", "0.4.0"), ("jet-skates", "1!2.0"))
    return dict(sample(*release) for release in releases for sample in (sample_wheel, sample_sdist))


def ancient() -> dict[str, bytes]:
    """Source distributions as they were once built: in another format, without PKG-INFO, of a version that is none."""
    stem = "old-anvil"
    info = f"Metadata-Version: 1.0\nName: {stem}\nVersion: %s\nSummary: x\n"
    return {
        f"{stem}-0.7.tar.gz": _archive(f"{stem}-0.7", None, gzip.compress),
        f"{stem}-0.8-final.tar.gz": _archive(f"{stem}-0.8-final", info % "0.8-final", gzip.compress),
        f"{stem}-0.9.tar.bz2": _archive(f"{stem}-0.9", info % "0.9", bz2.compress),
        f"{stem}-1.0.tar.gz": _archive(f"{stem}-1.0", info % "1.0", gzip.compress),
    }


def _archive(folder: str, info: str | None, compress: Callable[[bytes], bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, text in (("PKG-INFO", info), ("setup.py", "from setuptools import setup\nsetup()\n")):
            if text is not None:
                entry = tarfile.TarInfo(f"{folder}/{name}")
                entry.size = len(text)
                archive.addfile(entry, io.BytesIO(text.encode()))
    return compress(buffer.getvalue())


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def _release(stage: Stage, filename: str) -> Any:
    """The release of a file's version in its project's repository."""
    name, version = filename.removesuffix(".tar.gz").split("-")[:2]
    project, tag = name.replace("_", "-"), f"v{version}".replace("!", ".")
    world = stage.world
    repository = world.find_repository(OWNER, project) or world.add_repository(f"{OWNER}/{project}")
    return repository.releases.get(tag) or repository.add_release(tag)


def wharf_release(repository: Repository, filename: str, content: bytes) -> None:
    born = datetime(2021, 5, 4, tzinfo=UTC) + timedelta(days=len(repository.releases))
    name, version = filename.removesuffix(".tar.gz").split("-")[:2]
    distribution = name.replace("_", "-")
    fields = {"name": distribution, "version": version, "distrib": distribution, "sha256": sha256(content).hexdigest()}
    if "!" in filename:
        return  # pywharf, too, finds a file only where GitHub has kept its name
    release = repository.add_release(filename, name=filename, created_at=born)
    release.description = "".join(f'{key} = "{value}"\n' for key, value in fields.items())
    release.add_asset(filename, content, content_type="application/zip", digest=False, created_at=born)


async def _serve_pypiserver(stage: Stage, folder: Path) -> None:
    command = stage.tools.python("pypiserver", *PYPISERVER).with_name("pypi-server")
    port = free_port()
    await stage.start([str(command), "run", "-p", str(port), "-i", "127.0.0.1", str(folder)], port)
    await stage.internet.serve(OLD, f"http://127.0.0.1:{port}")


async def _upload(stage: Stage, url: str, files: list[Path]) -> None:
    command = [str(stage.tools.command("twine")), "upload", "--disable-progress-bar", *map(str, files)]
    await stage.run(command, TWINE_REPOSITORY_URL=url, TWINE_USERNAME=OWNER, TWINE_PASSWORD="secret")


def _ask(method: str, url: str, body: object, key: str = "") -> Any:
    """devpi's own API: it is another process, so that this may wait for it."""
    headers = {"Content-Type": "application/json", "Accept": "application/json"} | (
        {"X-Devpi-Auth": key} if key else {}
    )
    request = Request(url, json.dumps(body).encode(), headers, method=method)  # noqa: S310 - loopback
    with urlopen(request, timeout=_STARTS_WITHIN) as answer:  # noqa: S310 - loopback
        return json.load(answer)


_HEAD = """\
[project]
name = "app"
version = "1"
requires-python = ">=3.11"
dependencies = ["rocket-sled{wanted}"]

"""
UV_PROJECT = f"""\
{_HEAD}[[tool.uv.index]]
name = "hub"
url = "{{index}}"
explicit = true

[tool.uv.sources]
rocket-sled = {{{{ index = "hub" }}}}
"""
"""A project that needs rocket-sled, in versions that are `wanted`, from an `index`."""
_POETRY = """\
[tool.poetry]
package-mode = false

[[tool.poetry.source]]
name = "hub"
url = "{index}"
priority = "explicit"

[tool.poetry.dependencies]
rocket-sled = {{ source = "hub" }}
"""
_PDM = """\
[[tool.pdm.source]]
name = "hub"
url = "{index}"
include_packages = ["rocket-sled"]
"""
