"""The headers of METADATA and PKG-INFO (core metadata), and whose they are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser

from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from pypihub.errors import PyPIHubError
from pypihub.index.names import read_version

LARGEST_METADATA = 8 * 2**20
"""Bytes of METADATA or PKG-INFO; the largest on PyPI are below 1 MiB."""
_LARGEST_HEADERS = 2**20
_MOST_HEADER_LINES = 20_000
_LONGEST_VALUE = 1000
_BLANK_LINE = re.compile(rb"\n[\r\n]|\r\r")


class LongHeadersError(PyPIHubError):
    """The headers are longer than any real ones."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The project and version that a file belongs to: its name and its metadata must agree on that."""

    project: NormalizedName
    version: Version

    def is_of(self, name: str, version: str) -> bool:
        """Tells whether a name and a version, however they are spelled, are these (PEP 503, PEP 440)."""
        if len(version) > _LONGEST_VALUE or canonicalize_name(name) != self.project:
            return False
        return read_version(version) == self.version


def read_headers(content: bytes) -> Message:
    """The headers of METADATA, read by the parser that installers use; bytes that are no UTF-8 are replaced.

    That parser is slow and wants up to a hundred times the memory, so it gets no body and no more than there is
    in real files. Raises LongHeadersError for more.
    """
    end = _end_of_headers(content)
    if end > _LARGEST_HEADERS or content.count(b"\n", 0, end) + content.count(b"\r", 0, end) > _MOST_HEADER_LINES:
        raise LongHeadersError("The headers are too long.")
    return HeaderParser().parsestr(content[:end].decode("utf-8", "replace"))


def read_body(content: bytes) -> str:
    """What stands behind the headers: the description. Bytes that are no UTF-8 are replaced."""
    return content[_end_of_headers(content) :].decode("utf-8", "replace")


def _end_of_headers(content: bytes) -> int:
    blank = _BLANK_LINE.search(content)
    return blank.start() if blank else len(content)


def only(headers: Message, name: str) -> str:
    """The value of a header that is there once; else an empty text, which is no value of any that is asked for."""
    values = headers.get_all(name, [])
    return str(values[0]).strip() if len(values) == 1 else ""


def requires_python(headers: Message) -> str | None:
    """The value of Requires-Python in one line, or None where it is not there or is no specifier (PEP 345)."""
    value = " ".join(only(headers, "Requires-Python").split())
    return value if value and specifiers(value) is not None else None


def specifiers(value: str) -> SpecifierSet | None:
    """The specifiers of a value of Requires-Python, or None where it is none that can be shown in a page."""
    if len(value) > _LONGEST_VALUE or not (value.isascii() and value.isprintable()):
        return None
    try:
        return SpecifierSet(value)
    except ValueError:  # InvalidSpecifier is one
        return None
