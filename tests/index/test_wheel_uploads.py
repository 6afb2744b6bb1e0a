"""Wheels that may be published, and those that may not: damaged, hostile, ambiguous, or another release's."""

from __future__ import annotations

import io
import re
import struct
import tempfile
import time
import tracemalloc
import zipfile
import zlib
from hashlib import sha256
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.ranged import NAME
from support.uploading import checked, received, refusal
from support.zips import CENTRAL, END, LOCAL, archived, entry, set_field, zipped

from pypihub.errors import UploadRefusedError
from pypihub.index.archives import check_archive
from pypihub.index.uploads import Received, read_upload
from pypihub.sandbox.samples import sample_wheel

METADATA = b"Metadata-Version: 2.4\nName: my-pkg\nVersion: 1.0\nRequires-Python: >=3.9,<4\n"
INFO = "my_pkg-1.0.dist-info"
MODULE = ("my_pkg/__init__.py", b"x = 1\n" * 20)
LAST = f"{INFO}/RECORD"


def files(
    *others: tuple[str, bytes], metadata: bytes = METADATA, record: bytes | None = None
) -> list[tuple[str, bytes]]:
    """A wheel's files, `others` among them; RECORD lists them all where it is not given."""
    all_ = [MODULE, *others, (f"{INFO}/METADATA", metadata), (f"{INFO}/WHEEL", b"Wheel-Version: 1.0\n")]
    if record is None:
        record = "".join(f'"{path}",,\n' for path, _ in [*all_, (LAST, b"")]).encode()
    return [*all_, (LAST, record)]


def by_hand(in_front: bytes = b"", between: bytes = b"", path: bytes = b"", content: bytes = b"", **told: int) -> bytes:
    """A stored wheel by hand: bytes in front of all entries, between them, and an entry more with `told` lies."""
    body, records = in_front, []
    more = [(path.decode(), content)] if path else []
    for name, data in files(*more):
        local, record = entry(name.encode(), data, start=len(body), **(told if name.encode() == path else {}))
        body, records = body + local + between, [*records, record]
    return archived(body, records)


def without(name: str) -> bytes:
    """A wheel that lacks a file of its .dist-info."""
    return zipped(*(file for file in files(record=f"{MODULE[0]},,\n".encode()) if not file[0].endswith(name)))


GOOD = zipped(*files())
STREAMED = zipped(*files(), streamed=True)

SOUND = {
    "deflated": GOOD,
    "stored": zipped(*files(), method=zipfile.ZIP_STORED),
    "streamed": STREAMED,
    "streamed and stored": zipped(*files(), streamed=True, method=zipfile.ZIP_STORED),
    "zip64": zipped(*files(), zip64=True),
    "zip64 and streamed": zipped(*files(), zip64=True, streamed=True),
    "a comment": zipped(*files(), comment=b"c" * 60_000),
    "by hand": by_hand(),
    "folders": zipped(("my_pkg/", b""), *files()),
    "files without content": zipped(*files(("my_pkg/py.typed", b""), ("my_pkg/empty", b""))),
    "names that are not ASCII": zipped(*files(("my_pkg/é, \u2603.txt", b"x"))),
    "data": zipped(*files(("my_pkg-1.0.data/scripts/run", b"#!python\n"), (f"{INFO}/licenses/LICENSE", b""))),
    "names that differ in case": zipped(*files(("my_pkg/README", b""), ("my_pkg/readme", b""))),
    "signatures of RECORD": zipped(*files(), (f"{INFO}/RECORD.jws", b"{}"), (f"{INFO}/RECORD.p7s", b"")),
    "RECORD without itself": zipped(*files(record=b"".join(f"{path},,\r\n".encode() for path, _ in files()[:-1]))),
    "RECORD with folders": zipped(*files(record=b"my_pkg/,,\n" + files()[-1][1])),
    "zeros": zipped(*files(("my_pkg/zeros", bytes(2**22)))),
    "a vendored wheel": zipped(*files(("my_pkg/_vendor/x-1.dist-info/METADATA", b""), ("my_pkg/x.whl", GOOD))),
}


