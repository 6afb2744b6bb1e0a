"""METADATA out of a wheel by byte ranges: generated and hostile wheels, and how little is asked for."""

from __future__ import annotations

import io
import os
import re
import struct
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from contextlib import nullcontext, suppress
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.ranged import NAME, TAIL, by_zipfile, read
from support.zips import CENTRAL, END, END64, LOCAL, archived, entry, set_field, zipped

from pypihub.index.wheel import Span, UnreadableWheelError, read_metadata

PATH = "my_pkg-1.0.dist-info/METADATA"
TEXT = b"Metadata-Version: 2.1\nName: my-pkg\nVersion: 1.0\nRequires-Python: >=3.9\n\n# My package\n"
FILE = ("my_pkg/__init__.py", b"x = 1\n")
LARGE = ("my_pkg/data.bin", bytes(100_000))
MANY = [(f"my_pkg/module_{number:04}.py", b"") for number in range(1000)]  # a directory of some 70 KB
MANY_MORE = [(f"{number}.py", b"") for number in range(65_536)]  # more than 16 bits can count


def refusal(wheel: bytes, name: str = NAME) -> str:
    """The message for a wheel that is refused."""
    with pytest.raises(UnreadableWheelError) as caught:
        read(wheel, name)
    assert caught.value.message == str(caught.value)
    return caught.value.message


def by_hand(
    path: bytes = PATH.encode(), content: bytes = TEXT, extra: bytes = b"", zip64: bool = False, **told: int
) -> bytes:
    """A wheel of METADATA alone."""
    local, record = entry(path, content, extra, **told)
    return archived(local, [record], zip64)


GENERATED = {
    "stored": zipped(FILE, (PATH, TEXT), method=zipfile.ZIP_STORED),
    "deflated": zipped(FILE, (PATH, TEXT)),
    "streamed": zipped(FILE, (PATH, TEXT), FILE, streamed=True),
    "streamed stored": zipped((PATH, TEXT), FILE, streamed=True, method=zipfile.ZIP_STORED),
    "zip64": zipped(FILE, (PATH, TEXT), zip64=True),
    "zip64 streamed": zipped(FILE, (PATH, TEXT), zip64=True, streamed=True),
    "comment": zipped(FILE, (PATH, TEXT), comment=b"PK\5 and more"),
    "comments of entries": zipped(FILE, (PATH, TEXT), file_comment=b"PK\1\2"),
    "long comment": zipped(FILE, LARGE, (PATH, TEXT), comment=bytes(65_400)),
    "at the front": zipped((PATH, TEXT), LARGE, method=zipfile.ZIP_STORED),
    "many, at the front": zipped((PATH, TEXT), *MANY),
    "many, at the end": zipped(*MANY, (PATH, TEXT)),
    "a vendored wheel": zipped(FILE, (PATH, TEXT), (f"my_pkg/_vendor/{PATH}", b""), ("my_pkg/a.whl", by_hand())),
    "by hand": by_hand(),
    "zip64 by hand": by_hand(zip64=True),
    "a local field of the longest": by_hand(extra=struct.pack("<2H", 0xD935, 65_531) + bytes(65_531)),
    "odd bytes in extra": by_hand(extra=bytes(3)),
}


@pytest.mark.parametrize("wheel", GENERATED.values(), ids=GENERATED)
def test_metadata_is_what_zipfile_reads(wheel: bytes) -> None:
    metadata, _ = read(wheel)
    assert metadata.content == by_zipfile(wheel) == TEXT
    assert metadata.sha256 == sha256(TEXT).hexdigest()
    assert metadata.requires_python == ">=3.9"


def test_more_entries_than_16_bits_can_count_are_read() -> None:
    wheel = zipped((PATH, TEXT), *MANY_MORE, method=zipfile.ZIP_STORED)
    assert END64 in wheel
    assert read(wheel)[0].content == by_zipfile(wheel) == TEXT


