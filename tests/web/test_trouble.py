"""The status codes: each case of the table, from a running daemon over a GitHub in a box."""

from __future__ import annotations

import socket
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from support.hub import Hub, basic
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.web.client import ResponseNeverReceived

from pypihub.errors import UpstreamTimeoutError
from pypihub.github.client import Client
from pypihub.github.connecting import pooled_agent
from pypihub.github.credentials import Token
from pypihub.github.transport import Transport
from pypihub.index.names import Owner, Repository
from pypihub.sandbox.faults import (
    CutBody,
    Drop,
    Fault,
    GraphQLErrors,
    Hang,
    Html,
    NullNodes,
    PrimaryLimit,
    ResourceLimits,
    SecondaryLimit,
    Status,
    TooSlow,
)
from pypihub.sandbox.world import Refusal

PAGE = "/simple/demo/"


def publish(hub: Hub, repository: str = "octo/demo", **more: Any) -> str:
    """The path of the only file of a repository."""
    asset = hub.world.add_repository(repository, **more).add_release("v1").add_asset("demo-1.0.tar.gz", b"x")
    return f"/asset/{asset.id}/{asset.name}"


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Basic",
        "Basic !!!",
        "Bearer abc",
        basic("octo", ""),
        basic("", "token"),
        basic("__token__", "token"),
        basic("octo", "a b"),
        basic("octo", "x" * 4097),
        "Basic b2N0bw==",
    ],
)
@pytest.mark.parametrize("path", [PAGE, "/simple/", "/asset/RA_kwDOMcJSyM4K9qiP/demo-1.0.tar.gz"])
@ensureDeferred
async def test_without_credentials_there_is_a_challenge_and_no_call(
    hub: Hub, authorization: str | None, path: str
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = await hub.get(path, user=None, headers=headers)
    assert answer.code == 401
    assert answer.header("WWW-Authenticate") == 'Basic realm="PyPIHub"'
    assert hub.asked() == 0


@ensureDeferred
async def test_a_long_token_passes(hub: Hub) -> None:
    token = hub.world.add_token("octo", "ghs_" + "x" * 4092)
    publish(hub)
    assert (await hub.get(PAGE, token=token)).code == 200


@ensureDeferred
async def test_only_the_owners_of_the_configuration_are_served(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(owners=("Acme",))
    path = publish(hub)
    for refused in (PAGE, path, "/simple/", "/octo/simple/"):
        assert (await hub.get(refused)).code == 403
    assert hub.asked() == 0
    publish(hub, "acme/demo", readers=["octo"])
    assert (await hub.get("/ACME/simple/demo/")).code == 200


@ensureDeferred
async def test_a_refused_token_is_not_tried_again(hub: Hub) -> None:
    file = publish(hub)
    for path in (PAGE, PAGE, file, "/simple/"):
        answer = await hub.get(path, token="ghp_wrong")
        assert answer.code == 401
        assert answer.header("WWW-Authenticate")
    assert hub.asked() == 1
    assert (await hub.get(PAGE)).code == 200


@pytest.mark.parametrize("refusal", list(Refusal))
@ensureDeferred
async def test_a_refusal_is_403_with_github_s_message(hub: Hub, refusal: Refusal) -> None:
    publish(hub)
    token = hub.world.add_token("limited", refuse=refusal)
    answer = await hub.get("/octo" + PAGE, token=token)
    assert answer.code == 403
    assert "GitHub refuses this: " in answer.text
    if refusal is Refusal.SAML:
        assert "https://github.com/" in answer.text


@ensureDeferred
async def test_what_is_not_there_is_404(hub: Hub) -> None:
    publish(hub)
    stranger = hub.world.add_token("stranger")
    hub.world.add_repository("octo/empty").add_release("v1").add_asset("notes.txt", b"x")
    assert (await hub.get("/simple/missing/")).code == 404
    assert (await hub.get("/octo" + PAGE, token=stranger)).code == 404
    assert (await hub.get("/simple/empty/")).code == 404


@pytest.mark.parametrize(
    ("fault", "retry_after"),
    [
        (PrimaryLimit(reset_in=3600), None),
        (PrimaryLimit(reset_in=3600, old=True), None),
        (SecondaryLimit(retry_after=3), "3"),
        (SecondaryLimit(retry_after=60), None),
        (SecondaryLimit(code=200), None),
    ],
)
@ensureDeferred
async def test_a_rate_limit_is_429_and_is_not_asked_again(hub: Hub, fault: Fault, retry_after: str | None) -> None:
    publish(hub)
    hub.sandbox.faults.add(fault)
    answer = await hub.get(PAGE)
    assert (answer.code, answer.header("Retry-After")) == (429, retry_after)
    assert hub.asked() == 1


TROUBLE = [
    (Status(500, b"{}"), 502),
    (Status(503, b"{}"), 502),
    (Status(504, b"{}"), 502),
    (Html(502), 502),
    (Html(200), 502),
    (Status(200, b'{"data": {"rep'), 502),
    (Status(200, b""), 502),
    (Status(200, b"[]"), 502),
    (Status(200, b'{"data": null}'), 502),
    (Status(200, b'{"data": {"repository": null}}'), 502),
    (Status(404, b'{"message": "Not Found"}'), 502),
    (Status(302, b"", headers=(("Location", "https://elsewhere.example/"),)), 502),
    (NullNodes(), 502),
    (GraphQLErrors(({"message": "Something went wrong"},)), 502),
    (GraphQLErrors(({"type": "NOT_FOUND", "path": ["repository", "releases"], "message": "gone"},)), 502),
    (CutBody(20), 503),
    (Drop(), 503),
]


@pytest.mark.parametrize(("fault", "code"), TROUBLE)
@ensureDeferred
async def test_trouble_is_tried_twice_more_and_is_never_a_404(hub: Hub, fault: Fault, code: int) -> None:
    publish(hub)
    hub.sandbox.faults.add(fault, times=3)
    answer = await hub.get(PAGE)
    assert answer.code == code, answer.text
    assert hub.asked() == 3
    assert (await hub.get(PAGE)).code == 200


@pytest.mark.parametrize("fault", [Html(502), Drop(), NullNodes(), CutBody(20)])
@ensureDeferred
async def test_trouble_that_passes_is_not_seen(hub: Hub, fault: Fault) -> None:
    file = publish(hub)
    hub.sandbox.faults.add(fault, times=2)
    assert (await hub.get(PAGE)).code == 200
    hub.sandbox.faults.add(fault, times=2)
    assert (await hub.get(file)).code == 302


@ensureDeferred
async def test_trouble_of_rest_is_tried_again_too(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(web_urls=True)
    file = publish(hub)
    hub.sandbox.faults.add(Html(503), where="rest", times=2)
    assert (await hub.get(file)).code == 302
    hub.sandbox.faults.add(Drop(), where="rest", times=None)
    assert (await hub.get(file)).code == 503


@ensureDeferred
async def test_a_release_that_goes_while_it_is_read_is_no_404(hub: Hub) -> None:
    release = hub.world.add_repository("octo/wide").add_release("v1")
    for number in range(101):
        release.add_asset(f"wide-1.0-{number}-py3-none-any.whl", b"x")
    gone = {"type": "NOT_FOUND", "path": ["node"], "message": "Could not resolve to a node"}
    hub.sandbox.faults.add(GraphQLErrors((gone,), data={"node": None}), skip=1, times=3)
    assert (await hub.get("/simple/wide/")).code == 502


@ensureDeferred
async def test_silence_is_504_in_time(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(timeout=0.1)
    publish(hub)
    hub.sandbox.faults.add(Hang(), times=3)
    assert (await hub.get(PAGE)).code == 504
    assert hub.asked() == 3


@ensureDeferred
async def test_no_connection_is_503(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub()
    await hub.sandbox.stop()
    answer = await hub.get(PAGE)
    assert answer.code == 503
    assert "refused" in answer.text


@pytest.mark.parametrize("fault", [ResourceLimits(max_nodes=600), TooSlow(max_nodes=3000), TooSlow(3000, code=504)])
@ensureDeferred
async def test_a_repository_too_large_for_one_call_is_read_in_smaller_pages(hub: Hub, fault: Fault) -> None:
    repository = hub.world.add_repository("octo/large")
    for number in range(30):
        repository.add_release(f"v{number}").add_asset(f"large-{number}.tar.gz", b"x")
    hub.sandbox.faults.add(fault, times=None)
    answer = await hub.get("/simple/large/")
    assert answer.code == 200
    assert answer.text.count("<a ") == 30


@ensureDeferred
async def test_one_that_is_too_large_in_any_size_is_trouble(hub: Hub) -> None:
    publish(hub)
    hub.sandbox.faults.add(ResourceLimits(max_nodes=1), times=None)
    assert (await hub.get(PAGE)).code == 502


@pytest.mark.parametrize("path", [PAGE, "/", "/asset/RA_kwDOMcJSyM4K9qiP/demo-1.0.tar.gz"])
@ensureDeferred
async def test_another_method_is_405_with_what_is_allowed(hub: Hub, path: str) -> None:
    answer = await hub.request("DELETE", path)
    assert (answer.code, answer.header("Allow")) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/simple/", "/legacy/", "/octo/simple/", "/octo/legacy/"])
@ensureDeferred
async def test_where_one_may_publish_post_is_allowed_too(hub: Hub, path: str) -> None:
    answer = await hub.request("DELETE", path)
    assert (answer.code, answer.header("Allow")) == (405, "GET, HEAD, POST")


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/simple/a/b/c/", "//simple/demo/", "/simple//demo/", "/%ff/", "/simple/%2e%2e/", "/simple/a%00b/",
     "/simple/-a-/", "/-bad-/simple/demo/", "/simple/" + "a" * 300 + "/", "/simple/a%0d%0ab/", "/favicon.ico"],
)  # fmt: skip
@ensureDeferred
async def test_a_bad_path_is_a_plain_404(hub: Hub, path: str) -> None:
    answer = await hub.get(path)
    assert answer.code == 404
    assert len(answer.text.splitlines()) == 1
    assert hub.asked() == 0


@ensureDeferred
async def test_reason_and_body_carry_the_same_line(hub: Hub) -> None:
    answer = await hub.get("/simple/missing/")
    assert answer.text.strip() in answer.phrase
    assert "octo/missing" in answer.text


@ensureDeferred
async def test_a_client_that_goes_away_ends_the_call(hub: Hub, reactor: Any) -> None:
    publish(hub)
    hub.sandbox.faults.add(Hang())
    request = Deferred.fromCoroutine(hub.get(PAGE))
    while not hub.sandbox.calls:
        await deferLater(reactor, 0.001)
    request.cancel()
    with pytest.raises(ResponseNeverReceived):
        await request
    while hub.sandbox.connections:
        await deferLater(reactor, 0.001)
    assert hub.asked() == 1, "it was asked again for nobody"


def publish_many(hub: Hub) -> None:
    """A repository so large that it is read from both ends."""
    repository = hub.world.add_repository("octo/demo")
    for number in range(250):
        repository.add_release(f"v{number}")


@ensureDeferred
async def test_trouble_at_one_end_of_a_large_repository_ends_the_other(hub: Hub, reactor: Any) -> None:
    publish_many(hub)
    forbidden = {"type": "FORBIDDEN", "path": ["repository"], "message": "Not for you."}
    hub.sandbox.faults.add(Hang(), skip=1)
    hub.sandbox.faults.add(GraphQLErrors((forbidden,)), skip=2)
    answer = await hub.get(PAGE)
    assert (answer.code, hub.asked()) == (403, 3)
    while hub.sandbox.connections > 1:  # the one that was answered is kept for the next call
        await deferLater(reactor, 0.001)


@ensureDeferred
async def test_trouble_at_both_ends_that_passes_is_not_seen(hub: Hub) -> None:
    publish_many(hub)
    hub.world.find_repository("octo", "demo").releases["v0"].add_asset("demo-1.0.tar.gz", b"x")  # type: ignore[union-attr]
    hub.sandbox.faults.add(Html(502), skip=1, times=2)
    assert (await hub.get(PAGE)).code == 200


@ensureDeferred
async def test_a_client_that_goes_away_ends_the_calls_at_both_ends(hub: Hub, reactor: Any) -> None:
    publish_many(hub)
    hub.sandbox.faults.add(Hang(), skip=1, times=None)
    request = Deferred.fromCoroutine(hub.get(PAGE))
    while hub.asked() < 3:
        await deferLater(reactor, 0.001)
    request.cancel()
    with pytest.raises(ResponseNeverReceived):
        await request
    while hub.sandbox.connections > 1:
        await deferLater(reactor, 0.001)
    assert hub.asked() == 3


@ensureDeferred
async def test_a_github_that_takes_no_connection_is_504(make_hub: Callable[..., Any], reactor: Any) -> None:
    hub = await make_hub(timeout=0.2)
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        agent, pool = pooled_agent(reactor, 5)
        url = f"http://127.0.0.1:{full.getsockname()[1]}"
        client = Client(
            Transport(agent, reactor, 0.2), reactor, api_url=url, graphql_url=f"{url}/graphql", backoff=(0.001, 0.001)
        )
        with pytest.raises(UpstreamTimeoutError):
            await client.listing(Token("token"), Repository(Owner("octo"), "demo"))
        await pool.closeCachedConnections()
        for filler in fillers:
            filler.close()
    assert hub.asked() == 0


@ensureDeferred
async def test_those_who_wait_for_a_place_are_told_in_time_too(
    make_hub: Callable[..., Any], reactor: Any, pass_time: Callable[[float], None]
) -> None:
    hub = await make_hub(timeout=600, limits={"headers": 9000, "idle": 9000})
    publish(hub)
    hub.sandbox.faults.add(Hang(), times=None)
    (site,) = (each.site for each in hub.services[0] if hasattr(each, "site"))
    begin = reactor.seconds()
    pages = [Deferred.fromCoroutine(hub.get(f"/simple/demo{number}/")) for number in range(120)]
    while len(site.connections) < 120:
        await deferLater(reactor, 0.001)
    while not all(page.called for page in pages):
        pass_time(10)
        await deferLater(reactor, 0.01)
    answers = await gatherResults(pages)
    assert {answer.code for answer in answers} <= {503, 504}
    assert reactor.seconds() - begin < 3 * 3 * 600
    assert hub.asked() < 2 * 20, "GitHub was left in peace after the first failures"


@ensureDeferred
async def test_an_answer_without_end_is_trouble_and_costs_little_memory(hub: Hub) -> None:
    publish(hub)
    hub.sandbox.faults.add(Status(200, b" " * 100_000_000), times=None)  # the sandbox sends it gzipped
    tracemalloc.start()
    answer = await hub.get(PAGE)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer.code == 502
    assert hub.asked() == 6, "it is asked for in smaller pages, down to the smallest"
    assert peak < 40_000_000


@pytest.mark.parametrize("data", [b'"2026-01-02T03:04:05"', b'"yesterday"', b"null"])
@ensureDeferred
async def test_times_without_a_zone_are_trouble(hub: Hub, data: bytes) -> None:
    publish(hub)
    asset = b'{"id":"RA_1","name":"demo-1.zip","size":5,"createdAt":' + data + b"}"
    body = (
        b'{"data":{"repository":{"nameWithOwner":"octo/demo","isArchived":false,"isPrivate":true,"releases":{"totalCount":1,"pageInfo":'
        b'{"hasNextPage":false,"endCursor":null},"nodes":[{"id":"RE_1","isDraft":false,"publishedAt":null,'
        b'"tagName":"v1","name":null,"releaseAssets":{"pageInfo":{"hasNextPage":false,"endCursor":null},"nodes":['
        + asset
        + b"]}}]}}}}"
    )
    hub.sandbox.faults.add(Status(200, body), times=3)
    assert (await hub.get(PAGE)).code == 502
