"""A wheel's METADATA (PEP 427, PEP 658), read from the few byte ranges of the wheel that hold it.

A wheel is a zip archive, whose directory is at its end. The reader says which bytes it needs next; whoever
fetches them sends them in. Nothing here knows where they come from.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from email.message import Message
from hashlib import sha256

from packaging.utils import canonicalize_name

from pypihub.errors import PyPIHubError
from pypihub.index.headers import LARGEST_METADATA, Identity, LongHeadersError, only, read_headers, requires_python
from pypihub.index.names import FileNames
from pypihub.index.ziptail import SMALLEST, BrokenZipError, Entry, entry_content, find_directory, find_entry

_TAIL = 64 * 1024  # the directory of most wheels, METADATA often with it: tools write the .dist-info last
_HIGHEST_RATIO = 200  # of deflated text, once it is longer than the tail; prose has 3 to 10
_INFO, _METADATA = b".dist-info", b"/METADATA"


@dataclass(frozen=True, slots=True)
class Span:
    """A range of a file's bytes, from `start` up to but without `end`; never empty."""

    start: int
    end: int


class UnreadableWheelError(PyPIHubError):
    """The wheel's METADATA cannot be read; the text says why."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """A wheel's METADATA as it is, its SHA-256 in hex, and its Requires-Python where that is a valid specifier."""

    content: bytes
    sha256: str
    requires_python: str | None


def read_metadata(filename: str, size: int) -> Generator[Span, bytes, Metadata]:
    """Read METADATA of the wheel `filename` of `size` bytes: yields each span that is needed, is sent its bytes.

    The first span is the wheel's last 64 KiB, or all of it. A second one has the METADATA, or what is missing of
    a directory that is longer than that; then a third may have the METADATA. No byte is asked for twice.

    Raises UnreadableWheelError for every wheel that is damaged, ambiguous, hostile or another project's.
    """
    try:
        return (yield from _read(filename, size))
    except BrokenZipError as error:
        raise UnreadableWheelError(f"The wheel's METADATA cannot be read. {error.message}") from None


def _read(filename: str, size: int) -> Generator[Span, bytes, Metadata]:
    release = _identity_of(filename)
    if size < SMALLEST:
        raise UnreadableWheelError("The wheel is too small to be one.")
    tail = yield from _fetch(Span(max(size - _TAIL, 0), size))
    entry = yield from _find(tail, size)
    _check_entry(entry, release)
    content = entry_content(entry, (yield from _bytes(entry.start, entry.end, tail, size)))
    headers = _headers(content)
    _check_headers(headers, release)
    return Metadata(content, sha256(content).hexdigest(), requires_python(headers))


def _find(tail: bytes, size: int) -> Generator[Span, bytes, Entry]:
    """The entry of METADATA. The directory's bytes, which can be 16 MiB, are gone afterwards."""
    directory = find_directory(tail, size)
    records = yield from _bytes(directory.start, directory.end, tail, size)
    return find_entry(records, directory, _is_metadata)


def _bytes(start: int, end: int, tail: bytes, size: int) -> Generator[Span, bytes, bytes]:
    """The bytes from `start` to `end` of a wheel of `size` bytes; only what `tail` has not is fetched."""
    tail_start = size - len(tail)
    known = tail[max(start - tail_start, 0) : max(end - tail_start, 0)]
    if start >= tail_start:
        return known
    return (yield from _fetch(Span(start, min(end, tail_start)))) + known


def _fetch(span: Span) -> Generator[Span, bytes, bytes]:
    """The bytes of `span`. Raises UnreadableWheelError where there come more or fewer, or none at all."""
    data = yield span
    if not isinstance(data, bytes) or len(data) != span.end - span.start:
        raise UnreadableWheelError("The wheel was not sent as it was asked for; its size may be another.")
    return data


def _is_metadata(name: bytes) -> bool:
    """Tells whether an entry's name is `<any>.dist-info/METADATA`: not `x/<any>.dist-info/METADATA`, vendored."""
    return name.endswith(_INFO + _METADATA) and name.count(b"/") == 1


def _identity_of(filename: str) -> Identity:
    """Whose the wheel is by its file name (PEP 427). Raises UnreadableWheelError where it is no wheel's."""
    project = canonicalize_name(filename.partition("-")[0])
    version = FileNames(project).version(filename) if filename.endswith(".whl") else None
    if version is None:
        raise UnreadableWheelError("The file's name is no wheel's.")
    return Identity(project, version)


def _check_entry(entry: Entry, release: Identity) -> None:
    """Raises UnreadableWheelError for the .dist-info folder of another release, and for sizes beyond all reason."""
    folder = entry.name.removesuffix(_INFO + _METADATA).decode("ascii", "replace")
    name, _, version = folder.rpartition("-")
    if not release.is_of(name, version):
        raise UnreadableWheelError("The wheel's .dist-info folder is another release's.")
    if max(entry.size, entry.compressed) > LARGEST_METADATA or entry.size > _TAIL + _HIGHEST_RATIO * entry.compressed:
        raise UnreadableWheelError("The wheel's METADATA is too large.")


def _headers(content: bytes) -> Message:
    """The headers of METADATA. Raises UnreadableWheelError where they are longer than those of real wheels."""
    try:
        return read_headers(content)
    except LongHeadersError:
        raise UnreadableWheelError("The headers of the wheel's METADATA are too long.") from None


def _check_headers(headers: Message, release: Identity) -> None:
    """Raises UnreadableWheelError where Name and Version are missing, given twice, or another release's."""
    if not release.is_of(only(headers, "Name"), only(headers, "Version")):
        raise UnreadableWheelError("The wheel's METADATA is another release's.")
