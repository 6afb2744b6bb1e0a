"""SIGHUP: another configuration is served, certificates are renewed, and nobody notices."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import warnings
from pathlib import Path

import pytest
from pytest_twisted import ensureDeferred
from support.certificates import write_certificate
from support.daemons import Daemon, GitHub, Run, halted, serve, until
from support.init import Init
from support.load import Load
from support.process import free_port
from twisted.internet.endpoints import clientFromString
from twisted.internet.threads import deferToThread

from pypihub.sandbox.faults import Latency

READ = "The configuration was read again"
OTHERS = 'owners = ["others"]'


async def reload(daemon: Daemon, times: int = 1) -> None:
    """Tells it to reload and waits until it did, which the supervisor of workers tells once for all."""
    daemon.process.signal("HUP")
    try:
        await until(daemon.reactor, lambda: daemon.process.out.count(READ) >= times)
    except AssertionError:
        pytest.fail(f"it was not read {times} times: {daemon.process.out}{daemon.process.err}")
    assert daemon.process.out.count(READ) == times


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("way", ["pypihub", "twistd", "twist"])
@ensureDeferred
async def test_under_load_no_request_fails_and_then_it_is_stopped_without_a_cut_answer(
    github: GitHub, run: Run, way: str, workers: int
) -> None:
    daemon = await serve(github, run, way, workers=workers)
    load = Load(github, daemon.endpoint, clients=8)
    for times in range(1, 6):
        await load.more(50)
        await reload(daemon, times)
    await load.more(50)
    assert set(load.counts) == {200}, load.counts
    assert load.connections == 8, "a connection was dropped"
    daemon.process.signal("TERM")
    assert await daemon.ends() == 0
    await load.end()
    assert set(load.counts) <= {200, "again"}, load.counts


@pytest.mark.parametrize("workers", [1, 2])
@ensureDeferred
async def test_who_is_served_changes_and_a_bad_file_changes_nothing(github: GitHub, run: Run, workers: int) -> None:
    daemon = await serve(github, run, workers=workers)
    await daemon.ask()
    github.configure(workers=workers, github=OTHERS)
    await reload(daemon)
    for _ in range(4):
        assert (await (await daemon.begin()).answer).startswith(b"HTTP/1.1 403 ")
    github.configure(workers=workers, github="timeuot = '1s'")
    daemon.process.signal("HUP")
    said = await daemon.process.says("The configuration stays as it was: ")
    assert said == f"{github.file}: github.timeuot: unknown key; did you mean github.timeout?"
    for _ in range(4):
        assert (await (await daemon.begin()).answer).startswith(b"HTTP/1.1 403 ")
    github.configure(workers=workers)
    await reload(daemon, 2)
    for _ in range(4):
        await daemon.ask()
    assert daemon.process.out.count("stays as it was") == 1
    daemon.process.signal("TERM")
    assert await daemon.ends() == 0


@ensureDeferred
async def test_what_was_begun_before_is_finished(github: GitHub, run: Run) -> None:
    daemon = await serve(github, run, workers=1)
    github.sandbox.faults.add(Latency(0.5))
    asking = await daemon.begin()
    await github.was_asked()
    github.configure(workers=1, github=OTHERS)
    await reload(daemon)
    assert b"demo-1.0" in await asking.answer
    daemon.process.signal("TERM")
    assert await daemon.ends() == 0


@pytest.mark.parametrize("workers", [1, 2])
@ensureDeferred
async def test_what_takes_a_restart_is_told(github: GitHub, run: Run, workers: int) -> None:
    daemon = await serve(github, run, workers=workers)
    others = "[log]\naccess = false\nlevel = 'warn'\n[metrics]\nendpoint = 'tcp:0:interface=127.0.0.1'"
    github.configure("tcp:0:interface=127.0.0.2", workers=3, github=others)
    await reload(daemon)
    said = await daemon.process.says("Takes effect after a restart only: ")
    assert said == "server.endpoint, server.workers, log.level, metrics.endpoint"
    await daemon.ask()
    daemon.process.signal("TERM")
    assert await daemon.ends() == 0


@pytest.mark.parametrize("workers", [1, 2])
@ensureDeferred
async def test_an_init_system_is_told(
    github: GitHub, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    init = Init(str(tmp_path / "notify"), github.reactor)
    monkeypatch.setenv("NOTIFY_SOCKET", init.address)
    daemon = await serve(github, run, workers=workers)
    await init.is_told("READY=1")
    await reload(daemon)
    await init.is_told("READY=1", times=2)
    github.file.write_text("nonsense")
    daemon.process.signal("HUP")
    await init.is_told("READY=1", times=3)
    daemon.process.signal("TERM")
    assert await daemon.ends() == 0
    assert init.words() == ["READY=1", "RELOADING=1", "READY=1", "RELOADING=1", "READY=1", "STOPPING=1"]
    init.close()


@ensureDeferred
async def test_a_worker_that_is_replaced_reads_what_is_there_then(github: GitHub, run: Run) -> None:
    daemon = await serve(github, run)
    await daemon.each_answers()
    github.configure(github=OTHERS)
    await reload(daemon)
    for number in (1, 2):
        os.kill(await daemon.pid(number), signal.SIGTERM)
        await daemon.pid(number, times=2)
    for _ in range(4):
        assert (await (await daemon.begin()).answer).startswith(b"HTTP/1.1 403 ")
    daemon.process.signal("TERM")
    assert await daemon.ends() == 0


def handshake(address: str, *, newest: ssl.TLSVersion) -> tuple[str, str | None]:
    """The certificate that is served, as PEM, and the protocol that is agreed on by one who speaks HTTP/2 and 1.1."""
    host, _, port = address.rpartition(":")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")  # so that it is the server who refuses
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, newest
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection((host.strip("[]"), int(port))) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        return ssl.DER_cert_to_PEM_cert(secure.getpeercert(binary_form=True) or b""), secure.selected_alpn_protocol()


async def served(address: str, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> str:
    pem, protocol = await deferToThread(handshake, address, newest=newest)
    assert protocol == "h2"
    return pem


@pytest.mark.parametrize(
    "listening",
    [
        "host = '127.0.0.1'\nport = {port}\ntls.crt = 'tls.crt'\ntls.key = 'tls.key'",
        "endpoint = 'ssl:0:interface=127.0.0.1:privateKey=tls.key:certKey=tls.crt'",
        "endpoint = 'tls:.:0:interface=\\:\\:1'",
    ],
    ids=["server.tls", "ssl", "tls"],
)
@ensureDeferred
async def test_it_is_tls_1_2_or_later_and_http2(github: GitHub, run: Run, tmp_path: Path, listening: str) -> None:
    pem = write_certificate(tmp_path / "tls.crt", tmp_path / "tls.key")
    (tmp_path / "all.pem").write_bytes(pem + (tmp_path / "tls.key").read_bytes())
    (tmp_path / "hub.toml").write_text("[server]\n" + listening.format(port=free_port()))
    process = run("pypihub", "-c", "hub.toml")
    address = await process.says("listens on ")
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        assert await served(address, version) == pem.decode()
    with pytest.raises(ssl.SSLError, match="alert protocol version"):
        await served(address, ssl.TLSVersion.TLSv1_1)
    process.signal("TERM")
    assert await process.ends() == 0


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    "endpoint",
    [
        "ssl:0:interface=127.0.0.1:privateKey=tls.key:certKey=tls.crt",
        "tls:certificates:0:interface=\\:\\:1",
        "haproxy:tcp:0:interface=127.0.0.1",
    ],
    ids=["ssl", "tls", "haproxy"],
)
@ensureDeferred
async def test_certificates_are_renewed(github: GitHub, run: Run, tmp_path: Path, endpoint: str, workers: int) -> None:
    def renew() -> str:
        """As other programs do: the new file in the place of the old one."""
        pem = write_certificate(tmp_path / "tls.crt", tmp_path / "tls.key")
        (tmp_path / "certificates").mkdir(exist_ok=True)
        (tmp_path / "new").write_bytes((tmp_path / "tls.key").read_bytes() + pem)
        (tmp_path / "new").rename(tmp_path / "certificates" / "localhost.pem")
        return pem.decode()

    first = renew()
    process = run("pypihub", "-c", github.configure(endpoint, workers=workers))
    address = await process.says("listens on ")
    daemon = Daemon(github, process, clientFromString(github.reactor, "tcp:" + address.replace("[::1]", "\\:\\:1")))
    with_tls = not endpoint.startswith("haproxy")
    for number in (2, 1)[: workers if workers > 1 else 0]:  # each reads the first one: renewing is not one step
        with halted(await daemon.pid(number)):
            await (await daemon.begin()).answer  # it is no TLS, or has no header, and is turned away
    if with_tls:
        assert await served(address) == first
    second = renew()
    await reload(daemon)
    if with_tls:
        assert {await served(address) for _ in range(6)} == {second}
    else:
        asking = await daemon.begin(before=b"PROXY TCP4 10.1.2.3 10.1.2.4 1 2\r\n")
        assert b"demo-1.0" in await asking.answer
        await process.says('[pypihub.access#info] 10.1.2.3 "GET ')
    process.signal("TERM")
    assert await daemon.ends() == 0


@ensureDeferred
async def test_a_broken_certificate_keeps_the_old_one(github: GitHub, run: Run, tmp_path: Path) -> None:
    pem = write_certificate(tmp_path / "tls.crt", tmp_path / "tls.key").decode()
    process = run("pypihub", "-c", github.configure("ssl:0:interface=127.0.0.1:privateKey=tls.key:certKey=tls.crt",
                                                    workers=1))  # fmt: skip
    address = await process.says("listens on ")
    (tmp_path / "tls.crt").write_text("nothing")
    process.signal("HUP")
    said = await process.says("The configuration stays as it was: ")
    assert "server.endpoint (certKey): should be a PEM certificate: tls.crt holds none" in said
    assert await served(address) == pem
    process.signal("TERM")
    assert await process.ends() == 0
