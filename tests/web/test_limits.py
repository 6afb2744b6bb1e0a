"""How much a stranger may ask for, each limit by bytes on a socket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from support.certificates import write_certificate
from support.forms import file, head_of
from support.hub import Hub, basic
from support.streams import connect_streams
from support.wire import Wire, connect
from twisted.internet.address import IPv6Address
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock, deferLater
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from pypihub.config import Limits
from pypihub.sandbox.faults import Latency
from pypihub.web import limits as module
from pypihub.web.limits import FailedLogins, whose

MakeHub = Callable[..., Awaitable[Hub]]
PassTime = Callable[[float], None]
WRONG = "ghp_" + "wrong" * 7


def seconds(hub: Hub) -> float:
    now: float = hub.reactor.seconds()
    return now


async def pause(hub: Hub, time: float) -> None:
    await deferLater(hub.reactor, time)


def lines(answer: bytes) -> tuple[bytes, bytes]:
    """The first line of an answer's head, and its body."""
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.partition(b"\r\n")[0], body


async def refused(wire: Wire) -> tuple[bytes, bytes]:
    """The first line and the body of an answer after which the connection ends."""
    await wire.until(lambda: wire.is_closed)
    assert b"\r\nConnection: close\r\n" in wire.received
    return lines(wire.received)