@pytest.mark.parametrize("count", [65_533, 65_534, 65_535])
def test_the_number_of_entries_may_be_at_the_limit_of_16_bits(count: int) -> None:
    local, record = entry(PATH.encode(), TEXT)
    wheel = archived(local + LOCAL, [record, *(entry(b"x", b"", start=len(local))[1] for _ in range(count))])
    assert read(wheel)[0].content == by_zipfile(wheel) == TEXT


def spans_of(wheel: bytes) -> tuple[Span, list[Span]]:
    """The span of METADATA's local header and data, and the spans that were asked for."""
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        info = archive.getinfo(PATH)
    extra = int.from_bytes(wheel[info.header_offset + 28 : info.header_offset + 30], "little")
    length = 30 + len(PATH) + extra + info.compress_size
    return Span(info.header_offset, info.header_offset + length), read(wheel)[1]


def test_a_small_wheel_is_asked_for_once_and_whole() -> None:
    assert read(GENERATED["deflated"])[1] == [Span(0, len(GENERATED["deflated"]))]


def test_of_a_larger_wheel_only_the_tail_is_asked_for_where_it_holds_metadata() -> None:
    wheel = zipped(LARGE, (PATH, TEXT), method=zipfile.ZIP_STORED)
    assert read(wheel)[1] == [Span(len(wheel) - TAIL, len(wheel))]


@pytest.mark.parametrize("zip64", [False, True])
def test_metadata_outside_the_tail_is_asked_for_to_the_byte(zip64: bool) -> None:
    """The local header is longer than the directory tells (zip64), and still no byte of the next entry is read."""
    wheel = zipped(FILE, (PATH, TEXT), LARGE, method=zipfile.ZIP_STORED, zip64=zip64)
    metadata, spans = spans_of(wheel)
    assert spans == [Span(len(wheel) - TAIL, len(wheel)), metadata]


def test_a_data_descriptor_is_all_that_may_be_read_in_vain() -> None:
    wheel = zipped((PATH, TEXT), LARGE, method=zipfile.ZIP_STORED, streamed=True)
    metadata, (_, second) = spans_of(wheel)
    assert second == Span(metadata.start, metadata.end + 16)


def test_of_metadata_that_the_tail_begins_in_only_the_rest_is_asked_for() -> None:
    wheel = zipped(("a", bytes(40_000)), (PATH, TEXT + bytes(40_000)), ("b", bytes(40_000)), method=zipfile.ZIP_STORED)
    metadata, spans = spans_of(wheel)
    tail = Span(len(wheel) - TAIL, len(wheel))
    assert metadata.start < tail.start < metadata.end
    assert spans == [tail, Span(metadata.start, tail.start)]


@pytest.mark.parametrize("files", [[(PATH, TEXT), *MANY], [*MANY, (PATH, TEXT)]], ids=["first", "last"])
def test_a_directory_beyond_the_tail_is_asked_for_before_metadata(files: list[tuple[str, bytes]]) -> None:
    wheel = zipped(*files)
    metadata, spans = spans_of(wheel)
    tail, start = len(wheel) - TAIL, wheel.index(CENTRAL)
    assert start < tail
    assert spans == [Span(tail, len(wheel)), Span(start, tail), metadata]


def test_what_lies_between_two_entries_is_not_read_beyond_the_longest_extra_field() -> None:
    local, record = entry(PATH.encode(), TEXT)
    wheel = archived(local + bytes(500_000), [record])
    assert read(wheel)[1][1] == Span(0, len(local) + 0xFFFF)


@pytest.mark.parametrize("sent", [None, b"", bytes(100), bytes(1000), "x" * 999, bytearray(999)])
def test_a_span_must_be_sent_as_it_was_asked_for(sent: bytes) -> None:
    reader = read_metadata(NAME, 999)
    assert next(reader) == Span(0, 999)
    with pytest.raises(UnreadableWheelError, match="was not sent as"):
        reader.send(sent)


