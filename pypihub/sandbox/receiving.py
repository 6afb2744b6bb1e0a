"""Take in a request's body while it comes, also one that never ends."""

from io import BytesIO
from typing import Protocol

from twisted.internet.interfaces import ITCPTransport
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers
from twisted.web.server import Request


class Receipt(Protocol):
    """What becomes of one request with its body."""

    def receive(self, data: bytes) -> bool:
        """Take a piece of the body; False to have the connection reset."""

    def complete(self, request: Request) -> None:
        """Answer: all of the body was received."""

    def lost(self) -> None:
        """The connection ended before the body did."""


class Receiver(Protocol):
    """The resource of a site whose requests are `ReceivingRequest`."""

    def begin(self, method: bytes, uri: bytes, headers: Headers) -> Receipt:
        """Look at the head of a request, whose body is to come."""


class ReceivingRequest(Request):
    """A request whose body is not kept but handed on, piece by piece, to what its site's resource makes of its head."""

    _receipt: Receipt
    _ended = False

    def gotLength(self, length: int | None) -> None:
        """Begin with the body: the headers are complete now."""
        self.content = BytesIO()  # stays empty
        receiver: Receiver = self.channel.site.resource  # type: ignore[attr-defined]  # Site.buildProtocol adds it
        # The request itself learns its method and its URI only when all of the body is there.
        self._receipt = receiver.begin(self.channel._command, self.channel._path, self.requestHeaders)

    def handleContentChunk(self, data: bytes) -> None:
        """Hand a piece of the body on."""
        if not self._ended and not self._receipt.receive(data):
            self._lose()
            ITCPTransport(self.channel.transport).abortConnection()

    def process(self) -> None:
        """Have the request answered, unless the connection was reset at the last piece."""
        if not self._ended:
            self._ended = True
            self._receipt.complete(self)

    def connectionLost(self, reason: Failure) -> None:
        """Tell of a body that will never be complete."""
        self._lose()
        super().connectionLost(reason)

    def _lose(self) -> None:
        """End a body that is not complete."""
        if not self._ended:
            self._ended = True
            self._receipt.lost()
