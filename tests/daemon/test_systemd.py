"""The units, as systemd's own tools see them, and the daemon started by a socket. No init system runs for it."""

from __future__ import annotations

import configparser
import ctypes
import re
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from support.certificates import write_certificate
from support.hub import basic
from support.process import BIN, Process, free_port
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import clientFromString, connectProtocol, wrapClientTLS
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from pypihub.sandbox.faults import Latency
from pypihub.sandbox.samples import sample_wheel
from pypihub.sandbox.server import Sandbox
from pypihub.sandbox.world import World

Run = Callable[..., Process]
ETC = Path(__file__).parents[2] / "etc"
UNITS = ETC / "systemd"
CONFINED = Path(__file__).parents[1] / "support" / "confined.py"


def needs(tool: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(tool) is None, reason=f"no {tool} here: apt-get install systemd")


def has_seccomp() -> bool:
    try:
        ctypes.CDLL("libseccomp.so.2")
    except OSError:
        return False
    return True


def unit(name: str) -> configparser.RawConfigParser:
    """A unit as sections and keys; of a key that is there more than once the last."""
    parser = configparser.RawConfigParser(strict=False, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's keys have capitals
    parser.read(UNITS / name)
    return parser


def tell(*command: str) -> subprocess.CompletedProcess[str]:
    """What a command says, and its status."""
    return subprocess.run(command, check=False, capture_output=True, text=True)


@needs("systemd-analyze")
def test_systemd_has_nothing_to_say_of_the_units(tmp_path: Path) -> None:
    for file in UNITS.iterdir():
        (tmp_path / file.name).write_text(file.read_text().replace("/opt/pypihub/bin/pypihub", str(BIN / "pypihub")))
    files = [str(file) for file in tmp_path.iterdir()]
    assert len(files) == 2
    checked = tell("systemd-analyze", "verify", "--man=no", *files)
    assert (checked.returncode, checked.stderr) == (0, "")


@needs("systemd-analyze")
def test_the_service_is_exposed_to_little() -> None:
    # The threshold is in tenths.
    rated = tell("systemd-analyze", "security", "--offline=true", "--threshold=20", str(UNITS / "pypihub.service"))
    assert rated.returncode == 0, rated.stdout + rated.stderr


def test_the_units_and_the_configuration_agree() -> None:
    service, listening = unit("pypihub.service")["Service"], unit("pypihub.socket")["Socket"]
    assert service["Type"] == "notify"
    assert "WatchdogSec" in service
    assert service["ExecStart"].endswith(" -c /etc/pypihub/pypihub.toml")
    endpoint = f'endpoint = "systemd:domain=INET:name={listening["FileDescriptorName"]}"'
    assert endpoint in (UNITS / "pypihub.socket").read_text()
    assert endpoint in (ETC / "pypihub.toml").read_text()


class Asking(Protocol):
    """A request on a connection of its own; `answer` is all that comes until the server closes."""

    def __init__(self, token: str) -> None:
        lines = ["GET /simple/demo/ HTTP/1.1", "Host: x", "Connection: close", f"Authorization: {basic('octo', token)}"]
        self._request = "\r\n".join([*lines, "", ""])
        self._received = b""
        self.answer: Deferred[bytes] = Deferred()

    def connectionMade(self) -> None:
        self.transport.write(self._request.encode())

    def dataReceived(self, data: bytes) -> None:
        self._received += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.answer.callback(self._received)


class Box:
    """A GitHub with a project in it, and the configuration of a daemon in front of it."""

    def __init__(self, reactor: Any, sandbox: Sandbox, folder: Path) -> None:
        self.reactor = reactor
        self.sandbox = sandbox
        self.file = folder / "hub.toml"
        self._token = sandbox.world.add_token("octo")
        sandbox.world.add_repository("octo/demo").add_release("v1").add_asset(*sample_wheel("demo", "1.0"))

    def configure(self, server: str) -> str:
        self.file.write_text(
            f"[server]\n{server}\n[cache]\ndirectory = 'cache'\n"
            f"[github]\napi_url = '{self.sandbox.api_url}'\ngraphql_url = '{self.sandbox.graphql_url}'\n"
        )
        return str(self.file)

    async def ask(self, endpoint: Any) -> Asking:
        """Sends a request, as soon as something listens."""
        asking = Asking(self._token)
        await connectProtocol(endpoint, asking)
        return asking

    async def until(self, is_so: Callable[[], object]) -> None:
        """Waits, for a minute at most."""
        for _ in range(6000):
            if is_so():
                return
            await deferLater(self.reactor, 0.01)
        raise AssertionError("it never was so")


@pytest_twisted.async_yield_fixture
async def box(reactor: Any, tmp_path: Path) -> AsyncIterator[Box]:
    sandbox = Sandbox(reactor, World())
    await sandbox.start()
    yield Box(reactor, sandbox, tmp_path)
    await sandbox.stop()


LISTENING = {
    "IPv4": lambda folder: (f"127.0.0.1:{free_port()}", "tcp:{}"),
    "IPv6": lambda folder: (f"[::1]:{free_port('::1')}", "tcp:{}"),
    "Unix": lambda folder: (str(folder / "hub.sock"), "unix:{}"),
}


@needs("systemd-socket-activate")
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("listening", LISTENING.values(), ids=LISTENING)
@ensureDeferred
async def test_the_first_connection_starts_it_and_the_last_one_is_answered(
    box: Box, run: Run, tmp_path: Path, listening: Callable[[Path], tuple[str, str]], workers: int
) -> None:
    where, client = listening(tmp_path)
    name = unit("pypihub.socket")["Socket"]["FileDescriptorName"]
    # The endpoint of the example, whatever the socket's family is.
    config = box.configure(f"endpoint = 'systemd:domain=INET:name={name}'\nworkers = {workers}")
    process = run("systemd-socket-activate", "-l", where, f"--fdname={name}", str(BIN / "pypihub"), "-c", config)
    await box.until(lambda: "Listening on" in process.err)
    assert "PyPIHub" not in process.out
    endpoint = clientFromString(
        box.reactor, client.format(where.replace("[::1]", "\\:\\:1") if where.startswith("[") else where)
    )
    box.sandbox.faults.add(Latency(0.5))
    first = await box.ask(endpoint)
    await box.until(lambda: box.sandbox.calls)
    process.signal("TERM")
    answer = await first.answer
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"demo-1.0-py3-none-any.whl" in answer
    assert await process.ends() == 0
    assert "Traceback" not in process.out + process.err
    if where.startswith("/"):
        assert stat.S_ISSOCK(Path(where).stat().st_mode), "systemd would go on to listen there"


@needs("systemd-socket-activate")
@pytest.mark.parametrize(
    ("names", "said"),
    [
        ("other", 'systemd handed no socket down for "systemd:domain=INET:name=pypihub"'),
        ("pypihub:pypihub", 'systemd hands several sockets down as "pypihub"'),
    ],
)
@pytest.mark.parametrize("workers", [1, 2])
@ensureDeferred
async def test_sockets_of_the_wrong_names_are_one_line(box: Box, run: Run, names: str, said: str, workers: int) -> None:
    config = box.configure(f"endpoint = 'systemd:domain=INET:name=pypihub'\nworkers = {workers}")
    wheres = [f"127.0.0.1:{free_port()}" for _ in names.split(":")]
    sockets = [part for where in wheres for part in ("-l", where)]
    process = run("systemd-socket-activate", *sockets, f"--fdname={names}", str(BIN / "pypihub"), "-c", config)
    await box.until(lambda: process.err.count("Listening on") == len(wheres))
    client = await box.ask(clientFromString(box.reactor, f"tcp:{wheres[0]}"))
    assert await process.ends() == 1
    (line,) = [line for line in process.err.splitlines() if line.startswith("pypihub: ")]
    assert said in line
    await client.answer


@ensureDeferred
async def test_sockets_for_another_process_are_not_taken(box: Box, run: Run) -> None:
    config = box.configure("endpoint = 'systemd:domain=INET:name=pypihub'")
    variables = ["LISTEN_PID=1", "LISTEN_FDS=1", "LISTEN_FDNAMES=pypihub"]
    process = run("env", *variables, str(BIN / "pypihub"), "-c", config)
    assert await process.ends() == 1
    assert "systemd handed no socket down" in process.err


@needs("systemd-analyze")
@pytest.mark.skipif(not has_seccomp(), reason="no libseccomp here: apt-get install systemd")
@pytest.mark.parametrize("workers", [1, 2])
@ensureDeferred
async def test_it_serves_https_with_the_system_calls_that_the_service_allows(
    box: Box, run: Run, tmp_path: Path, workers: int
) -> None:
    pem = write_certificate(tmp_path / "tls.crt", tmp_path / "tls.key")
    port = free_port()
    config = box.configure(
        f"host = '127.0.0.1'\nport = {port}\nworkers = {workers}\n[server.tls]\ncrt = 'tls.crt'\nkey = 'tls.key'"
    )
    confined = [sys.executable, str(CONFINED), str(UNITS / "pypihub.service")]
    process = run(*confined, sys.executable, "-m", "pypihub", "-c", config)
    await process.says("listens on ")
    options = optionsForClientTLS("localhost", trustRoot=trustRootFromCertificates([Certificate.loadPEM(pem)]))
    asking = await box.ask(wrapClientTLS(options, clientFromString(box.reactor, f"tcp:127.0.0.1:{port}")))
    assert b"demo-1.0-py3-none-any.whl" in await asking.answer
    assert re.search(r"^Seccomp:\s+2$", Path(f"/proc/{process.pid}/status").read_text(), re.MULTILINE)
    process.signal("TERM")
    assert await process.ends() in (0, -signal.SIGTERM)
    assert "Traceback" not in process.out + process.err
    assert "is killed" not in process.out
    assert (tmp_path / "cache" / "facts.sqlite").exists()
