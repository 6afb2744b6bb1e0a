"""GitHub's storage: ranges of a file's bytes by its signed URL, without any token."""

from __future__ import annotations

import hashlib
import re

from pypihub.errors import UpstreamError
from pypihub.github.answers import Reply
from pypihub.github.credentials import SignedURL
from pypihub.github.transport import Transport

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19})", re.ASCII)


class Storage:
    """Reads from signed URLs."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def read(self, url: SignedURL, start: int, end: int, size: int) -> bytes:
        """The bytes from `start` up to and without `end` of a file of `size` bytes.

        Raises UpstreamError for whatever is not just these bytes: an expired URL, a server that ignores the range, a
        file of another size, a cut body; and what `Transport.fetch` raises.
        """
        headers = {"Range": f"bytes={start}-{end - 1}", "Accept-Encoding": "identity"}
        reply = await self._transport.fetch(url, headers, end - start)
        whole = reply.status == 200 and (start, end) == (0, size)
        if not whole and not (reply.status == 206 and _range(reply) == (start, end, size)):
            raise UpstreamError(f"GitHub's storage does not give the file's bytes (status {reply.status}). Try again.")
        if len(reply.body) != end - start:
            raise UpstreamError("GitHub's storage cut the file's bytes short. Try again.")
        return reply.body

    async def sha256(self, url: SignedURL, size: int) -> str:
        """The sha256, in hex, of a file of `size` bytes, which is read as it comes and not kept.

        Raises like `read`.
        """
        digest = hashlib.sha256()
        length = 0

        def sink(data: bytes) -> None:
            nonlocal length
            length += len(data)
            digest.update(data)

        reply = await self._transport.fetch(url, {"Accept-Encoding": "identity"}, size, sink)
        if reply.status != 200 or length != size:
            raise UpstreamError(f"GitHub's storage does not give the file's bytes (status {reply.status}). Try again.")
        return digest.hexdigest()


def _range(reply: Reply) -> tuple[int, int, int] | None:
    match = _CONTENT_RANGE.fullmatch(reply.header("content-range"))
    return (int(match[1]), int(match[2]) + 1, int(match[3])) if match else None
