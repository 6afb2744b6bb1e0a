"""The parts of a zip archive that its last bytes lead to: end records, central directory, one entry's content.

Sections are those of PKWARE's APPNOTE.TXT 6.3.10. What Python's zipfile, and so pip, refuses or could take in
two ways is refused here: whoever reads an entry here has what an installer will unpack.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from struct import Struct
from typing import NamedTuple

from pypihub.index.members import MOST_MEMBERS, BrokenArchiveError


class BrokenZipError(BrokenArchiveError):
    """The zip archive cannot be read, or not in one way only; the text says why."""


@dataclass(frozen=True, slots=True)
class Directory:
    """Where the central directory lies in the archive, from `start` up to but without `end`."""

    start: int
    end: int
    entries: int


class Entry(NamedTuple):
    """One entry as the central directory tells of it; a tuple, because 100,000 are made in a row.

    `start` is where its local header begins; its bytes lie before `end`. `compressed` and `size` are the lengths
    of its data in the archive and inflated.
    """

    name: bytes
    flags: int
    method: int
    crc: int
    compressed: int
    size: int
    start: int
    end: int

    @property
    def text(self) -> str:
        """The name as zipfile decodes it (4.4.17, D)."""
        return self.name.decode("utf-8" if self.flags & _UTF8 else "cp437")


@dataclass(frozen=True, slots=True)
class _Record:
    """A record of the format: its name, its signature and its fixed fields; `4x` stands for the signature."""

    name: str
    signature: bytes
    fields: Struct

    def read(self, data: bytes, position: int) -> tuple[int, ...]:
        """The record's fields at `position` of `data`. Raises BrokenZipError where it is not there as a whole."""
        if not 0 <= position <= len(data) - self.fields.size or not data.startswith(self.signature, position):
            raise BrokenZipError(f"The {self.name} is missing or cut off.")
        return self.fields.unpack_from(data, position)


_LOCAL = _Record("local file header", b"PK\3\4", Struct("<4x5H3L2H"))  # 4.3.7
_CENTRAL = _Record("central directory's next entry", b"PK\1\2", Struct("<4x6H3L5H2L"))  # 4.3.12
_END64 = _Record("zip64 end of central directory", b"PK\6\6", Struct("<4xQ2H2L4Q"))  # 4.3.14
_LOCATOR64 = _Record("zip64 end of central directory locator", b"PK\6\7", Struct("<4xLQL"))  # 4.3.15
_END = _Record("end of central directory", b"PK\5\6", Struct("<4x4H2LH"))  # 4.3.16
_EXTRA = Struct("<2H")  # 4.5.1
_END_RECORDS = _END64.fields.size + _LOCATOR64.fields.size  # what may stand in front of the last record

SMALLEST = _END.fields.size
"""The size of an archive without entries."""
_LARGEST_DIRECTORY = 16 * 2**20
_MOST_EXTRA_FIELDS = 4  # of one entry; writers have up to three, and an entry has room for 16,000 empty ones
_NEWEST_VERSION = 63  # of the format, as zipfile reads it (4.4.3)
_FULL_16, _FULL_32 = 0xFFFF, 0xFFFF_FFFF  # "see zip64" (4.4.1.4)
_ZIP64_FIELD, _UNICODE_PATH_FIELD = 0x0001, 0x7075  # 4.5.3, 4.6.9
_UNREADABLE = 1 << 0 | 1 << 5 | 1 << 6 | 1 << 13  # encrypted, a patch, strongly encrypted, masked (4.4.4)
_STREAMED, _UTF8 = 1 << 3, 1 << 11

STORED, DEFLATED = 0, 8
"""The compression methods that installers know (4.4.5)."""


