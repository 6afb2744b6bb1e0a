"""Several workers behind one port, as real processes."""

from __future__ import annotations

import os
import signal
import socket
import stat
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from support.certificates import write_certificate
from support.daemons import WAYS, Daemon, GitHub, Run, halted, serve, until, whole
from twisted.internet.endpoints import clientFromString, wrapClientTLS
from twisted.internet.error import ConnectError
from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates

from pypihub.daemon.workers import Pauses
from pypihub.sandbox.faults import Hang, Latency


@pytest.mark.parametrize("way", WAYS)
@ensureDeferred
async def test_each_worker_serves_and_logs_until_all_are_told_to_stop(github: GitHub, run: Run, way: str) -> None:
    daemon = await serve(github, run, way)
    await daemon.each_answers()
    await until(
        github.reactor, lambda: daemon.process.out.count('[pypihub.access#info] 127.0.0.1 "GET /simple/demo/"') == 2
    )
    assert daemon.process.out.count(" listens on ") == 1
    daemon.process.signal("TERM")
    assert await daemon.ends() == 0
    assert "the next one" not in daemon.process.out
    assert [daemon.process.out.count(f"[pypihub#info] PyPIHub {it}") for it in ("is stopping", "has stopped")] == [1, 1]


@ensureDeferred
async def test_ctrl_c_reaches_all_on_the_terminal_and_ends_all_well(github: GitHub, run: Run) -> None:
    daemon = await serve(github, run)
    await daemon.each_answers()
    for number in (1, 2):
        os.kill(await daemon.pid(number), signal.SIGINT)
    daemon.process.signal("INT")
    assert await daemon.ends() == 0
    assert "the next one" not in daemon.process.out


@ensureDeferred
async def test_a_killed_worker_is_replaced_and_only_what_it_had_is_lost(github: GitHub, run: Run) -> None:
    daemon = await serve(github, run)
    first = await daemon.pid(1)
    github.sandbox.faults.add(Hang())
    with halted(await daemon.pid(2)):
        lost = await daemon.begin()
        await github.was_asked()
    os.kill(first, signal.SIGSTOP)  # it takes no more
    others = [await daemon.begin() for _ in range(5)]
    os.kill(first, signal.SIGKILL)
    others += [await daemon.begin() for _ in range(5)]
    for asking in others:
        whole(await asking.answer)
    assert await lost.answer == b""
    await daemon.process.says(f"Worker 1 (process {first}) was ended by signal 9; the next one starts now")
    assert await daemon.pid(1, times=2) != first
    with halted(await daemon.pid(2)):
        await daemon.ask()
    daemon.process.signal("TERM")
    assert await daemon.ends() == 0


@pytest.mark.parametrize("way", ["pypihub", "twistd"])
@ensureDeferred
async def test_what_waits_for_github_when_all_are_stopped_is_answered(github: GitHub, run: Run, way: str) -> None:
    daemon = await serve(github, run, way)
    github.sandbox.faults.add(Latency(1.0), times=2)
    asked = []
    for number in (1, 2):
        with halted(await daemon.pid(number)):
            asked.append(await daemon.begin())
            await until(github.reactor, lambda: len(github.sandbox.calls) == len(asked))
    daemon.process.signal("TERM")
    for asking in asked:
        assert b"demo-1.0" in whole(await asking.answer)
    assert await daemon.ends() == 0


@ensureDeferred
async def test_workers_whose_supervisor_is_killed_end(github: GitHub, run: Run) -> None:
    daemon = await serve(github, run)
    await daemon.each_answers()
    github.sandbox.calls.clear()
    github.sandbox.faults.add(Latency(0.3))
    asking = await daemon.begin()
    await github.was_asked()
    daemon.process.signal("KILL")
    whole(await asking.answer)
    assert await daemon.ends() == -signal.SIGKILL
    with pytest.raises(ConnectError):
        await daemon.begin()


@ensureDeferred
async def test_one_that_cannot_start_is_tried_again_with_pauses(github: GitHub, run: Run) -> None:
    daemon = await serve(github, run)
    await daemon.each_answers()
    first = await daemon.pid(1)
    sound = github.file.read_text()
    github.file.write_text("[server]\nprot = 1\n")
    os.kill(first, signal.SIGTERM)
    second = await daemon.pid(1, times=2)
    await daemon.process.says(f"Worker 1 (process {second}) ended with status 1; the next one starts in 0.5 s")
    await daemon.process.says("server.prot: unknown key", "err")
    await daemon.ask()
    github.file.write_text(sound)
    with halted(await daemon.pid(2)):
        await daemon.ask()
    daemon.process.signal("TERM")
    assert await daemon.ends() == 0


def test_pauses_grow_up_to_ten_seconds_and_begin_anew_after_a_minute_of_life() -> None:
    pauses = Pauses()
    assert [pauses.after(0.1) for _ in range(8)] == [0, 0.5, 1, 2, 4, 8, 10, 10]
    assert [pauses.after(lived) for lived in (60, 59, 0)] == [0, 0.5, 1]


async def _by_tcp(reactor: Any, address: str, folder: Path) -> Any:
    return clientFromString(reactor, f"tcp:{address}")


async def _by_tls(reactor: Any, address: str, folder: Path) -> Any:
    trust = trustRootFromCertificates([Certificate.loadPEM((folder / "tls.crt").read_bytes())])
    return wrapClientTLS(optionsForClientTLS("localhost", trustRoot=trust), clientFromString(reactor, f"tcp:{address}"))


