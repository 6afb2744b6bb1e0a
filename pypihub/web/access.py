"""The access log: one line a request, written a few at a time."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from time import perf_counter

import msgspec
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from pypihub.web.visits import VisitedRequest

DELAY = 0.5
"""Seconds after which a line is written at the latest."""
MOST_LINES = 100
"""Lines that are written at once."""

_MOST_WORDS = 2000
_LONGEST = 500  # bytes of a word
# Somebody's token in the wrong place, such as the owner's.
_TOKEN = re.compile(rb"(gh[pousr]_|github_pat_)[A-Za-z0-9_]+")


class Line(msgspec.Struct, frozen=True, gc=False):
    """What is told of a request. No query, and no header but the client's name and version.

    `seconds` is from its head to the end of its answer, `calls` those to GitHub that were begun for it, and `cache`
    where its answer came from.
    """

    time: datetime
    request: str
    address: str
    method: str
    path: str
    status: int
    bytes: int
    seconds: float
    owner: str
    client: str
    cache: str
    calls: int
    level: str = "info"
    logger: str = "pypihub.access"

    def text(self) -> str:
        """As a line for people, who are shown the time before it."""
        return (
            f'{self.address} "{self.method} {self.path}" {self.status} {self.bytes} "{self.client}" owner={self.owner} '
            f"ms={self.seconds * 1000:.1f} cache={self.cache} calls={self.calls} id={self.request}"
        )

    def json(self) -> str:
        """As a line for programs."""
        return _encode(self).decode()


_encode = msgspec.json.Encoder().encode


class AccessLog:
    """Gathers lines and gives them to `write`."""

    def __init__(
        self,
        write: Callable[[list[Line]], object],
        reactor: IReactorTime,
        client_address: Callable[[VisitedRequest], str],
    ) -> None:
        self._write = write
        self._reactor = reactor
        self._client_address = client_address
        # The same few paths and clients come again and again.
        self._word = lru_cache(maxsize=_MOST_WORDS)(printable)
        self._client = lru_cache(maxsize=_MOST_WORDS)(client_name)
        self._lines: list[Line] = []
        self._timer: IDelayedCall | None = None

    def note(self, request: VisitedRequest) -> None:
        """A request that was answered."""
        path = request.path[:_LONGEST] if request.path.startswith(b"/") else b"-"
        agent = request.requestHeaders.getRawHeaders(b"user-agent", (b"-",))[0]
        visit = request.visit
        self._lines.append(
            Line(
                datetime.now(UTC),
                request.id,
                self._client_address(request),
                self._word(request.method[:_LONGEST]),
                self._word(path),
                request.code,
                request.sentLength,
                round(perf_counter() - request.began, 6),
                request.owner,
                self._client(agent[:_LONGEST]),
                visit.cache,
                visit.calls,
            )
        )
        if self._timer is None:
            self._timer = self._reactor.callLater(DELAY, self.flush)
        elif len(self._lines) >= MOST_LINES:
            self.flush()

    def flush(self) -> None:
        """Writes what was gathered."""
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()
        lines, self._lines = self._lines, []
        if lines:
            self._write(lines)


def printable(value: bytes) -> str:
    """The bytes up to a space, as one word that cannot break a log line, without what looks like a token."""
    value = value.partition(b" ")[0]
    value = _TOKEN.sub(rb"\1...", value)
    return value.decode("latin-1").encode("unicode_escape").decode().replace('"', "%22")


def client_name(agent: bytes) -> str:
    """A client's name and version, such as `pip 26.3`, from its User-Agent. What follows, pip's JSON, is left out."""
    return printable(agent).replace("/", " ", 1)
