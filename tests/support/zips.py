"""Zip archives as tests need them: by the standard library, or by hand with whatever lies."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterable

CENTRAL, LOCAL, END, END64 = b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\6\6"
"""The signatures of an archive's records."""


class Stream:
    """A file that can only be written to: zipfile then puts sizes and CRC behind the data."""

    def __init__(self) -> None:
        self.content = io.BytesIO()

    def write(self, data: bytes) -> int:
        return self.content.write(data)

    def flush(self) -> None:
        pass


def zipped(
    *files: tuple[str, bytes],
    method: int = zipfile.ZIP_DEFLATED,
    comment: bytes = b"",
    file_comment: bytes = b"",
    streamed: bool = False,
    zip64: bool = False,
) -> bytes:
    """An archive by the standard library."""
    stream = Stream()
    with zipfile.ZipFile(stream if streamed else stream.content, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a name that is there twice
        for path, content in files:
            info = zipfile.ZipInfo(path)
            info.compress_type, info.comment = method, file_comment
            with archive.open(info, "w", force_zip64=zip64) as entry:
                entry.write(content)
        archive.comment = comment
    return stream.content.getvalue()


def set_field(wheel: bytes, signature: bytes, offset: int, layout: str, value: int) -> bytes:
    """The wheel with another number, `offset` bytes behind the last such signature."""
    changed = bytearray(wheel)
    struct.pack_into(layout, changed, wheel.rindex(signature) + offset, value)
    return bytes(changed)


def entry(path: bytes, content: bytes, extra: bytes = b"", start: int = 0, **told: int) -> tuple[bytes, bytes]:
    """A stored entry by hand: its local header with the data, and its record; `told` are lies in both."""
    fields = {"version": 20, "flags": 0, "method": 0, "time": 0, "date": 0, "crc": zlib.crc32(content)}
    fields |= {"compressed": len(content), "size": len(content), **told}
    common = struct.pack("<5H3L", *fields.values()) + struct.pack("<2H", len(path), len(extra))
    record = CENTRAL + b"\x14\0" + common + struct.pack("<3H2L", 0, 0, 0, 0, start) + path + extra
    return LOCAL + common + path + extra + content, record


def archived(body: bytes, records: Iterable[bytes], zip64: bool = False) -> bytes:
    """An archive by hand, of its local part and its records; with the zip64 end too where asked or needed."""
    records = list(records)
    directory, count = b"".join(records), len(records)
    ends, told = b"", (count, count, len(directory), len(body))
    if zip64 or count > 0xFFFF:
        ends = END64 + struct.pack("<Q2H2L4Q", 44, 45, 45, 0, 0, *told)
        ends += b"PK\6\7" + struct.pack("<LQL", 0, len(body) + len(directory), 1)
        told = (0xFFFF, 0xFFFF, 2**32 - 1, 2**32 - 1)
    return body + directory + ends + END + struct.pack("<4H2LH", 0, 0, *told, 0)