WHEEL = zipped(FILE, (PATH, TEXT))
STREAMED = zipped((PATH, TEXT), streamed=True)
DEFLATED = len(STREAMED) - len(zipped((PATH, b""), streamed=True)) + 2
WHOLE, RECORD = entry(PATH.encode(), TEXT)
WHEEL64 = archived(WHOLE, [RECORD], zip64=True)
ABSURD64 = struct.pack("<2H2Q", 1, 16, 2**63, 2**63)


def counting(count: int) -> bytes:
    """A wheel whose zip64 end tells of so many entries."""
    return set_field(set_field(WHEEL64, END64, 24, "<Q", count), END64, 32, "<Q", count)


HOSTILE: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "too small"),
    "too small": (bytes(21), "too small"),
    "no end": (bytes(1000), "end of central directory is missing"),
    "only an end": (archived(b"", []), "is missing"),
    "an HTML page": (b"<!doctype html>" * 9999, "end of central directory is missing"),
    "cut off": (WHEEL[:-1], "end of central directory is missing or cut off"),
    "more behind it": (WHEEL + b"\0", "not the archive's end"),
    "something before it": (b"#!/bin/sh\n" + WHEEL, "not where the archive's end tells"),
    "an end in the comment": (zipped(FILE, (PATH, TEXT), comment=END + bytes(20)), "not the archive's end"),
    "a whole end in the comment": (zipped((PATH, TEXT), comment=END + bytes(18)), "not where the archive's end"),
    "a wheel in the comment": (zipped(FILE, comment=WHEEL), "not where the archive's end"),
    "the longest comment": (zipped((PATH, TEXT), LARGE, comment=bytes(65_535)), "end of central directory is missing"),
    "a zip64 end before the tail": (zipped((PATH, TEXT), LARGE, comment=bytes(65_440)), "comment is too long"),
    "a directory outside": (set_field(WHEEL, END, 16, "<L", 0xFFFFFFF0), "not where the archive's end"),
    "a directory before it": (set_field(WHEEL, END, 12, "<L", len(WHEEL)), "not where the archive's end"),
    "a huge directory": (set_field(WHEEL, END, 12, "<L", 16 * 2**20 + 1), "too large"),
    "another disk": (set_field(WHEEL, END, 4, "<H", 1), "part of several"),
    "entries on another disk": (set_field(WHEEL, END, 8, "<H", 3), "part of several"),
    "one entry less": (set_field(WHEEL, END, 8, "<L", 0x10001), "more than its entries"),
    "one entry more": (set_field(WHEEL, END, 8, "<L", 0x30003), "next entry is missing"),
    "a name beyond the directory": (set_field(WHEEL, CENTRAL, 28, "<H", 0xFFFF), "malformed"),
    "a comment beyond it": (set_field(WHEEL, CENTRAL, 32, "<H", 1), "malformed"),
    "an unknown version": (set_field(WHEEL, CENTRAL, 6, "<H", 64), "malformed"),
    "an entry outside": (set_field(WHEEL, CENTRAL, 42, "<L", len(WHEEL)), "outside"),
    "an entry elsewhere": (set_field(WHEEL, CENTRAL, 42, "<L", 1), "local file header is missing"),
    "an entry in place of another": (set_field(WHEEL, CENTRAL, 42, "<L", 0), "overlaps"),
    "an entry within another": (archived(WHOLE, [RECORD, entry(b"x", b"", start=99)[1]]), "overlaps"),
    "an entry twice": (archived(WHOLE, [RECORD, entry(b"x", b"")[1]]), "overlaps"),
    "no METADATA": (zipped(FILE), "is missing"),
    "METADATA elsewhere": (zipped((f"x/{PATH}", TEXT), ("METADATA", TEXT), ("x/METADATA", TEXT)), "is missing"),
    "METADATA in another case": (zipped((PATH.lower(), TEXT)), "is missing"),
    "METADATA twice": (zipped((PATH, TEXT), (PATH, TEXT)), "more than once"),
    "two folders": (zipped((PATH, TEXT), ("other-1.0.dist-info/METADATA", TEXT)), "more than once"),
    "another project's folder": (zipped(("other-1.0.dist-info/METADATA", TEXT)), "folder is another"),
    "another version's folder": (zipped(("my_pkg-1.1.dist-info/METADATA", TEXT)), "folder is another"),
    "a folder without version": (zipped(("my_pkg.dist-info/METADATA", TEXT)), "folder is another"),
    "a folder that is not ASCII": (zipped(("my_pkg-1.0é.dist-info/METADATA", TEXT)), "folder is another"),
    "a NUL in the name": (by_hand(PATH.encode() + b"\0x"), "malformed"),
    "a name of broken UTF-8": (by_hand(b"\xff", flags=1 << 11), "malformed"),
    "two names": (by_hand(extra=struct.pack("<2HBL", 0x7075, 5, 1, 0)), "extra fields"),
    "a long extra field": (by_hand(extra=struct.pack("<2H", 9, 1)), "extra fields"),
    "many extra fields": (by_hand(extra=struct.pack("<2H", 9, 0) * 5), "extra fields"),
    "another local name": (set_field(WHEEL, LOCAL, 30, "<B", 0x4D), "header is another entry's"),
    "another local method": (set_field(WHEEL, LOCAL, 8, "<H", 0), "header is another entry's"),
    "another local size": (set_field(WHEEL, LOCAL, 22, "<L", len(TEXT) + 1), "contradicts"),
    "another local CRC": (set_field(WHEEL, LOCAL, 14, "<L", 1), "contradicts"),
    "a long local field": (set_field(WHEEL, LOCAL, 28, "<H", 0xFFFF), "overlaps"),
    "a wrong CRC": (by_hand(crc=1), "checksum is wrong"),
    "stored size too large": (by_hand(size=len(TEXT) + 1), "size or checksum"),
    "stored size too small": (by_hand(size=len(TEXT) - 1), "size or checksum"),
    "inflated size too large": (set_field(STREAMED, CENTRAL, 24, "<L", len(TEXT) + 1), "size or checksum"),
    "inflated size too small": (set_field(STREAMED, CENTRAL, 24, "<L", len(TEXT) - 1), "cut off or followed|size or"),
    "inflated size far too small": (set_field(STREAMED, CENTRAL, 24, "<L", 1), "cut off or followed"),
    "deflated size too large": (set_field(STREAMED, CENTRAL, 20, "<L", DEFLATED + 1), "cut off or followed"),
    "deflated size too small": (set_field(STREAMED, CENTRAL, 20, "<L", DEFLATED - 1), "cut off or followed"),
    "a wrong CRC of inflated data": (set_field(STREAMED, CENTRAL, 16, "<L", 1), "checksum is wrong"),
    "compressed size too large": (set_field(WHEEL, CENTRAL, 20, "<L", 9999), "overlaps"),
    "compressed size of 4 GB": (set_field(WHEEL, CENTRAL, 20, "<L", 2**32 - 1), "overlaps"),
    "zip64 sizes absurd": (by_hand(extra=ABSURD64, compressed=2**32 - 1, size=2**32 - 1), "overlaps"),
    "a zip64 size absurd": (by_hand(extra=ABSURD64, size=2**32 - 1), "too large"),
    "a zip64 field cut off": (by_hand(extra=ABSURD64[:-5], size=2**32 - 1), "extra fields"),
    "a short zip64 field": (by_hand(extra=struct.pack("<2HL", 1, 4, 0), size=2**32 - 1), "zip64 extra field"),
    "absurd zip64 entries": (counting(2**63), "too large"),
    "one zip64 entry too many": (counting(100_001), "too large"),
    "as many zip64 entries as there may be": (counting(100_000), "next entry is missing"),
    "an absurd zip64 directory": (set_field(WHEEL64, END64, 40, "<Q", 2**63), "too large"),
    "an absurd zip64 place": (set_field(WHEEL64, END64, 48, "<Q", 2**64 - 1), "not where the archive's end"),
    "a zip64 disk": (set_field(WHEEL64, END64, 16, "<L", 1), "contradict"),
    "a zip64 end of another length": (set_field(WHEEL64, END64, 4, "<Q", 45), "not where its locator"),
    "a zip64 end elsewhere": (set_field(WHEEL64, b"PK\6\7", 8, "<Q", 1), "not where its locator"),
    "no zip64 end": (set_field(WHEEL64, END64, 0, "<L", 1), "zip64 end of central directory is missing"),
    "two ends that differ": (set_field(WHEEL64, END, 16, "<L", 1), "contradict"),
    "encrypted": (by_hand(flags=1), "encrypted"),
    "strongly encrypted": (by_hand(flags=1 << 6), "encrypted"),
    "encrypted, says the directory": (set_field(WHEEL, CENTRAL, 8, "<H", 1), "encrypted"),
    "encrypted, says the local header": (set_field(WHEEL, LOCAL, 6, "<H", 1), "encrypted"),
    "bzip2": (zipped((PATH, TEXT), method=zipfile.ZIP_BZIP2), "method 12"),
    "LZMA": (zipped((PATH, TEXT), method=zipfile.ZIP_LZMA), "method 14"),
    "a bomb": (zipped((PATH, TEXT + bytes(8 * 2**20 - 100))), "too large"),
    "too large": (zipped((PATH, TEXT + bytes(8 * 2**20)), method=zipfile.ZIP_STORED), "too large"),
    "deflated garbage": (by_hand(content=b"\xff" * 99, method=8), "damaged"),
    "an empty METADATA": (zipped((PATH, b"")), "METADATA is another"),
}


