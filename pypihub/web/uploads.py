"""Uploads by the legacy API: who may send one, and where its bytes are while they come."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from tempfile import TemporaryFile
from typing import BinaryIO, Protocol
from urllib.parse import unquote_to_bytes

from twisted.logger import Logger
from twisted.web.http_headers import Headers

from pypihub.catalog.delivery import Published
from pypihub.errors import BusyError, ForbiddenError
from pypihub.github.credentials import Credentials
from pypihub.index.uploads import Received
from pypihub.web.auth import read_credentials
from pypihub.web.multipart import MOST_AROUND, FormReader, read_boundary, too_large

_log = Logger("pypihub")

MOST_AT_ONCE = 50
"""Uploads whose files are on the disk at once, those that are being published included."""

_OF_BROWSERS = (b"origin", b"sec-fetch-site")  # with each POST; no page can leave them out, and no tool has them
_URL = re.compile(rb"/(?:(?P<owner>[^/]+)/)?(?:legacy|simple)/?")


class Publisher(Protocol):
    """Where an upload goes once it is there."""

    def publish(self, credentials: Credentials, received: Received) -> Awaitable[Published]:
        """Publishes it; `received.file` is the publisher's from now on, and closed in the end, whatever happens."""


class Uploads:
    """Begins uploads. `admit` raises for callers who are turned away; a file may have `max_size` bytes."""

    def __init__(self, admit: Callable[[Credentials], None], publisher: Publisher, *, max_size: int) -> None:
        self._admit = admit
        self._publisher = publisher
        self._max_size = max_size
        self._files: list[BinaryIO] = []

    def begin(self, uri: bytes, headers: Headers) -> Intake | None:
        """The upload of a POST whose head this is; None for a URL that takes none.

        Raises what `read_credentials`, `read_boundary` and `admit` do, UploadTooLargeError where the head tells so
        already, and BusyError. Raises ForbiddenError for a browser, which sends the credentials that it was given for
        pages wherever any other site's page tells it to.
        """
        match = _URL.fullmatch(unquote_to_bytes(uri.partition(b"?")[0]))
        if match is None:
            return None
        if any(headers.hasHeader(name) for name in _OF_BROWSERS):
            raise ForbiddenError("Browsers cannot publish here, for any page could make them: use a tool.")
        owner = match["owner"].decode(errors="replace") if match["owner"] is not None else None
        credentials = read_credentials(headers.getRawHeaders(b"authorization", [None])[0], owner)
        self._admit(credentials)
        boundary = read_boundary(headers.getRawHeaders(b"content-type", [None])[0])
        if int(headers.getRawHeaders(b"content-length", [b"0"])[0]) > self._max_size + MOST_AROUND:
            raise too_large(self._max_size)
        file = self._open_file()
        return Intake(credentials, FormReader(boundary, file, self._max_size), file, self._publisher)

    def _open_file(self) -> BinaryIO:
        self._files = [file for file in self._files if not file.closed]
        if len(self._files) >= MOST_AT_ONCE:
            raise BusyError("Too many uploads are under way already. Try again in a moment.")
        with _on_disk():
            file = TemporaryFile()  # noqa: SIM115 - it has no name, so that nothing is left of it in any case
        self._files.append(file)
        return file


class Intake:
    """An upload while it comes, to the `owner`. Until it is published its file is its own."""

    def __init__(self, credentials: Credentials, reader: FormReader, file: BinaryIO, publisher: Publisher) -> None:
        self.owner = credentials.owner
        self._credentials = credentials
        self._reader = reader
        self._file: BinaryIO | None = file
        self._publisher = publisher

    def take(self, data: bytes) -> None:
        """Takes the next bytes. Raises what `FormReader.feed` does, and BusyError where the disk is full."""
        with _on_disk():
            self._reader.feed(data)

    async def publish(self) -> Published:
        """Publishes what came. Raises what `FormReader.received` and `Publisher.publish` do."""
        with _on_disk():
            received = self._reader.received()
        self._file = None
        return await self._publisher.publish(self._credentials, received)

    def close(self) -> None:
        """Ends it; its file is gone unless it is being published."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):  # what was not written yet is not wanted
                file.close()


@contextmanager
def _on_disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        _log.warn("An upload could not be stored: {error}", error=error)
        raise BusyError("PyPIHub has no room for this upload on its disk. Try again later.") from None
