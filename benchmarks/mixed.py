"""What mixed clients ask for, over raw connections that they may drop; the projects that they ask about."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.python.failure import Failure

from pypihub.sandbox.samples import sample_sdist, sample_wheel
from pypihub.sandbox.world import World

OWNERS, PROJECTS, LARGE = 4, 10, 250
HTML, JSON = "text/html", "application/vnd.pypi.simple.v1+json"


@dataclass(frozen=True)
class Shelf:
    """A project of an owner: the ids of its files, and the path of a wheel."""

    authorization: str
    path: str
    ids: frozenset[bytes]
    wheel: str


@dataclass(frozen=True)
class Case:
    """A request: the statuses that it may have while GitHub is well, and the ids on its page, where it is one."""

    kind: str
    path: str
    headers: dict[str, str]
    good: frozenset[int] = frozenset({200})
    ids: frozenset[bytes] | None = None


class Connection(Protocol):
    """Asks one thing after the other, as a client with keep-alive does."""

    def __init__(self) -> None:
        self.is_open = False
        self.opened: Deferred[None] = Deferred()
        self._read = b""
        self._waiting: Deferred[tuple[int, bytes, bytes] | None] | None = None

    def connectionMade(self) -> None:
        self.is_open = True
        self.opened.callback(None)

    def ask(self, case: Case) -> Deferred[tuple[int, bytes, bytes] | None]:
        """The status, head and body; None where the connection breaks off."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in case.headers.items())
        self._read = b""
        waiting = self._waiting = Deferred()
        self.transport.write(f"GET {case.path} HTTP/1.1\r\nHost: soak\r\n{lines}\r\n".encode())
        return waiting

    def close(self) -> None:
        if self.is_open:
            self.transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        self._read += data
        head, end, body = self._read.partition(b"\r\n\r\n")
        code = head.split(b" ", 2)[1] if end else b""
        length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
        if code and (code == b"304" or len(body) >= int(length or 0)):
            self._tell((int(code), head, body))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.is_open = False
        self._tell(None)

    def _tell(self, answer: tuple[int, bytes, bytes] | None) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(answer)


async def connect(reactor: Any, port: int) -> Connection:
    connection = Connection()
    factory = ClientFactory.forProtocol(lambda: connection)
    factory.noisy = False
    reactor.connectTCP("127.0.0.1", port, factory)
    await connection.opened
    return connection


def some_case(random: Random, shelf: Shelf, etag: str | None) -> Case:
    """What a client asks of a shelf; `etag` is that of its page, where it is known."""
    kinds = ("HTML", "JSON", "gzip", "304", "no-cache", "redirect", "metadata", "missing", "bad token", "hang-up")
    (kind,) = random.choices(kinds, (20, 20, 20, 15, 3, 10, 5, 2, 1, 4))
    headers = {"Accept": HTML, "Authorization": shelf.authorization}
    match kind:
        case "JSON":
            headers["Accept"] = JSON
        case "gzip":
            headers["Accept-Encoding"] = "gzip"
        case "no-cache":
            headers["Cache-Control"] = "no-cache"
        case "304":
            headers["If-None-Match"] = etag or '"none"'
            return Case(kind, shelf.path, headers, frozenset({200, 304}), shelf.ids)
        case "redirect":
            return Case(kind, shelf.wheel, headers, frozenset({302}))
        case "metadata":
            return Case(kind, f"{shelf.wheel}.metadata", headers)
        case "missing":
            return Case(kind, f"/simple/missing{random.randrange(50)}/", headers, frozenset({404}))
        case "bad token":
            headers["Authorization"] = basic("owner0", f"ghp_wrong{random.randrange(20)}")
            return Case(kind, shelf.path, headers, frozenset({401}))
    return Case(kind, shelf.path, headers, ids=shelf.ids)


def seeded(seed: int) -> Random:
    """Random choices that are the same in every run."""
    return Random(seed)  # noqa: S311 (no secrets are made of them)


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def fill(world: World) -> list[Shelf]:
    """Owners with some small projects and a large one each, all of the same names."""
    shelves = []
    for number in range(OWNERS):
        owner = f"owner{number}"
        authorization = basic(owner, world.add_token(owner))
        for project in range(PROJECTS):
            name = f"project{project}"
            repository = world.add_repository(f"{owner}/{name}")
            assets = []
            for release in range(LARGE if not project else 3):
                version = f"{number}.{release}"
                made = repository.add_release(f"v{release}")
                assets += [made.add_asset(*sample_sdist(name, version)), made.add_asset(*sample_wheel(name, version))]
            ids = frozenset(asset.id.encode() for asset in assets)
            wheel = f"/asset/{assets[1].id}/{assets[1].name}"
            shelves.append(Shelf(authorization, f"/simple/{name}/", ids, wheel))
    return shelves