@pytest.mark.parametrize(("wheel", "words"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_wheel_is_refused(wheel: bytes, words: str) -> None:
    assert re.search(words, refusal(wheel))


@pytest.mark.parametrize("name", ["", "x.whl", "my_pkg-1.0.tar.gz", "my_pkg-1.0-any.whl", "é-1-a-b-c.whl"])
def test_what_is_named_like_no_wheel_is_refused(name: str) -> None:
    assert "name" in refusal(WHEEL, name)


@pytest.mark.parametrize("name", ["other-1.0-a-b-c.whl", "my_pkg-2.0-a-b-c.whl", "my-1.0-a-b-c.whl"])
def test_a_wheel_of_another_name_is_refused(name: str) -> None:
    assert "folder is another" in refusal(WHEEL, name)


@pytest.mark.parametrize("name", ["My.Pkg-1.0-py3-none-any.whl", "my_pkg-1.0.0-1-py3-none-any.whl"])
def test_a_release_may_be_spelled_in_several_ways(name: str) -> None:
    content = b"Name: MY..pkg\nVersion: v1\n"
    assert read(zipped(("my-pkg-1.00.dist-info/METADATA", content)), name)[0].content == content


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n" + TEXT,
        b"Name: my-pkg\n",
        b"Version: 1.0\n",
        b"Name: my-pkg\n\nVersion: 1.0\n",
        b"Name: other\nVersion: 1.0\n",
        b"Name: my-pkg\nVersion: 1.1\n",
        b"Name: my-pkg\nName: other\nVersion: 1.0\n",
        b"Name: my-pkg\nVersion: 1.0\nversion: 1.0\n",
        b"Name: my-pkg\nVersion: \n",
        b"Name: my-pkg\nVersion: " + b"9" * 900_000,
        b"Name: my-pkg\nVersion: 1" + b".0" * 400_000,
        b"Name: \xff\nVersion: 1.0\n",
        b"Name: my-pkg\nno header\nVersion: 1.0\n",
        "\ufeffName: my-pkg\nVersion: 1.0\n".encode(),
        TEXT.decode().encode("utf-16"),
    ],
)
def test_metadata_of_another_release_is_refused(content: bytes) -> None:
    assert "METADATA is another release's" in refusal(by_hand(content=content))


