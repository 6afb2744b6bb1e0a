"""Forms read while they come."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections.abc import Iterable, Iterator
from io import BytesIO
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.forms import BOUNDARY, CONTENT_TYPE, Part, field, file, form, head_of

from pypihub.errors import PyPIHubError, UploadRefusedError, UploadTooLargeError
from pypihub.index.uploads import Companion, Received
from pypihub.web.multipart import LARGEST_COMPANION, LARGEST_VALUE, MOST_AROUND, MOST_PARTS, FormReader, read_boundary

SIZE = 1000


def read(body: bytes, pieces: Iterable[bytes] | None = None, max_size: int = SIZE) -> Received:
    reader = FormReader(BOUNDARY.encode(), BytesIO(), max_size)
    for piece in pieces if pieces is not None else (body,):
        reader.feed(piece)
    return reader.received()


def content_of(received: Received) -> bytes:
    received.file.seek(0)
    return received.file.read()


def test_a_form_is_its_fields_and_its_file() -> None:
    received = read(
        form(
            [
                field("name", " Demo "),
                field("classifiers", "a"),
                field("classifiers", "b"),
                field("description", "line\r\nline é"),
                file("demo-1.0.tar.gz", b"bytes\r\n--b0undar"),
                file("demo-1.0.tar.gz.asc", b"signature", "gpg_signature"),
            ]
        )
    )
    assert received.fields == {"name": (" Demo ",), "classifiers": ("a", "b"), "description": ("line\r\nline é",)}
    assert (received.filename, received.size) == ("demo-1.0.tar.gz", 16)
    assert content_of(received) == b"bytes\r\n--b0undar"
    assert received.sha256 == hashlib.sha256(b"bytes\r\n--b0undar").hexdigest()
    assert received.companions == (Companion("gpg_signature", "demo-1.0.tar.gz.asc", b"signature"),)


def test_a_form_without_a_file_says_so() -> None:
    received = read(form([field("name", "demo")]))
    assert (received.filename, received.size, content_of(received)) == ("", 0, b"")


def test_an_empty_form_is_read() -> None:
    assert read(form([])).fields == {}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "cut short"),
        (b"no form at all", "broken"),
        (form([field("name", "demo")])[:-6], "cut short"),
        (form([field("name", "demo")], "another"), "broken"),
        (b"--b0undary\r\n\r\nvalue\r\n--b0undary--\r\n", "has no name"),
        (b"--b0undary\r\nno header\r\n\r\nvalue\r\n--b0undary--\r\n", "broken"),
        (b'--b0undary\r\nContent-Disposition: attachment; name="a"\r\n\r\n\r\n--b0undary--', "has no name"),
        (form([field("", "value")]), "has no name"),
        (form([field("n" * 201, "value")]), "has no name"),
        (form([("name", None, b"\xff")]), "not UTF-8"),
        (form([("content", None, b"bytes")]), "has no file name"),
        (form([file("a.whl", b"a"), file("b.whl", b"b")]), "more than one file"),
        (b"--b0undary\r\n" + b"X: y\r\n" * 9 + b"\r\n", "broken"),
        (b"--b0undary\r\nX: " + b"y" * 5000, "broken"),
    ],
)
def test_what_is_wrong_with_a_form_is_said(body: bytes, why: str) -> None:
    with pytest.raises(UploadRefusedError, match=why):
        read(body)


def test_the_parser_says_nothing_to_anybody_else(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(UploadRefusedError):
        read(b"--b0undary\r\n(bad): header\r\n\r\n")
    assert not caplog.records
    assert capfd.readouterr() == ("", "")


def test_a_file_may_be_as_large_as_is_allowed_and_no_larger() -> None:
    assert read(form([file("a.whl", b"x" * SIZE)])).size == SIZE
    with pytest.raises(UploadTooLargeError, match=r"up to 0\.000953674 MiB"):
        read(form([file("a.whl", b"x" * (SIZE + 1))]))


@pytest.mark.parametrize(
    ("part", "largest"), [(("description", None), LARGEST_VALUE), (("gpg_signature", "a.asc"), LARGEST_COMPANION)]
)
def test_other_parts_have_a_limit_each(part: tuple[str, str | None], largest: int) -> None:
    read(form([(*part, b"x" * largest)]))
    with pytest.raises(UploadRefusedError, match=rf"{part[0]} is too large: up to {largest} bytes"):
        read(form([(*part, b"x" * (largest + 1))]))


def test_other_parts_have_a_limit_together() -> None:
    with pytest.raises(UploadRefusedError, match="fields are too large"):
        read(form([field("description", "x" * LARGEST_VALUE)] * 2))
    with pytest.raises(UploadRefusedError, match="fields are too large"):
        read(form([file("a.asc", b"x" * LARGEST_COMPANION, "gpg_signature")] * 64))


def test_a_form_has_so_many_parts_at_most() -> None:
    assert len(read(form([field("classifiers", "a")] * MOST_PARTS)).fields["classifiers"]) == MOST_PARTS
    with pytest.raises(UploadRefusedError, match="too many parts"):
        read(form([field("classifiers", "a")] * (MOST_PARTS + 1)))


def test_what_follows_a_form_has_a_limit_too() -> None:
    body = form([file("a.whl", b"x")])
    assert read(body, [body, b"x" * 1000]).size == 1
    with pytest.raises(UploadTooLargeError):
        read(body, [body, *[b"x" * 65536] * (MOST_AROUND // 65536 + 1)])


@pytest.mark.parametrize(
    "content_type",
    [
        CONTENT_TYPE.encode(),
        b'Multipart/Form-Data; boundary="b0undary"',
        b"multipart/form-data;charset=utf-8;boundary=b0undary",
    ],
)
def test_the_boundary_is_in_the_content_type(content_type: bytes) -> None:
    assert read_boundary(content_type) == b"b0undary"


@pytest.mark.parametrize(
    "content_type", [None, b"", b"application/json", b"application/x-www-form-urlencoded", b"\xff"]
)
def test_only_a_form_with_files_is_an_upload(content_type: bytes | None) -> None:
    with pytest.raises(UploadRefusedError, match="must be multipart/form-data"):
        read_boundary(content_type)


@pytest.mark.parametrize(
    "boundary", [b"", b"; boundary=", b"; boundary=\xe9", b"; boundary=" + b"x" * 101, b"; boundary*=x"]
)
def test_a_boundary_is_needed(boundary: bytes) -> None:
    with pytest.raises(UploadRefusedError, match="no boundary"):
        read_boundary(b"multipart/form-data" + boundary)


# Bytes that look like the beginning of a boundary are the interesting ones.
_bytes = st.binary(max_size=60) | st.lists(
    st.sampled_from([b"\r", b"\n", b"-", b"\r\n--", b"\r\n--b0und", b"--b0undary", b"x"]), max_size=30
).map(b"".join).filter(lambda value: b"\r\n--b0undary" not in b"\r\n" + value)
_names = st.text(
    st.characters(codec="utf-8", exclude_characters='\r\n"\\;*', exclude_categories=["Cc"]), min_size=1, max_size=20
)
_parts: st.SearchStrategy[list[Part]] = st.lists(
    st.tuples(
        _names.filter(lambda name: name != "content"),
        st.none(),
        _bytes.map(lambda value: value.decode("latin-1").encode()),
    )
    | st.tuples(_names.filter(lambda name: name != "content"), _names, _bytes),
    max_size=6,
)
_cuts = st.lists(st.integers(0, 400), max_size=12)


def pieces_of(body: bytes, cuts: list[int]) -> Iterator[bytes]:
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    return (body[start:end] for start, end in pairwise(edges))


def outcome(body: bytes, pieces: Iterable[bytes] | None = None) -> object:
    try:
        received = read(body, pieces)
    except PyPIHubError as error:
        return type(error), error.message
    return received.fields, received.filename, content_of(received), received.sha256, received.companions


@given(_parts, _bytes, _cuts)
def test_it_does_not_matter_how_a_form_is_cut(parts: list[Part], content: bytes, cuts: list[int]) -> None:
    body = form([*parts, file("demo-1.0.tar.gz", content)])
    received = read(body, pieces_of(body, cuts))
    assert content_of(received) == content
    assert received.sha256 == hashlib.sha256(content).hexdigest()
    assert sum(map(len, received.fields.values())) + len(received.companions) == len(parts)
    assert outcome(body) == outcome(body, pieces_of(body, cuts)) == outcome(body, pieces_of(body, list(range(400))))


@given(st.data())
def test_no_body_upsets_the_reader(data: st.DataObject) -> None:
    body = bytearray(form([field("name", "demo"), file("demo-1.0.tar.gz", b"x" * 20)]))
    for _ in range(data.draw(st.integers(0, 4))):
        start = data.draw(st.integers(0, len(body)))
        body[start : start + data.draw(st.integers(0, 30))] = data.draw(_bytes)
    outcome(bytes(body), pieces_of(bytes(body), data.draw(_cuts)))


@given(
    st.binary(max_size=100)
    | st.text().map(str.encode)
    | st.binary(max_size=60).map(lambda rest: b"multipart/form-data;" + rest)
)
def test_no_content_type_upsets_the_reader(content_type: bytes) -> None:
    try:
        boundary = read_boundary(content_type)
    except UploadRefusedError:
        return
    FormReader(boundary, BytesIO(), SIZE).feed(b"--" + boundary + b"--")


@given(st.binary(max_size=100))
def test_no_name_of_a_part_upsets_the_reader(disposition: bytes) -> None:
    head = b"--b0undary\r\nContent-Disposition: " + disposition + b"\r\n\r\nvalue\r\n--b0undary--\r\n"
    outcome(head)


def test_a_large_file_goes_to_the_disk_in_pieces() -> None:
    with tempfile.TemporaryFile() as spool:
        reader = FormReader(BOUNDARY.encode(), spool, 10_000_000)
        reader.feed(head_of(file("demo-1.0.tar.gz", b"")))
        for _ in range(100):
            reader.feed(b"x" * 65536)
        assert spool.tell() > 6_000_000
        reader.feed(b"y")
        reader.feed(b"\r\n--b0undary--\r\n")
        received = reader.received()
        assert received.size == os.stat(spool.fileno()).st_size == 6_553_601  # also for who reads it past its buffer
        assert content_of(received) == b"x" * 6_553_600 + b"y"
