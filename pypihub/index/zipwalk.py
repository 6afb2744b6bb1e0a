"""Every entry of a zip archive, checked: each byte of the file belongs to one entry or to the directory.

`ziptail` reads what the archive's end leads to; here the local headers must tell the same, and lie one behind the
other from the first byte on. So there is nothing in front, between or behind, and no two readers see two archives.
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Iterator
from functools import partial
from struct import Struct
from typing import BinaryIO

from pypihub.index.members import Inflating, Kind, Member, plain_path, shown
from pypihub.index.pieces import RAW_DEFLATE, inflated, pieces_at, read_at
from pypihub.index.ziptail import (
    DEFLATED,
    SMALLEST,
    STORED,
    BrokenZipError,
    Directory,
    Entry,
    check_local,
    find_directory,
    header_length,
    read_entries,
)

_TAIL = 128 * 1024  # the end records with the longest comment
_LARGEST_DIRECTORY = 12 * 2**20  # `wheel` has two copies of it at a time, and all should fit in 32 MB
_FIXED_HEADER = 30
_DESCRIPTOR_SIGNATURE = b"PK\7\10"
_DESCRIPTOR_64, _DESCRIPTOR_32 = Struct("<L2Q"), Struct("<3L")
_LONGEST_DESCRIPTOR = len(_DESCRIPTOR_SIGNATURE) + _DESCRIPTOR_64.size
_HIGHEST_RATIO = 1032  # of deflate, by its format
_MOST_VERIFIED = 512 * 2**20


def zip_members(file: BinaryIO, size: int) -> Iterator[Member]:
    """Every member of the zip archive `file` of `size` bytes, in the order of its directory.

    A member's checksum is verified before it is yielded, in all for the first 512 MiB, which take a second or two;
    what is beyond that is taken by its structure. Raises BrokenArchiveError for every archive that is not sound.
    """
    directory = _directory(file, size)
    inflating, left = Inflating(size), _MOST_VERIFIED
    starts, ends = array("Q"), array("Q")
    for entry in _entries(file, directory):
        begin, end = _extent(file, entry)
        starts.append(entry.start)
        ends.append(end)
        inflating.add(entry.size)
        member = _member(file, entry, begin)
        if entry.size <= left:
            left -= entry.size
            for _ in member.content():
                pass
        yield member
    _check_extents(starts, ends, directory)


def _directory(file: BinaryIO, size: int) -> Directory:
    if size < SMALLEST:
        raise BrokenZipError("It is too small to be a zip archive.")
    start = max(size - _TAIL, 0)
    directory = find_directory(read_at(file, start, size - start), size)
    if directory.end - directory.start > _LARGEST_DIRECTORY:
        raise BrokenZipError("The central directory is too large.")
    return directory


def _entries(file: BinaryIO, directory: Directory) -> Iterator[Entry]:
    """The directory's entries; its bytes are gone after the last one."""
    return read_entries(read_at(file, directory.start, directory.end - directory.start), directory)


def _extent(file: BinaryIO, entry: Entry) -> tuple[int, int]:
    """Where the entry's data begin, and where it ends with its data descriptor, by its local header."""
    length = header_length(read_at(file, entry.start, _FIXED_HEADER))
    has_descriptor = check_local(entry, read_at(file, entry.start, length))
    begin = entry.start + length
    end = begin + entry.compressed
    if end > entry.end:
        raise BrokenZipError(f"The entry {shown(entry.name)} overlaps the directory.")
    if has_descriptor:
        end += _descriptor_length(entry, read_at(file, end, min(_LONGEST_DESCRIPTOR, entry.end - end)))
    return begin, end


def _descriptor_length(entry: Entry, data: bytes) -> int:
    """How long the data descriptor is that `data` begins with: of 64 or 32 bits, with or without signature (4.3.9).

    Raises BrokenZipError where it contradicts the directory.
    """
    told = (entry.crc, entry.compressed, entry.size)
    for numbers in (_DESCRIPTOR_64, _DESCRIPTOR_32):
        if numbers is _DESCRIPTOR_32 and max(told) > 0xFFFF_FFFF:
            break
        for descriptor in (_DESCRIPTOR_SIGNATURE + numbers.pack(*told), numbers.pack(*told)):
            if data.startswith(descriptor):
                return len(descriptor)
    raise BrokenZipError(f"The data descriptor of the entry {shown(entry.name)} contradicts the directory.")


def _member(file: BinaryIO, entry: Entry, begin: int) -> Member:
    """The entry as a member. Raises BrokenArchiveError for a path, a method or a size that cannot be."""
    name = entry.text.encode()
    if b"\\" in name:
        raise BrokenZipError(f"The path '{shown(name)}' has a backslash: build the archive with slashes.")
    path = plain_path(name)
    if entry.method not in (STORED, DEFLATED):
        raise BrokenZipError(f"The compression method {entry.method} of {shown(name)} is not known to installers.")
    most = entry.compressed * (_HIGHEST_RATIO if entry.method == DEFLATED else 1)
    if entry.size > most or (entry.method == STORED and entry.size != entry.compressed):
        raise BrokenZipError(f"The size of {shown(name)} cannot be true.")
    is_folder = name.endswith(b"/")
    if is_folder and entry.size:
        raise BrokenZipError(f"The folder {shown(name)} has a content.")
    return Member(path, Kind.FOLDER if is_folder else Kind.FILE, entry.size, partial(_content, file, entry, begin))


def _content(file: BinaryIO, entry: Entry, begin: int) -> Iterator[bytes]:
    """The entry's content in pieces. Raises BrokenArchiveError where its size or its CRC-32 is wrong."""
    pieces = pieces_at(file, begin, entry.compressed)
    size = crc = 0
    for piece in inflated(pieces, RAW_DEFLATE) if entry.method == DEFLATED else pieces:
        size, crc = size + len(piece), zlib.crc32(piece, crc)
        if size > entry.size:
            break
        yield piece
    if (size, crc) != (entry.size, entry.crc):
        raise BrokenZipError(f"The size or the checksum of {shown(entry.name)} is wrong.")


def _check_extents(starts: array[int], ends: array[int], directory: Directory) -> None:
    """Raises BrokenZipError unless the entries lie one behind the other from the archive's start to its directory.

    None is empty, so that is so where the sorted ends are the sorted starts of what follows.
    """
    following = [*sorted(starts), directory.start]
    if following[0] != 0 or following[1:] != sorted(ends):
        raise BrokenZipError("Its entries overlap, or there are bytes in front of or between them.")
