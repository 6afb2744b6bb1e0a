"""What the access log tells of a request, and the id by which its client may ask about it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from pytest_twisted import ensureDeferred
from support.hub import Hub
from support.wire import connect
from twisted.logger import LogEvent, globalLogPublisher
from twisted.web.client import HTTPConnectionPool

from pypihub.sandbox.faults import Hang, Status
from pypihub.web.access import client_name
from pypihub.web.routes import route_of

PAGE = "/simple/demo/"
PIP = 'pip/26.3 {"ci":null,"cpu":"x86_64","implementation":{"name":"CPython","version":"3.11.7"}}'


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """The lines of requests."""
    seen: list[str] = []

    def observe(event: LogEvent) -> None:
        if event.get("log_namespace") == "pypihub.access":
            seen.extend(event["text"].split("\n"))

    globalLogPublisher.addObserver(observe)
    yield seen
    globalLogPublisher.removeObserver(observe)


def publish(hub: Hub) -> Any:
    """A project with one file, which is given."""
    return hub.world.add_repository("octo/demo").add_release("v1").add_asset("demo-1.0.tar.gz", b"x")


def told(line: str) -> dict[str, str]:
    """The words at the end of a line."""
    return dict(re.findall(r"(\w+)=(\S+)", line))


@ensureDeferred
async def test_a_line_tells_all_of_a_request(hub: Hub, lines: list[str]) -> None:
    publish(hub)
    answer = await hub.get(PAGE, headers={"User-Agent": PIP})
    (line,) = lines
    size = answer.header("Content-Length")
    pattern = (
        rf'127\.0\.0\.1 "GET {PAGE}" 200 {size} "pip 26\.3" owner=octo ms=[0-9]+\.[0-9] cache=miss calls=1 id=(\S+)'
    )
    match = re.fullmatch(pattern, line)
    assert match, line
    assert match[1] == answer.header("X-Request-ID")


@ensureDeferred
async def test_the_same_is_told_as_json(make_hub: Callable[..., Any], lines: list[str]) -> None:
    hub = await make_hub(log={"format": "json"})
    publish(hub)
    answer = await hub.get(PAGE + "?a=b", headers={"User-Agent": PIP + '\xe9"\\'})
    (line,) = (msgspec.json.decode(line) for line in lines)
    assert re.fullmatch(r"2[0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(\.[0-9]+)?Z", line.pop("time"))
    assert 0 < line.pop("seconds") < 60
    assert line == {
        "level": "info", "logger": "pypihub.access", "request": answer.header("X-Request-ID"), "address": "127.0.0.1",
        "method": "GET", "path": PAGE, "status": 200, "bytes": len(answer.body), "owner": "octo", "client": "pip 26.3",
        "cache": "miss", "calls": 1,
    }  # fmt: skip


@ensureDeferred
async def test_it_tells_where_an_answer_came_from(make_hub: Callable[..., Any], lines: list[str]) -> None:
    hub = await make_hub(ttl=30)
    hub.pool = HTTPConnectionPool(hub.reactor)
    publish(hub)
    await hub.get(PAGE)
    await hub.get(PAGE, headers={"Accept": "text/html"})
    await hub.get(PAGE, headers={"Accept": "text/html"})
    await hub.get("/OCTO/simple/demo/", user="anyone")
    seen = [(each["owner"], each["cache"], each["calls"]) for each in map(told, lines)]
    assert seen == [("octo", "miss", "1"), ("octo", "hit", "0"), ("octo", "front", "0"), ("octo", "hit", "0")]


@ensureDeferred
async def test_it_tells_of_a_page_that_is_stale(make_hub: Callable[..., Any], lines: list[str]) -> None:
    hub = await make_hub(ttl=1e-6, stale=60)
    publish(hub)
    await hub.get(PAGE)
    hub.sandbox.faults.add(Status(500, b""), times=100)
    await hub.get(PAGE)
    assert told(lines[-1])["cache"] == "stale"


@ensureDeferred
async def test_calls_are_those_of_the_request_alone(hub: Hub, lines: list[str]) -> None:
    asset = publish(hub)
    await hub.get(f"/asset/{asset.id}/{asset.name}")
    hub.sandbox.faults.add(Status(500, b""), times=1)
    await hub.get(PAGE)
    await hub.get("/")
    assert [told(line)["calls"] for line in lines] == ["1", "2", "0"]


@ensureDeferred
async def test_who_has_no_credentials_is_nobody(hub: Hub, lines: list[str]) -> None:
    await hub.get(PAGE, user=None)
    assert told(lines[0])["owner"] == "-"
    assert " 401 " in lines[0]


@ensureDeferred
async def test_every_answer_has_an_id_of_its_own(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(ttl=30)
    hub.pool = HTTPConnectionPool(hub.reactor)
    publish(hub)
    paths = [PAGE, PAGE, PAGE, "/simple/none/", "/nothing/at/all", "/healthz", "/%ff"]
    answers = [await hub.get(path, headers={"X-Request-ID": "mine"}) for path in paths]
    answers.append(await hub.get(PAGE, user=None))
    answers.append(await hub.request("DELETE", PAGE))
    ids = [answer.header("X-Request-ID") for answer in answers]
    assert len(set(ids)) == len(answers)
    assert all(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]+", each or "") for each in ids)


@ensureDeferred
async def test_an_upload_that_is_refused_before_its_end_has_an_id_and_a_line(hub: Hub, lines: list[str]) -> None:
    wire = await connect(hub)
    wire.send_head("/legacy/", f"Content-Length: {10**12}")
    assert await wire.answered() == 413
    (found,) = re.findall(rb"X-Request-Id: (\S+)", wire.received, re.IGNORECASE)
    wire.hang_up()
    await wire.until(lambda: bool(lines))
    assert told(lines[0])["id"] == found.decode()
    assert '"POST /legacy/" 413' in lines[0]


@ensureDeferred
async def test_who_went_away_before_the_answer_is_a_line_too(hub: Hub, lines: list[str]) -> None:
    hub.sandbox.faults.add(Hang(), times=1)
    wire = await connect(hub)
    wire.send_head(PAGE, method="GET")
    await wire.until(lambda: bool(hub.sandbox.calls))
    wire.hang_up()
    await wire.until(lambda: bool(lines))
    assert f'"GET {PAGE}" 499 0 "-" owner=octo ' in lines[0]
    assert len(lines) == 1


@ensureDeferred
async def test_proxies_that_are_trusted_tell_the_address(make_hub: Callable[..., Any], lines: list[str]) -> None:
    trusting, other = await make_hub(server={"trusted_proxies": ("127.0.0.0/8",)}), await make_hub()
    for hub in (trusting, other):
        await hub.get("/", headers={"X-Forwarded-For": "192.0.2.1"})
    assert [line.split()[0] for line in lines] == ["192.0.2.1", "127.0.0.1"]


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (PIP, "pip 26.3"),
        ('uv/0.13.9 {"installer":{"name":"uv","version":"0.13.9"}}', "uv 0.13.9"),
        ("poetry/2.5.1 (Linux) CPython/3.11.7", "poetry 2.5.1"),
        ("twine/7.0.0", "twine 7.0.0"),
        ("curl", "curl"),
        ("a/b/c", "a b/c"),
        ("", ""),
        ('x"y\n', "x%22y\\n"),
        ("ghp_abcdef/1", "ghp_... 1"),
    ],
)
def test_a_client_is_known_by_its_user_agent(agent: str, name: str) -> None:
    assert client_name(agent.encode()) == name


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/", "about"), ("/healthz", "health"), ("/readyz", "health"), ("/simple/", "root"), ("/octo/simple", "root"),
        ("/simple/demo/", "page"), ("/octo/simple/demo", "page"), ("/legacy/+simple/demo/", "page"),
        ("/asset/1/demo.whl", "file"), ("/octo/asset/1/demo.whl", "file"), ("/asset/1/demo.whl.metadata", "metadata"),
        ("/pypi/demo/json", "json"), ("/octo/pypi/demo/1.0/json", "json"),
        ("/legacy/", "upload"), ("/octo/legacy/", "upload"), ("/favicon.ico", "other"), ("//", "other"),
        ("/" + "a" * 5000, "other"), ("*", "other"), ("/a/b/c/d/e", "other"), ("/healthz/", "owner"),
        ("/octo", "owner"), ("/project/demo/", "project"), ("/octo/project/demo", "project"),
        ("/static/style.css", "static"),
    ],
)  # fmt: skip
def test_every_path_is_of_a_kind(path: str, route: str) -> None:
    assert route_of(path.encode()) == route
