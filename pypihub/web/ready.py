"""Answers that are ready to be sent, byte for byte, as often as they are asked for."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from twisted.web.server import version

from pypihub.catalog.snapshots import Snapshot
from pypihub.index.simple import Page

Encoding = Literal["identity", "gzip"]

WORTH_IT = 1000
"""Bytes from which on a page is compressed."""
PRIVATE = "private, max-age=0, must-revalidate"
_AROUND = 1000  # bytes of the objects around those that are counted
_LARGE = 256 * 1024  # from here on the quickest compression serves: it makes a page a tenth in a tenth of the time
_SERVER = f"Server: {version.decode()}\r\n"

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Ready:
    """An answer: its `headers` (without Server and Date), the `validators` among them, which a 304 has, and its body.

    `head` and `unchanged` (a 304's) are the same as bytes, up to the Date header. It is good up to `until`, a moment of
    the reactor's clock, and as long as its snapshot, where it has one. `etag` is empty where it has none.
    """

    code: int
    headers: Headers
    validators: Headers
    body: bytes
    etag: str
    until: float
    snapshot: Snapshot[Any] | None
    head: bytes
    unchanged: bytes

    @property
    def size(self) -> int:
        """Bytes of memory, about."""
        return len(self.body) + 3 * len(self.head) + len(self.unchanged) + _AROUND

    def is_good(self, now: float) -> bool:
        """Whether it may be sent without any further question."""
        snapshot = self.snapshot
        return now < self.until and (snapshot is None or (now < snapshot.renew_at and now < snapshot.until))


def ready_page(page: Page, encoding: Encoding, snapshot: Snapshot[Any], until: float) -> Ready:
    """A page in an encoding; the entity tag of each encoding is its own (RFC 9110, 8.8.3.3)."""
    body, etag = bytes(memoryview(page.body)), page.etag  # a copy: the encoder's own has a tenth of its room to spare
    encoded = []
    if encoding == "gzip":
        body, etag = _gzip(page.body), f'{page.etag[:-1]}-gzip"'
        encoded = [("Content-Encoding", "gzip")]
    validators = [("ETag", etag), ("Cache-Control", PRIVATE), ("Vary", "Accept, Accept-Encoding")]
    headers = [
        *validators,
        ("Content-Type", page.content_type),
        *encoded,
        ("Content-Length", str(len(body))),
        ("X-Content-Type-Options", "nosniff"),
        *page.headers,
    ]
    return Ready(
        200,
        headers,
        validators,
        body,
        etag,
        until,
        snapshot,
        _head("200 OK", headers),
        _head("304 Not Modified", validators),
    )


def ready_redirect(headers: Headers, body: bytes, until: float) -> Ready:
    """A redirect (302) with these headers."""
    return Ready(302, headers, (), body, "", until, None, _head("302 Found", headers), b"")


def _head(status: str, headers: Headers) -> bytes:
    lines = (f"{name}: {value}\r\n" for name, value in headers)
    return f"HTTP/1.1 {status}\r\n{_SERVER}{''.join(lines)}".encode("latin-1")


def _gzip(body: bytes) -> bytes:
    packer = zlib.compressobj(1 if len(body) > _LARGE else 6, wbits=zlib.MAX_WBITS | 16)
    return packer.compress(body) + packer.flush()
