"""Files sent through PyPIHub, for clients that cannot reach GitHub's storage."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from support.hub import Hub, basic
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.web.client import ResponseFailed

from pypihub.sandbox.faults import CutBody, Drop, Hang, Status

NAME = "demo-1.0-py3-none-any.whl"
CONTENT = bytes(range(256)) * 40


@pytest_twisted.async_fixture
async def proxy(make_hub: Callable[..., Any]) -> Hub:
    """A hub that sends files itself."""
    hub: Hub = await make_hub(mode="proxy")
    return hub


def publish(hub: Hub, content: bytes | Path = CONTENT) -> str:
    """The path of a file in a private repository."""
    asset = hub.world.add_repository("octo/demo").add_release("v1").add_asset(NAME, content)
    return f"/asset/{asset.id}/{NAME}"


@ensureDeferred
async def test_a_file_is_its_bytes(proxy: Hub) -> None:
    answer = await proxy.get(publish(proxy))
    assert (answer.code, answer.body) == (200, CONTENT)
    assert answer.header("Content-Length") == str(len(CONTENT))
    assert answer.header("Accept-Ranges") == "bytes"
    assert answer.header("Location") is None


@ensureDeferred
async def test_head_is_as_without_the_proxy(proxy: Hub) -> None:
    answer = await proxy.head(publish(proxy))
    assert (answer.code, answer.header("Content-Length")) == (200, str(len(CONTENT)))
    assert proxy.asked("storage") == 0


@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [("bytes=0-0", 0, 1), ("bytes=100-199", 100, 200), ("bytes=-10", len(CONTENT) - 10, len(CONTENT)),
     ("bytes=10000-", 10000, len(CONTENT))],
)  # fmt: skip
@ensureDeferred
async def test_a_range_is_a_part(proxy: Hub, wanted: str, start: int, end: int) -> None:
    answer = await proxy.get(publish(proxy), headers={"Range": wanted})
    assert (answer.code, answer.body) == (206, CONTENT[start:end])
    assert answer.header("Content-Range") == f"bytes {start}-{end - 1}/{len(CONTENT)}"


@ensureDeferred
async def test_a_download_is_resumed_where_the_file_is_still_the_same(proxy: Hub) -> None:
    path = publish(proxy)
    etag = str((await proxy.get(path)).header("ETag"))
    for if_range, code in ((etag, 206), ('"another"', 200)):
        answer = await proxy.get(path, headers={"Range": "bytes=5-9", "If-Range": if_range})
        assert (answer.code, answer.body) == (code, CONTENT[5:10] if code == 206 else CONTENT)


@ensureDeferred
async def test_a_range_beyond_the_end_is_416(proxy: Hub) -> None:
    answer = await proxy.get(publish(proxy), headers={"Range": "bytes=99999-"})
    assert (answer.code, answer.header("Content-Range")) == (416, f"bytes */{len(CONTENT)}")
    assert answer.header("Cache-Control") == "no-store"


@pytest.mark.parametrize("wanted", ["bytes=0-1,3-4", "lines=1-2", "bytes=", "x" * 500, "bytes=\u00e9"])
@ensureDeferred
async def test_a_range_that_is_none_is_the_whole(proxy: Hub, wanted: str) -> None:
    answer = await proxy.get(publish(proxy), headers={"Range": wanted})
    assert (answer.code, answer.body) == (200, CONTENT)


@ensureDeferred
async def test_the_token_stays_with_the_api(proxy: Hub) -> None:
    await proxy.get(publish(proxy))
    (call,) = (call for call in proxy.sandbox.calls if call.where == "storage")
    assert "authorization" not in call.headers


@ensureDeferred
async def test_a_stranger_gets_nothing(proxy: Hub) -> None:
    path = publish(proxy)
    assert (await proxy.get("/octo" + path, token=proxy.world.add_token("stranger"))).code == 404
    assert (await proxy.get(path + "x")).code == 404
    assert proxy.asked("storage") == 0


@ensureDeferred
async def test_an_enterprise_server_that_sends_the_bytes_itself(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(mode="proxy", web_urls=True, stream_assets=True)
    path = publish(hub)
    assert (await hub.get(path)).body == CONTENT
    answer = await hub.get(path, headers={"Range": "bytes=1-3"})
    assert (answer.code, answer.body) == (206, CONTENT[1:4])
    assert {call.headers["authorization"] for call in hub.sandbox.calls} == {"bearer …"}


@pytest.mark.parametrize("fault", [Status(403), Status(404), Status(416), Status(500), Status(302), Drop()])
@ensureDeferred
async def test_storage_s_trouble_is_not_the_file_and_the_next_try_works(proxy: Hub, fault: Any) -> None:
    path = publish(proxy)
    proxy.sandbox.faults.add(fault, where="storage", times=1)
    answer = await proxy.get(path)
    assert answer.code == (503 if isinstance(fault, Drop) else 502), answer.text
    assert (await proxy.get(path)).body == CONTENT


@ensureDeferred
async def test_a_url_of_a_replaced_file_that_did_not_serve_is_not_used_again(
    make_hub: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pypihub.catalog.listings.FRESHEST", 0.0)
    proxy: Hub = await make_hub(mode="proxy", ttl=300)
    release = proxy.world.add_repository("octo/demo").add_release("v1")
    path = f"/asset/{release.add_asset(NAME, CONTENT).id}/{NAME}"
    assert (await proxy.get("/simple/demo/")).code == 200
    release.remove_asset(NAME)
    release.add_asset(NAME, CONTENT)
    proxy.sandbox.faults.add(Status(403), where="storage", times=1)
    assert (await proxy.get(path)).code == 502
    asked = proxy.asked(operation="Lookup")
    assert (await proxy.get(path)).body == CONTENT
    assert proxy.asked(operation="Lookup") == asked + 2, "the old one, and the one that took its place"


@ensureDeferred
async def test_storage_that_hangs_is_504(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(mode="proxy", timeout=0.2)
    path = publish(hub)
    hub.sandbox.faults.add(Hang(), where="storage")
    assert (await hub.get(path)).code == 504
    assert (await hub.get(path)).body == CONTENT


@ensureDeferred
async def test_a_file_that_breaks_off_is_a_broken_transfer_and_no_short_file(proxy: Hub, log_lines: list[str]) -> None:
    path = publish(proxy)
    proxy.sandbox.faults.add(CutBody(after=100), where="storage")
    with pytest.raises(ResponseFailed):
        await proxy.get(path)
    assert any("cut a file short" in line for line in log_lines)
    assert (await proxy.get(path)).body == CONTENT


class Stalled(Protocol):
    """A client that sends a request, waits for the first bytes of the answer and then reads no more."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self.stalls: Deferred[None] = Deferred()
        self.received = 0
        self.done: Deferred[int] = Deferred()

    def connectionMade(self) -> None:
        self.transport.write(self._request)

    def dataReceived(self, data: bytes) -> None:
        self.received += len(data)
        if not self.stalls.called:
            self.transport.pauseProducing()
            self.stalls.callback(None)

    def connectionLost(self, reason: Failure) -> None:
        self.done.callback(self.received)


