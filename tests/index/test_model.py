"""What an index shows of a repository's releases."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from packaging.utils import NormalizedName

from pypihub.index.model import Asset, Listing, Project, Release, project_of

_HASH = "0123456789abcdef" * 4


def _day(day: int) -> datetime:
    return datetime(2026, 1, day, tzinfo=UTC)


def _asset(name: str, *, created: int = 1, size: int = 10, digest: str | None = None) -> Asset:
    return Asset(f"RA_{name}_{created}", name, size, digest, _day(created))


def _release(*assets: Asset, published: int | None = 1, draft: bool = False, title: str = "") -> Release:
    return Release("RE_1", draft, _day(published) if published else None, assets, title=title)


def _project(*releases: Release, archived: bool = False) -> Project:
    return project_of(Listing("octo/pkg", archived, releases), NormalizedName("pkg"))


def test_files_and_versions_are_in_the_order_of_versions() -> None:
    project = _project(
        _release(_asset("pkg-1.10.tar.gz"), _asset("pkg-1.10-py3-none-any.whl")),
        _release(_asset("pkg-1.9.tar.gz"), _asset("pkg-2.0a1.tar.gz")),
    )
    assert [file.filename for file in project.files] == [
        "pkg-1.9.tar.gz",
        "pkg-1.10-py3-none-any.whl",
        "pkg-1.10.tar.gz",
        "pkg-2.0a1.tar.gz",
    ]
    assert project.versions == ("1.9", "1.10", "2.0a1")


def test_one_repository_may_hold_many_projects() -> None:
    project = _project(_release(_asset("pkg-1.0.tar.gz"), _asset("other-1.0.tar.gz"), _asset("pkg-1.0.tar.gz.asc")))
    assert [file.filename for file in project.files] == ["pkg-1.0.tar.gz"]


def test_drafts_and_failed_uploads_are_not_shown() -> None:
    draft = _release(_asset("pkg-2.0.tar.gz"), draft=True, published=None)
    assert _project(draft, _release(_asset("pkg-1.0.tar.gz", size=0))).files == ()


@pytest.mark.parametrize("name", ["pkg-{}.tar.gz", "pkg-{}-py3-none-any.whl"])
def test_a_name_with_thousands_of_digits_spoils_no_page(name: str) -> None:
    project = _project(_release(_asset(name.format("1" * 5000)), _asset("pkg-1.0.tar.gz")))
    assert [file.filename for file in project.files] == ["pkg-1.0.tar.gz"]


def test_a_repository_without_releases_has_no_files() -> None:
    assert _project() == Project(NormalizedName("pkg"), ())


@pytest.mark.parametrize("last_first", [True, False])
def test_of_two_files_with_one_name_the_last_upload_stands(last_first: bool) -> None:
    releases = [_release(_asset("pkg-1.0.tar.gz", created=day), published=day) for day in (3, 2)]
    (file,) = _project(*(releases if last_first else reversed(releases))).files
    assert file.asset_id == "RA_pkg-1.0.tar.gz_3"


@pytest.mark.parametrize(
    ("created", "published", "shown"),
    [(1, 5, 5), (7, 5, 7), (3, None, 3)],
)
def test_a_file_counts_from_when_it_could_be_installed(created: int, published: int | None, shown: int) -> None:
    (file,) = _project(_release(_asset("pkg-1.0.tar.gz", created=created), published=published)).files
    assert file.upload_time == _day(shown)


@pytest.mark.parametrize(
    ("digest", "sha256"),
    [
        (f"sha256:{_HASH}", _HASH),
        (None, None),
        ("", None),
        (f"sha512:{_HASH}", None),
        (f"sha256:{_HASH[1:]}", None),
        (f"sha256:{_HASH}\n", None),
        (f"sha256:{_HASH}0", None),
    ],
)
def test_hashes_are_githubs_digests_and_only_sha256(digest: str | None, sha256: str | None) -> None:
    (file,) = _project(_release(_asset("pkg-1.0.tar.gz", digest=digest))).files
    assert file.sha256 == sha256


def test_an_archived_repository_is_an_archived_project() -> None:
    assert _project(_release(_asset("pkg-1.0.tar.gz")), archived=True).archived


def test_a_release_s_title_yanks_its_files_and_no_others() -> None:
    project = _project(
        _release(_asset("pkg-1.0.tar.gz"), _asset("pkg-1.0-py3-none-any.whl"), title="[yanked] broken"),
        _release(_asset("pkg-2.0.tar.gz"), title="[Yanked]"),
        _release(_asset("pkg-3.0.tar.gz"), title="Three"),
    )
    assert [(file.filename, file.yanked) for file in project.files] == [
        ("pkg-1.0-py3-none-any.whl", "broken"),
        ("pkg-1.0.tar.gz", "broken"),
        ("pkg-2.0.tar.gz", True),
        ("pkg-3.0.tar.gz", False),
    ]
