"""Requests that no client library would send."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from pytest_twisted import ensureDeferred
from support.hub import Hub, basic
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure


class _Whole(Protocol):
    """Sends bytes and reads until the server closes."""

    def __init__(self, sent: bytes) -> None:
        self._sent = sent
        self._read = b""
        self.read: Deferred[bytes] = Deferred()

    def connectionMade(self) -> None:
        self.transport.write(self._sent)

    def dataReceived(self, data: bytes) -> None:
        self._read += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.read.callback(self._read)


async def exchange(hub: Hub, line: bytes, headers: bytes = b"") -> bytes:
    """All that the server answers to a request."""
    authorized = f"Authorization: {basic('octo', hub.token)}\r\n".encode()
    protocol = _Whole(line + b" HTTP/1.1\r\nConnection: close\r\n" + authorized + headers + b"\r\n")
    await connectProtocol(TCP4ClientEndpoint(hub.reactor, "127.0.0.1", urlsplit(hub.url).port), protocol)
    return await protocol.read


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET\xff /", b"400"),
        (b"GET /simple/\xc3\xa9/", b"400"),
        (b"GET /simple/%c3%a9/", b"404"),
        (b"GET ftp://elsewhere/simple/", b"404"),
        (b"GET http:/simple/", b"404"),
        (b"GET http://elsewhere//simple/", b"404"),
        (b"GET simple/", b"404"),
        (b"GET /../../etc/passwd", b"404"),
        (b"GET /simple/%2e%2e%2f%2e%2e%2fetc/", b"404"),
        (b"BREW /", b"405"),
        (b"GET /simple/?format=%ff", b"406"),
    ],
)
@ensureDeferred
async def test_odd_request_lines_are_turned_down(hub: Hub, line: bytes, status: bytes) -> None:
    answer = await exchange(hub, line, b"Host: x\r\n")
    assert answer.split(b" ", 2)[1] == status
    assert hub.asked() == 0


@pytest.mark.parametrize("start", [b"http://hub.example:3141", b"HTTPS://octo:token@elsewhere", b"http://"])
@ensureDeferred
async def test_a_target_with_scheme_and_host_is_what_stands_behind_them(hub: Hub, start: bytes) -> None:
    answer = await exchange(hub, b"GET " + start + b"/simple?x=1", b"Host: x\r\n")
    assert answer.startswith(b"HTTP/1.1 301 ")
    assert b"\r\nLocation: simple/?x=1\r\n" in answer
    assert b" 200 OK\r\n" in await exchange(hub, b"GET " + start + b"/simple/", b"Host: x\r\n")
    assert b" 200 OK\r\n" in await exchange(hub, b"GET " + start, b"Host: x\r\n")


@pytest.mark.parametrize(
    "headers",
    [
        b"",
        b"Host: \xff\xfe\r\n",
        b"Host: " + b"a." * 200 + b"\r\n",
        b"Host: x\r\nHost: y\r\n",
        b"Host: x\r\nAccept: \xff;q=\xff,text/html;q=nan,*/*;q=9e9\r\n",
        b'Host: x\r\nIf-None-Match: \xff", W/, ",\r\n',
        b"Host: x\r\nUser-Agent:\r\n",
    ],
)
@ensureDeferred
async def test_odd_headers_change_nothing(hub: Hub, headers: bytes) -> None:
    answer = await exchange(hub, b"GET /simple/", headers)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Simple index" in answer


@ensureDeferred
async def test_no_header_can_be_smuggled_into_a_redirect(hub: Hub) -> None:
    answer = await exchange(hub, b"GET /simple/demo?a=%0d%0aX-Evil:1", b"Host: x\r\n")
    assert b"\r\nLocation: demo/?a=%0d%0aX-Evil:1\r\n" in answer
    assert b"\r\nX-Evil" not in answer


@ensureDeferred
async def test_a_credential_that_is_no_ascii_is_a_challenge(hub: Hub) -> None:
    answer = await exchange(hub, b"GET /simple/", b"Host: x\r\n")
    assert b" 200 " in answer
    protocol = _Whole(b"GET /simple/ HTTP/1.0\r\nAuthorization: Basic \xff\r\n\r\n")
    await connectProtocol(TCP4ClientEndpoint(hub.reactor, "127.0.0.1", urlsplit(hub.url).port), protocol)
    assert b" 401 " in await protocol.read