async def stall(hub: Hub, path: str) -> Stalled:
    lines = [f"GET {path} HTTP/1.1", "Host: x", "Connection: close", f"Authorization: {basic('octo', hub.token)}"]
    client = Stalled(("\r\n".join(lines) + "\r\n\r\n").encode())
    await connectProtocol(TCP4ClientEndpoint(hub.reactor, "127.0.0.1", int(hub.url.rpartition(":")[2])), client)
    await client.stalls
    return client


def memory() -> int:
    """This process's memory now, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@ensureDeferred
async def test_a_stalled_reader_of_200_mb_costs_little_memory(proxy: Hub, tmp_path: Path) -> None:
    size = 200_000_000
    with (tmp_path / NAME).open("wb") as file:
        file.truncate(size)
    path = publish(proxy, tmp_path / NAME)
    before = memory()
    client = await stall(proxy, path)
    for _ in range(200):  # whatever would flow flows now
        await deferLater(proxy.reactor, 0.001)
    assert memory() - before < 16_000_000
    client.transport.resumeProducing()
    assert await client.done > size


@ensureDeferred
async def test_a_reader_who_takes_nothing_for_too_long_is_given_up(
    proxy: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log_lines: list[str]
) -> None:
    monkeypatch.setattr("pypihub.github.downloads.LONGEST_PAUSE", 0.05)
    with (tmp_path / NAME).open("wb") as file:
        file.truncate(50_000_000)
    client = await stall(proxy, publish(proxy, tmp_path / NAME))
    for _ in range(1000):
        if any("nothing moved any more" in line for line in log_lines):
            break
        await deferLater(proxy.reactor, 0.001)
    client.transport.resumeProducing()
    assert await client.done < 50_000_000


@ensureDeferred
async def test_only_so_many_files_are_on_their_way_at_once(
    proxy: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pypihub.github.storage.MOST_DOWNLOADS", 2)
    with (tmp_path / NAME).open("wb") as file:
        file.truncate(50_000_000)
    path = publish(proxy, tmp_path / NAME)
    clients = [await stall(proxy, path) for _ in range(2)]
    assert (await proxy.get(path)).code == 503
    clients[0].transport.resumeProducing()
    await clients[0].done
    assert (await proxy.get(path, headers={"Range": "bytes=0-9"})).code == 206
    clients[1].transport.abortConnection()


@ensureDeferred
async def test_a_reader_who_goes_away_ends_the_connection_to_storage(proxy: Hub, tmp_path: Path) -> None:
    with (tmp_path / NAME).open("wb") as file:
        file.truncate(50_000_000)
    path = publish(proxy, tmp_path / NAME)
    client = await stall(proxy, path)
    busy = proxy.sandbox.connections
    client.transport.abortConnection()
    for _ in range(1000):
        if proxy.sandbox.connections < busy:
            break
        await deferLater(proxy.reactor, 0.001)
    assert proxy.sandbox.connections < busy
