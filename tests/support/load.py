"""Clients that ask without a pause, each on a connection that it keeps, and what became of their requests."""

from __future__ import annotations

from collections import Counter
from typing import Any

from support.daemons import PAGE, GitHub, until
from support.hub import basic
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import connectProtocol
from twisted.internet.error import ConnectError
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure


class Load:
    """`clients` of them. `counts` has the number of answers by status, and of those that were "cut" or "none"."""

    def __init__(self, github: GitHub, endpoint: Any, clients: int) -> None:
        self.counts: Counter[object] = Counter()
        self.connections = 0
        self._github = github
        self._endpoint = endpoint
        self._goes_on = True
        self._running = [Deferred.fromCoroutine(self._ask()) for _ in range(clients)]

    async def more(self, answers: int) -> None:
        """Waits for so many more answers."""
        wanted = self.counts[200] + answers
        await until(self._github.reactor, lambda: self.counts[200] >= wanted or not self._goes_on)

    async def end(self) -> None:
        """Waits for the answers that are still to come."""
        self._goes_on = False
        for running in self._running:
            await running

    async def _ask(self) -> None:
        lines = [f"GET {PAGE} HTTP/1.1", "Host: x", f"Authorization: {basic('octo', self._github.token)}"]
        request = ("\r\n".join(lines) + "\r\n\r\n").encode()
        client: _Client | None = None
        while self._goes_on:
            if client is None or client.is_closed:
                try:
                    client = await connectProtocol(self._endpoint, _Client())
                except ConnectError:  # it listens no more
                    return
                self.connections += 1
            was_used = client.answers > 0
            outcome = await client.ask(request)
            if outcome == "none" and was_used:
                outcome = "again"  # closed between two requests; every client asks again then
            self.counts[outcome] += 1
        if client is not None and not client.is_closed:
            await client.close()


class _Client(Protocol):
    """A connection that is kept as long as the server wants it so."""

    def __init__(self) -> None:
        self.is_closed = False
        self.answers = 0
        self._received = b""
        self._asking: Deferred[object] | None = None
        self._closing: Deferred[None] | None = None

    def ask(self, request: bytes) -> Deferred[object]:
        """The status of the answer, once it is whole."""
        self._received = b""
        self._asking = asking = Deferred()
        self.transport.write(request)
        return asking

    def close(self) -> Deferred[None]:
        self._closing = closing = Deferred()
        self.transport.loseConnection()
        return closing

    def dataReceived(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if end and len(body) == int(length):
            self.answers += 1
            self.is_closed = b"\r\nconnection: close" in head.lower()
            self._tell(int(head.split()[1]))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.is_closed = True
        self._tell("cut" if self._received else "none")
        if self._closing is not None:
            self._closing.callback(None)

    def _tell(self, outcome: object) -> None:
        asking, self._asking = self._asking, None
        if asking is not None:
            asking.callback(outcome)