@pytest.mark.parametrize("wheel", SOUND.values(), ids=SOUND)
def test_a_sound_wheel_may_be_published_and_its_metadata_are_known(wheel: bytes) -> None:
    metadata = checked(NAME, wheel)
    assert metadata is not None
    assert metadata.content == METADATA
    assert metadata.sha256 == sha256(METADATA).hexdigest()
    assert metadata.requires_python == ">=3.9,<4"


def test_the_sandboxs_wheels_may_be_published() -> None:
    checked(*sample_wheel("My.Pkg", "1.0", extra_files={"my_pkg_data/x.txt": b"x"}))


def renamed(wheel: bytes, old: bytes, new: bytes, where: bytes) -> bytes:
    """The wheel with another name of the same length in the records of one kind only."""
    return re.sub(
        re.escape(where) + b".{26,42}" + re.escape(old),
        lambda match: match[0].replace(old, new),
        wheel,
        flags=re.DOTALL,
    )


def overlapping() -> bytes:
    """A wheel with a file that is within another one's content."""
    outer = by_hand(path=b"outer", content=entry(b"inner", b"x")[0])
    _, record = entry(b"inner", b"x", start=outer.index(b"inner") - 30)
    start = outer.index(CENTRAL)
    records = re.findall(CENTRAL + b".*?(?=PK)", outer[start:], re.DOTALL)
    return archived(outer[:start], [*records, record])


def in_two_alphabets() -> bytes:
    """A wheel with a name that is UTF-8 by the directory, and not by its local header."""
    wheel = by_hand(path="é".encode(), flags=1 << 11)
    local = wheel.index("é".encode()) - 30
    return wheel[: local + 6] + bytes(2) + wheel[local + 8 :]


PATHS = [
    "../x",
    "/x",
    "my_pkg/../../x",
    "my_pkg/./x",
    "my_pkg//x",
    "..",
    "C:/x",
    "c:x",
    "my_pkg\\x",
    "..\\x",
    "\\\\host\\x",
    "./my_pkg/x",
]
HOSTILE: dict[str, tuple[bytes, str]] = {
    "nothing of a wheel": (b"hello", "too small"),
    "an HTML page": (b"<!doctype html>" * 99, "end of central directory is missing"),
    "cut off": (GOOD[:-1], "end of central directory is missing or cut off"),
    "more behind it": (GOOD + b"\0", "not the archive's end"),
    "a script in front": (b"#!/bin/sh\n" + GOOD, "not where the archive's end tells"),
    "a script in front that is counted": (by_hand(in_front=b"#!/bin/sh\n"), "bytes in front of"),
    "bytes between": (by_hand(between=b"\0"), "bytes in front of or between"),
    "an entry that no directory tells of": (by_hand(in_front=entry(b"evil.py", b"")[0]), "bytes in front of"),
    "an entry within another": (overlapping(), "entries overlap"),
    "a file twice": (zipped(MODULE, *files()), "is there more than once"),
    "another local name": (renamed(GOOD, b"__init__", b"__evil__", LOCAL), "header is another entry's"),
    "a wrong checksum": (by_hand(path=b"x", content=b"x", crc=1), "checksum of x is wrong"),
    "a size too large": (by_hand(path=b"x", content=b"x", size=2), "size of x cannot be true"),
    "a size too small": (by_hand(path=b"x", content=b"xx", size=1), "size of x cannot be true"),
    "an inflated size that cannot be": (
        by_hand(path=b"x", content=b"x", method=8, size=1033),
        "size of x cannot be true",
    ),
    "deflated garbage": (by_hand(path=b"x", content=b"\xff" * 9, method=8), "damaged"),
    "deflated data cut off": (
        by_hand(path=b"x", content=zlib.compress(b"y" * 99, wbits=-15)[:-2], method=8, size=99),
        "cut off",
    ),
    "more behind deflated data": (
        by_hand(path=b"x", content=zlib.compress(b"y", wbits=-15) + b"z", method=8, size=1),
        "More follows",
    ),
    "a folder with a content": (by_hand(path=b"x/", content=b"x"), "folder x/ has a content"),
    "encrypted": (by_hand(path=b"x", content=b"x", flags=1), "encrypted"),
    "bzip2": (by_hand(path=b"x", content=b"x", method=12), "method 12 of x"),
    "another descriptor": (set_field(STREAMED, b"PK\7\10", 4, "<L", 1), "data descriptor .* contradicts"),
    "another size in a descriptor": (set_field(STREAMED, b"PK\7\10", 12, "<L", 1), "data descriptor .* contradicts"),
    "data beyond the directory": (set_field(STREAMED, CENTRAL, 20, "<L", 2**31), "overlaps the directory"),
    "a name in two alphabets": (in_two_alphabets(), "header is another entry's"),
    "a bomb": (zipped(*files(("zeros", bytes(70 * 2**20)))), "far more than its own size"),
    "no WHEEL": (without("WHEEL"), "has no WHEEL in its .dist-info"),
    "no RECORD": (without("RECORD"), "has no RECORD in its .dist-info"),
    "no METADATA": (without("METADATA"), "has no METADATA in its .dist-info"),
    "two .dist-info folders": (zipped(*files(("other-1.0.dist-info/x", b""))), "more than one .dist-info"),
    "a file that RECORD does not list": (zipped(("evil.py", b""), *files()), "does not list 'evil.py'"),
    "a file that is only in RECORD": (zipped(*files(record=b"evil.py,,\n")), "lists 'evil.py', which is not there"),
    "a RECORD of no text": (zipped(*files(record=b"\xff")), "no CSV"),
    "a RECORD of odd lines": (zipped(*files(record=b"a\rb,,\n")), "no CSV"),
    "a RECORD of one line": (zipped(*files(record=b"a" * 400_000)), "too long"),
    "a RECORD that is too large": (zipped(*files(record=bytes(33 * 2**20))), "RECORD is too large"),
    "another project": (zipped(*files(metadata=METADATA.replace(b"my-pkg", b"other"))), "another release's"),
    "another version": (zipped(*files(metadata=METADATA.replace(b"1.0", b"1.1"))), "another release's"),
}


