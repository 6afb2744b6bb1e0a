"""Another configuration is served in the midst of it: what connections and requests notice, and what is left."""

from __future__ import annotations

import gc
import ssl
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pytest_twisted import ensureDeferred
from support.certificates import write_certificate
from support.hub import Hub
from support.streams import connect_streams
from support.wire import connect
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.internet.threads import deferToThread

from pypihub.config import Config
from pypihub.daemon.renewing import PAUSE, Renewals
from pypihub.daemon.workers import Worker
from pypihub.errors import ConfigError
from pypihub.sandbox.faults import Hang, Latency


def publish(hub: Hub) -> None:
    hub.world.add_repository("octo/demo").add_release("v1").add_asset("demo-1.0.tar.gz", b"x")


def for_others(hub: Hub) -> Config:
    """The hub's configuration, for other owners."""
    return msgspec.structs.replace(hub.config, github=msgspec.structs.replace(hub.config.github, owners=("others",)))


def serving_of(hub: Hub) -> Any:
    return hub.services[0].serving


@ensureDeferred
async def test_a_connection_that_is_kept_asks_the_new_one(hub: Hub) -> None:
    publish(hub)
    wire = await connect(hub)
    wire.send_head("/simple/demo/", method="GET")
    await wire.until(lambda: b"demo-1.0.tar.gz" in wire.received)
    await serving_of(hub).reload(for_others(hub))
    wire.received = b""
    wire.send_head("/simple/demo/", method="GET")
    assert await wire.answered() == 403
    wire.hang_up()


@ensureDeferred
async def test_a_connection_by_http2_asks_the_new_one_and_finishes_what_it_began(
    make_hub: Callable[..., Any], tmp_path: Path
) -> None:
    crt, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    write_certificate(crt, key)
    hub = await make_hub(tls=(crt, key))
    publish(hub)
    hub.sandbox.faults.add(Latency(0.2))
    streams = await connect_streams(hub, crt)
    before = streams.ask("/simple/demo/")
    await streams.until(hub.asked)
    await serving_of(hub).reload(for_others(hub))
    after = streams.ask("/simple/demo/")
    await streams.until(lambda: before.is_whole and after.is_whole)
    assert [stream.headers[":status"] for stream in (before, after)] == ["200", "403"]
    assert streams.goodbyes == []
    streams.hang_up()


@ensureDeferred
async def test_what_served_before_is_gone_once_its_last_request_is_answered(hub: Hub) -> None:
    publish(hub)
    hub.sandbox.faults.add(Latency(0.2))
    asking = Deferred.fromCoroutine(hub.get("/simple/demo/"))
    while not hub.asked():
        await deferLater(hub.reactor, 0.001)
    serving = serving_of(hub)
    house = weakref.ref(serving._house)
    pool = serving._house.github.pool
    await serving.reload(for_others(hub))
    assert house() is not None
    assert (await asking).code == 200
    for _ in range(1000):
        await deferLater(hub.reactor, 0.002)
        gc.collect()
        if house() is None and not any(pool._connections.values()):
            break
    assert house() is None, "it is held on to"
    assert not any(pool._connections.values()), "a connection to GitHub is left open"


@ensureDeferred
async def test_it_is_stopped_in_time_though_an_old_request_hangs(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(drain=0.05)
    publish(hub)
    hub.sandbox.faults.add(Hang(), times=None)
    wire = await connect(hub)
    wire.send_head("/simple/demo/", method="GET")
    await wire.until(hub.asked)
    await serving_of(hub).reload(for_others(hub))
    await hub.services.pop().stopService()
    assert await wire.answered() == 503
    wire.hang_up()


@ensureDeferred
async def test_of_a_configuration_that_cannot_be_served_nothing_applies(hub: Hub, tmp_path: Path) -> None:
    publish(hub)
    github = msgspec.structs.replace(for_others(hub).github, ca_file=tmp_path / "gone.pem")
    with pytest.raises(ConfigError, match=r"^github\.ca_file: .*gone\.pem: No such file"):
        await serving_of(hub).reload(msgspec.structs.replace(hub.config, github=github))
    assert (await hub.get("/simple/demo/")).code == 200


@ensureDeferred
async def test_certificates_are_read_again_when_their_files_have_changed_and_rest(
    make_hub: Callable[..., Any], tmp_path: Path, log_lines: list[str]
) -> None:
    crt, key = tmp_path / "tls.crt", tmp_path / "tls.key"

    async def served() -> str:
        port = int(hub.url.rpartition(":")[2])
        return await deferToThread(ssl.get_server_certificate, ("127.0.0.1", port))

    def told(what: str) -> int:
        return sum(what in line for line in log_lines)

    first = write_certificate(crt, key).decode()
    hub, clock = await make_hub(tls=(crt, key)), Clock()
    renewals = Renewals(serving_of(hub), clock)
    renewals.startService()
    second = write_certificate(crt, tmp_path / "new.key").decode()  # its key follows later
    clock.advance(PAUSE)
    (tmp_path / "new.key").rename(key)
    clock.advance(PAUSE)
    assert await served() == first
    clock.advance(PAUSE)
    assert await served() == second
    assert (told("were read again"), told("stay as they were")) == (1, 0)
    crt.write_text("nothing")
    for _ in range(5):
        clock.advance(PAUSE)
    assert await served() == second
    assert (told("were read again"), told("stay as they were: server.endpoint (certKey): should be a PEM")) == (1, 1)
    third = write_certificate(crt, key).decode()
    for _ in range(3):
        clock.advance(PAUSE)
    assert await served() == third
    renewals.stopService()
    assert clock.getDelayedCalls() == []


class _Transport:
    """A process that takes signals."""

    pid = 1
    process: Any

    def __init__(self) -> None:
        self.signals: list[str] = []

    def signalProcess(self, name: str) -> None:
        self.signals.append(name)

    def says(self, line: bytes) -> None:
        """Has the process tell its supervisor."""
        self.process.childDataReceived(3, line)


def started(watchdog: float | None = None) -> tuple[Worker, _Transport, Clock]:
    """A worker whose process was started."""
    transport, clock = _Transport(), Clock()

    def spawn(process: Any) -> Any:
        transport.process = process
        process.makeConnection(transport)
        return transport

    worker = Worker(1, spawn, clock, watchdog=watchdog)
    worker.start()
    return worker, transport, clock


def test_a_worker_that_does_not_serve_yet_reloads_once_it_does() -> None:
    """Before that the signal would end it, or come while it reads the old file."""
    worker, transport, clock = started()
    reloaded = worker.reload()
    assert transport.signals == []
    transport.says(b"READY=1\n")
    assert (transport.signals, reloaded.called) == (["HUP"], False)
    transport.says(b"RELOADING=1\nREADY=1\n")
    assert reloaded.called
    assert not clock.getDelayedCalls()


def test_a_worker_is_not_killed_for_a_pause_of_the_supervisor() -> None:
    _, transport, clock = started(watchdog=10)
    transport.says(b"READY=1\n")
    for _ in range(3):
        clock.advance(60)  # the machine was halted; what the worker says is read a moment later
        assert transport.signals == []
        transport.says(b"WATCHDOG=1\n")
    clock.pump([2.5] * 4)
    assert transport.signals == []
    clock.advance(2.5)
    assert transport.signals == ["KILL"]
    assert not clock.getDelayedCalls()


def test_a_worker_that_says_nothing_is_not_waited_for_for_ever(log_lines: list[str]) -> None:
    worker, _, clock = started()
    reloaded = worker.reload()
    clock.advance(30)
    assert reloaded.called
    assert any("Worker 1 did not reload within 30 s" in line for line in log_lines)
