"""Many clients at once, who hang up when they like, and a GitHub that is away for a while."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from support.hub import Hub
from support.steady import TROUBLE, Caller, Person, add_person, call, held, is_idle, until
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from pypihub.sandbox.faults import CutBody, Drop, Html, Latency, Status

PAGE = "/simple/demo/"
MISSING = "/simple/missing/"
ROUNDS, AT_ONCE = 36, 40  # a listener takes 50 connections in a turn


@pytest.fixture(autouse=True)
def short_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes seconds takes a moment."""
    monkeypatch.setattr("pypihub.github.breaker.FIRST_PAUSE", 0.02)
    monkeypatch.setattr("pypihub.github.breaker.LONGEST_PAUSE", 0.1)
    monkeypatch.setattr("pypihub.catalog.listings.PAUSE", 0.05)
    monkeypatch.setattr("pypihub.catalog.listings.PATIENCE", 0.2)


def check(person: Person, path: str, answer: tuple[int, bytes]) -> None:
    """Each kind of answer is the one that this person should have, or trouble."""
    code, body = answer
    if path == PAGE:
        person.check_page(code, body)
    elif path == MISSING or path.startswith("/person"):  # of somebody else
        assert code in ({404} | TROUBLE), (code, body)
    elif path.endswith(".metadata"):
        assert code in ({200} | TROUBLE), (code, body)
        assert code != 200 or b"Requires-Dist: " + person.metadata in body
    else:
        assert code in ({200, 302} | TROUBLE), (code, body)


def seeded(seed: str | int) -> Random:
    """Random choices that are the same in every run."""
    return Random(seed)  # noqa: S311 (no secrets are made of them)


def some_path(random: Random, person: Person, people: list[Person]) -> str:
    """What a person asks for, which may be somebody else's."""
    other = random.choice([each for each in people if each is not person])
    own = [PAGE, PAGE, PAGE, MISSING, person.wheel, f"{person.wheel}.metadata"]
    others = [f"/{other.owner}{path}" for path in (PAGE, other.wheel, f"{other.wheel}.metadata")]
    return random.choice([*own, *others])


def hang_up_some_time(hub: Hub, random: Random, caller: Caller) -> None:
    """Within the time that an answer takes; a part of them before the connection is there."""
    later = hub.reactor.callLater(random.uniform(0, 0.08), caller.hang_up)
    caller.done.addBoth(lambda answer: (later.cancel() if later.active() else None, answer)[1])


@pytest.mark.parametrize("mode", ["redirect", "proxy"])
@ensureDeferred
async def test_a_thousand_clients_hang_up_when_they_like(make_hub: Callable[..., Any], mode: str) -> None:
    random = seeded(f"hang up {mode}")
    hub: Hub = await make_hub(ttl=0.05, stale=3600, timeout=60, mode=mode)
    people = [add_person(hub, number, releases=1 if number else 101) for number in range(5)]
    after: list[dict[str, int]] = []
    told: Counter[int | None] = Counter()
    for round_ in range(ROUNDS):
        callers = []
        for _ in range(AT_ONCE):
            person = random.choice(people)
            path = some_path(random, person, people)
            callers.append((person, path, call(hub, person, path)))
            if random.random() < 0.6:  # of the others enough are answered, however slow the machine is
                hang_up_some_time(hub, random, callers[-1][-1])
        for fault in (Status(500), Drop(), CutBody(30), Html(502)):
            where = random.choice(["graphql", "graphql", "storage"])
            hub.sandbox.faults.add(fault, where=where, skip=random.randrange(3))
        hub.sandbox.faults.add(Latency(random.uniform(0, 0.05)), times=None)
        hub.sandbox.faults.add(Latency(random.uniform(0, 0.05)), where="storage", times=None)
        for person, path, caller in callers:
            answer = await caller.done
            told[answer and answer[0]] += 1
            if answer is not None:
                check(person, path, answer)
        del callers, caller, answer
        hub.sandbox.faults.clear()
        await is_idle(hub)
        if round_ in (ROUNDS // 2, ROUNDS - 1):
            after.append(held(hub))
    assert sum(told.values()) == ROUNDS * AT_ONCE
    assert told[None] > 300
    assert told[200] > 100
    grown = {kind: after[1][kind] - after[0].get(kind, 0) for kind in after[1]}
    assert {kind: more for kind, more in grown.items() if more > 20} == {}


@dataclass
class Load:
    """Clients who ask one thing after the other until they are told to end; every answer is checked and counted."""

    hub: Hub
    people: list[Person]
    is_over: bool = False
    told: Counter[tuple[str, int]] = field(default_factory=Counter)

    async def ask_on(self, random: Random) -> None:
        while not self.is_over:
            person = random.choice(self.people)
            path = some_path(random, person, self.people)
            answer = await call(self.hub, person, path).done
            assert answer is not None
            check(person, path, answer)
            kind = path if path in (PAGE, MISSING) else "another's" if path.startswith("/person") else "file"
            self.told[kind, answer[0]] += 1
            await deferLater(self.hub.reactor, random.uniform(0, 0.01))

    async def answered(self) -> None:
        """Waits until those who ask now are answered, and forgets what they were told."""
        before = sum(self.told.values())
        await until(self.hub, lambda: sum(self.told.values()) > before + 50)
        self.told.clear()


@pytest.mark.parametrize("fault", [Drop(), Status(503), Html(502)], ids=["dropped", "503", "HTML"])
@ensureDeferred
async def test_github_is_away_for_a_while_under_load_and_comes_back(make_hub: Callable[..., Any], fault: Any) -> None:
    hub: Hub = await make_hub(ttl=0.1, stale=3600, timeout=60)
    load = Load(hub, [add_person(hub, number) for number in range(4)])
    clients = gatherResults([Deferred.fromCoroutine(load.ask_on(seeded(number))) for number in range(8)])
    await until(hub, lambda: load.told[PAGE, 200] > 50 and load.told[MISSING, 404] > 10)
    for where in ("graphql", "rest", "storage"):
        hub.sandbox.faults.add(fault, where=where, times=None)
    await deferLater(hub.reactor, 0.2)  # what was known to be missing is no more; what is under way ends
    await load.answered()
    asked, began = hub.asked(), hub.reactor.seconds()
    await deferLater(hub.reactor, 1)
    await until(hub, lambda: load.told[PAGE, 200] > 50)
    away = Counter(load.told)
    assert {code for path, code in away if path == PAGE} == {200}, "the last page is shown"
    assert {code for path, code in away if path == MISSING} <= TROUBLE, "GitHub said nothing about it"
    assert hub.asked() - asked < 40 * (hub.reactor.seconds() - began), "it is left in peace"
    hub.sandbox.faults.clear()
    await until(hub, lambda: load.told[MISSING, 404] > 0)
    await load.answered()
    await deferLater(hub.reactor, 0.3)
    await until(hub, lambda: all(load.told[answer] for answer in ((PAGE, 200), (MISSING, 404), ("another's", 404))))
    back = Counter(load.told)
    load.is_over = True
    await clients
    assert {code for path, code in back if path == PAGE} == {200}
    assert {code for path, code in back if path in (MISSING, "another's")} == {404}
    assert not {code for path, code in back if path == "file"} & TROUBLE
    await is_idle(hub)