@pytest.mark.parametrize(("wheel", "words"), HOSTILE.values(), ids=HOSTILE)
def test_a_wheel_that_is_not_sound_is_refused(wheel: bytes, words: str) -> None:
    message = refusal(NAME, wheel)
    assert message.startswith(f"The file {NAME} cannot be published. ")
    assert re.search(words, message)


@pytest.mark.parametrize("path", PATHS)
def test_no_path_leads_out_of_a_wheel(path: str) -> None:
    assert "path" in refusal(NAME, by_hand(path=path.encode(), content=b"x"))


def test_a_bomb_that_lies_is_refused_before_it_is_inflated() -> None:
    deflater = zlib.compressobj(1, wbits=-15)
    zeros = b"".join([*(deflater.compress(bytes(2**20)) for _ in range(512)), deflater.flush()])
    wheel = by_hand(path=b"zeros", content=zeros, method=8, size=1)
    begin = time.thread_time()
    assert "size or the checksum of zeros is wrong" in refusal(NAME, wheel)
    assert time.thread_time() - begin < 0.1


def test_a_file_that_is_not_all_there_is_refused() -> None:
    upload = received(NAME, GOOD)
    with pytest.raises(UploadRefusedError, match="cut off: upload it again"):
        check_archive(read_upload(upload), io.BytesIO(GOOD[:-1]))


@pytest.mark.parametrize(
    ("sent", "is_refused"),
    [
        (">=3.9,<4", False),
        ("< 4.0, >= 3.9", False),
        ("", False),
        ("nonsense", False),
        (">=3.9", True),
        (">=3.10,<4", True),
    ],
)
def test_the_form_requires_the_same_pythons_however_that_is_spelled(sent: str, is_refused: bool) -> None:
    if is_refused:
        assert "It requires Python '>=3.9,<4', and the form" in refusal(NAME, GOOD, requires_python=sent)
    else:
        checked(NAME, GOOD, requires_python=sent)


def test_a_form_may_tell_another_metadata_version() -> None:
    """poetry sends what it would write itself."""
    checked(NAME, GOOD, metadata_version="1.1")


