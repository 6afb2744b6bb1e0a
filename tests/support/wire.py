"""A connection to the hub whose bytes the test writes itself."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from support.forms import CONTENT_TYPE
from support.hub import Hub, basic
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure


class Wire(Protocol):
    """Stays open as long as the server leaves it so."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.received = b""
        self.is_closed = False

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.is_closed = True

    @property
    def status(self) -> int | None:
        """The status of the answer, once its head is there."""
        return int(self.received.split(b" ", 2)[1]) if b"\r\n\r\n" in self.received else None

    def send(self, data: bytes) -> None:
        self.transport.write(data)

    def send_head(self, path: str, *lines: str, method: str = "POST", user: str | None = "octo") -> None:
        """The head of an upload; `lines` say how long it is."""
        head = [f"{method} {path} HTTP/1.1", "Host: x", f"Content-Type: {CONTENT_TYPE}", *lines]
        if user is not None:
            head.append(f"Authorization: {basic(user, self._hub.token)}")
        self.send("\r\n".join([*head, "", ""]).encode())

    def hang_up(self) -> None:
        self.transport.abortConnection()

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Waits until something is so, for a minute at most."""
        for _ in range(60000):
            if is_so():
                return
            await deferLater(self._hub.reactor, 0.001)
        raise AssertionError(f"it never was so; received: {self.received!r}")

    async def answered(self) -> int:
        """Waits for the head of the answer; its status."""
        await self.until(lambda: self.status is not None)
        assert self.status is not None
        return self.status


async def connect(hub: Hub) -> Wire:
    """A new connection."""
    return await connectProtocol(TCP4ClientEndpoint(hub.reactor, "127.0.0.1", urlsplit(hub.url).port or 0), Wire(hub))