def find_directory(tail: bytes, size: int) -> Directory:
    """Where the central directory is, by the last bytes `tail` of an archive of `size` bytes (4.3.14 to 4.3.16).

    It must end where the end records begin, so an archive with foreign bytes before it is refused: zipfile would
    shift all its offsets. Raises BrokenZipError; so it does for a comment that leaves the records outside `tail`.
    """
    position = tail.rfind(_END.signature)
    disk, first_disk, here, entries, length, start, comment = _END.read(tail, position)
    if position + _END.fields.size + comment != len(tail):
        raise BrokenZipError("The end of central directory is not the archive's end.")
    if position < _END_RECORDS and len(tail) < size:
        raise BrokenZipError("The archive's comment is too long.")
    told: tuple[int, ...] = (disk, first_disk, here, entries, length, start)
    if position >= _LOCATOR64.fields.size and tail.startswith(_LOCATOR64.signature, position - _LOCATOR64.fields.size):
        position -= _END_RECORDS
        told = _zip64_end(tail, position, size, told)
    disk, first_disk, here, entries, length, start = told
    if disk or first_disk or here != entries:
        raise BrokenZipError("The archive is a part of several.")
    if entries > MOST_MEMBERS or length > _LARGEST_DIRECTORY:
        raise BrokenZipError("The central directory is too large.")
    end = size - len(tail) + position
    if start + length != end:
        raise BrokenZipError("The central directory is not where the archive's end tells.")
    return Directory(start, end, entries)


def _zip64_end(tail: bytes, position: int, size: int, told: tuple[int, ...]) -> tuple[int, ...]:
    """What the zip64 end record at `position` of `tail` tells in place of `told` (4.3.14, 4.3.15).

    Like zipfile, this knows the record of 56 bytes right before the locator. Raises BrokenZipError where the
    locator means another place, or the two end records contradict each other.
    """
    length, _made_by, _needed, *fields = _END64.read(tail, position)
    disk, offset, disks = _LOCATOR64.read(tail, position + _END64.fields.size)
    if length != _END64.fields.size - 12 or disk or disks > 1 or offset != size - len(tail) + position:
        raise BrokenZipError("The zip64 end of central directory is not where its locator tells.")
    full = (_FULL_16, _FULL_16, _FULL_16, _FULL_16, _FULL_32, _FULL_32)
    if any(old not in (new, none) for old, new, none in zip(told, fields, full, strict=True)):
        raise BrokenZipError("The ends of central directory contradict each other.")
    return tuple(fields)


def find_entry(records: bytes, directory: Directory, is_wanted: Callable[[bytes], bool]) -> Entry:
    """The one entry whose name `is_wanted`, by the bytes `records` of the whole central directory (4.3.12).

    Its `end` is where the next entry begins, or the longest that its own parts can be. Raises BrokenZipError for
    none, for several, for an entry that another one overlaps, and for a directory with any malformed entry.
    """
    starts: list[int] = []
    found: list[Entry] = []
    for entry in read_entries(records, directory):
        starts.append(entry.start)
        if is_wanted(entry.name):
            found.append(entry)
            if len(found) > 1:  # now, not at the end: there may be 100,000
                break
    if len(found) != 1:
        raise BrokenZipError(f"The wanted entry is {'there more than once' if found else 'missing'}.")
    entry = found[0]
    shortest = entry.start + _LOCAL.fields.size + len(entry.name) + entry.compressed
    following = min((start for start in starts if start > entry.start), default=directory.start)
    if shortest > following or starts.count(entry.start) > 1:
        raise BrokenZipError("The entry overlaps another one.")
    return entry._replace(end=min(following, shortest + _FULL_16))


def read_entries(records: bytes, directory: Directory) -> Iterator[Entry]:
    """Every entry of the central directory `records`; each ends by the start of the directory."""
    position = 0
    for _ in range(directory.entries):
        fields = _CENTRAL.read(records, position)
        _by, needed, flags, method, _time, _date, crc, compressed, size, *others = fields
        name_length, extra_length, comment_length, _disk, _internal, _external, start = others
        name_end = position + _CENTRAL.fields.size + name_length
        name = records[name_end - name_length : name_end]
        extra = records[name_end : name_end + extra_length]
        position = name_end + extra_length + comment_length
        if position > len(records) or not _is_plain(name, flags) or needed & 0xFF > _NEWEST_VERSION:
            raise BrokenZipError("An entry of the central directory is malformed.")
        if extra:
            size, compressed, start = _with_zip64(extra, (size, compressed, start))
        if start >= directory.start:
            raise BrokenZipError("An entry lies outside the archive.")
        yield Entry(name, flags, method, crc, compressed, size, start, directory.start)
    if position != len(records):
        raise BrokenZipError("The central directory holds more than its entries.")


def _is_plain(name: bytes, flags: int) -> bool:
    """Tells whether all readers take the name for the same: zipfile cuts it at a NUL and decodes it (4.4.17, D)."""
    if flags & _UTF8:
        try:
            name.decode()
        except UnicodeDecodeError:
            return False
    return b"\0" not in name