def large_wheel(file: BinaryIO, size: int) -> Received:
    """A wheel with a file of `size` zeros, stored; they take no place on the disk."""
    crc = 0
    for start in range(0, size, 2**20):
        crc = zlib.crc32(bytes(min(2**20, size - start)), crc)
    body = 0
    records = []
    for path, content in files(("my_pkg/zeros", b"")):
        told = {"crc": crc, "compressed": size, "size": size} if path == "my_pkg/zeros" else {}
        local, record = entry(path.encode(), content, start=body, **told)
        file.seek(body)
        file.write(local)
        body += len(local) + told.get("size", 0)
        records.append(record)
    file.seek(body)
    end = struct.pack("<4H2LH", 0, 0, len(records), len(records), sum(map(len, records)), body, 0)
    file.write(b"".join(records) + END + end)
    file.flush()
    sent = received(NAME, sha256_digest=None)
    return Received(sent.fields, NAME, file, file.tell(), sent.sha256)


def peak_of(upload: Received) -> int:
    """The memory in bytes that it takes at most to check an upload."""
    read = read_upload(upload)
    tracemalloc.start()
    try:
        check_archive(read, upload.file)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("megabytes", [300, 1024])
def test_a_large_wheel_costs_little_memory_and_time(megabytes: int) -> None:
    with tempfile.TemporaryFile() as file:
        upload = large_wheel(file, megabytes * 2**20)
        begin = time.thread_time()
        assert peak_of(upload) < 2 * 2**20
        assert time.thread_time() - begin < 2


def test_zeros_that_inflate_to_much_cost_little_memory() -> None:
    assert peak_of(received(NAME, zipped(*files(("zeros", bytes(50 * 2**20)))))) < 2 * 2**20


def long_directory(length: int) -> bytes:
    """A wheel of as many entries as there may be, with names of some length."""
    others = [(f"{number:06}".ljust(length, "x"), b"") for number in range(100_000 - 4)]
    body, records = io.BytesIO(), []
    for path, content in files(*others):
        local, record = entry(path.encode(), content, start=body.tell())
        body.write(local)
        records.append(record)
    return archived(body.getvalue(), records)


def test_the_longest_directory_costs_32_megabytes_and_some_seconds() -> None:
    wheel = long_directory(79)
    upload = received(NAME, wheel)
    read = read_upload(upload)
    begin = time.thread_time()
    check_archive(read, upload.file)
    assert time.thread_time() - begin < 10
    assert peak_of(upload) < 32 * 2**20


def test_a_longer_directory_is_refused() -> None:
    assert "directory is too large" in refusal(NAME, long_directory(81))


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A wheel with other bytes here and there, cut, or put together from two."""
    wheel = draw(st.sampled_from([*SOUND.values()]).filter(lambda wheel: len(wheel) < 10_000))
    places = [match.start() for match in re.finditer(b"PK", wheel)]
    for _ in range(draw(st.integers(0, 3))):
        near_a_record = st.sampled_from(places).flatmap(lambda place: st.integers(place, place + 80))
        place = draw(near_a_record | st.integers(0, len(wheel)))
        wheel = wheel[:place] + bytes([draw(st.sampled_from([0, 1, 0xFF]) | st.integers(0, 255))]) + wheel[place + 1 :]
    match draw(st.sampled_from(["keep", "keep", "keep", "cut", "splice", "insert"])):
        case "cut":
            return wheel[draw(st.sampled_from([0, *places])) : draw(st.integers(0, len(wheel)))]
        case "splice":
            other = draw(st.sampled_from([GOOD, STREAMED]))
            return wheel[: draw(st.sampled_from(places))] + other[draw(st.integers(0, len(other))) :]
        case "insert":
            place = draw(st.sampled_from(places))
            return wheel[:place] + draw(st.binary(max_size=20) | st.just(GOOD)) + wheel[place:]
    return wheel


@given(damaged() | st.binary(max_size=200))
def test_what_may_be_published_is_what_installers_unpack(wheel: bytes) -> None:
    begin = time.thread_time()
    try:
        checked(NAME, wheel)
    except UploadRefusedError:
        return
    finally:
        assert time.thread_time() - begin < 1
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert len(set(names)) == len(names)
        listed = archive.read(LAST).decode()
        assert all(name in listed or name.startswith(LAST) for name in names if not name.endswith("/"))
