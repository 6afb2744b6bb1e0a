"""What is answered without asking GitHub: for how long, to whom, and what ends it."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from support.hub import Answer, Hub
from support.steady import house_of
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.web.client import HTTPConnectionPool

from pypihub.index.model import project_of
from pypihub.sandbox.faults import Drop, Fault, Hang, Held, Html, Latency, PrimaryLimit, SecondaryLimit, Status
from pypihub.sandbox.samples import sample_sdist, sample_wheel

PAGE = "/simple/demo/"
JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}
GZIP = {"Accept-Encoding": "gzip, deflate"}
LARGE_PATHS = (PAGE, "/pypi/demo/7.0/json", "/project/demo/", "/simple/", "/octo/")


def publish(hub: Hub, count: int = 1, repository: str = "octo/demo", **more: Any) -> Any:
    """A repository with so many releases of demo."""
    made = hub.world.add_repository(repository, **more)
    for number in range(count):
        made.add_release(f"v{number}").add_asset(*sample_sdist("demo", f"{number}.0"))
    return made


@pytest_twisted.async_fixture
async def warm(make_hub: Callable[..., Any]) -> Hub:
    """A hub with a user's cache."""
    hub: Hub = await make_hub(ttl=30, stale=3600)
    hub.pool = HTTPConnectionPool(hub.reactor)
    return hub


async def until(hub: Hub, is_so: Callable[[], bool]) -> None:
    """Waits until something in this process is so."""
    for _ in range(2000):
        if is_so():
            return
        await deferLater(hub.reactor, 0.001)
    raise AssertionError("it never was so")


@ensureDeferred
async def test_a_page_is_asked_for_once(warm: Hub) -> None:
    publish(warm)
    first = await warm.get(PAGE)
    again = await warm.get(PAGE)
    assert (again.code, again.body, lasting(again)) == (200, first.body, lasting(first))
    assert (await warm.get(PAGE, headers=JSON)).code == 200
    assert (await warm.get("/octo/simple/demo/", user="__token__")).code == 200
    assert warm.asked() == 1


@ensureDeferred
async def test_every_token_is_asked_for_by_itself(warm: Hub) -> None:
    publish(warm, readers=["friend"])
    friend, stranger = warm.world.add_token("friend"), warm.world.add_token("stranger")
    codes = {}
    for _ in range(2):
        for token in (warm.token, friend, stranger):
            codes[token] = (await warm.get("/octo" + PAGE, token=token)).code
    assert codes == {warm.token: 200, friend: 200, stranger: 404}
    assert warm.asked() == 3


