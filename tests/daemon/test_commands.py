"""The daemon's commands, as a user or an init system runs them."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import treq
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from pytest_twisted import ensureDeferred
from support.certificates import write_certificate
from support.process import Process, free_port
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates
from twisted.internet.task import deferLater
from twisted.web.client import Agent
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

import pypihub

Run = Callable[..., Process]
WAYS = {
    "pypihub": ["pypihub", "-c"],
    "module": [sys.executable, "-m", "pypihub", "--config"],
    "twistd": ["twistd", "-n", "pypihub", "--config"],
    "twist": ["twist", "--log-format", "text", "pypihub", "--config"],
}


@pytest.fixture
def config(tmp_path: Path) -> str:
    """A configuration for a free port."""
    file = tmp_path / "hub.toml"
    file.write_text('[server]\nendpoint = "tcp:0:interface=127.0.0.1"\n')
    return str(file)


async def front_page(reactor: Any, address: str) -> str:
    """What `GET /` says."""
    response = await treq.client.HTTPClient(Agent(reactor)).get(f"http://{address}/")
    text: str = await treq.text_content(response)
    return text


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@ensureDeferred
async def test_it_serves_until_it_is_told_to_stop(reactor: Any, run: Run, config: str, way: list[str]) -> None:
    process = run(*way, config)
    address = await process.says(f"PyPIHub {pypihub.__version__} listens on ")
    assert "PyPIHub" in await front_page(reactor, address)
    process.signal("INT")
    assert await process.ends() in (0, -signal.SIGINT)  # as by Ctrl-C: twistd and twist re-raise the signal
    assert "Traceback" not in process.out + process.err


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@ensureDeferred
async def test_each_request_is_a_line_in_the_log(reactor: Any, run: Run, config: str, way: list[str]) -> None:
    process = run(*way, config)
    address = await process.says("listens on ")
    for _ in range(3):
        await front_page(reactor, address)
    process.signal("TERM")
    await process.ends()
    said = '[pypihub.access#info] 127.0.0.1 "GET /" 200 '
    lines = [line for line in process.out.splitlines() if "GET /" in line]
    assert len(lines) == 3
    assert all(line[:4].isdigit() and said in line for line in lines), lines


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@ensureDeferred
async def test_the_log_tells_of_the_end_when_it_begins_and_when_it_is_done(
    reactor: Any, run: Run, config: str, way: list[str]
) -> None:
    process = run(*way, config)
    await front_page(reactor, await process.says("listens on "))
    process.signal("TERM")
    assert await process.ends() == 0
    said = [line.partition(" ")[2] for line in process.out.splitlines()]
    begun = said.index("[pypihub#info] PyPIHub is stopping: the answers under way are finished")
    done = said.index("[pypihub#info] PyPIHub has stopped")
    (request,) = (number for number, line in enumerate(said) if "GET /" in line)
    assert max(begun, request) < done
    assert "[pypihub" not in " ".join(said[done + 1 :])


@ensureDeferred
async def test_an_access_log_can_be_turned_off(reactor: Any, run: Run, config: str) -> None:
    with Path(config).open("a") as file:
        file.write("[log]\naccess = false\n")
    process = run("pypihub", "-c", config)
    await front_page(reactor, await process.says("listens on "))
    process.signal("TERM")
    assert await process.ends() == 0
    assert "GET /" not in process.out


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@ensureDeferred
async def test_sigterm_ends_it_well(run: Run, config: str, way: list[str]) -> None:
    process = run(*way, config)
    await process.says("listens on")
    process.signal("TERM")
    process.signal("TERM")
    assert await process.ends() == 0
    assert "Traceback" not in process.out + process.err


_STOPPED_AT_THE_START = """
import os, signal, sys
from twisted.application.service import Service
from twisted.internet import reactor
from pypihub.daemon.signals import obeying

