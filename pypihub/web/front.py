"""The front: answers again what was answered a moment ago to the same request, without looking at it any closer.

Two requests are the same where URL, credentials, Accept and Accept-Encoding are, to the letter.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from twisted.web.http import datetimeToString
from twisted.web.server import Request

from pypihub.catalog.memory import Memory
from pypihub.catalog.tokens import RefusedTokens
from pypihub.github.credentials import Credentials
from pypihub.github.tokens import TokenHash, TokenHasher
from pypihub.index.names import Owner
from pypihub.index.negotiate import matches_etag
from pypihub.tally import Tally
from pypihub.web.channel import HubChannel
from pypihub.web.pages import PageKey
from pypihub.web.ready import Ready
from pypihub.web.visits import FRONT, VisitedRequest

MOST_KNOWN = 50_000
"""Requests that are remembered."""
COST = 500
"""Bytes that each takes, about, beside an answer that is kept here."""
_UNKNOWN = (None, "", None)
_SHARE = 16  # a part of the memory that they may take


@dataclass(slots=True)
class _Today:
    """The end of a head: the Date header, which is the same for a second, and the request's id."""

    second: int = 0
    line: str = ""

    def at(self, now: float, request_id: str) -> bytes:
        if int(now) != self.second:
            self.second = int(now)
            self.line = f"Date: {datetimeToString(now).decode()}\r\nX-Request-ID: "
        return f"{self.line}{request_id}\r\n\r\n".encode()


class Front:
    """Remembers which request leads to which answer. Pages live in `memory`, redirects here, and it is charged to that.

    A request with a token that GitHub refused meanwhile is left to the routes.
    """

    def __init__(
        self,
        memory: Memory[object, object],
        hasher: TokenHasher,
        refused: RefusedTokens,
        seconds: Callable[[], float],
        tally: Tally | None = None,
    ) -> None:
        self._memory = memory
        self._hasher = hasher
        self._refused = refused
        self._seconds = seconds
        self._secret = secrets.token_bytes(32)
        self._room = memory.limit // _SHARE
        self._used = 0
        self._tally = tally or Tally()
        self._known: OrderedDict[bytes, tuple[TokenHash, Owner, PageKey | Ready]] = OrderedDict()
        self._date = _Today()

    def answer(self, request: VisitedRequest) -> bool:
        """Answers the request if it can; tells whether it did."""
        now = self._seconds()
        ready, owner = self._find(request, now)
        if ready is None:
            self._tally.front_misses += 1
            return False
        self._tally.front_hits += 1
        request.visit, request.owner = FRONT, owner
        self._send(request, ready, now)
        return True

    def remember(self, request: Request, credentials: Credentials, known: PageKey | Ready) -> None:
        """The request, which came with these credentials, leads to this answer as long as that is good."""
        digest = _digest(request, self._secret)
        if digest:
            before = self._used
            self._forget(digest)
            self._known[digest] = self._hasher(credentials.token), credentials.owner, known
            self._used += _cost(known)
            while len(self._known) > MOST_KNOWN or self._used > self._room:
                self._forget(next(iter(self._known)))
            self._memory.charge(self._used - before)

    def _forget(self, digest: bytes) -> None:
        _, _, known = self._known.pop(digest, _UNKNOWN)
        self._used -= _cost(known) if known is not None else 0

    def _find(self, request: Request, now: float) -> tuple[Ready | None, str]:
        who, owner, known = self._known.get(_digest(request, self._secret), _UNKNOWN)
        if who is None or who in self._refused:
            return None, owner
        ready = self._memory.get(known) if isinstance(known, PageKey) else known
        return (ready if isinstance(ready, Ready) and ready.is_good(now) else None), owner

    def _send(self, request: VisitedRequest, ready: Ready, now: float) -> None:
        asked = request.requestHeaders.getRawHeaders(b"if-none-match")
        channel = request.channel
        request.startedWriting = 1  # finish() would write a head of its own
        if asked and ready.etag and matches_etag(b",".join(asked).decode("latin-1"), ready.etag):
            request.code = 304
            channel.write(ready.unchanged + self._date.at(now, request.id))
        else:
            request.code = ready.code
            request.sentLength = len(ready.body)
            channel.writeSequence((ready.head, self._date.at(now, request.id), ready.body))
        request.finish()


def _cost(known: PageKey | Ready) -> int:
    return COST + (known.size if isinstance(known, Ready) else 0)


def _digest(request: Request, secret: bytes) -> bytes:
    """Stands for all in the request that decides about the answer; empty for one that the front leaves alone."""
    channel = request.channel
    is_plain = request.method == b"GET" and request.clientproto == b"HTTP/1.1" and type(channel) is HubChannel
    if not is_plain or not channel.persistent:
        return b""
    headers = request.requestHeaders
    parts = [request.uri]
    for name in (b"authorization", b"accept", b"accept-encoding"):
        values = headers.getRawHeaders(name, (b"",))
        if len(values) != 1:
            return b""
        parts.append(values[0])
    if b"no-cache" in b",".join(headers.getRawHeaders(b"cache-control", ())).lower():
        return b""
    return hashlib.blake2b(b"\n".join(parts), key=secret, digest_size=16).digest()
