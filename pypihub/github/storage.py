"""GitHub's storage: ranges of a file's bytes by its signed URL, without any token."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from pypihub.errors import BusyError, UpstreamError
from pypihub.github.answers import read_header
from pypihub.github.credentials import Source
from pypihub.github.downloads import Download
from pypihub.github.transport import Transport

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19})", re.ASCII)
MOST_DOWNLOADS = 200
"""Files that are on their way to their readers at once."""
_PASSED_ON = ("content-range", "etag", "last-modified")


class Storage:
    """Reads files at their sources."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._downloads = 0

    async def read(self, source: Source, start: int, end: int, size: int) -> bytes:
        """The bytes from `start` up to and without `end` of a file of `size` bytes.

        Raises UpstreamError for whatever is not just these bytes: an expired URL, a server that ignores the range, a
        file of another size, a cut body; and what `Transport.fetch` raises.
        """
        headers = {"Range": f"bytes={start}-{end - 1}", "Accept-Encoding": "identity"}
        reply = await self._transport.fetch(source, headers, end - start)
        whole = reply.status == 200 and (start, end) == (0, size)
        if not whole and not (reply.status == 206 and _range(reply.header("content-range")) == (start, end, size)):
            raise _refused(reply.status)
        if len(reply.body) != end - start:
            raise UpstreamError("GitHub's storage cut the file's bytes short. Try again.")
        return reply.body

    async def sha256(self, source: Source, size: int) -> str:
        """The sha256, in hex, of a file of `size` bytes, which is read as it comes and not kept.

        Raises like `read`.
        """
        digest = hashlib.sha256()
        length = 0

        def sink(data: bytes) -> None:
            nonlocal length
            length += len(data)
            digest.update(data)

        reply = await self._transport.fetch(source, {"Accept-Encoding": "identity"}, size, sink)
        if reply.status != 200 or length != size:
            raise _refused(reply.status)
        return digest.hexdigest()

    async def open(self, source: Source, size: int, wanted: Mapping[str, str]) -> Download:
        """The bytes of a file of `size` bytes as they come; `wanted` are the reader's Range and If-Range headers.

        Raises UpstreamError for another file's length or an error of storage, BusyError where too many files are on
        their way, and what `Transport.open` raises.
        """
        if self._downloads >= MOST_DOWNLOADS:
            raise BusyError(f"PyPIHub is sending {MOST_DOWNLOADS} files already. Try again in a moment.")
        self._downloads += 1
        try:
            download = await self._open(source, size, wanted)
        except BaseException:
            self._downloads -= 1
            raise
        download.over.addBoth(self._leave)
        return download

    def _leave(self, result: object) -> None:
        self._downloads -= 1

    async def _open(self, source: Source, size: int, wanted: Mapping[str, str]) -> Download:
        response = await self._transport.open(source, {**wanted, "Accept-Encoding": "identity"})
        given = {name: read_header(response.headers, name) for name in _PASSED_ON}
        headers = {name: value for name, value in given.items() if value.isascii() and value.isprintable() and value}
        length = response.length if isinstance(response.length, int) else -1
        download = Download(response.code, headers, length, response, self._transport.reactor, self._transport.timeout)
        span = _range(headers.get("content-range", ""))
        is_file = {
            200: length == size,
            206: "range" in wanted and span is not None and span[2] == size and span[1] - span[0] == length,
            416: "range" in wanted and length >= 0,
        }
        encoding = read_header(response.headers, "content-encoding")  # empty: Twisted looked at it
        if not is_file.get(response.code) or encoding not in ("", "identity"):
            download.close()
            raise _refused(response.code)
        return download


def _refused(status: int) -> UpstreamError:
    return UpstreamError(f"GitHub's storage does not give the file's bytes (status {status}). Try again.")


def _range(content_range: str) -> tuple[int, int, int] | None:
    match = _CONTENT_RANGE.fullmatch(content_range)
    return (int(match[1]), int(match[2]) + 1, int(match[3])) if match else None
