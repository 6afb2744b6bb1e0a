"""`pypihub demo`, as someone runs it who wants to see what PyPIHub is."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import treq
from pytest_twisted import ensureDeferred
from support.process import Process, free_port
from twisted.web.client import Agent

from pypihub.sandbox.samples import sample_sdist, sample_wheel

Run = Callable[..., Process]


@pytest.fixture
def port() -> str:
    """A free port."""
    return str(free_port())


@pytest.fixture
def own_files(tmp_path: Path) -> Path:
    """A folder for someone's own files."""
    (folder := tmp_path / "own").mkdir()
    return folder


@ensureDeferred
async def test_it_installs_a_package_and_says_each_step(run: Run, port: str) -> None:
    demo = run("pypihub", "demo", "--once", "--port", port)
    assert await demo.ends() == 0, demo.out + demo.err
    for step in ("1. A GitHub in a box", "2. PyPIHub is at", "3. pip install", "4. It worked"):
        assert step in demo.out
    assert "Successfully installed hello-hub-1.1 hello-words-2.0" in demo.out
    assert "Traceback" not in demo.out + demo.err


@ensureDeferred
async def test_it_serves_until_ctrl_c(reactor: Any, run: Run, port: str) -> None:
    demo = run("pypihub", "demo", "--port", port)
    credentials, _, rest = (await demo.says("curl http://")).partition("@")
    owner, _, token = credentials.partition(":")
    response = await treq.client.HTTPClient(Agent(reactor)).get(f"http://{rest}", auth=(owner, token))
    assert b"hello_hub-1.1-py3-none-any.whl" in await response.content()
    demo.signal("INT")
    assert await demo.ends() == 0
    assert "Traceback" not in demo.out + demo.err


@ensureDeferred
async def test_without_its_extra_it_names_nobody_elses_program(run: Run, tmp_path: Path) -> None:
    (tmp_path / "graphql.py").write_text("raise ModuleNotFoundError(name='graphql')")
    demo = run("pypihub", "demo", "--once", PYTHONPATH=os.pathsep.join([str(tmp_path), *sys.path]))
    assert await demo.ends() == 1
    # On PyPI `pypihub` is a program of others.
    assert demo.err == "pypihub: the demo needs graphql. In PyPIHub's clone: pip install '.[demo]'\n"


@ensureDeferred
async def test_your_own_files_in_one_folder(run: Run, port: str, own_files: Path) -> None:
    for name, content in (sample_wheel("mine", "1.0", requires=["not-here"]), sample_sdist("other", "2.0")):
        (own_files / name).write_bytes(content)
    demo = run("pypihub", "demo", "--once", "--port", port, "--from", str(own_files))
    assert await demo.ends() == 0, demo.out + demo.err
    assert "Successfully installed mine-1.0" in demo.out


@ensureDeferred
async def test_your_own_files_in_a_tree(run: Run, port: str, own_files: Path) -> None:
    (release := own_files / "Acme" / "Mine" / "v1").mkdir(parents=True)
    name, content = sample_wheel("mine", "1.0")
    (release / name).write_bytes(content)
    demo = run("pypihub", "demo", "--once", "--port", port, "--from", str(own_files))
    assert await demo.ends() == 0, demo.out + demo.err
    assert "mine came from a release of Acme/Mine" in demo.out


@ensureDeferred
async def test_a_wheel_is_installed_though_there_is_a_newer_sdist(run: Run, port: str, own_files: Path) -> None:
    for name, content in (sample_wheel("mine", "1.0"), sample_sdist("mine", "2.0")):
        (own_files / name).write_bytes(content)
    demo = run("pypihub", "demo", "--once", "--port", port, "--from", str(own_files))
    assert await demo.ends() == 0, demo.out + demo.err
    assert "--only-binary :all: mine" in demo.out
    assert "Successfully installed mine-1.0" in demo.out


_WHEEL = sample_wheel("my-repo", "1.0")
_SDIST = sample_sdist("my-repo", "1.0")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([("O/My-Repo/v1", *_WHEEL), ("O/my-repo/v1", *_WHEEL)], "already has a release 'v1'"),
        ([("O/mono/v1", *_WHEEL)], "no repository has the name of a project in it"),
        ([("O/My_Repo/v1", *_WHEEL)], "no repository has the name of a project in it"),
        ([("O/my-repo/v1", *_SDIST)], "finds nothing in the demo that builds an sdist"),
        ([("O/my-repo/v1", _WHEEL[0], b"")], "it holds no wheel or sdist"),
        ([("O/my-repo/v1", "my_repo-1.0-py2-none-any.whl", b"2")], "it holds no wheel for this Python"),
        ([("O/my-repo/v1/folder", *_WHEEL)], "Is a directory"),
    ],
    ids=["two of one name", "mono-repo", "not its normalized name", "sdist alone", "empty", "python 2", "folder"],
)
@ensureDeferred
async def test_a_tree_that_cannot_be_shown_is_one_line(
    run: Run, own_files: Path, files: list[tuple[str, str, bytes]], said: str
) -> None:
    for folder, name, content in files:
        (place := own_files / folder).mkdir(parents=True)
        (place / name).write_bytes(content)
    demo = run("pypihub", "demo", "--from", str(own_files))
    assert await demo.ends() == 1
    (line,) = demo.err.strip().splitlines()
    assert line.startswith(f"pypihub demo: {own_files}: ")
    assert said in line


@pytest.mark.parametrize("broken", [None, "mine-1.0-py3-none-any.whl"])
@ensureDeferred
async def test_what_cannot_be_installed_is_said(run: Run, port: str, own_files: Path, broken: str | None) -> None:
    if broken:
        (own_files / broken).write_bytes(b"this is no wheel")
    demo = run("pypihub", "demo", "--port", port, "--from", str(own_files))
    assert await demo.ends() == 1
    assert ("could not install mine" if broken else "holds no wheel or sdist") in demo.err


@ensureDeferred
async def test_a_busy_port_is_one_line(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        number = busy.getsockname()[1]
        demo = run("pypihub", "demo", "--port", str(number))
        assert await demo.ends() == 1
    (line,) = demo.err.strip().splitlines()
    assert f"cannot listen on 127.0.0.1 port {number}" in line
