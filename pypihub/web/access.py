"""The access log: one line a request, written a few at a time."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.web.http import Request

DELAY = 0.5
"""Seconds after which a line is written at the latest."""
MOST_LINES = 100
"""Lines that are written at once."""

_MOST_WORDS = 2000
_LONGEST = 500  # characters of a word
# Somebody's token in the wrong place, such as the owner's.
_TOKEN = re.compile(rb"(gh[pousr]_|github_pat_)[A-Za-z0-9_]+")


class AccessLog:
    """Gathers lines and gives them to `write`, as texts without an end."""

    def __init__(
        self, write: Callable[[list[str]], object], reactor: IReactorTime, client_address: Callable[[Request], str]
    ) -> None:
        self._write = write
        self._client_address = client_address
        self._reactor = reactor
        self._word = lru_cache(maxsize=_MOST_WORDS)(printable)  # the same few paths and clients come again and again
        self._lines: list[str] = []
        self._timer: IDelayedCall | None = None

    def note(self, request: Request) -> None:
        """A request that was answered: no query, no header but the client's name."""
        host = self._client_address(request)
        path = request.path if request.path.startswith(b"/") else b"-"
        agent = request.requestHeaders.getRawHeaders(b"user-agent", (b"-",))[0]
        word = self._word
        self._lines.append(
            f'{host} "{word(request.method)} {word(path)}" {request.code} {request.sentLength} "{word(agent)}"'
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
    return value[:_LONGEST].decode("latin-1").encode("unicode_escape").decode().replace('"', "%22")
