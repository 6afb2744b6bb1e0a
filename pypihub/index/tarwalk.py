"""Every member of a gzipped tar archive, checked, in one pass.

Formats are POSIX's ustar and pax (https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html) and GNU's long
names. The standard library's tarfile would keep all members in memory and take over whatever sizes the headers tell,
so the headers are read here; what tarfile, and so pip, could take in another way is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import BinaryIO

from pypihub.index.members import (
    MOST_MEMBERS,
    BrokenArchiveError,
    Inflating,
    Kind,
    Member,
    check_length,
    plain_path,
    shown,
)
from pypihub.index.pieces import GZIP, inflated, pieces_at

_BLOCK = 512
_LARGEST_EXTENSION = 2**20  # a pax header; those of macOS hold some kilobytes of attributes
_MOST_INFLATED = 4 * 2**30  # all of it is inflated: a gigabyte takes some seconds
_OCTAL = re.compile(rb" *([0-7]*)[ \0]*")
_UNUSED_NUMBER = re.compile(rb"[\x80\xff].*|[ ]*[0-7]*[ ]*(?:\0.*)?", re.DOTALL)
_UNUSED_NUMBERS = (
    (100, 108),
    (108, 116),
    (116, 124),
    (136, 148),
    (329, 337),
    (337, 345),
)  # mode, owners, times, devices
_PAX_LENGTH = re.compile(rb"([1-9][0-9]{0,8}) ")
_DECIMAL = re.compile(rb"[0-9]{1,18}")
_KINDS = {
    b"\0": Kind.FILE,
    b"0": Kind.FILE,
    b"7": Kind.FILE,
    b"1": Kind.HARDLINK,
    b"2": Kind.SYMLINK,
    b"5": Kind.FOLDER,
}
_GLOBAL = b"g"
_EXTENSIONS = (b"x", b"X", _GLOBAL)
_GNU_LONG = {b"L": b"path", b"K": b"linkpath"}
_TOLD_BY_EXTENSIONS = (b"path", b"linkpath", b"size")


def tar_members(file: BinaryIO, size: int) -> Iterator[Member]:
    """Every member of the `.tar.gz` archive `file` of `size` bytes, in its order.

    Raises BrokenArchiveError for every archive that is not sound, be it after the last member.
    """
    stream = _Stream(inflated(pieces_at(file, 0, size), GZIP), Inflating(size, _MOST_INFLATED))
    extension: dict[bytes, bytes] = {}
    for _ in range(MOST_MEMBERS):
        header = stream.header()
        if not header.strip(b"\0"):
            break
        _check_header(header)
        kind, length = header[156:157], _number(header[124:136])
        if kind in _GNU_LONG or kind in _EXTENSIONS:
            _extend(extension, kind, stream.extension(length))
            continue
        end = stream.position + int(extension.get(b"size", length))
        member = _member(header, kind, extension, stream, end)
        extension = {}
        if member is not None:
            yield member
        stream.skip(end)
    else:
        raise BrokenArchiveError(f"It has more than {MOST_MEMBERS} tar headers.")
    if extension:
        raise BrokenArchiveError("A tar header is missing.")
    stream.check_end()


class _Stream:
    """The inflated archive, read once from its start to its end; `position` is how far that is."""

    def __init__(self, pieces: Iterator[bytes], inflating: Inflating) -> None:
        self.position = 0
        self._pieces = pieces
        self._inflating = inflating
        self._piece = b""
        self._used = 0  # of the piece

    def header(self) -> bytes:
        """The next block, or nothing at the end."""
        return self._read(_BLOCK) if self._is_filled() else b""

    def extension(self, length: int) -> bytes:
        """The content of an extension header, padded with zeros to whole blocks."""
        if length > _LARGEST_EXTENSION:
            raise BrokenArchiveError("A tar header is too long.")
        content = self._read(-(-length // _BLOCK) * _BLOCK)
        if content[length:].strip(b"\0"):
            raise BrokenArchiveError("A tar header is followed by more than zeros.")
        return content[:length]

    def up_to(self, position: int) -> Iterator[bytes]:
        """What is left until the position, in pieces. Raises BrokenArchiveError where the archive ends before."""
        while self.position < position:
            if not self._is_filled():
                raise BrokenArchiveError("The tar archive is cut off.")
            piece = self._piece[self._used : self._used + position - self.position]
            self._used += len(piece)
            self.position += len(piece)
            yield piece

    def skip(self, position: int) -> None:
        """Goes on to the first block that does not begin before the position."""
        for _ in self.up_to(-(-position // _BLOCK) * _BLOCK):
            pass

    def check_end(self) -> None:
        """Raises BrokenArchiveError where anything but zeros is left: tarfile would never show it."""
        while self._is_filled():
            if self._piece[self._used :].strip(b"\0"):
                raise BrokenArchiveError("There is more behind the end of the tar archive.")
            self._used = len(self._piece)

    def _read(self, length: int) -> bytes:
        return b"".join(self.up_to(self.position + length))

    def _is_filled(self) -> bool:
        """Tells whether there is any byte left; all that were inflated are counted."""
        if self._used == len(self._piece):
            self._piece, self._used = next(self._pieces, b""), 0
            self._inflating.add(len(self._piece))
        return bool(self._piece)


def _check_header(header: bytes) -> None:
    """Raises BrokenArchiveError for a header that tarfile does not take, be it for a number that nobody needs here.

    Its checksum counts its own field as spaces.
    """
    if _number(header[148:156]) != sum(header) - sum(header[148:156]) + 8 * ord(" "):
        raise BrokenArchiveError("A tar header is damaged.")
    if not all(_UNUSED_NUMBER.fullmatch(header, start, end) for start, end in _UNUSED_NUMBERS):
        raise BrokenArchiveError("A tar header has a number that is none.")


def _number(field: bytes) -> int:
    """The number in a header's field: octal digits, or GNU's binary numbers."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    match = _OCTAL.fullmatch(field)
    if match is None:
        raise BrokenArchiveError("A tar header has a number that is none.")
    return int(match[1] or b"0", 8)