@pytest.mark.parametrize("header", [b"A:" + b"x" * 2**20 + b"\n", b"A:\n" * 20_000, b"A:\r" * 20_000])
def test_headers_that_no_wheel_has_are_refused(header: bytes) -> None:
    assert "headers" in refusal(by_hand(content=header + TEXT))


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_a_body_of_any_length_is_no_header(line_end: bytes) -> None:
    content = TEXT.replace(b"\n", line_end) + b"Name: other\n" * 100_000
    assert read(by_hand(content=content))[0].requires_python == ">=3.9"


@pytest.mark.parametrize(
    ("header", "requires_python"),
    [
        (b"", None),
        (b"Requires-Python:\n", None),
        (b"Requires-Python: >=3.9\n", ">=3.9"),
        (b"requires-python:  >= 3.9, <4 \r\n", ">= 3.9, <4"),
        (b"Requires-Python: >=3.9,\n  <4\n", ">=3.9, <4"),
        (b"Requires-Python: 3\n", None),
        (b"Requires-Python: >=3.9\nRequires-Python: >=3.9\n", None),
        (b"Requires-Python: >=3.9\xff\n", None),
        (b"Requires-Python: ===\xc3\xa9\n", None),
        (b"Requires-Python: ===\x1b[31m\n", None),
        (b"Requires-Python: " + b">=3," * 200_000 + b">=3\n", None),
        (b"Summary: caf\xe9 \xff\nRequires-Python: >=3\n", ">=3"),
    ],
)
def test_requires_python_is_told_only_where_it_is_a_specifier(header: bytes, requires_python: str | None) -> None:
    """Headers that are no UTF-8 stay as they are: installers read them too."""
    content = b"Name: my-pkg\nVersion: 1.0\n" + header
    metadata, _ = read(by_hand(content=content))
    assert (metadata.content, metadata.requires_python) == (content, requires_python)


