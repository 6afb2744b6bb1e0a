"""PyPIHub is calm towards GitHub: what cannot help is not asked, and not everything at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from support.hub import Answer, Hub
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from pypihub.sandbox.faults import CutBody, Drop, Fault, Hang, Html, Latency, PrimaryLimit, SecondaryLimit, Status
from pypihub.sandbox.records import Asset
from pypihub.sandbox.samples import sample_sdist, sample_wheel

PAGE = "/simple/demo/"
SOON = 30
PEACE = "times in a row; it is asked again in a few seconds."
PassTime = Callable[[float], None]


def publish(hub: Hub, **more: Any) -> Asset:
    """The only file of a repository, no wheel: those of a page are read ahead, which is asked of GitHub too."""
    return hub.world.add_repository("octo/demo", **more).add_release("v1").add_asset(*sample_sdist("demo", "1.0"))


def path_of(asset: Asset) -> str:
    return f"/asset/{asset.id}/{asset.name}"


@pytest.fixture
def long_peace(monkeypatch: pytest.MonkeyPatch) -> float:
    """Seconds for which a GitHub that failed is left in peace: longer than a busy machine can take for the test."""
    monkeypatch.setattr("pypihub.github.breaker.FIRST_PAUSE", 600.0)
    return 600.0


async def until_ok(hub: Hub, path: str) -> Answer:
    """The first answer that is no 429 or 503."""
    for _ in range(500):
        answer = await hub.get(path)
        if answer.code not in (429, 503):
            return answer
        await deferLater(hub.reactor, 0.01)
    pytest.fail("it did not come to be well")


async def until_asked(hub: Hub, number: int) -> None:
    """Waits until GitHub was asked so many times."""
    while hub.asked() < number:
        await deferLater(hub.reactor, 0.001)


async def answer_to(hub: Hub, path: str, fault: Fault, pass_time: PassTime) -> Answer:
    """The answer, while GitHub has this fault: the time of a call that it is silent about is over at once."""
    asked, answer = hub.asked(), Deferred.fromCoroutine(hub.get(path))
    while not answer.called:
        if isinstance(fault, Hang) and hub.asked() > asked:
            asked = hub.asked()
            pass_time(hub.config.github.timeout)
        await deferLater(hub.reactor, 0.001)
    return await answer


def begin(hub: Hub, number: int) -> list[Deferred[Answer]]:
    """Requests for pages of repositories that are not there, all at once, each of which is a call."""
    return [Deferred.fromCoroutine(hub.get(f"/simple/missing{one}/")) for one in range(number)]


@pytest.mark.parametrize(
    "limit",
    [
        PrimaryLimit(reset_in=3600),
        PrimaryLimit(reset_in=3600, old=True),
        SecondaryLimit(retry_after=60),
        SecondaryLimit(),
        SecondaryLimit(code=429),
        SecondaryLimit(code=200),
    ],
)
@ensureDeferred
async def test_a_token_at_its_limit_is_not_sent_again_and_others_are(hub: Hub, limit: Fault) -> None:
    file = path_of(publish(hub, readers=["friend"]))
    friend = hub.world.add_token("friend")
    hub.sandbox.faults.add(limit)
    for path in (PAGE, PAGE, file, "/simple/other/"):
        answer = await hub.get(path)
        assert (answer.code, answer.header("Retry-After")) == (429, None)
        assert "rate limit for this token is reached. Try again " in answer.text
    assert hub.asked() == 1
    assert (await hub.get("/octo" + PAGE, token=friend)).code == 200


@ensureDeferred
async def test_the_last_point_is_used_and_no_call_is_wasted(make_hub: Callable[..., Any]) -> None:
    hub: Hub = await make_hub(quota=2)
    publish(hub)
    assert [(await hub.get(PAGE)).code for _ in range(4)] == [200, 200, 429, 429]
    assert hub.asked() == 2


@ensureDeferred
async def test_rest_s_points_are_not_those_of_pages(make_hub: Callable[..., Any]) -> None:
    hub: Hub = await make_hub(web_urls=True)
    file = path_of(publish(hub))
    hub.sandbox.faults.add(PrimaryLimit(), where="rest")
    assert [(await hub.get(file)).code for _ in range(3)] == [429, 429, 429]
    assert hub.asked("rest") == 1
    assert (await hub.get(PAGE)).code == 200


@pytest.mark.parametrize("limit", [PrimaryLimit(reset_in=SOON), SecondaryLimit(retry_after=SOON)])
@ensureDeferred
async def test_it_is_sent_again_when_its_time_has_come(
    hub: Hub, limit: Fault, pass_time: PassTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pypihub.web.responses._LONGEST_WAIT", SOON)
    publish(hub)
    hub.sandbox.faults.add(limit)
    first = await hub.get(PAGE)
    assert first.code == 429
    assert 1 <= int(str(first.header("Retry-After"))) <= SOON
    pass_time(SOON)
    assert (await until_ok(hub, PAGE)).code == 200
    assert hub.asked() == 2


@pytest.mark.parametrize(
    ("fault", "code"), [(Drop(), 503), (Hang(), 504), (CutBody(20), 503), (Html(502), 502), (Status(500), 502)]
)
@ensureDeferred
async def test_a_github_that_fails_again_and_again_is_left_in_peace_until_it_is_well(
    hub: Hub, pass_time: PassTime, long_peace: float, log_lines: list[str], fault: Fault, code: int
) -> None:
    file = path_of(publish(hub))
    hub.sandbox.faults.add(fault, times=None)
    first = await answer_to(hub, PAGE, fault, pass_time)
    assert (first.code, hub.asked()) == (code, 3), "one request that fails is no reason"
    assert ((await answer_to(hub, PAGE, fault, pass_time)).code, hub.asked()) == (code, 5)
    for path in (PAGE, file):
        answer = await hub.get(path)
        assert answer.code == 503
        assert answer.text.strip() == f"GitHub has failed 5 {PEACE}"
    assert hub.asked() == 5
    hub.sandbox.faults.clear()
    pass_time(long_peace)
    assert (await until_ok(hub, PAGE)).code == 200
    assert (await hub.get(file)).code == 302
    opened = [line for line in log_lines if line.startswith("GitHub has failed 5 times in a row and is left in peace")]
    closed = [line for line in log_lines if line.startswith("GitHub answers again, after 5 failures")]
    assert (len(opened), len(closed)) == (1, 1)


@ensureDeferred
async def test_a_github_that_answers_no_to_everybody_is_asked_on(hub: Hub) -> None:
    publish(hub)
    for _ in range(10):
        assert (await hub.get("/simple/missing/")).code == 404
        assert (await hub.get("/simple/demo/", token=f"ghp_wrong{_}")).code == 401
    assert (await hub.get(PAGE)).code == 200
    assert hub.asked() == 21


@ensureDeferred
async def test_while_github_fails_one_request_at_a_time_asks_it(
    make_hub: Callable[..., Any], pass_time: PassTime, long_peace: float
) -> None:
    hub: Hub = await make_hub(timeout=600)
    publish(hub)
    hub.sandbox.faults.add(Status(500), times=5)
    hub.sandbox.faults.add(Latency(60), skip=5)
    for _ in range(2):
        await hub.get(PAGE)
    assert hub.asked() == 5
    assert {answer.code for answer in await gatherResults(begin(hub, 10))} == {503}
    pass_time(long_peace)
    requests = begin(hub, 10)
    while sum(request.called for request in requests) < 9:
        await deferLater(hub.reactor, 0.001)
    await until_asked(hub, 6)
    pass_time(60)
    assert sorted(answer.code for answer in await gatherResults(requests)) == [404] + [503] * 9
    assert hub.asked() == 6
    assert {answer.code for answer in await gatherResults(begin(hub, 10))} == {404}


@ensureDeferred
async def test_the_storage_s_trouble_ends_no_page_and_no_download(
    hub: Hub, pass_time: PassTime, long_peace: float
) -> None:
    asset = hub.world.add_repository("octo/demo").add_release("v1").add_asset(*sample_wheel("demo", "1.0"))
    hub.sandbox.faults.add(Status(500), where="storage", times=None)
    codes = [(await hub.get(path_of(asset) + ".metadata")).code for _ in range(8)]
    assert codes == [502] * 5 + [503] * 3
    assert hub.asked("storage") == 5
    assert (await hub.get(PAGE)).code == 200
    assert (await hub.get(path_of(asset))).code == 302
    hub.sandbox.faults.clear()
    pass_time(long_peace)
    assert (await until_ok(hub, path_of(asset) + ".metadata")).code == 200


@ensureDeferred
async def test_where_too_many_wait_the_next_is_told_at_once(
    make_hub: Callable[..., Any], pass_time: PassTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pypihub.github.places.MOST_WAITING", 3)
    hub: Hub = await make_hub(timeout=600)
    publish(hub, readers=["friend"])
    friend = hub.world.add_token("friend")
    hub.sandbox.faults.add(Latency(60), times=20)
    requests = begin(hub, 24)
    while not (told := [request for request in requests if request.called]):
        await deferLater(hub.reactor, 0.001)
    (answer,) = await gatherResults(told)
    assert answer.code == 503
    assert answer.text.startswith("Too many requests wait for GitHub already.")
    await until_asked(hub, 20)
    assert (await hub.get("/octo" + PAGE, token=friend)).code == 200
    assert hub.asked() == 21
    requests.remove(told[0])
    pass_time(60)
    assert {answer.code for answer in await gatherResults(requests)} == {404}


@ensureDeferred
async def test_one_who_asks_for_much_does_not_keep_others_waiting(hub: Hub) -> None:
    publish(hub, readers=["friend"])
    friend = hub.world.add_token("friend")
    hub.sandbox.faults.add(Latency(0.2), times=None)
    requests = begin(hub, 100)
    await until_asked(hub, 20)
    assert (await hub.get("/octo" + PAGE, token=friend)).code == 200
    assert sum(request.called for request in requests) <= 60
    assert {answer.code for answer in await gatherResults(requests)} == {404}
