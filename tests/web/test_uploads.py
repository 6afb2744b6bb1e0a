"""Uploads on their way in: who may send what, what it takes of memory and disk, and what is left of it."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
import requests
from pytest_twisted import ensureDeferred
from support.forms import BOUNDARY, CONTENT_TYPE, file, form, head_of, upload_parts
from support.hub import Hub
from support.steady import house_of
from support.wire import connect
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.threads import deferToThread

from pypihub.catalog.delivery import Published
from pypihub.errors import UploadRefusedError
from pypihub.github.credentials import Credentials
from pypihub.index.uploads import Received
from pypihub.web.bodies import MOST_UNWANTED
from pypihub.web.uploads import MOST_AT_ONCE

NAME = "demo-1.0.tar.gz"
CONTENT = bytes(range(256)) * 1000


@dataclass
class Publisher:
    """Takes uploads and looks at them; while it is held it lets nobody go on."""

    came: list[tuple[str, Received, bytes]] = field(default_factory=list)
    hold: Deferred[None] | None = None
    is_holding: bool = False
    was_cancelled: bool = False
    error: Exception | None = None

    async def publish(self, credentials: Credentials, received: Received) -> Published:
        try:
            if self.hold is not None:
                self.is_holding = True
                await self.hold
            received.file.seek(0)
            self.came.append((credentials.owner, received, received.file.read()))
        except CancelledError:
            self.was_cancelled = True
            raise
        finally:
            received.file.close()
        if self.error is not None:
            raise self.error
        return Published.SAME if len(self.came) > 1 else Published.NEW


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temporary folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def spools(folder: Path) -> Callable[[], int]:
    """How many files of that folder are open, named or not; when the test is over there are none at all."""

    def count() -> int:
        links = (_target(each) for each in Path("/proc/self/fd").iterdir())
        return sum(link.startswith(str(folder)) for link in links)

    yield count
    assert count() == 0
    assert not list(folder.iterdir())


def _target(link: Path) -> str:
    try:
        return os.readlink(link)
    except FileNotFoundError:  # the folder's own descriptor
        return ""


@pytest_twisted.async_yield_fixture
async def publisher(hub: Hub) -> Any:
    """What the hub's uploads come to."""
    yield publisher_of(hub)


def publisher_of(hub: Hub) -> Publisher:
    made = Publisher()
    house_of(hub).inside.uploads._publisher = made
    return made


def demo(content: bytes = CONTENT) -> bytes:
    return form(upload_parts(NAME, content, "demo", "1.0", sha256_digest=hashlib.sha256(content).hexdigest()))


async def post(
    hub: Hub, path: str, body: bytes, user: str | None = "octo", content_type: str = CONTENT_TYPE
) -> requests.Response:
    """A POST by a client that sends all before it reads, as the tools' do."""
    headers = {"Content-Type": content_type}
    auth = (user, hub.token) if user is not None else None
    return await deferToThread(requests.post, hub.url + path, body, headers=headers, auth=auth, timeout=60)


@pytest.mark.parametrize("path", ["/legacy/", "/simple/", "/octo/legacy/", "/Octo/simple/", "/legacy", "/octo/simple"])
@ensureDeferred
async def test_an_upload_is_taken_in_at_each_of_its_urls(
    hub: Hub, publisher: Publisher, spools: Any, path: str
) -> None:
    answer = await post(hub, path, demo(), user="octo")
    assert (answer.status_code, answer.text) == (200, "The file is published.\n")
    ((owner, received, content),) = publisher.came
    assert owner == "octo"
    assert received.fields[":action"] == ("file_upload",)
    assert received.fields["sha256_digest"] == (received.sha256,)
    assert (received.filename, received.size, content) == (NAME, len(CONTENT), CONTENT)
    answer = await post(hub, path, demo(), user="octo")
    assert (answer.status_code, answer.text) == (200, "The same file is here already.\n")