def test_text_that_compresses_well_is_no_bomb() -> None:
    for content in (TEXT + bytes(TAIL - 100), TEXT + os.urandom(2000) * 40, TEXT + b"# a line of prose\n" * 3000):
        assert read(zipped((PATH, content)))[0].content == content


def incompressible(size: int) -> bytes:
    return TEXT + os.urandom(size - len(TEXT))


def long_directory(extra: bytes) -> bytes:
    """A wheel of 100,000 entries, the most that is read."""
    other = entry(b"x.py", b"", extra, start=len(WHOLE), flags=1 << 11)[1]
    return archived(WHOLE + LOCAL, [RECORD, *[other] * 99_999])


LONG_FIELD = struct.pack("<2H", 9, 90) + bytes(90) + struct.pack("<2H", 9, 0) * 3
COSTLY: dict[str, Callable[[], bytes]] = {
    "the longest stored": lambda: by_hand(content=incompressible(8 * 2**20)),
    "the longest deflated": lambda: zipped((PATH, incompressible(8 * 2**20 - 10_000))),
    "the longest directory": lambda: long_directory(LONG_FIELD),
    "the most extra fields": lambda: long_directory(struct.pack("<2H", 9, 0) * 4),
    "the most zip64 fields": lambda: long_directory(struct.pack("<2H", 1, 0) * 4),
    "the most header lines": lambda: by_hand(content=TEXT[:22] + b"A:\n" * 19_990 + TEXT[22:]),
    "the longest header": lambda: by_hand(content=TEXT[:22] + b"A: " + b"\xff" * (2**20 - 200) + b"\n" + TEXT[22:]),
}
REFUSED_COSTLY: dict[str, Callable[[], bytes]] = {
    "a bomb": lambda: zipped((PATH, TEXT + bytes(64 * 2**20))),
    "a bomb that lies": lambda: set_field(zipped((PATH, bytes(64 * 2**20)), streamed=True), CENTRAL, 24, "<L", 999),
    "ends without number": lambda: END * 20_000,
    "METADATA without number": lambda: archived(WHOLE, [entry(b"x" * 95 + b".dist-info/METADATA", b"")[1]] * 100_000),
}