def _with_zip64(extra: bytes, told: tuple[int, ...]) -> tuple[int, ...]:
    """The numbers `told` by a header, those at their limit replaced from its extra fields (4.5.1, 4.5.3).

    `told` are 32-bit numbers in the order of the zip64 field. Raises BrokenZipError for malformed or far too many
    fields, and for one with another name of the entry, which only some readers take.
    """
    position, count, values = 0, 0, told
    while position + _EXTRA.size <= len(extra):  # zipfile leaves up to three odd bytes alone
        kind, length = _EXTRA.unpack_from(extra, position)
        begin = position + _EXTRA.size
        position, count = begin + length, count + 1
        if position > len(extra) or count > _MOST_EXTRA_FIELDS or kind == _UNICODE_PATH_FIELD:
            raise BrokenZipError("The extra fields of an entry are malformed or too many.")
        if kind == _ZIP64_FIELD and _FULL_32 in values:
            values = _replaced(values, extra[begin:position])
    return values


def _replaced(told: tuple[int, ...], field: bytes) -> tuple[int, ...]:
    """The numbers `told`, those at their limit replaced by the 64-bit numbers of a zip64 `field` in turn."""
    values = list(told)
    for index, value in enumerate(told):
        if value == _FULL_32:
            if len(field) < 8:
                raise BrokenZipError("A zip64 extra field is cut off.")
            values[index], field = int.from_bytes(field[:8], "little"), field[8:]
    return tuple(values)


def header_length(data: bytes) -> int:
    """How long the local header is that `data` begins with, up to its entry's data (4.3.7).

    Raises BrokenZipError where there is none.
    """
    *_fields, name_length, extra_length = _LOCAL.read(data, 0)
    return _LOCAL.fields.size + name_length + extra_length


def check_local(entry: Entry, header: bytes) -> bool:
    """Whether a data descriptor follows the entry's data, by its whole local header (4.3.7, 4.3.9).

    Raises BrokenZipError where the header contradicts the central directory, or the data cannot be read.
    """
    _needed, flags, method, _time, _date, *told, name_length, _extra = _LOCAL.read(header, 0)
    extra_start = _LOCAL.fields.size + name_length
    is_named_alike = entry.name.isascii() or not (flags ^ entry.flags) & _UTF8
    if (header[_LOCAL.fields.size : extra_start], method) != (entry.name, entry.method) or not is_named_alike:
        raise BrokenZipError("The local file header is another entry's.")
    if (flags | entry.flags) & _UNREADABLE:
        raise BrokenZipError("The entry is encrypted.")
    size, compressed = _with_zip64(header[extra_start:], (told[2], told[1]))
    is_streamed = bool(flags & _STREAMED)
    if not is_streamed and (told[0], compressed, size) != (entry.crc, entry.compressed, entry.size):
        raise BrokenZipError("The local file header contradicts the central directory.")
    return is_streamed


def entry_content(entry: Entry, data: bytes) -> bytes:
    """The inflated content of an entry, by the bytes `data` from its start to its end (4.3.7, 4.3.8).

    Uses memory for `entry.size` bytes, so the caller bounds that. Raises BrokenZipError where the local header
    contradicts the central directory, the data cannot be read, or their size or CRC-32 is wrong.
    """
    begin = header_length(data)
    if begin + entry.compressed > len(data):
        raise BrokenZipError("The entry overlaps another one.")
    check_local(entry, data[:begin])
    content = _inflated(entry, memoryview(data)[begin : begin + entry.compressed])
    if len(content) != entry.size or zlib.crc32(content) != entry.crc:
        raise BrokenZipError("The entry's size or checksum is wrong.")
    return content


def _inflated(entry: Entry, data: memoryview) -> bytes:
    """The entry's data stored (4.4.5: 0) or deflated (8), never more than one byte over its size."""
    if entry.method == STORED:
        return bytes(data)
    if entry.method != DEFLATED:
        raise BrokenZipError(f"The entry's compression method {entry.method} is not known.")
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        content = inflater.decompress(data, entry.size + 1)
    except zlib.error:
        raise BrokenZipError("The entry's deflated data are damaged.") from None
    if not inflater.eof or inflater.unused_data:
        raise BrokenZipError("The entry's deflated data are cut off or followed by more.")
    return content
