"""What shows whether a hub is steady: callers who must not be mixed up, and what may be left of their requests."""

from __future__ import annotations

import gc
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from support.hub import Hub, basic
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.web.http import Request

from pypihub.catalog.snapshots import Snapshot
from pypihub.daemon.house import House
from pypihub.github.places import MOST_AT_ONCE, Places
from pypihub.sandbox.samples import sample_sdist, sample_wheel
from pypihub.web.ready import Ready

TROUBLE = frozenset({429, 502, 503, 504})
_ASSET = re.compile(rb"/asset/([A-Za-z0-9_=-]+)/")
_COUNTED = (Deferred, Failure, Request, Protocol, Snapshot, Ready)


@dataclass(frozen=True)
class Person:
    """Somebody with a private repository `demo`, and the files that they, and nobody else, may see."""

    owner: str
    token: str = field(repr=False)
    ids: frozenset[bytes]
    wheel: str
    metadata: bytes

    def check_page(self, code: int, body: bytes, *, allowed: frozenset[int] = TROUBLE) -> None:
        """The answer is this person's whole page, or says honestly that there is trouble."""
        found = frozenset(_ASSET.findall(body))
        if code == 200:
            assert found == self.ids, f"{self.owner} was shown another page"
        else:
            assert code in allowed, (code, body)
            assert not found


def add_person(hub: Hub, number: int, releases: int = 1) -> Person:
    """A person whose files have version numbers of their own; one of the files is a wheel."""
    owner = f"person{number}"
    repository = hub.world.add_repository(f"{owner}/demo")
    made = [
        repository.add_release(f"v{release}").add_asset(*sample_sdist("demo", f"{number}.{release}"))
        for release in range(releases)
    ]
    name, content = sample_wheel("demo", f"{number}.0", requires=[f"only-{owner}"])
    wheel = repository.releases["v0"].add_asset(name, content)
    ids = frozenset(asset.id.encode() for asset in (*made, wheel))
    return Person(owner, hub.world.add_token(owner), ids, f"/asset/{wheel.id}/{name}", f"only-{owner}".encode())


class Caller(Protocol):
    """One request on a connection of its own. `done` fires with the status and the body, or None where it broke off."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._read = b""
        self.done: Deferred[tuple[int, bytes] | None] = Deferred()

    def connectionMade(self) -> None:
        self.transport.write(self._request)

    def dataReceived(self, data: bytes) -> None:
        self._read += data
        if self._answer() is not None:
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.done.callback(self._answer())

    def _answer(self) -> tuple[int, bytes] | None:
        head, end, body = self._read.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        is_whole = end and length and int(length[1]) == len(body)
        return (int(head.split(b" ", 2)[1]), body) if is_whole else None

    def hang_up(self) -> None:
        if self.transport is not None and not self.done.called:
            self.transport.abortConnection()


def call(hub: Hub, person: Person, path: str, **headers: str) -> Caller:
    """A request of the person that is under way."""
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    authorization = basic(person.owner, person.token)
    lines = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization}\r\n{more}\r\n"
    caller = Caller(lines.encode())
    factory = ClientFactory.forProtocol(lambda: caller)  # an endpoint's class for each connection is not soon gone
    factory.noisy = False
    hub.reactor.connectTCP("127.0.0.1", urlsplit(hub.url).port, factory)
    return caller


def house_of(hub: Hub) -> House:
    """The hub's inside: what is left there nobody sees from without."""
    (house,) = (each._house for each in hub.services[0] if hasattr(each, "_house"))
    assert isinstance(house, House)
    return house


def places_of(hub: Hub) -> Places:
    """The places towards GitHub."""
    places = house_of(hub).listings._ask.__self__._transport._places  # type: ignore[attr-defined]
    assert isinstance(places, Places)
    return places


async def until(hub: Hub, is_so: Callable[[], bool], what: str = "it never was so") -> None:
    """Waits until something in this process is so."""
    for _ in range(20_000):
        if is_so():
            return
        await deferLater(hub.reactor, 0.001)
    raise AssertionError(what)


async def is_idle(hub: Hub) -> None:
    """Nothing is under way any more, neither here nor at GitHub."""
    house, places = house_of(hub), places_of(hub)
    await until(hub, lambda: len(house.listings) == 0, "a call for a listing has no end")
    await until(hub, lambda: not house.knowledge.lookups._queues, "a look-up has no end")
    await until(hub, lambda: places._free == MOST_AT_ONCE, "a place is not given back")
    assert (places._taken, places._queues, places._waiting) == ({}, {}, 0)
    assert not house.pages._flights._flights
    for _ in range(5000):  # one that just became idle comes to the pool in its time
        await house.github.pool.closeCachedConnections()
        if hub.sandbox.connections == 0:
            return
        await deferLater(hub.reactor, 0.001)
    raise AssertionError("a connection to GitHub is not idle")


def held(hub: Hub) -> dict[str, int]:
    """What is in memory: the cache's bytes and entries, and how many objects of the kinds that could leak."""
    memory = house_of(hub).listings._memory
    gc.collect()
    objects = [each for each in gc.get_objects() if isinstance(each, _COUNTED)]
    kinds = Counter(next(kind.__name__ for kind in _COUNTED if isinstance(each, kind)) for each in objects)
    return {"bytes": memory.used, "entries": len(memory), **kinds}