def cpu_seconds(wheel: bytes, *, is_refused: bool) -> float:
    """What it costs to read or to refuse a wheel, in this thread alone."""
    begin = time.thread_time()
    with pytest.raises(UnreadableWheelError) if is_refused else nullcontext():
        read(wheel)
    return time.thread_time() - begin


@pytest.mark.parametrize("make", [*COSTLY.values(), *REFUSED_COSTLY.values()], ids=[*COSTLY, *REFUSED_COSTLY])
def test_the_worst_wheels_cost_a_second_and_32_megabytes(make: Callable[[], bytes]) -> None:
    wheel = make()
    is_refused = make in REFUSED_COSTLY.values()
    # The bound is about the code: neighbours on the same machine can make a try slower, and nothing makes it faster.
    assert any(cpu_seconds(wheel, is_refused=is_refused) < 1 for _ in range(5))
    asked: list[Span] = []
    tracemalloc.start()
    with suppress(UnreadableWheelError):
        read(wheel, asked=asked)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak - sum(span.end - span.start for span in asked) < 32 * 2**20


@st.composite
def archives(draw: st.DrawFn) -> bytes:
    """A wheel with METADATA at some place, and whatever an archive may have."""
    others = [FILE, ("my_pkg/", b""), ("a", bytes(70_000)), ("é", b""), ("x.dist-info/RECORD", b""), ("b", by_hand())]
    files = draw(st.lists(st.sampled_from(others), max_size=4))
    files.insert(draw(st.integers(0, len(files))), (PATH, TEXT))
    return zipped(
        *files,
        method=draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])),
        comment=draw(st.sampled_from([b"", b"PK", END + bytes(18), bytes(65_300)])),
        file_comment=draw(st.sampled_from([b"", bytes(60_000)])),
        streamed=draw(st.booleans()),
        zip64=draw(st.booleans()),
    )


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """An archive with other bytes in its records, cut, or put together from two."""
    wheel = draw(archives())
    places = [match.start() for match in re.finditer(b"PK", wheel)]
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.sampled_from(places)) + draw(st.integers(0, 80))
        value = draw(st.sampled_from([0, 1, 0xFF]) | st.integers(0, 255))
        wheel = wheel[:place] + bytes([value]) + wheel[place + 1 :]
    match draw(st.sampled_from(["keep", "keep", "cut", "splice", "append"])):
        case "cut":
            return wheel[draw(st.sampled_from([0, *places])) : draw(st.integers(0, len(wheel)))]
        case "splice":
            other = draw(archives())
            return wheel[: draw(st.sampled_from(places))] + other[draw(st.integers(0, len(other))) :]
        case "append":
            return wheel + draw(archives())
    return wheel


@given(archives())
def test_every_sound_archive_is_read(wheel: bytes) -> None:
    expected = by_zipfile(wheel)
    if expected is not None:  # an end of another archive in the comment
        assert read(wheel)[0].content == expected


@given(damaged() | st.binary(max_size=200))
def test_no_archive_is_read_in_another_way_than_installers_do(wheel: bytes) -> None:
    begin = time.process_time()
    try:
        metadata, _ = read(wheel)
    except UnreadableWheelError:
        pass
    else:
        assert metadata.content == by_zipfile(wheel)
    assert time.process_time() - begin < 1
