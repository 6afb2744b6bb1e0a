"""The bytes of a file piece by piece, as they are or inflated: a file of any size costs a few hundred kilobytes."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from pypihub.index.members import BrokenArchiveError

RAW_DEFLATE, GZIP = -zlib.MAX_WBITS, zlib.MAX_WBITS + 16
"""What `inflated` reads: deflated data alone (RFC 1951), or with gzip's header and checksum (RFC 1952)."""
_PIECE = 64 * 1024
_INFLATED_PIECE = 256 * 1024


def read_at(file: BinaryIO, start: int, length: int) -> bytes:
    """The `length` bytes of the file from `start` on. Raises BrokenArchiveError where it ends before."""
    file.seek(start)
    data = file.read(length)
    if len(data) != length:
        raise BrokenArchiveError("The file is cut off.")
    return data


def pieces_at(file: BinaryIO, start: int, length: int) -> Iterator[bytes]:
    """The same in pieces; whatever else is read of the file meanwhile."""
    end = start + length
    while start < end:
        piece = read_at(file, start, min(_PIECE, end - start))
        start += len(piece)
        yield piece


def inflated(pieces: Iterable[bytes], window: int) -> Iterator[bytes]:
    """The inflated data of `pieces`, in pieces of at most 256 KiB; `window` is RAW_DEFLATE or GZIP.

    Raises BrokenArchiveError for damaged data, and where they do not end with the last piece.
    """
    inflater = zlib.decompressobj(window)
    source = iter(pieces)
    while not inflater.eof:
        data = inflater.unconsumed_tail or next(source, b"")
        try:
            piece = inflater.decompress(data, _INFLATED_PIECE)
        except zlib.error:
            raise BrokenArchiveError("The compressed data are damaged.") from None
        if piece:
            yield piece
        elif not data and not inflater.eof:
            raise BrokenArchiveError("The compressed data are cut off.")
    if inflater.unused_data or next(source, b""):
        raise BrokenArchiveError("More follows the compressed data.")
