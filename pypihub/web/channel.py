"""HTTP/1 connections that nobody holds for long by sending little, and on which nothing is answered without a word."""

from __future__ import annotations

import re
from http import HTTPStatus

from twisted.protocols.basic import LineReceiver
from twisted.web.http import HTTPChannel, Request

from pypihub.config import Limits

_AUTHORITY = re.compile(rb"https?://[^/?#]*", re.IGNORECASE)


class HubChannel(HTTPChannel):
    """Twisted's channel with a time for each state of a connection, in place of one for all.

    Without a request it is idle. A head has its time from its first byte on, and more bytes do not put off its end. A
    body has its time anew with each piece. While an answer is under way there is none, and when it is written the
    client has the idle time to read it.
    """

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self.MAX_LENGTH = self.totalHeadersSize = limits.header_size
        self._limits = limits
        self._is_in_pieces = False

    def dataReceived(self, data: bytes) -> None:
        """Twisted's: more bytes. (Its own would begin the time of a head anew.)"""
        LineReceiver.dataReceived(self, data)
        if self._busyReceiving:  # what goes on with the bytes comes here as well
            return
        if not self.line_mode:
            self.resetTimeout()
        elif not self._is_in_pieces and (self._buffer or "_command" in self.__dict__):
            self._is_in_pieces = True
            self.setTimeout(self._limits.headers)

    def allHeadersReceived(self) -> None:  # noqa: N802 - Twisted's name
        """Twisted's: the head is there."""
        self._is_in_pieces = False
        if self._path[:1] != b"/":
            self._path = origin_form(self._path)
        super().allHeadersReceived()
        if self.length != 0:
            self.setTimeout(self._limits.body)

    def requestDone(self, request: Request) -> None:
        """Twisted's: the answer is written."""
        self._savedTimeOut = self._limits.idle
        super().requestDone(request)
        if not self.persistent:
            self.setTimeout(self._limits.idle)  # or who does not read it would keep it

    def lineLengthExceeded(self, line: bytes) -> None:
        """Twisted's: a line is longer than all may be."""
        if "_command" in self.__dict__:
            self._turn_away(431, self._too_large())
        else:
            self._turn_away(414, f"The URL is too long: this server takes up to {self._limits.url_length} bytes.")

    def _respondToBadRequestAndDisconnect(self) -> None:  # noqa: N802 - Twisted has no other way to it
        if self._receivedHeaderSize > self.totalHeadersSize or self._receivedHeaderCount > self.maxHeaders:
            self._turn_away(431, self._too_large())
        else:
            self._turn_away(400, "This is no HTTP request.")

    def _too_large(self) -> str:
        return f"The headers are too large: this server takes up to {self.totalHeadersSize} bytes in {self.maxHeaders}."

    def _turn_away(self, code: int, reason: str) -> None:
        body = f"{reason}\n"
        self.write(
            f"HTTP/1.1 {code} {HTTPStatus(code).phrase}: {reason}\r\nConnection: close\r\nCache-Control: no-store\r\n"
            f"Content-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        self.loseConnection()


def origin_form(target: bytes) -> bytes:
    """A request's target without scheme and host, which every server must take (RFC 9112, 3.2.2); others as they are.

    Who is asked does not matter here, as with the Host header.
    """
    authority = _AUTHORITY.match(target)
    if authority is None:
        return target
    rest = target[authority.end() :]
    return rest if rest.startswith(b"/") else b"/" + rest