def _extend(extension: dict[bytes, bytes], kind: bytes, content: bytes) -> None:
    """Takes over what an extension header tells of the next member; of all that pax knows, only what matters here.

    Raises BrokenArchiveError for a header that tells it of all members, or once more, for sparse files, and for paths
    that are too long.
    """
    records = [(_GNU_LONG[kind], _text(content))] if kind in _GNU_LONG else _pax_records(content)
    for key, value in records:
        if key.startswith(b"GNU.sparse."):
            raise BrokenArchiveError("It has a sparse file: pack it without.")
        if key not in _TOLD_BY_EXTENSIONS:
            continue
        if key in extension or kind == _GLOBAL or not value or (key == b"size" and not _DECIMAL.fullmatch(value)):
            raise BrokenArchiveError("A tar header tells a member's name or size in two ways.")
        check_length(value)
        extension[key] = value


def _pax_records(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The records `<length> <key>=<value>` and a line feed, the length being that of all of it."""
    position = 0
    while position < len(content):
        match = _PAX_LENGTH.match(content, position)
        end = position + int(match[1]) if match else 0
        if match is None or end > len(content) or content[end - 1 : end] != b"\n":
            raise BrokenArchiveError("A pax header is malformed.")
        key, _, value = content[match.end() : end - 1].partition(b"=")
        yield key, value
        position = end


def _member(header: bytes, kind: bytes, extension: dict[bytes, bytes], stream: _Stream, end: int) -> Member | None:
    """The member of a header, whose content ends at `end`; None for the folder that all is packed from."""
    name = extension.get(b"path") or _name(header)
    size = end - stream.position
    if kind not in _KINDS:
        raise BrokenArchiveError(f"'{shown(name)}' is neither a file, a folder nor a link.")
    is_old_folder = kind == b"\0" and name.endswith(b"/")
    what = Kind.FOLDER if is_old_folder else _KINDS[kind]
    if what is not Kind.FILE and size:
        raise BrokenArchiveError(f"'{shown(name)}' is no file and has a content.")
    if what is not Kind.FOLDER and name.endswith(b"/"):
        raise BrokenArchiveError(f"'{shown(name)}' is no folder.")
    path = _from_here(name)
    if not path and what is Kind.FOLDER and name:
        return None
    target = extension.get(b"linkpath") or _text(header[157:257])
    return Member(plain_path(path), what, size, partial(stream.up_to, end), target)


def _name(header: bytes) -> bytes:
    """The name in a header, and what stands before it in ustar. Other formats have something else there."""
    name, prefix = _text(header[:100]), _text(header[345:500])
    if not prefix:
        return name
    if header[257:263] != b"ustar\0":
        raise BrokenArchiveError("A tar header tells a name that only some readers take.")
    return prefix + b"/" + name


def _from_here(name: bytes) -> bytes:
    """The name without `./` in front of it, as tar writes it for whatever is packed from the current folder."""
    while name.startswith(b"./"):
        name = name[2:]
    return b"" if name == b"." else name


def _text(field: bytes) -> bytes:
    """What stands in a field before the first NUL."""
    return field.partition(b"\0")[0]
