"""Sdists that may be published, and those that may not."""

from __future__ import annotations

import gzip
import io
import re
import tarfile
import tempfile
import time
import tracemalloc
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.uploading import checked, received, refusal
from support.zips import zipped

from pypihub.errors import UploadRefusedError
from pypihub.index.archives import check_archive
from pypihub.index.members import BrokenArchiveError, Inflating
from pypihub.index.tarwalk import tar_members
from pypihub.index.uploads import Received, read_upload
from pypihub.sandbox.samples import sample_sdist

NAME = "my_pkg-1.0.tar.gz"
PKG_INFO = b"Metadata-Version: 2.4\nName: my-pkg\nVersion: 1.0\nRequires-Python: >=3.9\n\n# My package\n"
TOP = "my_pkg-1.0"
LONG = "long/" * 40
Entry = tuple[str, bytes] | tarfile.TarInfo
FILES = ((f"{TOP}/PKG-INFO", PKG_INFO), (f"{TOP}/my_pkg/__init__.py", b"x = 1\n"))


def tar(*entries: Entry, format: int = tarfile.PAX_FORMAT, pax_headers: dict[str, str] | None = None) -> bytes:  # noqa: A002 - tarfile's word
    """A tar archive by the standard library."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=format, pax_headers=pax_headers or {}) as archive:
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                archive.addfile(entry, io.BytesIO(bytes(entry.size)))
            else:
                info = tarfile.TarInfo(entry[0])
                info.size = len(entry[1])
                archive.addfile(info, io.BytesIO(entry[1]))
    return stream.getvalue()


def info(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", size: int = 0, **pax: str) -> tarfile.TarInfo:
    """A member by its header."""
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.size, made.pax_headers = kind, target, size, dict(pax)
    return made


def packed(*more: Entry, **options: int) -> bytes:
    """An sdist with more members."""
    return gzip.compress(tar(*FILES, *more, **options))


def with_header(change: dict[int, bytes], start: int = 0, body: bytes = b"") -> bytes:
    """An sdist with other bytes in the header at `start`, whose checksum is right again."""
    data = bytearray(body or tar(*FILES, format=tarfile.USTAR_FORMAT))
    for place, value in change.items():
        data[start + place : start + place + len(value)] = value
    data[start + 148 : start + 156] = b" " * 8
    data[start + 148 : start + 156] = f"{sum(data[start : start + 512]):06o}\0 ".encode()
    return gzip.compress(bytes(data))


def pax(records: bytes, kind: bytes = b"x") -> bytes:
    """An sdist that begins with a pax header of these records."""
    header = with_header({}, body=tar(info("x", kind, size=0), *FILES))
    data = bytearray(gzip.decompress(header))
    content = records + bytes(-len(records) % 512)
    data[512:512] = content
    return with_header({124: f"{len(records):011o}\0".encode()}, body=bytes(data))


FORMATS = {"ustar": tarfile.USTAR_FORMAT, "GNU": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
TREE: tuple[Entry, ...] = (
    info(f"{TOP}", tarfile.DIRTYPE),
    *FILES,
    (f"{TOP}/{LONG}setup.py", b"y" * 600),
    info(f"{TOP}/README", tarfile.SYMTYPE, "docs/README"),
    info(f"{TOP}/a/b/c", tarfile.SYMTYPE, "../../my_pkg"),
    info(f"{TOP}/again.py", tarfile.LNKTYPE, f"{TOP}/my_pkg/__init__.py"),
    info(f"{TOP}/a", tarfile.DIRTYPE),
    info(f"{TOP}/a", tarfile.DIRTYPE),
    (f"{TOP}/empty", b""),
    (f"{TOP}/readme", b""),
    (f"{TOP}/PKG-INFO.txt", b""),
    (f"{TOP}/my_pkg.egg-info/PKG-INFO", b"Name: other\n"),
    (f"{TOP}/back\\slash", b""),
)
SOUND = {
    **{name: gzip.compress(tar(*TREE, format=number)) for name, number in FORMATS.items()},
    "names that are not ASCII": packed((f"{TOP}/é\u2603", b""), info(f"{TOP}/link", tarfile.SYMTYPE, "é" * 60)),
    "attributes": gzip.compress(tar(info(f"{TOP}/x", **{"SCHILY.xattr.user": "é" * 5000, "mtime": "1.5"}), *FILES)),
    "made by git": gzip.compress(tar(*FILES, pax_headers={"comment": "0" * 40})),
    "packed from here": gzip.compress(
        tar(info("./", tarfile.DIRTYPE), *((f"./{name}", content) for name, content in FILES))
    ),
    "without an end": gzip.compress(tar(*FILES)[: 4 * 512]),
    "zeros behind it": gzip.compress(tar(*FILES) + bytes(99_999)),
    "stored": gzip.compress(tar(*FILES), compresslevel=0),
    "zeros": packed((f"{TOP}/zeros", bytes(2**22))),
    "a binary size": with_header({124: b"\x80" + bytes(9) + len(PKG_INFO).to_bytes(2, "big")}),
    "an old folder": gzip.compress(tar(info(f"{TOP}/old/", tarfile.AREGTYPE), *FILES)),
}


def names_by_tarfile(content: bytes) -> list[str]:
    """What tarfile, and so pip, finds."""
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        names = (member.name.removeprefix("./").rstrip("/") for member in archive.getmembers())
        return [name for name in names if name not in ("", ".")]


def names(content: bytes) -> list[str]:
    """What is found here."""
    return [member.path.decode(errors="surrogateescape") for member in tar_members(io.BytesIO(content), len(content))]


@pytest.mark.parametrize("sdist", SOUND.values(), ids=SOUND)
def test_a_sound_sdist_may_be_published(sdist: bytes) -> None:
    assert checked(NAME, sdist) is None
    assert names(sdist) == names_by_tarfile(sdist)


def test_the_sandboxs_sdists_may_be_published() -> None:
    checked(*sample_sdist("My.Pkg", "1.0"))


@pytest.mark.parametrize(
    ("filename", "folder", "form"),
    [
        ("my_pkg-1.0.tar.gz", "my_pkg-1.0", {}),
        ("My.Pkg-1.0.tar.gz", "My.Pkg-1.0", {}),
        ("my-pkg-1.0.tar.gz", "my-pkg-1.0", {"name": "my-pkg"}),
        ("my_pkg-1.0.0.tar.gz", "my_pkg-1.0", {"version": "1.00"}),
    ],
)
def test_a_release_may_be_spelled_in_several_ways(filename: str, folder: str, form: dict[str, str]) -> None:
    checked(filename, gzip.compress(tar((f"{folder}/PKG-INFO", b"Name: MY_pkg\nVersion: v1.0\n"))), **form)


def prefixed() -> bytes:
    """A zip sdist with a script in front, which all offsets count."""
    stream = io.BytesIO(b"#!/bin/sh\n")
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr(f"{TOP}/PKG-INFO", PKG_INFO)
    return stream.getvalue()


def test_an_sdist_may_be_a_zip() -> None:
    name = "my_pkg-1.0.zip"
    checked(name, zipped((f"{TOP}/", b""), *FILES))
    assert "no PKG-INFO" in refusal(name, zipped((f"{TOP}/x", b"")))
    assert "not in the folder" in refusal(name, zipped(*FILES, ("x", b"")))
    assert "more than once" in refusal(name, zipped(*FILES, *FILES))
    assert "longer than 4,096 bytes" in refusal(name, zipped(*FILES, (longer(4097, "x"), b"")))
    assert "bytes in front" in refusal(name, prefixed())


GOOD = packed()
HALF = tar(*FILES, format=tarfile.USTAR_FORMAT)
HOSTILE: dict[str, tuple[bytes, str]] = {
    "no gzip": (b"hello", "compressed data are damaged"),
    "a zip": (zipped(("x", b"")), "compressed data are damaged"),
    "cut off": (GOOD[:-1], "compressed data are cut off"),
    "a wrong checksum": (GOOD[:-8] + bytes(4) + GOOD[-4:], "compressed data are damaged"),
    "more behind it": (GOOD + b"\0", "More follows"),
    "two in one": (GOOD + GOOD, "More follows"),
    "nothing in it": (gzip.compress(b""), "no PKG-INFO"),
    "zeros in it": (gzip.compress(bytes(10240)), "no PKG-INFO"),
    "a text": (gzip.compress(b"hello" * 999), "number that is none|damaged"),
    "a part of a header": (gzip.compress(HALF[:100]), "tar archive is cut off"),
    "a part of a file": (gzip.compress(HALF[:600]), "tar archive is cut off"),
    "an archive behind its end": (gzip.compress(HALF + HALF), "more behind the end"),
    "garbage behind a member": (gzip.compress(HALF[:1024] + b"x" * 512), "damaged|none"),
    "a bomb": (packed((f"{TOP}/zeros", bytes(70 * 2**20))), "far more than its own size"),
    "no PKG-INFO": (gzip.compress(tar((f"{TOP}/setup.py", b""))), "no PKG-INFO in its folder: build it"),
    "PKG-INFO elsewhere": (gzip.compress(tar((f"{TOP}/x.egg-info/PKG-INFO", PKG_INFO))), "no PKG-INFO in its folder"),
    "PKG-INFO twice": (packed(FILES[0]), "PKG-INFO' is there more than once"),
    "a PKG-INFO that is a link": (
        gzip.compress(tar(info(f"{TOP}/PKG-INFO", tarfile.SYMTYPE, "x"))),
        "PKG-INFO is no file",
    ),
    "a large PKG-INFO": (gzip.compress(tar((f"{TOP}/PKG-INFO", PKG_INFO + bytes(2**23)))), "too large"),
    "long headers": (gzip.compress(tar((f"{TOP}/PKG-INFO", b"A: b\n" * 30_000 + PKG_INFO))), "headers are too long"),
    "another project": (gzip.compress(tar((f"{TOP}/PKG-INFO", b"Name: x\nVersion: 1.0\n"))), "another release's"),
    "another version": (gzip.compress(tar((f"{TOP}/PKG-INFO", b"Name: my-pkg\nVersion: 1.1\n"))), "another release's"),
    "no version": (gzip.compress(tar((f"{TOP}/PKG-INFO", b"Name: my-pkg\n"))), "another release's"),
    "another folder": (gzip.compress(tar(("x/PKG-INFO", PKG_INFO))), "folder 'x' is not called like"),
    "a folder of thousands of digits": (gzip.compress(tar(("my_pkg-" + "1" * 5000 + "/PKG-INFO", b""))), "longer than"),
    "another version's folder": (gzip.compress(tar(("my_pkg-1.1/PKG-INFO", PKG_INFO))), "is not called like"),
    "no folder": (gzip.compress(tar(("PKG-INFO", PKG_INFO))), "is not called like"),
    "two folders": (packed(("other/x", b"")), "'other/x' is not in the folder 'my_pkg-1.0'"),
    "a file beside the folder": (packed((f"{TOP}x", b"")), "is not in the folder"),
    "a device": (packed(info(f"{TOP}/x", tarfile.CHRTYPE)), "neither a file, a folder nor a link"),
    "a pipe": (packed(info(f"{TOP}/x", tarfile.FIFOTYPE)), "neither a file, a folder nor a link"),
    "an old sparse file": (packed(info(f"{TOP}/x", tarfile.GNUTYPE_SPARSE)), "neither a file, a folder nor a link"),
    "a sparse file": (packed(info(f"{TOP}/x", **{"GNU.sparse.major": "1"})), "sparse"),
    "a folder with a content": (with_header({156: b"5"}, start=1024), "no file and has a content"),
    "a link with a content": (with_header({156: b"2"}, start=1024), "no file and has a content"),
    "a file that ends like a folder": (with_header({len(TOP) + 9: b"/"}), "is no folder"),
    "a wrong header": (gzip.compress(b"x" + HALF[1:]), "header is damaged"),
    "a mode that is none": (with_header({100: b"rw"}, start=1024), "number that is none"),
    "a size that is none": (with_header({124: b"0000000009\0\0"}), "number that is none"),
    "a size below zero": (with_header({124: b"\xff" * 12}), "number that is none"),
    "a size beyond all": (with_header({124: b"\x80" + b"\xff" * 11}, start=1024), "tar archive is cut off"),
    "a name in two parts in GNU's format": (with_header({257: b"ustar  \0", 345: b"evil"}), "only some readers take"),
    "a pax size beyond all": (pax(b"14 size=99999\n"), "tar archive is cut off"),
    "a pax size that is none": (pax(b"11 size=-1\n"), "in two ways"),
    "a pax name twice": (pax(b"10 path=a\n10 path=b\n"), "in two ways"),
    "an empty pax name": (pax(b"8 path=\n"), "in two ways"),
    "a pax name for all": (pax(b"10 path=a\n", b"g"), "in two ways"),
    "a pax header without length": (pax(b"path=a\n"), "pax header is malformed"),
    "a pax header of another length": (pax(b"9 path=a\n\n"), "pax header is malformed"),
    "a pax header beyond its end": (pax(b"99 path=a\n"), "pax header is malformed"),
    "a pax header with more behind its end": (
        with_header({124: b"00000000012\0"}, body=gzip.decompress(pax(b"10 path=a\n10 path=b\n"))),
        "followed by more than zeros",
    ),
    "a pax name with a NUL": (packed(info("x", path=f"{TOP}/x\0y")), "not plain"),
    "a pax header without end": (pax(b"3 x"), "pax header is malformed"),
    "a long pax header": (pax(b"x" * (2**20 + 1)), "tar header is too long"),
    "no member behind a pax header": (
        gzip.compress(gzip.decompress(pax(b"10 path=a\n"))[:1024] + bytes(1024)),
        "tar header is missing",
    ),
    "too many members": (
        gzip.compress(tar(*FILES)[:2048] + tar(info(f"{TOP}/x", tarfile.DIRTYPE))[:512] * 100_001),
        "more than 100000",
    ),
}


@pytest.mark.parametrize(("sdist", "words"), HOSTILE.values(), ids=HOSTILE)
def test_an_sdist_that_is_not_sound_is_refused(sdist: bytes, words: str) -> None:
    message = refusal(NAME, sdist)
    assert message.startswith(f"The file {NAME} cannot be published. ")
    assert re.search(words, message)


@pytest.mark.parametrize(
    "path", ["../x", "/x", f"{TOP}/../x", f"{TOP}/a/../../x", f"{TOP}//x", "..", f"{TOP}\\..\\x", "C:/x", f"{TOP}/./x"]
)
def test_no_path_leads_out_of_an_sdist(path: str) -> None:
    assert re.search("not plain|not in the folder", refusal(NAME, packed((path, b""))))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
@pytest.mark.parametrize("target", ["/etc/passwd", "../..", "../../x", f"a/../../{TOP}", "", "C:x", "..\\..\\x"])
def test_no_link_leads_out_of_an_sdist(kind: bytes, target: str) -> None:
    assert re.search("leads out|not plain", refusal(NAME, packed(info(f"{TOP}/x", kind, target))))


@pytest.mark.parametrize(
    "links",
    [
        [(f"{TOP}/a/b/c", "../.."), (f"{TOP}/d", "a/b/c/..")],
        [(f"{TOP}/a/b/c", "../.."), (f"{TOP}/a/b/c/d", "../..")],
    ],
)
def test_no_link_leads_out_by_way_of_another(links: list[tuple[str, str]]) -> None:
    sdist = packed(*(info(path, tarfile.SYMTYPE, target) for path, target in links))
    assert re.search("leads out|behind a link", refusal(NAME, sdist))


def longer(length: int, end: str = "", folder: str = "a/") -> str:
    """A path in the top folder of this length in bytes, through many folders."""
    start = f"{TOP}/"
    return start + (folder * length)[: length - len(start) - len(end)] + end


@pytest.mark.parametrize("kind", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("length", [4097, 64 * 1024, 2**20 - 100])
def test_a_path_that_no_system_takes_is_refused_at_once(kind: int, length: int) -> None:
    link = info(f"{TOP}/link", tarfile.SYMTYPE, "README")
    for sdist in (
        packed(link, (longer(length, "x"), b""), format=kind),
        packed((("./" * length)[: length - 1] + "x", b""), format=kind),
        packed(info(f"{TOP}/other", tarfile.SYMTYPE, longer(length)), format=kind),
        packed(link, info(f"{TOP}/hard", tarfile.LNKTYPE, longer(length)), format=kind),
    ):
        message = refusal(NAME, sdist)
        assert len(sdist) < 10_000
        assert re.search(r"The path '.{79}…' is longer than 4,096 bytes\.$", message)


def test_a_path_that_is_as_long_as_systems_take_is_fine() -> None:
    link = info(f"{TOP}/link", tarfile.SYMTYPE, "README")
    checked(NAME, packed(link, (longer(4096, "x", "long" * 10 + "/"), b"")))


def test_a_path_through_more_folders_than_installers_make_is_refused() -> None:
    checked(NAME, packed((f"{TOP}/" + "a/" * 249 + "x", b"")))
    assert "leads through more than 250 folders." in refusal(NAME, packed((f"{TOP}/" + "a/" * 250 + "x", b"")))


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.LNKTYPE])
def test_a_link_is_seen_on_the_longest_way(kind: bytes) -> None:
    deep = longer(4000, "/link", "long" * 10 + "/")
    behind = info(f"{deep}/x") if kind == tarfile.REGTYPE else info(f"{TOP}/hard", kind, f"{deep}/x")
    sdist = packed(info(deep, tarfile.SYMTYPE, "README"), behind)
    assert re.search("is behind a link|leads out", refusal(NAME, sdist))


def test_no_link_leads_beside_the_folder() -> None:
    assert "leads out" in refusal(NAME, packed(info(f"{TOP}/x", tarfile.LNKTYPE, "other/x")))
    assert "leads out" in refusal(NAME, packed(info(f"{TOP}/x", tarfile.SYMTYPE, linkpath="a\0b")))


def test_a_link_to_another_file_of_a_link_is_refused() -> None:
    sdist = packed(info(f"{TOP}/a", tarfile.SYMTYPE, "b"), info(f"{TOP}/c", tarfile.LNKTYPE, f"{TOP}/a/x"))
    assert "leads out" in refusal(NAME, sdist)


@pytest.mark.parametrize(("sent", "is_refused"), [(">= 3.9", False), ("UNKNOWN", False), (">=3.8", True)])
def test_the_form_requires_the_same_pythons(sent: str, is_refused: bool) -> None:
    if is_refused:
        assert "It requires Python '>=3.9'" in refusal(NAME, GOOD, requires_python=sent)
    else:
        checked(NAME, GOOD, requires_python=sent)
    checked(NAME, gzip.compress(tar((f"{TOP}/PKG-INFO", b"Name: my-pkg\nVersion: 1.0\n"))), requires_python=sent)


@pytest.mark.parametrize(("megabytes", "level"), [(200, 0), (60, 9)], ids=["stored", "deflated"])
def test_a_large_sdist_costs_little_memory_and_time(megabytes: int, level: int) -> None:
    with tempfile.TemporaryFile() as file:
        with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=level) as stream:
            stream.write(tar(*FILES)[:2048])
            header = tarfile.TarInfo(f"{TOP}/zeros")
            header.size = megabytes * 2**20
            stream.write(header.tobuf())
            for _ in range(megabytes):
                stream.write(bytes(2**20))
        sent = received(NAME, sha256_digest=None)
        upload = Received(sent.fields, NAME, file, file.tell(), sent.sha256)
        read = read_upload(upload)
        begin = time.thread_time()
        tracemalloc.start()
        check_archive(read, file)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 2 * 2**20
    assert time.thread_time() - begin < 5


@pytest.mark.parametrize("size", [64 * 1024, 128 * 1024])
def test_one_byte_more_is_seen_wherever_the_file_is_split(size: int) -> None:
    body = tar(*FILES)
    sdist = gzip.compress(body + bytes(size - 5000 - len(body)), compresslevel=0)
    sdist = gzip.compress(body + bytes(size - 5000 - len(body) + size - len(sdist)), compresslevel=0)
    assert len(sdist) == size
    checked(NAME, sdist)
    assert "More follows" in refusal(NAME, sdist + b"x")


def test_what_is_inflated_is_bounded_whatever_the_archives_size() -> None:
    inflating = Inflating(2**31, 100)
    inflating.add(100)
    with pytest.raises(BrokenArchiveError, match="far more"):
        inflating.add(1)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A tar archive with other bytes in its headers, the checksums right again or not, packed and damaged again."""
    seldom = st.integers(0, 4).map(lambda number: number == 4)
    chosen = draw(st.sampled_from([*SOUND.values()]).filter(lambda sdist: len(sdist) < 3000))
    data = bytearray(gzip.decompress(chosen))
    headers = [start for start in range(0, min(len(data), 20_000), 512) if data[start + 257 : start + 262] == b"ustar"]
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.sampled_from(headers))
        field = draw(st.sampled_from([0, 5, 124, 135, 156, 157, 257, 345]) | st.integers(0, 1024))
        value = draw(st.sampled_from([b"/", b"0", b"5", b"x", b"L", b"\0", b"\xff", b"../"]) | st.binary(max_size=4))
        data[start + field : start + field + len(value)] = value
        if not draw(seldom):
            data[start + 148 : start + 156] = b" " * 8
            data[start + 148 : start + 156] = f"{sum(data[start : start + 512]):06o}\0 ".encode()
    if draw(seldom):
        del data[draw(st.integers(0, len(data))) :]
    sdist = gzip.compress(bytes(data))
    if not draw(seldom):
        return sdist
    place = draw(st.integers(0, len(sdist)))
    return sdist[:place] + draw(st.binary(max_size=3)) + sdist[place + draw(st.integers(0, 3)) :]


@given(damaged() | st.binary(max_size=200) | st.binary(max_size=2000).map(gzip.compress))
def test_what_may_be_published_is_what_installers_unpack(sdist: bytes) -> None:
    begin = time.thread_time()
    try:
        checked(NAME, sdist)
    except UploadRefusedError:
        return
    finally:
        assert time.thread_time() - begin < 1
    assert names(sdist) == names_by_tarfile(sdist)
