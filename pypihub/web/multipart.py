"""The forms that uploads come as (multipart/form-data, RFC 7578), read while they come."""

from __future__ import annotations

import hashlib
import logging
import re
from dataclasses import dataclass, field
from typing import BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from pypihub.errors import UploadRefusedError, UploadTooLargeError
from pypihub.index.uploads import Companion, Received

MOST_PARTS = 2000
"""Parts of a form: each classifier and each requirement of a project is one."""
LARGEST_VALUE = 2 * 1024 * 1024
"""Bytes of a field's value, such as the project's description."""
LARGEST_COMPANION = 64 * 1024
"""Bytes of a file beside the distribution file, such as its signature."""
MOST_KEPT = 4 * 1024 * 1024
"""Bytes of all names, values and files beside the distribution file: what a form takes of memory."""
MOST_AROUND = 8 * 1024 * 1024
"""Bytes of a form without its distribution file: those that are kept, and what stands around them."""

_CONTENT = "content"
_LONGEST_NAME = 200
# RFC 2046, 5.1.1, without the space, and a few more of them: nobody sends longer ones.
_BOUNDARY = re.compile(rb"[0-9A-Za-z'()+_,./:=?-]{1,100}")
# Nobody listens to it: what the parser has to say of a client's mistakes is for the client.
_SILENT = logging.Logger("multipart", logging.CRITICAL + 1)


def read_boundary(content_type: bytes | None) -> bytes:
    """The boundary in a request's Content-Type. Raises UploadRefusedError for anything but a form with files."""
    kind, parameters = parse_options_header(content_type)
    if kind != b"multipart/form-data":
        raise UploadRefusedError("An upload is a form: its Content-Type must be multipart/form-data.")
    boundary = parameters.get(b"boundary", b"")
    if not _BOUNDARY.fullmatch(boundary):
        raise UploadRefusedError("The upload's Content-Type has no boundary, or one that no tool sends.")
    return boundary


def too_large(max_size: int) -> UploadTooLargeError:
    """What is said of a file of more than `max_size` bytes."""
    return UploadTooLargeError(f"The file is too large: this server takes up to {max_size / 2**20:g} MiB.")


@dataclass(slots=True)
class _Part:
    """A part while it comes: a field's value, or a file where it has a `filename`; `kept` are its bytes."""

    name: str
    filename: str | None
    kept: bytearray = field(default_factory=bytearray)

    @property
    def is_content(self) -> bool:
        """Whether it is the distribution file, whose bytes are not kept in memory."""
        return self.name == _CONTENT

    @property
    def largest(self) -> int:
        """How many bytes of it are kept at most."""
        return LARGEST_VALUE if self.filename is None else LARGEST_COMPANION


class FormReader:
    """Reads one form as its bytes come. Those of the part `content` go into `file`, `max_size` of them at most.

    After an error it is of no use any more.
    """

    def __init__(self, boundary: bytes, file: BinaryIO, max_size: int) -> None:
        self._file = file
        self._max_size = max_size
        self._filename: str | None = None
        self._size = 0
        self._sha256 = hashlib.sha256()
        self._fields: dict[str, list[str]] = {}
        self._companions: list[Companion] = []
        self._came = self._parts = self._kept = 0
        self._header = self._value = self._disposition = b""
        self._part = _Part("", None)
        self._is_whole = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin_part,
                "on_header_field": self._add_to_header,
                "on_header_value": self._add_to_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._end_headers,
                "on_part_data": self._add_to_part,
                "on_part_end": self._end_part,
                "on_end": self._end,
            },
        )
        self._parser.logger = _SILENT

    def feed(self, data: bytes) -> None:
        """Takes the next bytes. Raises UploadRefusedError, UploadTooLargeError, and what `file` raises."""
        self._came += len(data)
        if self._came > self._max_size + MOST_AROUND:
            raise too_large(self._max_size)
        try:
            self._parser.write(data)
        except FormParserError:
            raise UploadRefusedError("The upload's form is broken: it is not multipart/form-data.") from None

    def received(self) -> Received:
        """What came. Raises UploadRefusedError where the form has no end."""
        if not self._is_whole:
            raise UploadRefusedError("The upload's form is cut short: its end is missing.")
        self._file.flush()
        return Received(
            fields={name: tuple(values) for name, values in self._fields.items()},
            filename=self._filename or "",
            file=self._file,
            size=self._size,
            sha256=self._sha256.hexdigest(),
            companions=tuple(self._companions),
        )

    # What the parser calls; the bytes meant are data[start:end].

    def _begin_part(self) -> None:
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise UploadRefusedError(f"The upload's form has too many parts: up to {MOST_PARTS} are taken.")
        self._disposition = b""

    def _add_to_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _add_to_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        """Of a part's headers only the one with its names matters: a file's type is told by its name."""
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def _end_headers(self) -> None:
        kind, parameters = parse_options_header(self._disposition)
        name, filename = parameters.get(b"name", b""), parameters.get(b"filename")
        if kind != b"form-data" or not 0 < len(name) <= _LONGEST_NAME:
            raise UploadRefusedError("A part of the upload's form has no name, or one that is no field's.")
        self._part = part = _Part(_text(name), _text(filename) if filename is not None else None)
        self._keep(len(name) + len(filename or b""))
        if part.is_content:
            if part.filename is None:
                raise UploadRefusedError("The upload's file has no file name.")
            if self._filename is not None:
                raise UploadRefusedError("The upload's form has more than one file: send one at a time.")
            self._filename = part.filename

    def _add_to_part(self, data: bytes, start: int, end: int) -> None:
        part, piece = self._part, memoryview(data)[start:end]
        if part.is_content:
            self._size += len(piece)
            if self._size > self._max_size:
                raise too_large(self._max_size)
            self._sha256.update(piece)
            self._file.write(piece)
            return
        if len(part.kept) + len(piece) > part.largest:
            raise UploadRefusedError(
                f"The upload's part {part.name} is too large: up to {part.largest} bytes are taken."
            )
        self._keep(len(piece))
        part.kept += piece

    def _end_part(self) -> None:
        part = self._part
        if part.is_content:
            return
        if part.filename is None:
            self._fields.setdefault(part.name, []).append(_text(part.kept))
        else:
            self._companions.append(Companion(part.name, part.filename, bytes(part.kept)))

    def _end(self) -> None:
        self._is_whole = True

    def _keep(self, amount: int) -> None:
        self._kept += amount
        if self._kept > MOST_KEPT:
            raise UploadRefusedError(f"The upload's fields are too large: up to {MOST_KEPT} bytes are taken.")


def _text(value: bytes | bytearray) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise UploadRefusedError("The upload's form holds text that is not UTF-8.") from None
