"""Names of projects, owners and repositories, and which files belong to a project."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from pypihub.errors import NotFoundError
from pypihub.index.names import FileNames, is_repository_name, normalize_project, parse_owner


@pytest.mark.parametrize(
    ("name", "normalized"),
    [
        ("pkg", "pkg"),
        ("My_Pkg", "my-pkg"),
        ("my.-_pkg", "my-pkg"),
        ("a", "a"),
        ("0", "0"),
        ("x" * 200, "x" * 200),
    ],
)
def test_a_project_has_one_normalized_name(name: str, normalized: str) -> None:
    assert normalize_project(name) == normalized


@pytest.mark.parametrize(
    "name", ["", "-a", "a-", ".", "..", "a/b", "a b", "a\n", "pkg\x00", "é", "x" * 201, "<script>"]
)
def test_what_cannot_be_a_project_is_not_found(name: str) -> None:
    with pytest.raises(NotFoundError):
        normalize_project(name)


@given(st.text() | st.from_regex(r"[A-Za-z0-9._-]+", fullmatch=True))
def test_a_normalized_name_redirects_nowhere_else(name: str) -> None:
    try:
        normalized = normalize_project(name)
    except NotFoundError:
        return
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", normalized)
    assert normalize_project(normalized) == normalized


@pytest.mark.parametrize(("login", "owner"), [("Octo-Org", "octo-org"), ("jane_corp", "jane_corp"), ("7", "7")])
def test_owners_compare_in_lower_case(login: str, owner: str) -> None:
    assert parse_owner(login) == owner


@pytest.mark.parametrize("token", ["ghp_" + "aB3" * 12, "ghs_" + "x" * 36, "github_pat_11ABCDEFG0" + "x" * 60])
def test_a_token_is_no_owner(token: str) -> None:
    assert parse_owner(token) is None


@pytest.mark.parametrize("login", ["", "-a", "_a", "a/b", "a.b", "a b", "a\n", "é", "a" * 101, "..", "a%2Fb"])
def test_what_cannot_be_an_owner_is_none(login: str) -> None:
    assert parse_owner(login) is None


@pytest.mark.parametrize("name", ["pkg", "My.Pkg_1", ".github", "-", "...", "r" * 100])
def test_repository_names_are_recognized(name: str) -> None:
    assert is_repository_name(name)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a b", "a\n", "é", "r" * 101, '"', "a?b"])
def test_what_cannot_be_a_repository_is_refused(name: str) -> None:
    assert not is_repository_name(name)


@pytest.mark.parametrize(
    ("filename", "version"),
    [
        ("my_pkg-1.0-py3-none-any.whl", "1.0"),
        ("My.Pkg-1.0-py3-none-any.whl", "1.0"),
        ("my_pkg-1.0-1build-py3-none-any.whl", "1.0"),
        ("my_pkg-1.0+local-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", "1.0+local"),
        ("my_pkg-1.0rc1.tar.gz", "1.0rc1"),
        ("my-pkg-1.3.tar.gz", "1.3"),
        ("my.pkg-1.1.tar.gz", "1.1"),
        ("My_Pkg-1.0.zip", "1.0"),
        ("my__pkg-1.0.tar.gz", "1.0"),
        ("my-pkg-1.0-1.tar.gz", "1.0.post1"),  # PEP 440's implicit post release
        ("my_pkg-1!2.0.tar.gz", "1!2.0"),
    ],
)
def test_a_projects_files_tell_their_versions(filename: str, version: str) -> None:
    assert str(FileNames(normalize_project("my-pkg")).version(filename)) == version


@pytest.mark.parametrize(
    "filename",
    [
        "",
        "my_pkg",
        "my_pkg-",
        "my_pkg-.whl",
        "my_pkg-.tar.gz",
        "my_pkg-1.0.tar.gz.asc",
        "my_pkg-1.0.tar.gz.sha256",
        "my_pkg-1.0-py3-none-any.whl.metadata",
        "my_pkg-1.0.exe",
        "my_pkg-1.0.egg",
        "my_pkg-1.0.TAR.GZ",
        "my_pkg-1.0-any.whl",
        "my_pkg-x-py3-none-any.whl",
        "my_pkg-docs.zip",
        "my_pkg_extra-1.0.tar.gz",
        "my-pkg-extra-1.0.tar.gz",
        "my_pkg_extra-1.0-py3-none-any.whl",
        "mypkg-1.0.tar.gz",
        "not_my_pkg-1.0.tar.gz",
        "my_pkg-1.0/../../x.tar.gz",
    ],
)
def test_other_files_are_left_out(filename: str) -> None:
    assert FileNames(normalize_project("my-pkg")).version(filename) is None


@pytest.mark.parametrize(
    "filename", ["pkg-{}.tar.gz", "pkg-1.0.post{}.zip", "pkg-{}-py3-none-any.whl", "pkg-1.0-{}x-py3-none-any.whl"]
)
def test_a_number_too_long_for_python_is_left_out(filename: str) -> None:
    assert FileNames(normalize_project("pkg")).version(filename.format("1" * 5000)) is None


def test_white_space_is_no_part_of_a_version() -> None:
    assert FileNames(normalize_project("pkg")).version("pkg- 1.0\n.tar.gz") is None


_PIECES = st.text(max_size=20) | st.from_regex(r"[0-9a-z.!+_-]{0,40}", fullmatch=True)


@given(_PIECES, st.sampled_from([".whl", ".tar.gz", ".zip", "-py3-none-any.whl", "-1-py3-none-any.whl", ""]))
def test_no_file_name_upsets_the_reader(middle: str, suffix: str) -> None:
    FileNames(normalize_project("pkg")).version(f"pkg-{middle}{suffix}")


_PARTS = st.sampled_from(
    ["pkg", "PKG", "p.kg", "pkg_", "__", "é", "1.0", "1.0.0", "v2", "1.0+x", "1!1", "-", "", " 1.0", "1", "1build",
     "b1", "py3", "none", "any", "py2.py3", "py3.", ".", "a b", "\n", "manylinux_2_17_x86_64.manylinux2014_x86_64"]
)  # fmt: skip


@given(st.lists(st.lists(_PARTS, min_size=2, max_size=6).map("-".join), max_size=12))
def test_wheels_are_recognized_as_packaging_does_it_whatever_was_read_before(names: list[str]) -> None:
    known = FileNames(normalize_project("pkg"))
    for filename in (f"{prefix}{name}.whl" for name in names for prefix in ("", "pkg-", "pkg-1.0-")):
        try:
            name, version, *_ = parse_wheel_filename(filename)
            expected = version if name == "pkg" and re.fullmatch(r"[!-~]+", filename) else None
        except InvalidWheelFilename:
            expected = None
        assert known.version(filename) == expected, filename


def test_a_wheel_name_that_stands_for_many_tags_costs_little() -> None:
    """40 × 40 × 40 tags fit into the 255 characters of a file name; any account on GitHub can upload such."""
    tags = ".".join("a" * 40)
    names = FileNames(normalize_project("pkg"))
    begin = time.process_time()
    for number in range(20):
        names.version(f"pkg-{number}-{tags}-{tags}-{tags}.whl")
    assert time.process_time() - begin < 0.5
