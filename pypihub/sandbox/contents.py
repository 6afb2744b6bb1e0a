"""Serve an asset's bytes: whole or a range, with what a client needs to resume."""

import re
from collections.abc import Mapping

from pypihub.sandbox.answers import Answer, Part
from pypihub.sandbox.records import Asset

_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)


def asset_bytes(asset: Asset, asked: Mapping[str, str], *, content_type: str, disposition: str) -> Answer:
    """Return an asset's bytes, or the range of them that the request's headers ask for.

    :param asked: the request's headers, names in lower case.
    """
    headers = {
        "content-type": content_type,
        "content-disposition": disposition,
        "accept-ranges": "bytes",
        "etag": etag(asset),
        "last-modified": f"{asset.updated_at:%a, %d %b %Y %H:%M:%S} GMT",
    }
    wanted = asked.get("range", "")
    if asked.get("if-range", headers["etag"]) not in (headers["etag"], headers["last-modified"]):
        wanted = ""
    span = byte_range(wanted, asset.size)
    if span is None:
        return Answer(200, _cut(asset, range(asset.size)), headers)
    if not span:
        return Answer(416, b"", {**headers, "content-range": f"bytes */{asset.size}"})
    shown = f"bytes {span.start}-{span.stop - 1}/{asset.size}"
    return Answer(206, _cut(asset, span), {**headers, "content-range": shown})


def etag(asset: Asset) -> str:
    """Return a strong entity tag for an asset's bytes."""
    return f'"0x{asset.sha256[:16].upper()}"'


def byte_range(wanted: str, size: int) -> range | None:
    """Return the bytes that a Range header asks for, empty when there are none such; None to send everything.

    One range is served; several, and what is not understood, count as no Range header at all.
    """
    match = _RANGE.fullmatch(wanted.replace(" ", ""))
    if match is None or not any(match.groups()):
        return None
    start, end = match.groups()
    if not start:
        return range(max(size - int(end), 0), size)
    if end and int(end) < int(start):
        return None
    return range(min(int(start), size), min(int(end) + 1, size) if end else size)


def _cut(asset: Asset, span: range) -> bytes | Part:
    """Return a stretch of an asset's bytes; of a file, where it lies."""
    if isinstance(asset.content, bytes):
        return asset.content[span.start : span.stop]
    return Part(asset.content, span.start, len(span))