async def _by_unix(reactor: Any, address: str, folder: Path) -> Any:
    return clientFromString(reactor, f"unix:{folder}/hub.sock")


@pytest.mark.parametrize(
    ("endpoint", "connect"),
    [
        ("tcp:0:interface=127.0.0.1", _by_tcp),
        ("ssl:0:interface=127.0.0.1:privateKey=tls.key:certKey=tls.crt", _by_tls),
        ("tls:certificates:0:interface=\\:\\:1", _by_tls),
        ("unix:hub.sock:mode=660", _by_unix),
        ("systemd:domain=INET:index=0", _by_tcp),
    ],
    ids=["tcp", "ssl", "tls", "unix", "systemd"],
)
@ensureDeferred
async def test_every_kind_of_endpoint_is_shared(
    github: GitHub, run: Run, tmp_path: Path, endpoint: str, connect: Callable[..., Awaitable[Any]]
) -> None:
    (tmp_path / "certificates").mkdir()
    pem = write_certificate(tmp_path / "tls.crt", tmp_path / "tls.key")
    (tmp_path / "certificates" / "localhost.pem").write_bytes((tmp_path / "tls.key").read_bytes() + pem)
    (tmp_path / "systemd.py").write_text(_SYSTEMD)
    starter = [sys.executable, "systemd.py"] if endpoint.startswith("systemd") else []
    process = run(*starter, sys.executable, "-m", "pypihub", "-c", github.configure(endpoint))
    address = (await process.says("listens on ")).replace("[::1]", "\\:\\:1")
    daemon = Daemon(github, process, await connect(github.reactor, address, tmp_path))
    await daemon.each_answers()
    os.kill(await daemon.pid(1), signal.SIGTERM)
    await daemon.pid(1, times=2)
    await daemon.ask()
    if connect is _by_unix:
        assert stat.S_IMODE((tmp_path / "hub.sock").stat().st_mode) == 0o660
    github.sandbox.calls.clear()
    github.sandbox.faults.add(Latency(0.3))
    asking = await daemon.begin(connection="keep-alive")
    await github.was_asked()
    process.signal("TERM")
    whole(await asking.answer)
    assert await daemon.ends() == 0
    assert not (tmp_path / "hub.sock").exists()


_SYSTEMD = """
import os, socket, sys
listening = socket.create_server(("127.0.0.1", 0))
os.dup2(listening.fileno(), 3)
os.set_inheritable(3, True)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "web"}
os.execvp(sys.argv[1], sys.argv[1:])
"""


@ensureDeferred
async def test_what_one_worker_read_the_other_knows(github: GitHub, run: Run) -> None:
    daemon = await serve(github, run)
    path = f"/asset/{github.wheel.id}/{github.wheel.name}.metadata"
    await daemon.each_answers(path)
    assert [call.where for call in github.sandbox.calls].count("storage") == 1
    daemon.process.signal("TERM")
    assert await daemon.ends() == 0


@ensureDeferred
async def test_daemonized_workers_log_to_the_file_of_twistd(github: GitHub, run: Run, tmp_path: Path) -> None:
    (elsewhere := tmp_path / "elsewhere").mkdir()
    github.configure()
    options = ["--rundir", str(elsewhere), "--pidfile", "hub.pid", "--logfile", "hub.log"]
    process = run("twistd", *options, "pypihub", "--config", "hub.toml")
    assert await process.ends() == 0, process.err
    log, pid_file = tmp_path / "hub.log", tmp_path / "hub.pid"
    try:
        await until(github.reactor, lambda: log.exists() and "Worker 2 is" in log.read_text() and pid_file.exists())
        process.out = log.read_text()
        address = process.out.split("listens on ")[1].split()[0]
        daemon = Daemon(github, process, clientFromString(github.reactor, f"tcp:{address}"))
        await daemon.each_answers()
        line = '[pypihub.access#info] 127.0.0.1 "GET /simple/demo/'
        await until(github.reactor, lambda: log.read_text().count(line) == 2)
    finally:
        os.kill(int(pid_file.read_text()), signal.SIGTERM)
    await until(github.reactor, lambda: not pid_file.exists())
    with pytest.raises(ConnectError):
        await daemon.begin()
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("wrong", "said"),
    [("workers = 65", "server.workers: "), ("workers = 2\nendpoint = 'nonsense:1'", "server.endpoint: should be")],
)
@ensureDeferred
async def test_a_mistake_is_one_line_and_no_worker_starts(
    run: Run, tmp_path: Path, way: str, wrong: str, said: str
) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(f"[server]\n{wrong}\n")
    process = run(*WAYS[way], str(file))
    assert await process.ends() == 1
    (line,) = (process.out + process.err).strip().splitlines()
    assert said in line


@ensureDeferred
async def test_a_busy_port_is_one_line_and_no_worker_starts(run: Run, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        file = tmp_path / "busy.toml"
        file.write_text(f'[server]\nhost = "127.0.0.1"\nport = {busy.getsockname()[1]}\nworkers = 2\n')
        process = run("pypihub", "-c", str(file))
        assert await process.ends() == 1
    (line,) = (process.out + process.err).strip().splitlines()
    assert "cannot listen on 127.0.0.1 port" in line
