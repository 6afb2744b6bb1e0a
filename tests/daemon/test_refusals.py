"""Where nothing can be listened to it is one line, which names the key to change."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from support.process import Process
from twisted.internet.task import deferLater

Run = Callable[..., Process]


@pytest.fixture
def busy() -> Iterator[int]:
    """A port that something else has."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def taken(port: int, key: str) -> str:
    return (
        f"pypihub: cannot listen on 127.0.0.1 port {port}: Address already in use. Choose another {key}, or end what"
        " uses it."
    )


@pytest.mark.parametrize("workers", [1, 2])
@ensureDeferred
async def test_under_twistd_it_is_the_logs_last_line(run: Run, tmp_path: Path, busy: int, workers: int) -> None:
    (tmp_path / "hub.toml").write_text(f'[server]\nhost = "127.0.0.1"\nport = {busy}\nworkers = {workers}\n')
    process = run("twistd", "-n", "pypihub", "--config", "hub.toml")
    assert await process.ends() == 1
    said = process.out + process.err
    assert said.splitlines()[-1].endswith(taken(busy, "server.port"))
    assert "Traceback" not in said
    assert not (tmp_path / "twistd.pid").exists()


@ensureDeferred
async def test_in_the_background_the_terminal_is_told_and_the_log(
    reactor: Any, run: Run, tmp_path: Path, busy: int
) -> None:
    (tmp_path / "hub.toml").write_text(f'[server]\nhost = "127.0.0.1"\nport = {busy}\n')
    process = run("twistd", "--logfile", "hub.log", "pypihub", "--config", "hub.toml")
    assert await process.ends() == 1
    assert f"cannot listen on 127.0.0.1 port {busy}: Address already in use." in process.err
    while taken(busy, "server.port") not in (tmp_path / "hub.log").read_text():  # it comes a moment later
        await deferLater(reactor, 0.01)
    assert "Traceback" not in process.err + (tmp_path / "hub.log").read_text()
    assert not (tmp_path / "twistd.pid").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('host = "192.0.2.1"', "on 192.0.2.1 port 3141: Cannot assign requested address. Check server.host."),
        ('host = "no.such.invalid"', "on no.such.invalid port 3141: Name or service not known. Check server.host."),
        ('endpoint = "unix:/none/x.sock"', "on /none/x.sock: No such file or directory. Check server.endpoint."),
        (
            'endpoint = "unix:hub.toml"',
            "on hub.toml: Address already in use. Choose another server.endpoint, or end what uses it.",
        ),
        ('endpoint = "tcp:99999"', "there: bind(): port must be 0-65535. Check server.endpoint."),
    ],
)
@ensureDeferred
async def test_an_address_that_is_none_is_one_line(run: Run, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "hub.toml").write_text(f"[server]\n{text}\n")
    process = run("pypihub", "-c", "hub.toml")
    assert await process.ends() == 1
    assert process.out + process.err == f"pypihub: cannot listen {said}\n"


@ensureDeferred
async def test_a_busy_port_for_metrics_is_told_by_its_key(run: Run, tmp_path: Path, busy: int) -> None:
    (tmp_path / "hub.toml").write_text(
        '[server]\nendpoint = "tcp:0:interface=127.0.0.1"\n[log]\nlevel = "error"\n'
        f'[metrics]\nendpoint = "tcp:{busy}:interface=127.0.0.1"\n'
    )
    process = run("pypihub", "-c", "hub.toml")
    assert await process.ends() == 1
    assert process.out + process.err == taken(busy, "metrics.endpoint") + "\n"


@pytest.mark.parametrize("command", [["demo", "--once"], ["run", "octo", "--env-file", "env"]], ids=["demo", "run"])
@ensureDeferred
async def test_a_port_of_the_command_line_is_told_as_it_stands_there(run: Run, busy: int, command: list[str]) -> None:
    process = run("pypihub", *command, "--port", str(busy), PYPIHUB_TOKEN="ghp_x")
    assert await process.ends() == 1
    assert process.err.replace("pypihub demo:", "pypihub:") == taken(busy, "--port") + "\n"
