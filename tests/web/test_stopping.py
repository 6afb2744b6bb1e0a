"""The hub is stopped: what is under way gets its whole answer, and nothing keeps it for long."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pytest_twisted import ensureDeferred
from support.hub import Hub, basic
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import ConnectionRefusedError as RefusedError
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from pypihub.sandbox.faults import Hang, Latency


class Client(Protocol):
    """A connection that stays open as long as the server leaves it so."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.received = b""
        self.is_closed = False

    def ask(self, path: str) -> None:
        """Sends a request."""
        credentials = basic("octo", self._hub.token)
        self.transport.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {credentials}\r\n\r\n".encode())

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.is_closed = True

    def has_whole_answer(self) -> bool:
        """Whether as much was received as the answer's Content-Length says."""
        head, end, body = self.received.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        return bool(end) and len(body) == int(length)


def port_of(hub: Hub) -> int:
    return urlsplit(hub.url).port or 0


async def connect(hub: Hub) -> Client:
    return await connectProtocol(TCP4ClientEndpoint(hub.reactor, "127.0.0.1", port_of(hub)), Client(hub))


async def until(hub: Hub, is_so: Callable[[], bool]) -> None:
    while not is_so():
        await deferLater(hub.reactor, 0.001)


def publish(hub: Hub, releases: int = 1) -> None:
    repository = hub.world.add_repository("octo/demo")
    for number in range(releases):
        release = repository.add_release(f"v{number}")
        for build in range(10):
            release.add_asset(f"demo-{number}.0-{build}-py3-none-any.whl", b"x")


def stop_daemon(hub: Hub) -> Awaitable[None]:
    """Stops the daemon, and not yet the sandbox."""
    service = hub.services.pop()
    stopping: Deferred[None] = service.stopService()
    return stopping


@ensureDeferred
async def test_an_answer_that_waits_for_github_is_sent_whole(hub: Hub) -> None:
    publish(hub)
    hub.sandbox.faults.add(Latency(0.2))
    client = await connect(hub)
    client.ask("/simple/demo/")
    await until(hub, lambda: hub.asked() > 0)
    await stop_daemon(hub)
    await until(hub, lambda: client.is_closed)
    assert client.received.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close\r\n" in client.received.lower()
    assert client.has_whole_answer()


@ensureDeferred
async def test_a_file_for_a_slow_reader_is_sent_whole(make_hub: Callable[..., Any], tmp_path: Path) -> None:
    hub = await make_hub(mode="proxy")
    with (tmp_path / "demo-1.0.tar.gz").open("wb") as file:
        file.truncate(8_000_000)
    asset = hub.world.add_repository("octo/demo").add_release("v1").add_asset("demo-1.0.tar.gz", Path(file.name))
    client = await connect(hub)
    client.ask(f"/asset/{asset.id}/demo-1.0.tar.gz")
    await until(hub, lambda: len(client.received) > 1000)
    client.transport.pauseProducing()
    stopping = stop_daemon(hub)
    await deferLater(hub.reactor, 0)
    client.transport.resumeProducing()
    await stopping
    await until(hub, lambda: client.is_closed)
    assert client.has_whole_answer()


@ensureDeferred
async def test_a_connection_that_is_kept_alive_is_closed_soon(hub: Hub) -> None:
    client = await connect(hub)
    client.ask("/")
    await until(hub, client.has_whole_answer)
    assert not client.is_closed
    await stop_daemon(hub)
    await until(hub, lambda: client.is_closed)


@ensureDeferred
async def test_a_request_that_was_on_its_way_on_a_connection_that_is_kept_is_answered(hub: Hub) -> None:
    client = await connect(hub)
    client.ask("/")
    await until(hub, client.has_whole_answer)
    stopping = stop_daemon(hub)
    client.received = b""
    client.ask("/")
    await until(hub, lambda: client.is_closed)
    assert client.has_whole_answer()
    assert b"connection: close\r\n" in client.received.lower()
    await stopping


@ensureDeferred
async def test_connections_that_were_made_but_not_accepted_yet_are_answered(hub: Hub) -> None:
    request = f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: {basic('octo', hub.token)}\r\n\r\n".encode()
    with contextlib.ExitStack() as closing:
        waiting = [closing.enter_context(socket.create_connection(("127.0.0.1", port_of(hub)))) for _ in range(20)]
        for each in waiting:
            each.sendall(request)
        await stop_daemon(hub)  # the reactor has not looked at the port since
        for each in waiting:
            assert each.recv(65536).startswith(b"HTTP/1.1 200 ")


@ensureDeferred
async def test_who_is_connected_already_may_still_ask_but_nobody_connects(hub: Hub) -> None:
    publish(hub)
    hub.sandbox.faults.add(Latency(0.5))
    slow, quick = await connect(hub), await connect(hub)
    slow.ask("/simple/demo/")
    await until(hub, lambda: hub.asked() > 0)
    stopping = stop_daemon(hub)
    with pytest.raises(RefusedError):
        await connect(hub)
    quick.ask("/")
    await until(hub, lambda: quick.is_closed)
    assert quick.has_whole_answer()
    assert b"connection: close\r\n" in quick.received.lower()
    assert not slow.is_closed
    await stopping
    await until(hub, lambda: slow.is_closed)
    assert slow.has_whole_answer()


@ensureDeferred
async def test_several_requests_on_the_way_in_one_connection_are_answered(hub: Hub) -> None:
    publish(hub)
    hub.sandbox.faults.add(Latency(0.2))
    client = await connect(hub)
    client.ask("/simple/demo/")
    client.ask("/simple/demo/")
    await until(hub, lambda: hub.asked() > 0)
    await stop_daemon(hub)
    await until(hub, lambda: client.is_closed)
    assert client.received.count(b"HTTP/1.1 200 ") == 2


@ensureDeferred
async def test_it_takes_no_longer_than_configured(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(drain=0.05)
    publish(hub)
    hub.sandbox.faults.add(Hang(), times=None)
    client = await connect(hub)
    client.ask("/simple/demo/")
    await until(hub, lambda: hub.asked() > 0)
    await stop_daemon(hub)
    await until(hub, lambda: b"PyPIHub is being stopped." in client.received)
    assert client.received.startswith(b"HTTP/1.1 503 ")
    client.transport.abortConnection()
    await until(hub, lambda: not hub.sandbox.connections)


@ensureDeferred
async def test_a_client_who_hangs_up_is_not_waited_for(hub: Hub) -> None:
    publish(hub)
    hub.sandbox.faults.add(Hang(), times=None)
    client = await connect(hub)
    client.ask("/simple/demo/")
    await until(hub, lambda: hub.asked() > 0)
    stopping = stop_daemon(hub)
    client.transport.abortConnection()
    await stopping
