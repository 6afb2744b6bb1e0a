"""Which release a file goes to."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from packaging.utils import NormalizedName
from packaging.version import Version

from pypihub.index.model import Asset, Listing, Release
from pypihub.index.placing import find_place, namesakes, release_tag
from pypihub.index.uploads import Upload

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_WHEEL = "my_pkg-1.0-py3-none-any.whl"


def _upload(version: str = "1.0") -> Upload:
    return Upload(NormalizedName("my-pkg"), Version(version), _WHEEL, True, 10, "0" * 64)


def _release(name: str, *assets: str, tag: str = "", draft: bool = False, size: int = 10) -> Release:
    made = tuple(Asset(f"RA_{name}_{asset}", asset, size, None, _NOW) for asset in assets)
    return Release(f"RE_{name}", draft, None if draft else _NOW, made, tag or name)


def _place(*newest_first: Release, upload: Upload | None = None) -> str | None:
    place = find_place(Listing("octo/pkg", False, newest_first), upload or _upload(), "v1.0")
    return place.id.removeprefix("RE_") if place else None


def test_without_any_one_has_to_be_made() -> None:
    assert _place() is None
    assert _place(_release("v2.0"), _release("v1.0.0"), _release("1.0")) is None


@pytest.mark.parametrize("holds", ["my-pkg-1.0.tar.gz", "My.Pkg-1.0.0.zip", "my_pkg-1.0-py2-none-any.whl"])
def test_files_of_the_version_come_before_the_tag(holds: str) -> None:
    assert _place(_release("v1.0"), _release("other", holds)) == "other"


@pytest.mark.parametrize("holds", ["my-pkg-1.1.tar.gz", "my_pkg_x-1.0.tar.gz", "notes-1.0.txt", "my_pkg-1.0.tar.bz2"])
def test_other_files_decide_nothing(holds: str) -> None:
    assert _place(_release("other", holds), _release("v1.0")) == "v1.0"


def test_an_upload_that_failed_decides_nothing() -> None:
    assert _place(_release("other", "my-pkg-1.0.tar.gz", size=0)) is None


def test_what_is_published_comes_before_drafts() -> None:
    draft = _release("draft", tag="v1.0", draft=True)
    assert _place(draft) == "draft"
    assert _place(draft, _release("v1.0")) == "v1.0"
    assert _place(_release("draft", "my-pkg-1.0.tar.gz", draft=True), _release("old", "my-pkg-1.0.zip")) == "old"


def test_the_tag_decides_among_those_that_hold_the_version() -> None:
    assert _place(_release("new", _WHEEL), _release("v1.0", _WHEEL), _release("old", _WHEEL)) == "v1.0"


def test_of_several_drafts_the_oldest_is_everybodys() -> None:
    drafts = [_release(f"draft{number}", tag="v1.0", draft=True) for number in (3, 2, 1)]
    assert _place(*drafts) == "draft1"


def test_namesakes_are_found_in_every_release_and_empty_ones_are_none() -> None:
    releases = (_release("a", _WHEEL, draft=True), _release("b", _WHEEL, size=0), _release("c", "x", _WHEEL))
    found = namesakes(Listing("octo/pkg", False, releases), _WHEEL)
    assert [release.id for release, _ in found] == ["RE_c", "RE_a"]


@pytest.mark.parametrize(
    ("template", "version", "tag"),
    [
        ("v{version}", "1.0", "v1.0"),
        ("{name}-{version}", "1.0.0RC1", "my-pkg-1.0.0rc1"),
        ("v{version}", "1.0+Local.1", "v1.0+local.1"),
    ],
)
def test_tags_have_the_normal_forms(template: str, version: str, tag: str) -> None:
    assert release_tag(template, _upload(version)) == tag