@ensureDeferred
async def test_where_the_owner_is_in_the_path_the_user_may_be_a_placeholder(hub: Hub, publisher: Publisher) -> None:
    assert (await post(hub, "/octo/legacy/", demo(), user="__token__")).status_code == 200
    answer = await post(hub, "/legacy/", demo(), user="__token__")
    assert answer.status_code == 401
    assert "put the owner into the path" in answer.text
    assert "put the owner into the path" in answer.reason
    assert len(publisher.came) == 1


@ensureDeferred
async def test_what_the_publisher_refuses_is_the_reason_and_the_body(hub: Hub, publisher: Publisher) -> None:
    publisher.error = UploadRefusedError("File already exists.")
    answer = await post(hub, "/legacy/", demo())
    assert (answer.status_code, answer.reason) == (400, "Bad Request: File already exists.")
    assert answer.text == "File already exists.\n"


@pytest.mark.parametrize("header", ["Origin: https://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site"])
@ensureDeferred
async def test_a_browser_cannot_publish_whoever_tells_it_to(hub: Hub, publisher: Publisher, header: str) -> None:
    wire = await connect(hub)
    wire.send_head("/legacy/", f"Content-Length: {len(demo())}", header)
    assert await wire.answered() == 403
    assert publisher.came == []
    wire.hang_up()


@ensureDeferred
async def test_the_urls_say_what_they_are_for(hub: Hub) -> None:
    for path in ("/legacy/", "/octo/legacy/"):
        answer = await hub.get(path, user=None)
        assert answer.code == 200
        assert "twine" in answer.text


@ensureDeferred
async def test_hatch_finds_what_is_published_already(hub: Hub) -> None:
    hub.world.add_repository("octo/demo").add_release("v1").add_asset(NAME, b"x")
    hub.world.add_repository("octo/legacy").add_release("v1").add_asset("legacy-2.0.tar.gz", b"x")
    for path in ("/legacy/", "/octo/legacy/"):
        answer = await hub.get(path + "%2Bsimple/demo/", headers={"Accept": "*/*", "Cache-Control": "no-cache"})
        assert answer.code == 200
        assert f">{NAME}</a>" in answer.text
        assert (await hub.get(path + "%2Bsimple/another/")).code == 404
    assert "legacy-2.0.tar.gz" in (await hub.get("/simple/legacy/")).text


@pytest.mark.parametrize(
    ("user", "path", "lines", "status"),
    [
        (None, "/legacy/", ["Content-Length: 100000"], 401),
        (None, "/legacy/", ["Transfer-Encoding: chunked"], 401),
        ("octo", "/other/legacy/", ["Content-Length: 100000"], 403),
        ("octo", "/-bad-/legacy/", ["Content-Length: 100000"], 404),
        ("octo", "/legacy/", ["Content-Length: 100000000"], 413),
        ("octo", "/legacy/", ["Content-Length: 100000000", "Expect: 100-continue"], 413),
    ],
)
@ensureDeferred
async def test_what_the_head_tells_is_answered_before_the_body_comes(
    make_hub: Any, spools: Any, user: str | None, path: str, lines: list[str], status: int
) -> None:
    hub = await make_hub(owners=("octo",), max_size=1_000_000)
    wire = await connect(hub)
    wire.send_head(path, *lines, user=user)
    assert await wire.answered() == status
    assert b"\r\nConnection: close\r\n" in wire.received
    assert b"100 Continue" not in wire.received
    assert not wire.is_closed
    assert spools() == 0
    wire.hang_up()
    assert hub.asked() == 0


@ensureDeferred
async def test_a_client_that_waits_is_told_to_go_on(hub: Hub, publisher: Publisher) -> None:
    wire, body = await connect(hub), demo()
    wire.send_head("/legacy/", f"Content-Length: {len(body)}", "Expect: 100-continue")
    await wire.until(lambda: wire.received == b"HTTP/1.1 100 Continue\r\n\r\n")
    wire.send(body)
    await wire.until(lambda: b"HTTP/1.1 200 OK" in wire.received)


