"""GitHub's faults at every moment: the answers stay true, callers stay apart, and nothing is left behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from support.hub import Hub
from support.steady import TROUBLE, Person, add_person, call, held, is_idle, until
from twisted.internet.defer import maybeDeferred
from twisted.internet.task import deferLater

from pypihub.sandbox.faults import (
    CutBody,
    Drop,
    Fault,
    GraphQLErrors,
    Hang,
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

PAGE = "/simple/demo/"
FAULTS: dict[str, Fault] = {
    "status 500": Status(500),
    "status 503": Status(503, b"no server is available"),
    "no JSON": Status(200, b"<html>"),
    "empty": Status(200),
    "HTML 502": Html(502),
    "HTML 200": Html(200),
    "cut": CutBody(20),
    "dropped": Drop(),
    "hangs": Hang(),
    "slow": Latency(0.05),
    "limit": PrimaryLimit(),
    "old limit": PrimaryLimit(old=True),
    "secondary limit": SecondaryLimit(),
    "secondary limit 429": SecondaryLimit(retry_after=1, code=429),
    "secondary limit 200": SecondaryLimit(code=200),
    "login attempts": LoginAttempts(),
    "errors": GraphQLErrors(({"message": "Something went wrong."},)),
    "null": NullNodes(),
    "resource limits": ResourceLimits(50),
    "resource limits, no data": ResourceLimits(50, partial=False),
    "too slow": TooSlow(50),
}
every_fault = pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)


@pytest.fixture(autouse=True)
def short_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes seconds or an hour takes a moment."""
    monkeypatch.setattr("pypihub.github.points.LONGEST", 0.1)
    monkeypatch.setattr("pypihub.github.breaker.FIRST_PAUSE", 0.02)
    monkeypatch.setattr("pypihub.github.breaker.LONGEST_PAUSE", 0.05)
    monkeypatch.setattr("pypihub.catalog.listings.PAUSE", 0.02)


async def ask_all(hub: Hub, people: list[Person], times: int = 3) -> set[int]:
    """Everybody asks for their page so many times at once, and every answer is checked; the statuses."""
    callers = [(person, call(hub, person, PAGE)) for _ in range(times) for person in people]
    codes = set()
    for person, caller in callers:
        answer = await caller.done
        assert answer is not None, "the connection broke off"
        person.check_page(*answer)
        codes.add(answer[0])
    return codes


async def until_well(hub: Hub, people: list[Person]) -> None:
    """Asks until everybody has their page, which must be soon."""
    for _ in range(300):
        if await ask_all(hub, people, 1) == {200}:
            return
        await deferLater(hub.reactor, 0.01)
    pytest.fail("it did not come to be well")


async def until_told(hub: Hub, people: list[Person]) -> None:
    """Asks until the pages tell of the wheels' METADATA: from then on they stay as they are."""
    for person in people:
        while b'core-metadata="sha256' not in (await call(hub, person, PAGE).done or (0, b""))[1]:
            await deferLater(hub.reactor, 0.01)


@every_fault
@ensureDeferred
async def test_a_fault_at_the_first_call(make_hub: Callable[..., Any], fault: Fault) -> None:
    hub: Hub = await make_hub(ttl=30, stale=3600, timeout=0.3)
    people = [add_person(hub, number) for number in range(3)]
    hub.sandbox.faults.add(fault, times=7)
    assert await ask_all(hub, people) <= {200, *TROUBLE}
    hub.sandbox.faults.clear()
    await until_well(hub, people)
    await is_idle(hub)


@pytest.mark.parametrize("skip", [1, 2, 3])
@every_fault
@ensureDeferred
async def test_a_fault_in_the_middle_of_paging(make_hub: Callable[..., Any], fault: Fault, skip: int) -> None:
    hub: Hub = await make_hub(ttl=30, stale=3600, timeout=0.5)
    people = [add_person(hub, 1, releases=250)]
    hub.sandbox.faults.add(fault, skip=skip, times=2)
    await ask_all(hub, people)
    hub.sandbox.faults.clear()
    await until_well(hub, people)
    await is_idle(hub)


@every_fault
@ensureDeferred
async def test_a_fault_while_a_page_is_read_again(make_hub: Callable[..., Any], fault: Fault) -> None:
    hub: Hub = await make_hub(ttl=0.05, stale=3600, timeout=0.2)
    people = [add_person(hub, number) for number in range(3)]
    await until_well(hub, people)
    await until_told(hub, people)
    await is_idle(hub)
    before = held(hub)
    hub.sandbox.faults.add(fault, times=None)
    for _ in range(3):
        await deferLater(hub.reactor, 0.06)
        assert await ask_all(hub, people) == {200}, "the last page is shown"
    hub.sandbox.faults.clear()
    await deferLater(hub.reactor, 0.15)
    await until_well(hub, people)
    await is_idle(hub)
    for _ in range(100):  # a connection that was closed goes in its time
        after = held(hub)
        more = {kind: after[kind] - before.get(kind, 0) for kind in after if after[kind] > before.get(kind, 0)}
        if not more:
            break
        await deferLater(hub.reactor, 0.02)
    assert more == {}


@pytest.mark.parametrize("releases", [1, 250])
@every_fault
@ensureDeferred
async def test_a_fault_while_the_server_stops(make_hub: Callable[..., Any], fault: Fault, releases: int) -> None:
    hub: Hub = await make_hub(ttl=30, stale=3600, timeout=20, drain=1)
    people = [add_person(hub, number, releases) for number in range(2)]
    hub.sandbox.faults.add(fault, skip=releases > 1, times=None)
    callers = [(person, call(hub, person, PAGE)) for _ in range(3) for person in people]
    await until(hub, lambda: hub.asked() >= 2)
    await maybeDeferred(hub.services[0].stopService)
    await until(hub, lambda: all(caller.done.called for _, caller in callers), "one who waits is not told")
    for person, caller in callers:
        answer = await caller.done
        assert answer is not None, "the connection broke off"
        person.check_page(*answer)
    await is_idle(hub)
    hub.services.clear()
