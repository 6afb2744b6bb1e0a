"""A connection to the hub by HTTP/2 whose frames the test sees: each request is a stream."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from h2.config import H2Configuration
from h2.connection import H2Connection
from hpack import Decoder
from hyperframe.frame import (
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)
from support.hub import Hub, basic
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates
from twisted.internet.task import deferLater
from twisted.python.failure import Failure


@dataclass
class Stream:
    """A request and what came of its answer."""

    number: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    is_whole: bool = False
    is_reset: bool = False


class Streams(Protocol):
    """Stays open as long as the server leaves it so; goes on reading what was begun after a GOAWAY, as clients do.

    Without `reads` the server may send the 64 KiB of a new stream's window, and no more.
    """

    def __init__(self, hub: Hub, *, reads: bool = True) -> None:
        self._hub = hub
        self._reads = reads
        self._sends = H2Connection(H2Configuration(client_side=True))
        self._decoder = Decoder()
        self._received = b""
        self.streams: dict[int, Stream] = {}
        self.goodbyes: list[int] = []
        """The last stream of each GOAWAY."""
        self.is_closed = False

    def connectionMade(self) -> None:
        self._sends.initiate_connection()
        self._flush()

    def ask(self, path: str, method: str = "GET", body: bytes = b"", **headers: str) -> Stream:
        """Sends a request."""
        number = self._sends.get_next_available_stream_id()
        head = [(":method", method), (":scheme", "https"), (":authority", "localhost"), (":path", path)]
        head += [("authorization", basic("octo", self._hub.token)), *headers.items()]
        self._sends.send_headers(number, head, end_stream=not body)
        if body:
            self._sends.send_data(number, body, end_stream=True)
        self._flush()
        self.streams[number] = Stream(number)
        return self.streams[number]

    def hang_up(self) -> None:
        if not self.is_closed:
            self.transport.abortConnection()

    async def until(self, is_so: Callable[[], object]) -> None:
        """Waits until something is so, for a minute at most."""
        for _ in range(60000):
            if is_so():
                return
            await deferLater(self._hub.reactor, 0.001)
        raise AssertionError(f"it never was so: {self.streams}, {self.goodbyes}")

    def dataReceived(self, data: bytes) -> None:
        self._received += data
        while len(self._received) >= 9:
            frame, length = Frame.parse_frame_header(memoryview(self._received[:9]))
            if len(self._received) < 9 + length:
                return
            frame.parse_body(memoryview(self._received[9 : 9 + length]))
            self._received = self._received[9 + length :]
            self._take(frame, length)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.is_closed = True

    def _take(self, frame: Any, length: int) -> None:
        if isinstance(frame, GoAwayFrame):
            self.goodbyes.append(frame.last_stream_id)
        elif isinstance(frame, SettingsFrame) and "ACK" not in frame.flags:
            self.transport.write(SettingsFrame(0, flags=["ACK"]).serialize())
        stream = self.streams.get(frame.stream_id)
        if stream is None:
            return
        if isinstance(frame, HeadersFrame):
            stream.headers = {str(name): str(value) for name, value in self._decoder.decode(bytes(frame.data))}
        elif isinstance(frame, DataFrame):
            stream.body += bytes(frame.data)
            if self._reads and length:
                for number in (0, stream.number):
                    self.transport.write(WindowUpdateFrame(number, window_increment=length).serialize())
        elif isinstance(frame, RstStreamFrame):
            stream.is_reset = True
        stream.is_whole = stream.is_whole or "END_STREAM" in frame.flags

    def _flush(self) -> None:
        self.transport.write(self._sends.data_to_send())


async def connect_streams(hub: Hub, crt: Path, *, reads: bool = True) -> Streams:
    """A new connection, which trusts the certificate."""
    trust = trustRootFromCertificates([Certificate.loadPEM(crt.read_bytes())])
    options = optionsForClientTLS("localhost", trustRoot=trust, acceptableProtocols=[b"h2"])
    plain = TCP4ClientEndpoint(hub.reactor, "127.0.0.1", urlsplit(hub.url).port or 0)
    return await connectProtocol(wrapClientTLS(options, plain), Streams(hub, reads=reads))