@pytest.mark.parametrize(
    ("path", "how", "status", "why"),
    [
        ("/legacy/", {"user": None}, 401, "Credentials are needed."),
        ("/legacy/", {"content_type": "application/json"}, 400, "must be multipart/form-data"),
        ("/legacy/", {}, 413, "this server takes up to 1 MiB"),
        ("/simple/demo/", {}, 413, "Packages are published by POST to /legacy/."),
        ("/", {}, 413, "Packages are published by POST to /legacy/."),
    ],
)
@ensureDeferred
async def test_a_client_that_sends_all_of_a_refused_body_first_reads_the_answer(
    make_hub: Any, path: str, how: dict[str, Any], status: int, why: str
) -> None:
    hub = await make_hub(max_size=1024 * 1024)
    answer = await post(hub, path, demo(bytes(30_000_000)), **how)
    assert answer.status_code == status
    assert why in answer.reason
    assert why in answer.text
    assert answer.headers["Connection"] == "close"


@ensureDeferred
async def test_it_mostly_does_also_where_more_of_it_comes_than_is_read(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux keeps for it what it had received before the connection was reset."""
    monkeypatch.setattr("pypihub.web.bodies.MOST_DISCARDED", 1_000_000)
    answer = await post(hub, "/legacy/", demo(bytes(30_000_000)), user=None)
    assert answer.status_code == 401


@ensureDeferred
async def test_so_much_of_a_refused_body_is_read_and_no_more(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, log_lines: list[str]
) -> None:
    monkeypatch.setattr("pypihub.web.bodies.MOST_DISCARDED", 1_000_000)
    wire = await connect(hub)
    wire.send_head("/legacy/", "Content-Length: 3000000", user=None)
    await wire.answered()
    wire.send(bytes(900_000))
    assert await hub.get("/")  # the server did something else meanwhile
    assert not wire.is_closed
    wire.send(bytes(300_000))
    await wire.until(lambda: wire.is_closed)
    await wire.until(lambda: any('"POST /legacy/" 401' in line for line in log_lines))


@ensureDeferred
async def test_a_refused_body_is_read_for_so_long_and_no_longer(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pypihub.web.bodies.LINGER", 0.01)
    wire = await connect(hub)
    wire.send_head("/legacy/", "Content-Length: 3000000", user=None)
    await wire.until(lambda: wire.is_closed)
    assert wire.status == 401


@ensureDeferred
async def test_an_upload_takes_so_long_and_no_longer(
    hub: Hub, publisher: Publisher, spools: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pypihub.web.bodies.LONGEST", 0.01)
    wire = await connect(hub)
    wire.send_head("/legacy/", "Content-Length: 1000")
    assert await wire.answered() == 400
    assert spools() == 0
    wire.send(bytes(1000))
    await wire.until(lambda: wire.is_closed)
    assert wire.received.count(b"HTTP/1.1") == 1
    assert not publisher.came


@ensureDeferred
async def test_a_form_that_is_wrong_is_refused_where_it_is_wrong(hub: Hub, publisher: Publisher, spools: Any) -> None:
    wire = await connect(hub)
    wire.send_head("/legacy/", "Content-Length: 1000000")
    wire.send(head_of(file(NAME, b"")) + bytes(100_000) + f"\r\n--{BOUNDARY}\r\nbad".encode())
    await wire.until(lambda: spools() == 1)
    wire.send(b" header\r\n")
    assert await wire.answered() == 400
    assert b"The upload's form is broken" in wire.received
    assert spools() == 0
    wire.hang_up()


@ensureDeferred
async def test_a_body_may_come_in_chunks(hub: Hub, publisher: Publisher, spools: Any) -> None:
    body = demo()
    wire = await connect(hub)
    wire.send_head("/legacy/", "Transfer-Encoding: chunked")
    for start in range(0, len(body), 1000):
        piece = body[start : start + 1000]
        wire.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
    wire.send(b"0\r\n\r\n")
    assert await wire.answered() == 200
    assert publisher.came[0][2] == CONTENT


@ensureDeferred
async def test_in_chunks_no_more_comes_in_than_is_allowed(make_hub: Any, spools: Any) -> None:
    hub = await make_hub(max_size=100_000)
    publisher, body = publisher_of(hub), demo()
    wire = await connect(hub)
    wire.send_head("/legacy/", "Transfer-Encoding: chunked")
    # All at once: the end of the body comes in the same piece as what is too much of it.
    wire.send(f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n")
    await wire.until(lambda: wire.is_closed)
    assert wire.status == 413
    assert not publisher.came


@ensureDeferred
async def test_nothing_is_left_of_a_client_that_hangs_up_in_the_middle(
    hub: Hub, publisher: Publisher, spools: Any
) -> None:
    wire, body = await connect(hub), demo()
    wire.send_head("/legacy/", f"Content-Length: {len(body)}")
    wire.send(body[:100_000])
    await wire.until(lambda: spools() == 1)
    wire.hang_up()
    await wire.until(lambda: spools() == 0)
    assert not publisher.came


@ensureDeferred
async def test_nothing_is_left_of_a_client_that_sends_no_more(make_hub: Any, spools: Any) -> None:
    hub = await make_hub(limits={"body": 0.1})
    wire = await connect(hub)
    wire.send_head("/legacy/", "Content-Length: 1000")
    wire.send(demo()[:100])
    await wire.until(lambda: spools() == 1)
    await wire.until(lambda: wire.is_closed)
    await wire.until(lambda: spools() == 0)


@ensureDeferred
async def test_a_cut_form_is_refused(hub: Hub, publisher: Publisher, spools: Any) -> None:
    assert (await post(hub, "/legacy/", demo()[:-10])).status_code == 400
    assert spools() == 0
    assert (await post(hub, "/legacy/", b"")).status_code == 400
    assert (await post(hub, "/legacy/", b"", user=None)).status_code == 401
    assert not publisher.came


@ensureDeferred
async def test_the_publisher_learns_that_a_client_has_hung_up_and_keeps_the_file(
    hub: Hub, publisher: Publisher, spools: Any
) -> None:
    publisher.hold = Deferred()
    wire, body = await connect(hub), demo()
    wire.send_head("/legacy/", f"Content-Length: {len(body)}")
    wire.send(body)
    await wire.until(lambda: publisher.is_holding)
    wire.hang_up()
    await wire.until(lambda: publisher.was_cancelled)
    await wire.until(lambda: spools() == 0)


@ensureDeferred
async def test_several_come_in_at_once(hub: Hub, publisher: Publisher) -> None:
    wires = [await connect(hub) for _ in range(3)]
    bodies = [demo(bytes([number]) * 100_000) for number in range(3)]
    for wire, body in zip(wires, bodies, strict=True):
        wire.send_head("/legacy/", f"Content-Length: {len(body)}")
    for start in range(0, len(bodies[0]), 7000):
        for wire, body in zip(wires, bodies, strict=True):
            wire.send(body[start : start + 7000])
        await hub.get("/")
    for wire in wires:
        assert await wire.answered() == 200
    assert {content[:1] for _, _, content in publisher.came} == {b"\0", b"\1", b"\2"}
    assert all(hashlib.sha256(content).hexdigest() == received.sha256 for _, received, content in publisher.came)


@ensureDeferred
async def test_so_many_may_come_at_once_and_no_more(hub: Hub, publisher: Publisher, spools: Any) -> None:
    body = demo()
    wires = [await connect(hub) for _ in range(MOST_AT_ONCE)]
    for wire in wires:
        wire.send_head("/legacy/", f"Content-Length: {len(body)}")
    await wires[0].until(lambda: spools() == MOST_AT_ONCE)
    answer = await post(hub, "/legacy/", body)
    assert (answer.status_code, answer.reason.startswith("Service Unavailable: Too many uploads")) == (503, True)
    wires[0].hang_up()
    await wires[0].until(lambda: spools() == MOST_AT_ONCE - 1)
    assert (await post(hub, "/legacy/", body)).status_code == 200
    for wire in wires:
        wire.hang_up()
    await wires[0].until(lambda: spools() == 0)


@ensureDeferred
async def test_one_without_room_on_the_disk_is_told_so(
    hub: Hub, publisher: Publisher, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "missing"))
    answer = await post(hub, "/legacy/", demo())
    assert answer.status_code == 503
    assert "no room" in answer.reason
    assert str(folder) not in answer.text


@ensureDeferred
async def test_the_next_request_on_the_connection_is_answered(hub: Hub, publisher: Publisher) -> None:
    wire, body = await connect(hub), demo()
    wire.send_head("/legacy/", f"Content-Length: {len(body)}")
    wire.send(body)
    wire.send_head("/", method="GET")
    await wire.until(lambda: wire.received.count(b"HTTP/1.1 200 OK") == 2)
    assert not wire.is_closed


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/", 200), ("PUT", "/legacy/", 405), ("POST", "/simple/demo/", 405)]
)
@ensureDeferred
async def test_a_body_that_nobody_asked_for_is_forgotten(
    hub: Hub, spools: Any, method: str, path: str, status: int
) -> None:
    wire = await connect(hub)
    wire.send_head(path, f"Content-Length: {MOST_UNWANTED}", method=method)
    wire.send(bytes(MOST_UNWANTED))
    assert await wire.answered() == status
    assert spools() == 0
    wire.hang_up()
    wire = await connect(hub)
    wire.send_head(path, "Transfer-Encoding: chunked", method=method)
    wire.send(b"20000\r\n" + bytes(0x20000))
    assert await wire.answered() == 413
    wire.hang_up()


@ensureDeferred
async def test_an_upload_under_way_is_finished_when_the_hub_is_stopped(hub: Hub, publisher: Publisher) -> None:
    wire, body = await connect(hub), demo()
    wire.send_head("/legacy/", f"Content-Length: {len(body)}")
    wire.send(body[:1000])
    await hub.get("/")
    stopping = hub.services.pop().stopService()
    wire.send(body[1000:])
    await wire.until(lambda: wire.is_closed)
    assert wire.status == 200
    await stopping


@ensureDeferred
async def test_tls_on_a_plain_port_is_closed_at_once(hub: Hub, log_lines: list[str]) -> None:
    wire = await connect(hub)
    wire.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32))
    await wire.until(lambda: wire.is_closed)
    assert wire.received == b""
    assert not [line for line in log_lines if "OneShotFactory" not in line]  # the test's own


@ensureDeferred
async def test_the_same_bytes_in_a_file_are_bytes_as_any(hub: Hub, publisher: Publisher) -> None:
    wire, content = await connect(hub), b"\x16\x03\x01" * 1000
    head, rest = demo(content).split(content)
    wire.send_head("/legacy/", f"Content-Length: {len(head + content + rest)}")
    for piece in (head, content, rest):
        wire.send(piece)
        await hub.get("/")  # so that the next piece comes by itself
    assert await wire.answered() == 200
    assert publisher.came[0][2] == content


@ensureDeferred
async def test_a_large_upload_takes_little_memory(
    hub: Hub, publisher: Publisher, spools: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = 200_000_000
    part = file("demo-1.0.tar.gz", b"")

    def body() -> Iterator[bytes]:
        yield head_of(part)
        piece = bytes(1_000_000)
        for _ in range(size // len(piece)):
            yield piece
        yield f"\r\n--{BOUNDARY}--\r\n".encode()

    async def look(credentials: Credentials, received: Received) -> Published:
        assert received.size == size
        received.file.close()
        return Published.NEW

    monkeypatch.setattr(publisher, "publish", look)
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from now on
    before = _peak()
    answer = await post(hub, "/legacy/", body())  # type: ignore[arg-type]
    assert answer.status_code == 200
    assert _peak() - before < 32_000_000


def _peak() -> int:
    """The process's largest resident size, in bytes."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024
