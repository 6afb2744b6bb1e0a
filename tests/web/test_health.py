"""How PyPIHub says that it is: alive, and ready for requests."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from support.hub import Hub
from support.wire import connect
from twisted.internet.defer import Deferred

from pypihub.sandbox.faults import Status

OK = {"api": "ok", "storage": "ok", "uploads": "ok"}


@pytest_twisted.async_yield_fixture
async def hub(make_hub: Callable[..., Any]) -> AsyncIterator[Hub]:
    """A hub that has opened its store."""
    made: Hub = await make_hub()
    await is_ready(made)
    yield made


async def is_ready(hub: Hub) -> None:
    while (await hub.get("/readyz", user=None)).code != 200:
        pass


def told(text: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(text)
    return answer


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/readyz?verbose=1"])
@ensureDeferred
async def test_it_is_told_without_credentials_without_a_call_and_never_kept(hub: Hub, path: str, method: str) -> None:
    answer = await hub.request(method, path, user=None)
    assert (answer.code, answer.header("Cache-Control")) == (200, "no-store")
    assert bool(answer.body) is (method == "GET")
    assert not hub.sandbox.calls


@ensureDeferred
async def test_it_is_alive_and_ready(hub: Hub) -> None:
    assert (await hub.get("/healthz", user=None)).text == "ok\n"
    ready = await hub.get("/readyz", user=None)
    assert ready.header("Content-Type") == "application/json"
    assert told(ready.text) == {"status": "ready", "github": OK}


@ensureDeferred
async def test_it_is_ready_while_github_fails_and_says_so(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub()
    await is_ready(hub)
    hub.sandbox.faults.add(Status(500, b""), times=100)
    for _ in range(3):
        await hub.get("/simple/demo/")
    ready = await hub.get("/readyz", user=None)
    assert ready.code == 200
    assert told(ready.text) == {"status": "ready", "github": OK | {"api": "failing"}}


@ensureDeferred
async def test_it_is_not_ready_before_the_store_is_open(make_hub: Callable[..., Any], monkeypatch: Any) -> None:
    opening: Deferred[None] = Deferred()
    monkeypatch.setattr("pypihub.catalog.store.Store.open", lambda self: opening)
    hub = await make_hub()
    starting = await hub.get("/readyz", user=None)
    assert (starting.code, told(starting.text)["status"]) == (503, "starting")
    assert (await hub.get("/healthz", user=None)).code == 200
    opening.callback(None)
    assert (await hub.get("/readyz", user=None)).code == 200


@ensureDeferred
async def test_it_is_not_ready_while_it_ends(hub: Hub) -> None:
    wire = await connect(hub)
    busy = await connect(hub)
    busy.send_head("/legacy/", "Content-Length: 10")
    await hub.get("/healthz", user=None)  # by now the head of the upload was read, which is waited for
    (service,) = hub.services
    ending = service.stopService()
    wire.send(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert await wire.answered() == 503
    assert b'"draining"' in wire.received
    busy.hang_up()
    await ending
    hub.services.clear()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
@ensureDeferred
async def test_it_is_only_read(hub: Hub, method: str) -> None:
    answer = await hub.request(method, "/healthz", user=None)
    assert (answer.code, answer.header("Allow")) == (405, "GET, HEAD")


@ensureDeferred
async def test_it_is_no_line_of_the_log(hub: Hub, log_lines: list[str]) -> None:
    await hub.get("/healthz", user=None)
    await hub.get("/readyz", user=None)
    await hub.get("/healthz/", user=None)
    lines = [line for line in log_lines if "pypihub.access" in line]
    assert len(lines) == 1
    assert '"GET /healthz/" 404' in lines[0]


@ensureDeferred
async def test_an_owner_may_have_the_name(hub: Hub) -> None:
    token = hub.world.add_token("healthz")
    hub.world.add_repository("healthz/demo").add_release("v1").add_asset("demo-1.0.tar.gz", b"x")
    assert (await hub.get("/healthz/simple/demo/", user="__token__", token=token)).code == 200