def get(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode()


# How much


@pytest.mark.parametrize("several", [False, True])
@ensureDeferred
async def test_headers_of_so_many_bytes_are_taken_and_no_more(make_hub: MakeHub, several: bool) -> None:
    hub = await make_hub(limits={"header_size": 10_000})
    more = [f"X-{number}: {'a' * 80}" for number in range(105)] if several else [f"X: {'a' * 9000}"]
    wire = await connect(hub)
    wire.send(get("/", *more))
    assert await wire.answered() == 200
    wire.send(get("/", *more, f"Y: {'b' * 2000}"))
    await wire.until(lambda: wire.is_closed)
    answer = wire.received[wire.received.index(b"HTTP/1.1 431") :]
    line, body = lines(answer)
    assert line.startswith(b"HTTP/1.1 431 Request Header Fields Too Large: The headers are too large: ")
    assert body == b"The headers are too large: this server takes up to 10000 bytes in 500.\n"


@ensureDeferred
async def test_so_many_headers_are_taken_and_no_more(hub: Hub) -> None:
    wire = await connect(hub)
    wire.send(get("/", *("a: b" for _ in range(501))))
    assert (await refused(wire))[0].startswith(b"HTTP/1.1 431 ")


@ensureDeferred
async def test_headers_without_an_end_are_not_kept(hub: Hub) -> None:
    wire = await connect(hub)
    wire.send(b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000)
    assert (await refused(wire))[0].startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("sent", [get(f"/{'a' * 8192}"), b"GET /" + b"a" * 20_000, get(f"/simple/?{'a' * 9000}")])
@ensureDeferred
async def test_a_url_that_is_too_long_is_414(hub: Hub, sent: bytes) -> None:
    wire = await connect(hub)
    wire.send(sent)
    assert await wire.answered() == 414
    assert b"The URL is too long: this server takes up to 8192 bytes." in wire.received
    wire.hang_up()
    assert (await hub.get(f"/{'a' * 8191}")).code == 404


@ensureDeferred
async def test_so_is_that_of_an_upload_before_its_body(hub: Hub) -> None:
    wire = await connect(hub)
    wire.send_head(f"/legacy/?{'a' * 9000}", "Content-Length: 1000")
    assert await wire.answered() == 414
    wire.hang_up()


@ensureDeferred
async def test_what_is_no_request_is_told_so_in_a_line(hub: Hub) -> None:
    wire = await connect(hub)
    wire.send(b"\x00\x01\x02\r\n\r\n")
    assert await refused(wire) == (b"HTTP/1.1 400 Bad Request: This is no HTTP request.", b"This is no HTTP request.\n")


# How long


@ensureDeferred
async def test_a_connection_without_a_request_ends(make_hub: MakeHub, pass_time: PassTime) -> None:
    hub = await make_hub(limits={"idle": 1000, "headers": 30000, "body": 30000})
    silent, kept = await connect(hub), await connect(hub)
    for _ in range(3):
        kept.send(get("/"))
        await kept.answered()
        kept.received = b""
        pass_time(500)
    await silent.until(lambda: silent.is_closed)
    assert not kept.is_closed
    pass_time(1000)
    await kept.until(lambda: kept.is_closed)
    assert kept.received == b""


@pytest.mark.parametrize("start", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n"])
@ensureDeferred
async def test_a_head_that_comes_byte_by_byte_has_no_more_time(
    make_hub: MakeHub, pass_time: PassTime, start: bytes
) -> None:
    hub = await make_hub(limits={"headers": 1000, "idle": 30000})
    wire = await connect(hub)
    wire.send(get("/"))
    await wire.answered()  # and the next request on it is the slow one
    began = seconds(hub)
    wire.send(start)
    while not wire.is_closed:
        wire.send(b"x")
        pass_time(50)
        await pause(hub, 0.001)
    assert 1000 <= seconds(hub) - began < 2000
    assert wire.received.count(b"HTTP/1.1") == 1


@ensureDeferred
async def test_a_head_in_pieces_that_comes_in_time_is_answered_and_the_connection_is_idle_again(
    make_hub: MakeHub, pass_time: PassTime
) -> None:
    hub = await make_hub(limits={"headers": 1000, "idle": 30000})
    wire = await connect(hub)
    for _ in range(2):
        for piece in (b"GET / HTTP/1.1\r", b"\nHost: ", b"x\r\n", b"\r\n"):
            wire.send(piece)
            pass_time(50)
            await pause(hub, 0.01)
        await wire.answered()
        wire.received = b""
        pass_time(1500)
        await pause(hub, 0.01)
        assert not wire.is_closed
    wire.hang_up()


@ensureDeferred
async def test_a_body_goes_on_as_long_as_something_comes(make_hub: MakeHub, pass_time: PassTime) -> None:
    hub = await make_hub(limits={"body": 200, "headers": 100, "idle": 100})
    wire = await connect(hub)
    wire.send_head("/legacy/", "Content-Length: 1000000")
    wire.send(head_of(file("demo-1.0.tar.gz", b"")))
    for _ in range(8):
        wire.send(b"x")
        await pause(hub, 0.01)
        pass_time(50)
    await pause(hub, 0.01)
    assert not wire.is_closed
    pass_time(70)
    await pause(hub, 0.01)
    assert not wire.is_closed
    pass_time(150)
    await wire.until(lambda: wire.is_closed)
    assert wire.received == b""


@ensureDeferred
async def test_a_request_may_wait_longer_than_all_that_for_github(make_hub: MakeHub, pass_time: PassTime) -> None:
    hub = await make_hub(limits={"body": 60, "headers": 60, "idle": 60}, timeout=3600)
    hub.world.add_repository("octo/demo").add_release("v1").add_asset("demo-1.0.tar.gz", b"x")
    hub.sandbox.faults.add(Latency(400))
    waiting = hub_get(hub, "/simple/demo/")
    while not hub.asked():
        await pause(hub, 0.001)
    pass_time(200)
    await pause(hub, 0.01)
    pass_time(200)
    assert (await waiting).code == 200


@ensureDeferred
async def test_an_answer_that_nobody_reads_is_kept_for_so_long(make_hub: MakeHub, monkeypatch: Any) -> None:
    monkeypatch.setattr("pypihub.web.channel.HubChannel.abortTimeout", 0.1)
    hub = await make_hub(limits={"idle": 0.1}, ttl=60)
    release = hub.world.add_repository("octo/demo").add_release("v1")
    for number in range(900):
        release.add_asset(f"demo-{number}.0-py3-none-{'any' * 30}.whl", b"x")
    for last in ("Connection: close", "Connection: keep-alive"):
        wire = await connect(hub)
        wire.transport.pauseProducing()
        asked = get("/simple/demo/", f"Authorization: {basic('octo', hub.token)}")
        wire.send(asked * 30 + get("/simple/demo/", f"Authorization: {basic('octo', hub.token)}", last))
        (site,) = (each.site for each in hub.services[0] if hasattr(each, "site"))
        await wire.until(lambda site=site: site.connections._open)
        await wire.until(lambda site=site: not site.connections._open)
        wire.hang_up()


# How many


@ensureDeferred
async def test_so_many_connections_of_an_address_are_open_and_no_more(make_hub: MakeHub, log_lines: list[str]) -> None:
    hub = await make_hub(limits={"connections_per_address": 3})
    wires = [await connect(hub) for _ in range(3)]
    for _ in range(2):
        late = await connect(hub)
        await late.until(lambda late=late: late.is_closed)
        assert late.received == b""
    assert sum("127.0.0.1 has 3 connections: more are closed at once" in line for line in log_lines) == 1
    wires[0].send(get("/"))
    assert await wires[0].answered() == 200
    wires[1].hang_up()
    await hub_is_told(hub, 2)
    next_one = await connect(hub)
    next_one.send(get("/"))
    assert await next_one.answered() == 200
    for wire in (*wires, next_one):
        wire.hang_up()


async def hub_is_told(hub: Hub, number: int) -> None:
    """Waits until the hub knows of so many connections."""
    (site,) = (each.site for each in hub.services[0] if hasattr(each, "site"))
    while len(site.connections._open) != number:
        await pause(hub, 0.001)


@ensureDeferred
async def test_of_ipv6_the_connections_of_a_customer_are_counted(make_hub: MakeHub) -> None:
    """Each customer has at least a /64, and no end of addresses in it."""
    hub = await make_hub(limits={"connections_per_address": 3})
    (site,) = (each.site for each in hub.services[0] if hasattr(each, "site"))
    protocols = []

    def is_let_in(address: str) -> bool:
        transport = StringTransport()
        protocols.append(site.buildProtocol(IPv6Address("TCP", address, 1000)))
        protocols[-1].makeConnection(transport)
        return not transport.disconnecting

    assert [is_let_in(f"2001:db8::{number}") for number in range(5)] == [True] * 3 + [False] * 2
    assert is_let_in("2001:db8:0:1::1")
    for protocol in protocols:
        protocol.connectionLost(Failure(ConnectionDone()))


@ensureDeferred
async def test_so_it_is_with_tls(make_hub: MakeHub, tmp_path: Path) -> None:
    crt, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    write_certificate(crt, key)
    hub = await make_hub(tls=(crt, key), limits={"connections_per_address": 1})
    streams = await connect_streams(hub, crt)
    asked = streams.ask("/")
    await streams.until(lambda: asked.is_whole)
    late = await connect(hub)
    await late.until(lambda: late.is_closed)
    streams.hang_up()
    await hub_is_told(hub, 0)


@ensureDeferred
async def test_a_proxy_that_is_trusted_may_have_any_number(make_hub: MakeHub) -> None:
    hub = await make_hub(limits={"connections_per_address": 1}, server={"trusted_proxies": ["127.0.0.0/8"]})
    wires = [await connect(hub) for _ in range(5)]
    for wire in wires:
        wire.send(get("/"))
        assert await wire.answered() == 200
        wire.hang_up()


@ensureDeferred
async def test_so_many_requests_are_under_way_and_no_more(make_hub: MakeHub, pass_time: PassTime) -> None:
    hub = await make_hub(limits={"in_flight": 2}, ttl=600, timeout=600)
    for name in ("warm", "demo", "other"):
        hub.world.add_repository(f"octo/{name}").add_release("v1").add_asset(f"{name}-1.0.tar.gz", b"x")
    warm, known = await connect(hub), get("/simple/warm/", f"Authorization: {basic('octo', hub.token)}")
    warm.send(known)
    assert await warm.answered() == 200
    hub.sandbox.faults.add(Latency(300), times=2)
    waiting = [hub_get(hub, f"/simple/{name}/") for name in ("demo", "other")]
    while hub.asked() < 3:
        await pause(hub, 0.001)
    answer = await hub.get("/simple/third/")
    assert (answer.code, answer.header("Retry-After")) == (503, "1")
    assert answer.text == "Too many requests are under way already. Try again in a moment.\n"
    assert (await hub.request("POST", "/legacy/")).code == 503
    assert (await hub.get("/healthz", user=None)).code == 200
    warm.send(known)  # the front answers it
    await warm.until(lambda: warm.received.count(b"HTTP/1.1 200 OK") == 2)
    warm.hang_up()
    pass_time(300)
    assert [answer.code for answer in await gatherResults(waiting)] == [200, 200]
    assert (await hub.get("/simple/third/")).code == 404


@ensureDeferred
async def test_who_hangs_up_is_under_way_no_more(make_hub: MakeHub) -> None:
    hub = await make_hub(limits={"in_flight": 1}, timeout=600)
    hub.sandbox.faults.add(Latency(300))
    wire = await connect(hub)
    wire.send(get("/simple/demo/", f"Authorization: {basic('octo', hub.token)}"))
    await wire.until(lambda: hub.asked() == 1)
    assert (await hub.get("/simple/")).code == 503
    wire.hang_up()
    await hub_is_told(hub, 0)
    assert (await hub.get("/")).code == 200


@ensureDeferred
async def test_a_body_that_comes_slowly_takes_nobody_s_place(make_hub: MakeHub) -> None:
    hub = await make_hub(limits={"in_flight": 1})
    wires = [await connect(hub) for _ in range(3)]
    for wire in wires:
        wire.send_head("/", "Content-Length: 1000", method="GET", user=None)
        wire.send(b"x")
    await hub_is_told(hub, 3)
    assert (await hub.get("/")).code == 200
    for wire in wires:
        wire.send(bytes(999))
        assert await wire.answered() == 200
        wire.hang_up()


def hub_get(hub: Hub, path: str) -> Any:
    return Deferred.fromCoroutine(hub.get(path))


# Failed logins


def stopped_clock(most: int, seconds: Callable[[], float]) -> FailedLogins:
    """Failed logins of which none is forgiven."""
    now = seconds()
    return FailedLogins(most, lambda: now)


@ensureDeferred
async def test_so_many_logins_may_fail_in_a_minute_and_no_more(
    make_hub: MakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pypihub.web.limits.FailedLogins", stopped_clock)  # or one is forgiven every two seconds
    hub = await make_hub(limits={"failed_logins_per_minute": 30}, ttl=60)
    hub.world.add_repository("octo/demo").add_release("v1").add_asset("demo-1.0.tar.gz", b"x")
    known = await connect(hub)
    known.send(get("/simple/demo/", f"Authorization: {basic('octo', hub.token)}"))
    assert await known.answered() == 200
    codes = [(await hub.get("/simple/demo/", token=f"{WRONG}{number}")).code for number in range(15)]
    codes += [(await hub.get("/simple/demo/", user="octo", token="no token")).code for _ in range(10)]
    codes += [(await hub.request("POST", "/legacy/", token="no token")).code for _ in range(3)]
    asked = hub.asked()
    while codes[-1] == 401:
        codes.append((await hub.get("/simple/demo/", token=WRONG)).code)
    assert codes[:-1] == [401] * (len(codes) - 1)
    assert len(codes) - 1 == 30
    answer = await hub.get("/simple/demo/", token=WRONG)
    assert (answer.code, answer.phrase[:34]) == (429, "Too Many Requests: Too many logins")
    assert answer.header("Retry-After") in ("1", "2")
    assert answer.text == "Too many logins from 127.0.0.1 failed. Try again in a moment.\n"
    upload = await connect(hub)
    upload.send_head("/legacy/", "Content-Length: 1000")
    assert await upload.answered() == 429
    upload.hang_up()
    assert hub.asked() <= asked + 1, "GitHub is not asked"
    known.send(get("/simple/demo/", f"Authorization: {basic('octo', hub.token)}"))  # the front answers it
    await known.until(lambda: known.received.count(b"HTTP/1.1 200 OK") == 2)
    known.hang_up()
    assert (await hub.get("/", user=None)).code == 200


@ensureDeferred
async def test_a_login_that_succeeds_and_none_at_all_are_not_counted(make_hub: MakeHub) -> None:
    hub = await make_hub(limits={"failed_logins_per_minute": 2})
    for _ in range(4):
        assert (await hub.get("/simple/", user=None)).code == 401
        assert (await hub.get("/simple/missing/")).code == 404
    assert (await hub.get("/simple/", token="no token")).code == 401
    assert (await hub.get("/simple/")).code == 200


@ensureDeferred
async def test_the_address_is_the_clients_where_a_proxy_is_trusted(make_hub: MakeHub) -> None:
    hub = await make_hub(limits={"failed_logins_per_minute": 1}, server={"trusted_proxies": ["127.0.0.1"]})

    async def code(address: str, token: str) -> int:
        return (await hub.get("/simple/", token=token, headers={"X-Forwarded-For": address})).code

    assert await code("192.0.2.1", "no token") == 401
    assert await code("192.0.2.1", hub.token) == 429
    assert await code("192.0.2.2", hub.token) == 200
    assert await code("2001:db8::1", "no token") == 401
    assert await code("2001:db8::2:1", hub.token) == 429
    assert await code("2001:db8:0:1::1", hub.token) == 200


def test_failed_logins_are_forgiven_one_after_the_other() -> None:
    clock = Clock()
    logins = FailedLogins(120, clock.seconds)
    for _ in range(119):
        logins.note("192.0.2.1")
        assert logins.wait("192.0.2.1") == 0
    logins.note("192.0.2.1")
    assert logins.wait("192.0.2.1") == pytest.approx(0.5)
    clock.advance(0.51)
    assert logins.wait("192.0.2.1") == 0
    clock.advance(3600)
    logins.note("192.0.2.1")
    assert logins.wait("192.0.2.1") == 0


def test_no_more_addresses_are_remembered_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ADDRESSES", 3)
    logins = FailedLogins(1, Clock().seconds)
    for number in range(5):
        logins.note(f"192.0.2.{number}")
    assert len(logins._counts) == 3
    assert not logins.wait("192.0.2.1")
    assert logins.wait("192.0.2.4")


def test_a_customer_is_an_address_or_a_network_of_them() -> None:
    assert [whose(address) for address in ("192.0.2.1", "2001:db8::1:2:3:4", "unix", "-")] == [
        "192.0.2.1",
        "2001:db8::/64",
        "unix",
        "-",
    ]


def test_the_limits_are_as_the_issue_names_them() -> None:
    assert Limits() == Limits(
        header_size=16 * 1024, url_length=8192, idle=60, headers=15, body=60, connections_per_address=512,
        in_flight=1024, failed_logins_per_minute=120,
    )  # fmt: skip
