"""A wheel that is to be published: one .dist-info folder, whose RECORD lists what is there (PEP 427)."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from pypihub.index.members import BrokenArchiveError, Kind, Member, add_once, shown
from pypihub.index.zipwalk import zip_members

_INFO = b".dist-info"
_RECORD = b"RECORD"
_NEEDED = (b"METADATA", b"WHEEL", _RECORD)
_UNLISTED = (_RECORD, b"RECORD.jws", b"RECORD.p7s")  # RECORD may list itself, and cannot list its signatures
_LARGEST_RECORD = 32 * 2**20
_LONGEST_LINE = 64 * 1024


def check_wheel(file: BinaryIO, size: int) -> None:
    """Looks at every member of the wheel `file` of `size` bytes.

    RECORD's hashes are not compared, each member has a checksum already. Raises BrokenArchiveError for a wheel that
    is not sound, or whose RECORD does not list just the files that are there: installers unpack what is there, and
    others look at what is listed.
    """
    files: set[int] = set()  # hashes: the paths of 100,000 members would be megabytes
    info: dict[bytes, Member] = {}
    folder: bytes | None = None
    for member in zip_members(file, size):
        top, _, rest = member.path.partition(b"/")
        if top.endswith(_INFO) and folder not in (None, top):
            raise BrokenArchiveError("It has more than one .dist-info folder.")
        if top.endswith(_INFO):
            folder = top
        if member.kind is Kind.FILE:
            add_once(files, member.path)
            if top == folder and rest in (*_NEEDED, *_UNLISTED):
                info[rest] = member
    for name in _NEEDED:
        if name not in info:
            raise BrokenArchiveError(f"It has no {name.decode()} in its .dist-info folder: build it again.")
    unlisted = files - _listed(info[_RECORD], files)
    unlisted -= {hash(info[name].path) for name in _UNLISTED if name in info}
    if unlisted:
        path = next(member.path for member in zip_members(file, size) if hash(member.path) in unlisted)
        raise BrokenArchiveError(f"Its RECORD does not list '{shown(path)}': build it again.")


def _listed(record: Member, files: set[int]) -> set[int]:
    """The hashes of the paths that RECORD lists. Raises BrokenArchiveError for one that is not among `files`."""
    if record.size > _LARGEST_RECORD:
        raise BrokenArchiveError("Its RECORD is too large.")
    listed: set[int] = set()
    try:
        for row in csv.reader(_lines(record.content())):
            path = row[0].encode() if row else b""
            if not path or path.endswith(b"/"):  # a folder
                continue
            listed.add(hash(path))
            if hash(path) not in files:
                raise BrokenArchiveError(f"Its RECORD lists '{shown(path)}', which is not there: build it again.")
    except (csv.Error, UnicodeError):
        raise BrokenArchiveError("Its RECORD is no CSV file: build it again.") from None
    return listed


def _lines(pieces: Iterable[bytes]) -> Iterator[str]:
    """The lines of a text in pieces, with their ends. Raises UnicodeError where they are no UTF-8."""
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from (line.decode() + "\n" for line in lines)
        if len(rest) > _LONGEST_LINE:
            raise BrokenArchiveError("Its RECORD has a line that is too long.")
    yield rest.decode()