obeying(Service(), print, reactor).startService()
reactor.addSystemEventTrigger("during", "startup", os.kill, os.getpid(), signal.SIGTERM)  # the reactor has it by now
reactor.run()
sys.exit(reactor._exitSignal)
"""


@ensureDeferred
async def test_sigterm_at_the_very_start_is_no_failure_either(run: Run) -> None:
    process = run(sys.executable, "-c", _STOPPED_AT_THE_START)
    assert await process.ends() == 0, process.err


@ensureDeferred
async def test_twistd_daemonizes_with_a_pid_file_and_a_log(reactor: Any, run: Run, config: str, tmp_path: Path) -> None:
    process = run("twistd", "--pidfile", "hub.pid", "--logfile", "hub.log", "pypihub", "--config", config)
    assert await process.ends() == 0, process.err
    log, pid_file = tmp_path / "hub.log", tmp_path / "hub.pid"
    while not (log.exists() and "listens on" in log.read_text() and pid_file.exists()):
        await deferLater(reactor, 0.01)
    address = log.read_text().split("listens on ")[1].split()[0]
    assert "PyPIHub" in await front_page(reactor, address)
    os.kill(int(pid_file.read_text()), signal.SIGTERM)
    while pid_file.exists():
        await deferLater(reactor, 0.01)
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[server]\nprot = 80\n", "server.prot: unknown key; did you mean server.port?"),
        ('[server]\nendpoint = "nonsense:1"\n', "server.endpoint: should be a Twisted server endpoint"),
        (None, "No such file"),
    ],
)
@ensureDeferred
async def test_a_mistake_in_the_configuration_is_one_line_and_status_1(
    run: Run, tmp_path: Path, way: list[str], text: str | None, said: str
) -> None:
    file = tmp_path / "wrong.toml"
    if text is not None:
        file.write_text(text)
    process = run(*way, str(file))
    assert await process.ends() == 1
    assert said in process.err
    assert len((process.out + process.err).strip().splitlines()) == 1, process.out + process.err


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize(
    ("private", "said"),
    [
        (rsa.generate_private_key(65537, 1024), "server.tls.crt: OpenSSL refuses "),  # noqa: S505 - it is refused
        (x25519.X25519PrivateKey.generate(), "server.tls.key: should be a key for TLS"),
    ],
    ids=["weak", "of another kind"],
)
@ensureDeferred
async def test_a_key_that_openssl_refuses_is_one_line_and_status_1(
    run: Run, tmp_path: Path, way: list[str], private: PrivateKeyTypes, said: str
) -> None:
    issuer = ec.generate_private_key(ec.SECP256R1())
    write_certificate(tmp_path / "tls.crt", tmp_path / "tls.key", private=private, issuer=issuer)
    file = tmp_path / "wrong.toml"
    file.write_text('[server.tls]\ncrt = "tls.crt"\nkey = "tls.key"\n')
    process = run(*way, str(file))
    assert await process.ends() == 1
    assert said in process.err
    assert len((process.out + process.err).strip().splitlines()) == 1, process.out + process.err


@ensureDeferred
async def test_a_busy_port_is_one_line(run: Run, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        file = tmp_path / "busy.toml"
        file.write_text(f'[server]\nhost = "127.0.0.1"\nport = {busy.getsockname()[1]}\n')
        process = run("pypihub", "-c", str(file))
        assert await process.ends() == 1
    assert "cannot listen on 127.0.0.1 port" in process.err
    assert len((process.out + process.err).strip().splitlines()) == 1


@pytest.mark.parametrize("flag", ["-h", "--help"])
@ensureDeferred
async def test_help_tells_of_the_options_and_commands(run: Run, flag: str) -> None:
    process = run("pypihub", flag)
    assert await process.ends() == 0
    assert "--config" in process.out
    assert "demo" in process.out


@pytest.mark.parametrize("command", [["pypihub"], [sys.executable, "-m", "pypihub"]], ids=["command", "module"])
@ensureDeferred
async def test_version(run: Run, command: list[str]) -> None:
    process = run(*command, "--version")
    assert await process.ends() == 0
    assert process.out == f"PyPIHub {pypihub.__version__}\n"


@ensureDeferred
async def test_twistd_lists_the_plugin(run: Run) -> None:
    process = run("twistd", "--help")
    assert await process.ends() == 0
    assert "pypihub" in process.out


@implementer(IAgentEndpointFactory)
class _Trusting:
    """Connects by TLS, trusting one certificate."""

    def __init__(self, reactor: Any, pem: bytes) -> None:
        self._reactor = reactor
        self._trust = trustRootFromCertificates([Certificate.loadPEM(pem)])

    def endpointForURI(self, uri: Any) -> Any:
        host = uri.host.decode()
        options = optionsForClientTLS(host, trustRoot=self._trust)
        return wrapClientTLS(options, HostnameEndpoint(self._reactor, host, uri.port))


@ensureDeferred
async def test_it_serves_https_with_a_certificate_beside_its_file(reactor: Any, run: Run, tmp_path: Path) -> None:
    pem = write_certificate(tmp_path / "tls.crt", tmp_path / "tls.key")
    # As other programs write it, with a chain behind it.
    labelled = pem.replace(b"BEGIN CERT", b"BEGIN X509 CERT").replace(b"END CERT", b"END X509 CERT")
    (tmp_path / "tls.crt").write_bytes(labelled + write_certificate(tmp_path / "ca.crt", tmp_path / "ca.key"))
    port = free_port()
    file = tmp_path / "hub.toml"
    file.write_text(f'[server]\nhost = "127.0.0.1"\nport = {port}\n[server.tls]\ncrt = "tls.crt"\nkey = "tls.key"\n')
    process = run("pypihub", "-c", str(file))
    await process.says("listens on")
    agent = Agent.usingEndpointFactory(reactor, _Trusting(reactor, pem))
    response = await treq.client.HTTPClient(agent).get(f"https://localhost:{port}/")
    assert "PyPIHub" in await treq.text_content(response)
    process.signal("TERM")
    assert await process.ends() == 0
