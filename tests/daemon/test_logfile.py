"""The log as a process of its own keeps it: as JSON, at a level, in a file."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import treq
from pytest_twisted import ensureDeferred
from support.init import Init
from support.process import Process
from twisted.internet.task import deferLater
from twisted.web.client import Agent

from pypihub.config import Bytes, Log
from pypihub.daemon.logfile import OwnFile
from pypihub.errors import ConfigError

Run = Callable[..., Process]


def configure(folder: Path, log: str, *, workers: int = 1) -> str:
    file = folder / "hub.toml"
    server = f'[server]\nendpoint = "tcp:0:interface=127.0.0.1"\nworkers = {workers}\n'
    file.write_text(f"{server}[cache]\ndirectory = ''\n[log]\n{log}\n")
    return str(file)


async def get(reactor: Any, address: str, path: str) -> None:
    response = await treq.client.HTTPClient(Agent(reactor)).get(f"http://{address}{path}")
    await treq.content(response)


async def until(reactor: Any, is_so: Callable[[], object]) -> None:
    for _ in range(6000):
        if is_so():
            return
        await deferLater(reactor, 0.01)
    raise AssertionError("it never was so")


def read(file: Path) -> str:
    return file.read_text() if file.exists() else ""


def address_in(log: str) -> str:
    return log.split("listens on ")[1].split('"', maxsplit=1)[0].split(maxsplit=1)[0]


@ensureDeferred
async def test_every_line_is_an_object(reactor: Any, run: Run, tmp_path: Path) -> None:
    process = run("pypihub", "-c", configure(tmp_path, 'format = "json"'))
    said = await process.says("listens on ")
    await get(reactor, said.split('"')[0], "/nothing")
    process.signal("TERM")
    assert await process.ends() == 0
    lines = [json.loads(line) for line in process.out.splitlines()]
    messages = [line["message"] for line in lines if line["logger"] == "pypihub"]
    assert any("listens on" in message for message in messages)
    assert [line["path"] for line in lines if line["logger"] == "pypihub.access"] == ["/nothing"]
    assert all({"time", "level", "logger"} <= set(line) for line in lines)


@ensureDeferred
async def test_a_file_takes_it_and_is_opened_anew_on_sigusr1(reactor: Any, run: Run, tmp_path: Path) -> None:
    file, old = tmp_path / "hub.log", tmp_path / "hub.log.old"
    process = run("pypihub", "-c", configure(tmp_path, 'file = "hub.log"'))
    await until(reactor, lambda: "listens on" in read(file))
    address = address_in(read(file))
    await get(reactor, address, "/first")
    await until(reactor, lambda: "/first" in read(file))
    file.rename(old)
    process.signal("USR1")
    await until(reactor, file.exists)
    await get(reactor, address, "/second")
    process.signal("TERM")
    assert await process.ends() == 0
    assert "/second" in read(file)
    assert "/second" not in read(old)
    assert process.out + process.err == ""
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


@ensureDeferred
async def test_sigusr1_ends_nothing_where_there_is_no_file(reactor: Any, run: Run, tmp_path: Path) -> None:
    process = run("pypihub", "-c", configure(tmp_path, ""))
    address = await process.says("listens on ")
    process.signal("USR1")
    await get(reactor, address, "/")
    process.signal("TERM")
    assert await process.ends() == 0


@pytest.mark.parametrize("form", ["text", "json"])
@ensureDeferred
async def test_workers_log_into_the_same_file(reactor: Any, run: Run, tmp_path: Path, form: str) -> None:
    file = tmp_path / "hub.log"
    init = Init(str(tmp_path / "notify"), reactor)
    log = configure(tmp_path, f'file = "hub.log"\nformat = "{form}"', workers=2)
    process = run("pypihub", "-c", log, NOTIFY_SOCKET=init.address)
    await init.is_told("READY=1")  # before that the signal would end a worker
    init.close()
    pids = [int(part.split()[0].rstrip('"}')) for part in read(file).split(" is process ")[1:]]
    assert len(pids) == 2
    address = address_in(read(file))
    await get(reactor, address, "/first")
    await until(reactor, lambda: "/first" in read(file))
    for pid in pids:  # as `systemctl kill` sends it to all
        os.kill(pid, signal.SIGUSR1)
    file.rename(tmp_path / "old.log")
    process.signal("USR1")
    await until(reactor, file.exists)
    await get(reactor, address, "/second")
    await until(reactor, lambda: "/second" in read(file))
    process.signal("TERM")
    assert await process.ends() == 0
    log = read(tmp_path / "old.log") + read(file)
    assert log.count("pypihub.access") == 2
    assert log.count(" is process ") == 2  # none was replaced
    assert process.out + process.err == ""
    if form == "json":
        assert all(json.loads(line) for line in log.splitlines())


@pytest.mark.parametrize("file", ["missing/hub.log", "."])
@ensureDeferred
async def test_a_file_that_cannot_be_opened_is_a_mistake(run: Run, tmp_path: Path, file: str) -> None:
    process = run("pypihub", "-c", configure(tmp_path, f'file = "{file}"'))
    assert await process.ends() == 1
    assert process.err.startswith("pypihub: log.file: ")
    assert process.err.count("\n") == 1


def test_a_full_file_gives_way_to_a_new_one(tmp_path: Path) -> None:
    file = tmp_path / "hub.log"
    log = OwnFile(Log(max_size=Bytes(1000), keep=2), file)
    lines = [f"line {number} é\n" for number in range(400)]
    for line in lines:
        log.write(line)
    log.close()
    files = [tmp_path / "hub.log.2", tmp_path / "hub.log.1", file]
    kept = "".join(each.read_text() for each in files)
    assert sorted(tmp_path.iterdir()) == sorted(files)
    assert all(each.stat().st_size <= 1000 for each in files)
    assert kept == "".join(lines)[-len(kept) :]


def test_a_file_that_others_make_empty_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "hub.log"
    log = OwnFile(Log(), file)
    log.write("before\n")
    os.truncate(file, 0)
    log.write("after\n")
    log.close()
    assert file.read_bytes() == b"after\n"


def test_nothing_is_rotated_where_that_is_left_to_others(tmp_path: Path) -> None:
    log = OwnFile(Log(max_size=Bytes(0)), tmp_path / "hub.log")
    for _ in range(400):
        log.write("x" * 1000)
    log.close()
    assert [file.name for file in tmp_path.iterdir()] == ["hub.log"]


def test_a_file_that_is_no_more_writable_ends_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    log = OwnFile(Log(), folder / "hub.log")
    (folder / "hub.log").unlink()
    folder.rmdir()
    log.reopen()
    log.write("still there\n")
    log.close()
    with pytest.raises(ConfigError):
        OwnFile(Log(), folder / "hub.log")


_WRITER = """
import sys
from twisted.logger import Logger
from pypihub.config import Log
from pypihub.daemon import logs
logs.log_to(sys.stdout, Log(level=sys.argv[1], format="json"))
for log in Logger("pypihub.x"), Logger("others"):
    for level in "debug", "info", "warn", "error", "critical":
        getattr(log, level)(level)
"""


@pytest.mark.parametrize(
    ("level", "ours", "others"),
    [
        ("debug", ["debug", "info", "warn", "error", "critical"], ["warn", "error", "critical"]),
        ("info", ["info", "warn", "error", "critical"], ["warn", "error", "critical"]),
        ("warn", ["warn", "error", "critical"], ["warn", "error", "critical"]),
        ("error", ["error", "critical"], ["error", "critical"]),
    ],
)
def test_the_level_decides_what_is_logged(level: str, ours: list[str], others: list[str]) -> None:
    out = subprocess.run([sys.executable, "-c", _WRITER, level], check=True, capture_output=True, text=True).stdout
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["level"] for line in lines if line["logger"] == "pypihub.x"] == ours
    assert [line["level"] for line in lines if line["logger"] == "others"] == others
