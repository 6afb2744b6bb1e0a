"""Which releases hold a version."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from packaging.utils import NormalizedName
from packaging.version import Version

from pypihub.errors import CommandError, NotFoundError
from pypihub.index.contents import contents, listed, releases_with
from pypihub.index.model import Asset, Listing, Release

_DAY = datetime(2026, 1, 1, tzinfo=UTC)


def _release(tag: str, *names: str, draft: bool = False, size: int = 1) -> Release:
    assets = tuple(Asset(f"RA_{name}", name, size, None, _DAY) for name in names)
    return Release(f"RE_{tag}", draft, None if draft else _DAY, assets, tag)


def _tags(version: str, *releases: Release, project: str | None = None) -> list[str]:
    name = NormalizedName(project) if project else None
    return [found.tag for found in releases_with(Listing("octo/mono", False, releases), Version(version), name)]


def test_a_version_is_where_its_files_are_whatever_the_tag_says() -> None:
    two, one = _release("two", "app-2.0.tar.gz"), _release("v2.0", "app-1.0-py3-none-any.whl")
    assert _tags("2.0", two, one) == ["two"]


def test_versions_are_equal_as_pep_440_has_it() -> None:
    assert _tags("1", _release("a", "app-1.0.0.tar.gz")) == ["a"]


def test_files_of_a_version_may_be_in_several_releases() -> None:
    assert _tags("1.0", _release("b", "app-1.0.tar.gz"), _release("a", "app-1.0-py3-none-any.whl")) == ["b", "a"]


def test_projects_in_the_same_release_are_no_question() -> None:
    assert _tags("1.0", _release("a", "app-1.0.tar.gz", "lib-1.0.tar.gz")) == ["a"]


def test_projects_in_different_releases_are_a_question() -> None:
    releases = _release("app", "app-1.0.tar.gz"), _release("lib", "lib-1.0.tar.gz")
    with pytest.raises(CommandError, match=r"a version 1.0 of app, lib: say which one with --project NAME"):
        _tags("1.0", *releases)
    assert _tags("1.0", *releases, project="lib") == ["lib"]


def test_a_project_makes_an_sdist_s_name_clear() -> None:
    release = _release("a", "my-pkg-1.0-1.tar.gz")
    assert _tags("1.0.post1", release, project="my-pkg") == ["a"]


def test_drafts_and_failed_uploads_hold_nothing() -> None:
    with pytest.raises(NotFoundError, match=r"^No published release holds files of version 1.0 of octo/mono\.$"):
        _tags("1.0", _release("a", "app-1.0.tar.gz", draft=True), _release("b", "app-1.0.tar.gz", size=0))


def test_a_version_that_is_not_there_is_answered_with_the_newest_that_are() -> None:
    releases = [_release(f"v{number}", f"app-{number}.tar.gz") for number in range(1, 12)]
    with pytest.raises(NotFoundError, match=r"It has 11, 10, 9, 8, 7 and 6 more\.$"):
        _tags("0.1", *releases)
    with pytest.raises(NotFoundError, match=r"of version 1 of lib in octo/mono\.$"):
        _tags("1", *releases, project="lib")


def test_a_release_s_contents_are_its_projects_and_versions() -> None:
    release = _release("a", "b_c-1.0.tar.gz", "b_c-1.0-py3-none-any.whl", "A-2.zip", "notes.txt", "x-1.0.tar.gz.asc")
    assert contents(release) == (("a", Version("2")), ("b-c", Version("1.0")))


def test_a_number_too_long_for_python_is_no_version() -> None:
    digits = "1" * 5000
    release = _release("a", f"x-{digits}.tar.gz", f"x-{digits}-py3-none-any.whl", "x-1.0.tar.gz")
    assert contents(release) == (("x", Version("1.0")),)
    assert _tags("1.0", release) == _tags("1.0", release, project="x") == ["a"]


def test_long_lists_are_cut() -> None:
    assert listed("abc") == "a, b, c"
    assert listed("abcdefg") == "a, b, c, d, e and 2 more"
