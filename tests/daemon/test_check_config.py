"""`pypihub check-config`, and `-c FILE` before or after a subcommand's name."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from pytest_twisted import ensureDeferred
from support.certificates import write_certificate
from support.process import Process, free_port

from pypihub.config import load_config
from pypihub.daemon.logs import PLAIN
from pypihub.daemon.service import check_config, load_service
from pypihub.errors import ConfigError

Run = Callable[..., Process]


@pytest.mark.parametrize(
    "command",
    [
        ["check-config", "hub.toml"],
        ["check-config", "-c", "hub.toml"],
        ["-c", "hub.toml", "check-config"],
        ["-c", "hub.toml", "check-config", "--config", "./hub.toml"],
        ["-c", "hub.toml", "check-config", "hub.toml"],
    ],
    ids=" ".join,
)
@ensureDeferred
async def test_a_sound_file_is_one_line_and_status_0(run: Run, tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "hub.toml").write_text(
        '[server]\nhost = "::1"\nport = 1\nworkers = 2\n[github]\napi_url = "http://g/"\n'
    )
    process = run("pypihub", *command)
    assert await process.ends() == 0, process.err
    (line,) = process.out.splitlines()
    assert line.endswith("hub.toml: is sound: it listens on [::1]:1 by 2 workers and asks http://g")
    assert not process.err


@pytest.mark.parametrize(
    ("server", "where"),
    [
        ("", "0.0.0.0:3141"),
        ("[server.tls]\ncrt = 'tls.crt'\nkey = 'tls.key'", "0.0.0.0:3141 with TLS"),
        ("[server]\nendpoint = ['tcp:80', 'unix:/nowhere/hub.sock']", "tcp:80 and unix:/nowhere/hub.sock"),
        ("[server]\nendpoint = 'systemd:domain=INET:name=pypihub'", "systemd:domain=INET:name=pypihub"),
        ("[server]\nendpoint = 'haproxy:systemd:index=0:domain=UNIX'", "haproxy:systemd:index=0:domain=UNIX"),
    ],
)
@pytest.mark.filterwarnings("ignore:Passing pyOpenSSL")  # Twisted passes what pyOpenSSL would no longer have
def test_it_tells_where_a_file_would_listen(reactor: Any, tmp_path: Path, server: str, where: str) -> None:
    write_certificate(tmp_path / "tls.crt", tmp_path / "tls.key")
    (tmp_path / "hub.toml").write_text(server)
    said = check_config(tmp_path / "hub.toml", reactor)
    assert said == f"{tmp_path}/hub.toml: is sound: it listens on {where} and asks https://api.github.com"


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("server", "said"),
    [
        ("prot = 80", "server.prot: unknown key"),
        ("endpoint = 'nonsense:1'", "server.endpoint: should be a Twisted server endpoint"),
        ("endpoint = 'tcp:eighty'", "server.endpoint: should be a Twisted server endpoint"),
        ("endpoint = 'systemd:domain=INTE:name=pypihub'", "server.endpoint: should name the socket and its family"),
        ("endpoint = 'systemd:name=pypihub'", "server.endpoint: should name the socket and its family"),
        ("endpoint = 'systemd:domain=INET'", "server.endpoint: should name the socket and its family"),
        ("tls = {crt = 'no.crt', key = 'no.key'}", "server.tls.crt: "),
        ("tls = {crt = 'odd.crt', key = 'odd.key'}", "server.tls.key: should be a key for TLS"),
    ],
)
def test_a_mistake_is_the_line_that_serving_says(
    reactor: Any, tmp_path: Path, server: str, workers: int, said: str
) -> None:
    issuer, private = ec.generate_private_key(ec.SECP256R1()), x25519.X25519PrivateKey.generate()
    write_certificate(tmp_path / "odd.crt", tmp_path / "odd.key", private=private, issuer=issuer)
    (tmp_path / "hub.toml").write_text(f"[server]\n{server}\nworkers = {workers}\n")
    with pytest.raises(ConfigError) as checking:
        check_config(tmp_path / "hub.toml", reactor)
    with pytest.raises(ConfigError) as serving:
        load_service(tmp_path / "hub.toml", load_config(tmp_path / "hub.toml"), reactor, PLAIN)
    assert checking.value.message.startswith(f"{tmp_path}/hub.toml: {said}")
    assert checking.value.message == serving.value.message


@pytest.mark.parametrize("file", ["none/hub.log", "folder", "hub.toml/hub.log", "link"])
@ensureDeferred
async def test_a_log_that_cannot_be_written_is_the_line_that_serving_says(run: Run, tmp_path: Path, file: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("none/hub.log")
    (tmp_path / "hub.toml").write_text(f'[server]\nendpoint = "tcp:0:interface=127.0.0.1"\n[log]\nfile = "{file}"\n')
    checking, serving = run("pypihub", "check-config", "hub.toml"), run("pypihub", "-c", "hub.toml")
    assert (await checking.ends(), await serving.ends()) == (1, 1)
    assert serving.err.startswith("pypihub: log.file: ")
    assert checking.err.replace("hub.toml: ", "", 1) == serving.err


@pytest.mark.parametrize("exists", [True, False])
def test_a_log_that_can_be_written_stays_as_it_is(reactor: Any, tmp_path: Path, exists: bool) -> None:
    log = tmp_path / "hub.log"
    if exists:
        log.write_text("before\n")
    (tmp_path / "hub.toml").write_text('[log]\nfile = "hub.log"\n')
    assert "is sound" in check_config(tmp_path / "hub.toml", reactor)
    assert log.exists() is exists
    assert not exists or log.read_text() == "before\n"


@pytest.mark.parametrize(
    ("server", "metrics", "said"),
    [
        ("port = 3142", "tcp:3142", "metrics.endpoint: should not be port 3142, "),
        ("", "tcp:3141:interface=127.0.0.1", "metrics.endpoint: should not be port 3141, "),
        ("host = '::'", "tcp6:3141:interface=\\\\:\\\\:1", "metrics.endpoint: should not be port 3141, "),
        ("endpoint = 'unix:hub.sock'", "unix:hub.sock", "metrics.endpoint: should not be hub.sock, "),
        ("endpoint = ['tcp:1', 'tcp:2', 'tcp:1']", "tcp:3", "server.endpoint: should not be port 1, "),
        ("", "tcp:65536", "metrics.endpoint: should have a port of at most 65535, not 65536"),
        ("endpoint = 'tcp:-1'", "tcp:3141", "server.endpoint: should have a port of at most 65535, not -1"),
        ("endpoint = 'stdio:'", "tcp:3141", None),
        ("host = '127.0.0.1'", "tcp:3141:interface=127.0.0.2", None),
        ("host = '::1'", "tcp:3141", None),
        ("endpoint = ['tcp:0', 'tcp:0', 'unix:a', 'unix:b', 'systemd:domain=INET:name=a']", "tcp:0", None),
    ],
)
def test_two_endpoints_in_one_place_or_one_at_no_port_are_a_mistake(
    reactor: Any, tmp_path: Path, server: str, metrics: str, said: str | None
) -> None:
    (tmp_path / "hub.toml").write_text(f'[server]\n{server}\n[metrics]\nendpoint = "{metrics}"\n')
    if said is None:
        assert "is sound" in check_config(tmp_path / "hub.toml", reactor)
        return
    with pytest.raises(ConfigError) as checking:
        check_config(tmp_path / "hub.toml", reactor)
    assert checking.value.message.startswith(f"{tmp_path}/hub.toml: {said}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read: No such file or directory"),
        (
            "[server]\nendpoint = 'n:1'\n",
            "server.endpoint: should be a Twisted server endpoint",
        ),
    ],
)
@ensureDeferred
async def test_a_mistake_is_one_line_and_status_1(run: Run, tmp_path: Path, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / "hub.toml").write_text(text)
    process = run("pypihub", "check-config", "hub.toml")
    assert await process.ends() == 1
    (line,) = process.err.splitlines()
    assert line.startswith(f"pypihub: hub.toml: {said}")
    assert not process.out


@ensureDeferred
async def test_nothing_is_taken_or_made_by_a_check(run: Run, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        where = f'host = "127.0.0.1"\nport = {busy.getsockname()[1]}\n'
        (tmp_path / "hub.toml").write_text(f'[server]\n{where}[cache]\ndirectory = "cache"\n')
        process = run("pypihub", "check-config", "hub.toml")
        assert await process.ends() == 0, process.err
    assert [file.name for file in tmp_path.iterdir()] == ["hub.toml"]


@pytest.mark.parametrize(
    "command",
    [
        ["check-config", "-c", "other.toml"],
        ["check-config", "other.toml"],
        ["worker", "--sockets", "1", "--config", "other.toml"],
        ["demo", "-c", "other.toml"],
        ["yank", "octo/demo", "1.0", "-c", "other.toml"],
    ],
    ids=" ".join,
)
@ensureDeferred
async def test_two_files_are_a_mistake(run: Run, tmp_path: Path, command: list[str]) -> None:
    for name in ("hub.toml", "other.toml"):
        (tmp_path / name).touch()
    process = run("pypihub", "-c", "hub.toml", *command)
    assert await process.ends() == 2
    assert process.err.endswith("Error: two configurations are given: hub.toml and other.toml\n")


@ensureDeferred
async def test_a_check_of_no_file_is_a_mistake(run: Run) -> None:
    process = run("pypihub", "check-config")
    assert await process.ends() == 2
    assert process.err.endswith("Error: which FILE?\n")


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize(
    "command", [["worker", "--sockets", "1"], ["demo", "--once"], ["yank", "octo/demo", "1.0"]], ids=lambda c: c[0]
)
@ensureDeferred
async def test_a_file_counts_before_and_after_a_subcommand(
    run: Run, tmp_path: Path, command: list[str], before: bool
) -> None:
    (tmp_path / "hub.toml").write_text("[server]\nprot = 1\n")
    given = ["-c", "hub.toml"]
    process = run("pypihub", *(given + command if before else command + given))
    assert await process.ends() == 1
    assert process.err.startswith("pypihub: hub.toml: server.prot: unknown key")


@ensureDeferred
async def test_the_demo_shows_a_configuration_but_where_it_listens_and_whom_it_asks(run: Run, tmp_path: Path) -> None:
    (tmp_path / "hub.toml").write_text(
        "[server]\nport = 1\n[cache]\ndirectory = 'cache'\n[log]\naccess = false\n"
        "[github]\nowners = ['someone-else']\napi_url = 'http://127.0.0.1:1'\n"
    )
    process = run("pypihub", "-c", "hub.toml", "demo", "--once", "--port", str(free_port()))
    assert await process.ends() == 0, process.out + process.err
    assert "4. It worked" in process.out
    assert "pypihub.access" not in process.out
    assert not (tmp_path / "cache").exists()
