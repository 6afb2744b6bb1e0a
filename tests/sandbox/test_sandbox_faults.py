"""Every way to fail, as a client sees it, and the order in which planned faults happen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.web.client import PartialDownloadError, ResponseFailed, ResponseNeverReceived

from pypihub.sandbox.faults import (
    CutBody,
    Drop,
    Faults,
    GraphQLErrors,
    Hang,
    Held,
    Html,
    Latency,
    LoginAttempts,
    NullNodes,
    PrimaryLimit,
    ResourceLimits,
    SecondaryLimit,
    Status,
    TooSlow,
)

VIEWER = "{ viewer { login } }"
TRUTH = {"data": {"viewer": {"login": "octo"}}}
RELEASES = """
query($first: Int!) {
  repository(owner: "octo", name: "hello") { releases(first: $first) { nodes { tagName } } }
}
"""


@pytest_twisted.ensureDeferred
async def test_a_status_comes_once_and_then_the_truth(box: Any) -> None:
    box.sandbox.faults.add(Status(503, b"busy", "text/plain", headers=(("Retry-After", "7"),)))
    answer = await box.post(VIEWER)
    assert (answer.code, answer.body, answer.headers["content-type"]) == (503, b"busy", "text/plain")
    assert answer.headers["retry-after"] == "7"
    assert await box.ask(VIEWER) == TRUTH
    assert [call.status for call in box.sandbox.calls] == [503, 200]


@pytest_twisted.ensureDeferred
async def test_faults_happen_in_order_and_after_what_they_skip(box: Any) -> None:
    faults = box.sandbox.faults
    faults.add(Status(500), times=2)
    faults.add(Status(502))
    faults.add(Status(504), skip=4)
    faults.add(Status(418), where="rest")
    assert [(await box.post(VIEWER)).code for _ in range(6)] == [500, 500, 502, 200, 504, 200]
    assert (await box.get(box.sandbox.api_url)).code == 418
    faults.add(Status(500), times=None)
    assert [(await box.post(VIEWER)).code for _ in range(3)] == [500] * 3
    faults.clear()
    assert await box.ask(VIEWER) == TRUTH


def test_faults_happen_only_where_there_is_something() -> None:
    with pytest.raises(ValueError, match="not at 'web'"):
        Faults().add(Drop(), where="web")


@pytest.mark.parametrize("code", [200, 502])
@pytest_twisted.ensureDeferred
async def test_an_html_page_in_place_of_the_answer(box: Any, code: int) -> None:
    box.sandbox.faults.add(Html(code))
    answer = await box.post(VIEWER)
    assert (answer.code, answer.headers["content-type"]) == (code, "text/html; charset=utf-8")
    assert answer.body.startswith(b"<!DOCTYPE html>")


@pytest_twisted.ensureDeferred
async def test_a_dropped_connection(box: Any) -> None:
    box.sandbox.faults.add(Drop())
    with pytest.raises(ResponseNeverReceived):
        await box.post(VIEWER)
    assert box.sandbox.calls[0].status == 0
    assert await box.ask(VIEWER) == TRUTH


@pytest.mark.parametrize("on_disk", [False, True])
@pytest_twisted.ensureDeferred
async def test_a_body_cut_short(box: Any, tmp_path: Any, on_disk: bool) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    release = box.world.add_repository("octo/hello").add_release("v1")
    asset = release.add_asset("a.whl", tmp_path / "a" if on_disk else b"0123456789")
    answer = await box.ask("query($id: ID!) { node(id: $id) { ... on ReleaseAsset { url } } }", id=asset.id)
    box.sandbox.faults.add(CutBody(4), where="storage")
    with pytest.raises((ResponseFailed, PartialDownloadError)) as caught:
        await box.get(answer["data"]["node"]["url"])
    assert caught.value is not None
    box.sandbox.faults.add(CutBody(4))
    with pytest.raises((ResponseFailed, PartialDownloadError)):
        await box.post(VIEWER)


@pytest_twisted.ensureDeferred
async def test_an_answer_that_never_comes_ends_with_the_server(
    make_box: Callable[..., Awaitable[Any]], reactor: Any
) -> None:
    box = await make_box()
    box.sandbox.faults.add(Hang())
    asked: Deferred[Any] = ensureDeferred(box.post(VIEWER))
    failed: list[Failure] = []
    asked.addErrback(failed.append)
    while not box.sandbox.calls:
        await deferLater(reactor, 0)
    assert await box.ask(VIEWER) == TRUTH
    assert not failed
    await box.sandbox.stop()
    await asked
    assert failed[0].check(ResponseNeverReceived)
    assert failed[0].value.reasons[0].check(ConnectionLost, ConnectionDone)


@pytest_twisted.ensureDeferred
async def test_a_late_answer_is_the_truth(box: Any, reactor: Any) -> None:
    box.sandbox.faults.add(Latency(0.2), times=None)
    before = reactor.seconds()
    assert await box.ask(VIEWER) == TRUTH
    assert reactor.seconds() - before >= 0.2


@pytest_twisted.ensureDeferred
async def test_a_held_answer_comes_when_it_may(box: Any, reactor: Any) -> None:
    may: Deferred[None] = Deferred()
    box.sandbox.faults.add(Held(may))
    asked: Deferred[Any] = ensureDeferred(box.ask(VIEWER))
    while not box.sandbox.calls:
        await deferLater(reactor, 0)
    assert await box.ask(VIEWER) == TRUTH
    assert not asked.called
    may.callback(None)
    assert await asked == TRUTH


@pytest_twisted.ensureDeferred
async def test_a_late_answer_leaves_no_timer_when_the_server_stops(
    make_box: Callable[..., Awaitable[Any]], reactor: Any
) -> None:
    box = await make_box(latency=60)
    asked: Deferred[Any] = ensureDeferred(box.post(VIEWER))
    asked.addErrback(lambda _: None)
    while not box.sandbox.calls:
        await deferLater(reactor, 0)
    await box.sandbox.stop()
    await asked
    assert not [call for call in reactor.getDelayedCalls() if call.getTime() - reactor.seconds() > 30]


@pytest.mark.parametrize(
    ("old", "error"),
    [
        (False, {"type": "RATE_LIMIT", "code": "graphql_rate_limit"}),
        (True, {"type": "RATE_LIMITED"}),
    ],
)
@pytest_twisted.ensureDeferred
async def test_the_primary_limit(box: Any, old: bool, error: dict[str, str]) -> None:
    box.sandbox.faults.add(PrimaryLimit(reset_in=600, old=old))
    answer = await box.post(VIEWER)
    [given] = answer.json()["errors"]
    assert "API rate limit" in given.pop("message")
    assert (answer.code, given) == (200, error)
    assert answer.headers["x-ratelimit-remaining"] == "0"
    assert answer.headers["x-ratelimit-reset"] == str(int(box.clock().timestamp()) + 600)


@pytest_twisted.ensureDeferred
async def test_the_primary_limit_of_rest(box: Any) -> None:
    box.sandbox.faults.add(PrimaryLimit(), where="rest")
    answer = await box.get(box.sandbox.api_url, token=box.token)
    assert (answer.code, answer.headers["x-ratelimit-remaining"]) == (403, "0")
    assert "API rate limit" in answer.json()["message"]


@pytest_twisted.ensureDeferred
async def test_the_secondary_limit(box: Any) -> None:
    for fault in (SecondaryLimit(), SecondaryLimit(retry_after=60), SecondaryLimit(code=200)):
        box.sandbox.faults.add(fault)
    refused, told, hidden = [await box.post(VIEWER) for _ in range(3)]
    assert (refused.code, "retry-after" in refused.headers) == (403, False)
    assert "exceeded a secondary rate limit" in refused.json()["message"]
    assert told.headers["retry-after"] == "60"
    assert hidden.code == 200
    assert "exceeded a secondary rate limit" in hidden.json()["errors"][0]["message"]


@pytest_twisted.ensureDeferred
async def test_too_many_login_attempts(box: Any) -> None:
    box.sandbox.faults.add(LoginAttempts())
    answer = await box.post(VIEWER)
    assert answer.code == 403
    assert "Maximum number of login attempts exceeded" in answer.json()["message"]


@pytest_twisted.ensureDeferred
async def test_any_errors(box: Any) -> None:
    box.sandbox.faults.add(GraphQLErrors(({"type": "ODD", "message": "odd"},), data={"viewer": None}))
    assert await box.ask(VIEWER) == {"data": {"viewer": None}, "errors": [{"type": "ODD", "message": "odd"}]}


def add_releases(box: Any, count: int) -> None:
    repository = box.world.add_repository("octo/hello")
    for number in range(count):
        repository.add_release(f"v{number}")


@pytest_twisted.ensureDeferred
async def test_partial_data(box: Any) -> None:
    add_releases(box, 2)
    box.sandbox.faults.add(NullNodes(), times=2)
    answer = await box.ask(RELEASES, first=2)
    assert answer["data"]["repository"]["releases"]["nodes"] == [{"tagName": "v0"}, None]
    [error] = answer["errors"]
    assert error["path"] == ["repository", "releases", "nodes", 1]
    assert "type" not in error
    without_nodes = await box.ask(VIEWER)
    assert without_nodes["data"] is None
    assert len(without_nodes["errors"]) == 1


@pytest.mark.parametrize("partial", [True, False])
@pytest_twisted.ensureDeferred
async def test_resource_limits_spare_small_queries(box: Any, partial: bool) -> None:
    add_releases(box, 2)
    box.sandbox.faults.add(ResourceLimits(10, partial=partial))
    for _ in range(2):
        large = await box.ask(RELEASES, first=11)
        assert large["errors"][0]["type"] == "RESOURCE_LIMITS_EXCEEDED"
        assert (large["data"] is None) is not partial
        small = await box.ask(RELEASES, first=10)
        assert "errors" not in small


@pytest_twisted.ensureDeferred
async def test_large_queries_are_too_slow(box: Any) -> None:
    add_releases(box, 1)
    box.sandbox.faults.add(TooSlow(10, code=504))
    assert [(await box.post(RELEASES, first=first)).code for first in (11, 10, 100)] == [504, 200, 504]
