"""What every answer on the wire must be, whatever was asked."""

from __future__ import annotations

import re
from dataclasses import dataclass

_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9]{2}) [\x20-\x7e]*")
_HEADER = re.compile(rb"([A-Za-z0-9-]+): ([\x20-\x7e]*)")
# All that PyPIHub and Twisted say of an answer: another name would be one that somebody smuggled in.
_NAMES = frozenset(
    b"accept-ranges age allow cache-control connection content-encoding content-length content-range content-type "
    b"content-security-policy date etag last-modified location referrer-policy retry-after server transfer-encoding "
    b"vary warning www-authenticate "
    b"x-content-type-options x-pypi-last-serial x-request-id".split()
)


@dataclass(frozen=True)
class Reply:
    """An HTTP/1.1 answer; `headers` by their names in small letters."""

    code: int
    headers: dict[bytes, bytes]
    body: bytes


def read_replies(received: bytes, *, is_head: bool = False) -> list[Reply]:
    """All answers on a connection. Fails for anything that is not well formed, cut, or tells of PyPIHub's inside."""
    replies = []
    while received:
        head, end, received = received.partition(b"\r\n\r\n")
        assert end, f"a head without an end: {head!r}"
        first, *lines = head.split(b"\r\n")
        status = _STATUS_LINE.fullmatch(first)
        assert status, f"no status line: {first!r}"
        code, headers = int(status[1]), _headers(lines)
        if code == 100:
            continue
        body = b""
        if code != 304 and (not is_head or received):  # what is no request is no HEAD either
            assert b"content-length" in headers, f"where does the body end? {head!r}"
            length = int(headers[b"content-length"])
            body, received = received[:length], received[length:]
            assert len(body) == length, "the body is cut"
        assert b"Traceback" not in body
        assert b"pypihub/" not in body.lower(), "it tells of a file of ours"
        replies.append(Reply(code, headers, body))
    return replies


def _headers(lines: list[bytes]) -> dict[bytes, bytes]:
    headers: dict[bytes, bytes] = {}
    for line in lines:
        match = _HEADER.fullmatch(line)
        assert match, f"no header: {line!r}"
        name = match[1].lower()
        assert name in _NAMES, f"an unknown header: {line!r}"
        assert name not in headers, f"twice: {line!r}"
        headers[name] = match[2]
    return headers
