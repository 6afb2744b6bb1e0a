"""METADATA out of a wheel's bytes, by ranges as PyPIHub reads them and by the standard library."""

from __future__ import annotations

import io
import re
import zipfile

from pypihub.index.wheel import Metadata, Span, read_metadata

NAME = "my_pkg-1.0-py3-none-any.whl"
"""What wheels are called that tests make by themselves."""
TAIL = 64 * 1024
"""Bytes that are asked for first."""


def read(wheel: bytes, name: str = NAME, asked: list[Span] | None = None) -> tuple[Metadata, list[Span]]:
    """The METADATA of a wheel, and what was asked for: never twice, outside the wheel, or in more than three turns."""
    spans = [] if asked is None else asked
    reader = read_metadata(name, len(wheel))
    data: bytes | None = None
    while True:
        try:
            span = next(reader) if data is None else reader.send(data)
        except StopIteration as stop:
            return stop.value, spans
        assert 0 <= span.start < span.end <= len(wheel)
        assert all(span.end <= other.start or other.end <= span.start for other in spans)
        spans.append(span)
        assert len(spans) <= 3
        data = wheel[span.start : span.end]


def by_zipfile(wheel: bytes) -> bytes | None:
    """What the standard library reads; None where it cannot, or where METADATA is not there once."""
    try:
        with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
            return archive.read(metadata_entry(archive))
    except Exception:
        return None


def metadata_entry(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    """The one entry that is METADATA."""
    (found,) = (info for info in archive.infolist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", info.filename))
    return found