@ensureDeferred
async def test_after_its_time_a_page_is_asked_for_anew(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(ttl=0.05, stale=3600)
    made = publish(hub)
    assert "demo-9.0" not in (await hub.get(PAGE)).text
    made.add_release("v9").add_asset(*sample_sdist("demo", "9.0"))
    await deferLater(hub.reactor, 0.06)
    assert "demo-9.0" in (await hub.get(PAGE)).text


@ensureDeferred
async def test_a_busy_page_is_renewed_ahead_and_nobody_waits(
    make_hub: Callable[..., Any], pass_time: Callable[[float], None]
) -> None:
    hub = await make_hub(ttl=600, stale=3600)
    made = publish(hub)
    await hub.get(PAGE)
    made.add_release("v9").add_asset(*sample_sdist("demo", "9.0"))
    hub.sandbox.faults.add(Latency(0.1))
    pass_time(450)
    assert "demo-9.0" not in (await hub.get(PAGE)).text
    await until(hub, lambda: hub.asked() == 2)
    while "demo-9.0" not in (await hub.get(PAGE)).text:
        await deferLater(hub.reactor, 0.01)
    assert hub.asked() == 2


@ensureDeferred
async def test_a_client_that_wants_it_fresh_gets_it_once_a_second(warm: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    made = publish(warm)
    await warm.get(PAGE)
    made.add_release("v9").add_asset(*sample_sdist("demo", "9.0"))
    fresh = {"Cache-Control": "no-cache"}
    assert "demo-9.0" not in (await warm.get(PAGE, headers=fresh)).text
    monkeypatch.setattr("pypihub.catalog.listings.FRESHEST", 0.0)
    assert "demo-9.0" not in (await warm.get(PAGE, headers={"Cache-Control": "max-age=0"})).text
    assert "demo-9.0" in (await warm.get(PAGE, headers=fresh)).text
    assert "demo-9.0" in (await warm.get(PAGE)).text
    assert warm.asked() == 2


@pytest.mark.parametrize("path", ["/pypi/demo/0.0/json", "/project/demo/"])
@ensureDeferred
async def test_a_page_under_way_while_its_listing_changes_is_whole(
    warm: Hub, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr("pypihub.catalog.listings.FRESHEST", 0.0)
    made = publish(warm)
    made.releases["v0"].add_asset(*sample_wheel("demo", "0.0"))
    warm.sandbox.faults.add(Held(held := Deferred()), where="storage")
    waiting = Deferred.fromCoroutine(warm.get(path, headers=GZIP))
    await until(warm, lambda: warm.asked("storage") == 1)
    made.add_release("v9").add_asset(*sample_sdist("demo", "9.0"))
    assert "demo-9.0" in (await warm.get(PAGE, headers={"Cache-Control": "no-cache"})).text
    held.callback(None)
    answer = await waiting
    assert (answer.code, answer.header("Age"), answer.header("Content-Encoding")) == (200, None, "gzip")
    assert b"demo" in gzip.decompress(answer.body)


@ensureDeferred
async def test_a_page_of_a_large_listing_is_made_in_a_thread_and_is_the_same(
    make_hub: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = await make_hub()
    publish(hub, 20).releases["v7"].add_asset(*sample_wheel("demo", "7.0"))
    asked = [(path, headers) for path in LARGE_PATHS for headers in ({}, JSON)]
    small = [await hub.get(path, headers=headers) for _ in range(2) for path, headers in asked][len(asked) :]
    in_threads: list[bool] = []

    def read(*args: Any) -> Any:
        in_threads.append(threading.current_thread() is not threading.main_thread())
        return project_of(*args)

    monkeypatch.setattr("pypihub.catalog.catalog.project_of", read)
    monkeypatch.setattr("pypihub.catalog.threads.LARGE", 0)
    large = [await hub.get(path, headers=headers) for path, headers in asked]
    assert [(answer.code, answer.body) for answer in large] == [(answer.code, answer.body) for answer in small]
    assert in_threads
    assert all(in_threads)


@ensureDeferred
async def test_callers_of_one_cold_page_share_a_call(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(ttl=30, latency=0.05)
    publish(hub)
    answers = await gatherResults([Deferred.fromCoroutine(hub.get(PAGE)) for _ in range(200)])
    assert {(answer.code, answer.body) for answer in answers} == {(200, answers[0].body)}
    assert hub.asked() == 1


@ensureDeferred
async def test_one_who_hangs_up_takes_nothing_from_the_others(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(ttl=30, latency=0.1)
    publish(hub)
    callers = [Deferred.fromCoroutine(hub.get(PAGE)) for _ in range(10)]
    await until(hub, lambda: hub.asked() == 1)
    for caller in callers[::2]:
        caller.addErrback(lambda failure: failure.trap(CancelledError, Exception) and None)
        caller.cancel()
    assert {(await caller).code for caller in callers[1::2]} == {200}
    assert hub.asked() == 1


@ensureDeferred
async def test_when_the_last_one_leaves_the_call_ends(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(ttl=30)
    publish(hub)
    hub.sandbox.faults.add(Hang())
    caller = Deferred.fromCoroutine(hub.get(PAGE))
    await until(hub, lambda: hub.asked() == 1)
    assert hub.sandbox.connections == 1
    caller.addErrback(lambda failure: None)
    caller.cancel()
    await until(hub, lambda: hub.sandbox.connections == 0)
    assert (await hub.get(PAGE)).code == 200


@pytest.mark.parametrize("fault", [Drop(), Html(502), Status(500), PrimaryLimit(), SecondaryLimit(), Hang()], ids=str)
@ensureDeferred
async def test_while_github_has_trouble_the_last_page_is_shown(
    make_hub: Callable[..., Any], fault: Fault, log_lines: list[str]
) -> None:
    hub = await make_hub(ttl=0.02, stale=3600, timeout=0.3)
    publish(hub)
    began = int(hub.reactor.seconds())
    first = await hub.get(PAGE)
    await deferLater(hub.reactor, 0.03)
    hub.sandbox.faults.add(fault, times=None)
    for _ in range(3):
        stale = await hub.get(PAGE)
        assert (stale.code, stale.body, stale.header("ETag")) == (200, first.body, first.header("ETag"))
        assert str(stale.header("Warning")).startswith("110 ")
        assert 0 <= int(str(stale.header("Age"))) <= hub.reactor.seconds() - began
    told = [line for line in log_lines if "A stale listing of octo/demo is shown" in line]
    assert len(told) == 1


@ensureDeferred
async def test_a_stale_page_ends_too(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(ttl=0.02, stale=0.05)
    publish(hub)
    await hub.get(PAGE)
    hub.sandbox.faults.add(Status(500), times=None)
    await deferLater(hub.reactor, 0.1)
    assert (await hub.get(PAGE)).code == 502


@ensureDeferred
async def test_after_the_trouble_the_page_is_fresh_again(
    make_hub: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pypihub.catalog.listings.PAUSE", 0.0)
    hub = await make_hub(ttl=0.2, stale=3600)
    made = publish(hub)
    await hub.get(PAGE)
    await deferLater(hub.reactor, 0.25)
    hub.sandbox.faults.add(Status(500), times=None)
    assert (await hub.get(PAGE)).header("Warning") is not None
    hub.sandbox.faults.clear()
    made.add_release("v9").add_asset(*sample_sdist("demo", "9.0"))
    asked = hub.asked()
    await hub.get(PAGE)  # it asks in the background
    await until(hub, lambda: hub.asked() > asked)
    for _ in range(100):
        answer = await hub.get(PAGE)
        if "demo-9.0" in answer.text:
            break
    assert "demo-9.0" in answer.text
    assert answer.header("Warning") is None


@pytest.mark.parametrize("loss", ["token", "repository", "reader"])
@ensureDeferred
async def test_who_lost_access_sees_nothing_more(make_hub: Callable[..., Any], loss: str) -> None:
    hub = await make_hub(ttl=0.05, stale=3600)
    made = publish(hub, readers=["friend"])
    token = hub.world.add_token("friend")
    path = "/octo" + PAGE
    assert (await hub.get(path, token=token)).code == 200
    match loss:
        case "token":
            hub.world.remove_token(token)
        case "repository":
            hub.world.rename_repository("octo/demo", "elsewhere/demo")
        case "reader":
            made.members = replace(made.members, readers=frozenset())
    await deferLater(hub.reactor, 0.06)
    expected = 401 if loss == "token" else 404
    assert [(await hub.get(path, token=token)).code for _ in range(3)] == [expected] * 3
    hub.sandbox.faults.add(Status(500), times=None)
    assert (await hub.get(path, token=token)).code in (expected, 502)


@ensureDeferred
async def test_a_missing_repository_is_asked_for_once(warm: Hub) -> None:
    assert [(await warm.get(PAGE)).code for _ in range(3)] == [404] * 3
    assert warm.asked() == 1


@ensureDeferred
async def test_a_redirect_is_looked_up_once_in_a_minute(warm: Hub) -> None:
    (asset,) = publish(warm).releases["v0"].assets.values()
    path = f"/asset/{asset.id}/{asset.name}"
    answers = [await warm.get(path) for _ in range(3)]
    assert {(answer.code, answer.header("Location")) for answer in answers} == {(302, answers[0].header("Location"))}
    assert warm.asked() == 1


@ensureDeferred
async def test_a_token_that_is_refused_meanwhile_is_refused_everywhere(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(ttl=30)
    (asset,) = publish(hub).releases["v0"].assets.values()
    path = f"/asset/{asset.id}/{asset.name}"
    assert [(await hub.get(each)).code for each in (PAGE, path)] == [200, 302]
    hub.world.remove_token(hub.token)
    assert (await hub.get("/simple/other/")).code == 401
    assert [(await hub.get(each)).code for each in (PAGE, path)] == [401, 401]


@ensureDeferred
async def test_a_page_is_compressed_where_that_pays(warm: Hub) -> None:
    publish(warm, 30)
    plain = await warm.get(PAGE)
    for _ in range(2):
        packed = await warm.get(PAGE, headers=GZIP)
        assert packed.header("Content-Encoding") == "gzip"
        assert gzip.decompress(packed.body) == plain.body
        assert len(packed.body) * 2 < len(plain.body)
    etags = {plain.header("ETag"), packed.header("ETag")}
    assert len(etags) == 2
    for headers, etag in (({}, plain.header("ETag")), (GZIP, packed.header("ETag"))):
        assert (await warm.get(PAGE, headers=headers | {"If-None-Match": str(etag)})).code == 304
    other = await warm.get(PAGE, headers={"If-None-Match": str(packed.header("ETag"))})
    assert other.code == 200
    assert (await warm.get(PAGE, headers={"Accept-Encoding": "gzip;q=0, br"})).body == plain.body


def lasting(answer: Answer) -> dict[str, Any]:
    """The headers without those that each answer has of its own."""
    headers = {name.decode().lower(): values for name, values in answer.headers.getAllRawHeaders()}
    del headers["date"], headers["x-request-id"]
    return headers


@pytest.mark.parametrize(
    "headers",
    [{}, JSON, GZIP, JSON | GZIP, {"Accept": "text/html;q=0.2, */*"}, {"If-None-Match": "*"}, {"If-None-Match": '"x"'},
     {"Range": "bytes=0-1"}, {"Host": "elsewhere"}, {"Accept": "image/png"}],
)  # fmt: skip
@ensureDeferred
async def test_the_front_says_what_the_routes_say(warm: Hub, headers: dict[str, str]) -> None:
    publish(warm, 30)
    for path in (PAGE, PAGE + "?format=text/html", "/octo" + PAGE, "/simple/Demo/", "/simple/none/"):
        first = await warm.get(path, headers=headers)  # by the routes
        again = await warm.get(path, headers=headers)  # by the front, where it can
        assert (again.code, again.phrase, again.body) == (first.code, first.phrase, first.body)
        assert lasting(again) == lasting(first)
        assert again.header("X-Request-ID") != first.header("X-Request-ID")


@ensureDeferred
async def test_the_front_says_nothing_that_the_routes_would_refuse(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(ttl=30, owners=("octo",))
    publish(hub)
    assert (await hub.get(PAGE)).code == 200
    assert (await hub.get(PAGE)).code == 200
    for method, path, how, code in (
        ("GET", PAGE, {"user": None}, 401),
        ("GET", PAGE, {"token": "wrong"}, 401),
        ("GET", PAGE, {"user": "other"}, 403),
        ("GET", PAGE, {"user": "__token__"}, 401),
        ("GET", "/other" + PAGE, {}, 403),
        ("POST", PAGE, {}, 405),
        ("PUT", PAGE, {}, 405),
        ("GET", "//simple/demo/", {}, 404),
        ("GET", PAGE + "%00", {}, 404),
        ("GET", PAGE + "?format=nonsense", {}, 406),
    ):
        answer = await hub.request(method, path, **how)
        assert answer.code == code, (method, path, how)
    head = await hub.head(PAGE)
    assert (head.code, head.body) == (200, b"")


@ensureDeferred
async def test_redirects_are_charged_to_the_memory_for_what_they_take(
    warm: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = publish(warm).releases["v0"]
    (asset,) = release.assets.values()
    memory, front = house_of(warm).memory, house_of(warm).inside.front
    location = (await warm.get(f"/asset/{asset.id}/{asset.name}")).header("Location")
    assert memory.used > 2 * len(location or "")
    monkeypatch.setattr(front, "_room", memory.used)
    for number in range(3):
        assert (await warm.get(f"/asset/{asset.id}/{asset.name}?{number}")).code == 302
    assert len(front._known) == 1
    assert memory.used == front._used


@ensureDeferred
async def test_what_is_learned_of_a_file_comes_to_the_page(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(ttl=30)
    hub.world.add_repository("octo/demo").add_release("v1").add_asset(*sample_wheel("demo", "1.0"))
    told: list[Any] = []
    while True not in [isinstance(each, dict) for each in told]:
        (file,) = msgspec.json.decode((await hub.get(PAGE, headers=JSON)).body)["files"]
        told.append(file["core-metadata"])
        await deferLater(hub.reactor, 0.01)
    assert told[0] is True
    assert hub.asked(operation="Listing") == 1


@ensureDeferred
async def test_known_metadata_of_a_file_on_the_caller_s_page_asks_nobody(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(ttl=30)
    made = hub.world.add_repository("octo/demo", readers=["friend"])
    asset = made.add_release("v1").add_asset(*sample_wheel("demo", "1.0"))
    friend, stranger = hub.world.add_token("friend"), hub.world.add_token("stranger")
    path = f"/asset/{asset.id}/{asset.name}.metadata"
    first = await hub.get(path)
    for token in (hub.token, friend):
        assert (await hub.get("/octo" + PAGE, token=token)).code == 200
    asked = hub.asked()
    for token in (hub.token, friend):
        assert (await hub.get("/octo" + path, token=token)).body == first.body
    assert hub.asked() == asked
    assert (await hub.get("/octo" + path, token=stranger)).code == 404
