"""GitHub as it answered before: keeps each answer of an upstream and gives it again byte for byte, after a while.

    python benchmarks/replay.py http://127.0.0.1:PORT SECONDS

A process of its own, so that the upstream's work (the sandbox's) does not count. `GET /` tells how many pages of
listings were asked for.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from io import BytesIO

import treq
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.web.client import Agent, FileBodyProducer, HTTPConnectionPool
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

_HOPS = (b"connection", b"content-length", b"host", b"transfer-encoding")


@dataclass(frozen=True)
class Answer:
    """An answer as it came."""

    code: int
    headers: list[tuple[bytes, list[bytes]]]
    body: bytes


class Replay(Resource):
    """Answers from memory; what is asked for the first time is asked of the upstream."""

    isLeaf = True

    def __init__(self, upstream: str, seconds: float) -> None:
        super().__init__()
        self._upstream = upstream.encode()
        self._seconds = seconds
        self._agent = Agent(reactor, pool=HTTPConnectionPool(reactor))
        self._answers: dict[tuple[bytes, ...], Answer] = {}
        self._listings = 0

    def render(self, request: Request) -> bytes | int:
        if request.uri == b"/":
            return str(self._listings).encode()
        Deferred.fromCoroutine(self._answer(request))
        return NOT_DONE_YET

    async def _answer(self, request: Request) -> None:
        gone: list[object] = []
        request.notifyFinish().addErrback(gone.append)
        body = request.content.read()
        self._listings += b"query Listing" in body
        key = request.method, request.uri, body
        if key not in self._answers:
            self._answers[key] = await self._ask(request, body)
        await deferLater(reactor, self._seconds)
        if gone:
            return
        answer = self._answers[key]
        request.setResponseCode(answer.code)
        for name, values in answer.headers:
            request.responseHeaders.setRawHeaders(name, values)
        request.setHeader(b"Content-Length", str(len(answer.body)).encode())
        request.write(answer.body)
        request.finish()

    async def _ask(self, request: Request, body: bytes) -> Answer:
        headers = request.requestHeaders.copy()
        for name in _HOPS:
            headers.removeHeader(name)
        producer = FileBodyProducer(BytesIO(body)) if body else None
        response = await self._agent.request(request.method, self._upstream + request.uri, headers, producer)
        kept = [(name, values) for name, values in response.headers.getAllRawHeaders() if name.lower() not in _HOPS]
        chunks: list[bytes] = []
        await treq.collect(response, chunks.append)
        return Answer(response.code, kept, b"".join(chunks))


class Silent(Site):
    """A Site without an access log."""

    def log(self, request: object) -> None:
        pass


port = reactor.listenTCP(0, Silent(Replay(sys.argv[1], float(sys.argv[2]))), interface="127.0.0.1")
print(f"listens on 127.0.0.1:{port.getHost().port}", flush=True)
reactor.run()
