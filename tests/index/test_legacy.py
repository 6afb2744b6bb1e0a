"""The legacy JSON API's pages: PyPI's words, with what is known."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

import pytest
from packaging.utils import NormalizedName
from packaging.version import Version

from pypihub.errors import NotFoundError
from pypihub.index.legacy import describing_wheel, legacy_page, shown_version
from pypihub.index.model import File, Project

_TIME = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
_METADATA = b"""\
Metadata-Version: 2.4
Name: My.Pkg
Version: 1.0
Summary: Does things
Author-email: Ann <ann@example.org>
License-Expression: MIT
License-File: LICENSE
Keywords: a,b
Classifier: Private :: Do Not Upload
Classifier: Typing :: Typed
Requires-Python: >=3.11
Requires-Dist: other>=1
Requires-Dist: more; extra == "x"
Provides-Extra: x
Project-URL: Home, https://example.org/a,b
Project-URL: Source , https://example.org/s
Description-Content-Type: text/markdown

# My.Pkg

Does \xc3\xa4ll \xff things.
"""


def _file(version: str = "1.0", *, wheel: bool = True, yanked: str | bool = False, metadata: str | bool = True) -> File:
    name = f"my_pkg-{version}-cp311-cp311-linux_x86_64.whl" if wheel else f"my_pkg-{version}.tar.gz"
    core = metadata if wheel else False
    return File(name, Version(version), "RA_kw=", 12, "ab" * 32, _TIME, core, ">=3.11", yanked)


def _project(*files: File) -> Project:
    return Project(NormalizedName("my-pkg"), tuple(sorted(files, key=lambda file: file.version)))


def _page(project: Project, version: str = "1.0", metadata: bytes | None = _METADATA, *, whole: bool = True) -> Any:
    page = legacy_page(project, Version(version), metadata, is_whole=whole)
    assert page.content_type == "application/json"
    return json.loads(page.body)


def test_info_is_what_metadata_says() -> None:
    info = _page(_project(_file()))["info"]
    assert info == {
        "name": "My.Pkg",
        "version": "1.0",
        "summary": "Does things",
        "description": "# My.Pkg\n\nDoes äll � things.",
        "description_content_type": "text/markdown",
        "author": None,
        "author_email": "Ann <ann@example.org>",
        "maintainer": None,
        "maintainer_email": None,
        "license": None,
        "license_expression": "MIT",
        "license_files": ["LICENSE"],
        "keywords": "a,b",
        "platform": None,
        "classifiers": ["Private :: Do Not Upload", "Typing :: Typed"],
        "requires_python": ">=3.11",
        "requires_dist": ["other>=1", 'more; extra == "x"'],
        "provides_extra": ["x"],
        "dynamic": None,
        "home_page": None,
        "download_url": None,
        "project_urls": {"Home": "https://example.org/a,b", "Source": "https://example.org/s"},
        "package_url": "../../simple/my-pkg/",
        "project_url": "../../simple/my-pkg/",
        "release_url": "../../simple/my-pkg/",
        "yanked": False,
        "yanked_reason": None,
        "bugtrack_url": None,
        "docs_url": None,
    }


def test_without_metadata_only_name_and_version_are_told() -> None:
    info = _page(_project(_file(wheel=False)), metadata=None)["info"]
    known = {key: value for key, value in info.items() if value and not key.endswith("_url")}
    assert known == {"name": "my-pkg", "version": "1.0"}
    assert (info["requires_dist"], info["classifiers"]) == (None, [])


@pytest.mark.parametrize("url_field", ["X-Strange: y\n" * 30_000, "Summary: " + "a" * 2**21 + "\n"])
def test_headers_longer_than_any_real_ones_are_not_read(url_field: str) -> None:
    info = _page(_project(_file()), metadata=f"Name: x\n{url_field}\n".encode())["info"]
    assert (info["name"], info["summary"]) == ("my-pkg", None)


def test_old_metadata_has_its_texts_in_headers() -> None:
    old = (
        b"Name: my-pkg\nSummary: UNKNOWN\nLicense: MIT\n        Text\n        of it\nDescription: One\n       |  Two\n"
    )
    info = _page(_project(_file()), metadata=old)["info"]
    assert (info["summary"], info["license"], info["description"]) == (None, "MIT\nText\nof it", "One\n  Two")


def test_a_file_has_pypi_s_words() -> None:
    wheel, sdist = _page(_project(_file(), _file(wheel=False, yanked="Broken")))["urls"]
    assert wheel == {
        "filename": "my_pkg-1.0-cp311-cp311-linux_x86_64.whl",
        "url": "../../asset/RA_kw%3D/my_pkg-1.0-cp311-cp311-linux_x86_64.whl",
        "digests": {"sha256": "ab" * 32},
        "size": 12,
        "upload_time": "2026-01-02T03:04:05",
        "upload_time_iso_8601": "2026-01-02T03:04:05.000678Z",
        "packagetype": "bdist_wheel",
        "python_version": "cp311",
        "requires_python": ">=3.11",
        "yanked": False,
        "yanked_reason": None,
        "comment_text": "",
        "has_sig": False,
        "downloads": -1,
    }
    assert (sdist["packagetype"], sdist["python_version"]) == ("sdist", "source")
    assert (sdist["yanked"], sdist["yanked_reason"]) == (True, "Broken")


def test_the_project_s_page_has_all_versions_and_a_version_s_its_own() -> None:
    project = _project(_file("1.0"), _file("1.0", wheel=False), _file("2.0"))
    whole = _page(project, "2.0")
    assert {version: len(files) for version, files in whole["releases"].items()} == {"1.0": 2, "2.0": 1}
    assert whole["urls"] == whole["releases"]["2.0"]
    part = _page(project, "1.0", whole=False)
    assert "releases" not in part
    assert len(part["urls"]) == 2
    assert part["vulnerabilities"] == whole["vulnerabilities"] == []


@pytest.mark.parametrize(("whole", "path"), [(True, "/o/pypi/my-pkg/json"), (False, "/o/pypi/my-pkg/1.0/json")])
def test_urls_lead_from_the_page_to_the_file_and_to_the_project(whole: bool, path: str) -> None:
    page = _page(_project(_file(wheel=False)), whole=whole)
    base = f"https://index.example{path}"
    assert urljoin(base, page["urls"][0]["url"]) == "https://index.example/o/asset/RA_kw%3D/my_pkg-1.0.tar.gz"
    assert urljoin(base, page["info"]["package_url"]) == "https://index.example/o/simple/my-pkg/"


@pytest.mark.parametrize(
    ("files", "shown"),
    [
        ([_file("1.0"), _file("1.10"), _file("1.9")], "1.10"),
        ([_file("1.0"), _file("2.0a1")], "1.0"),
        ([_file("1.0"), _file("2.0", yanked=True)], "1.0"),
        ([_file("1.0", yanked=True), _file("2.0a1")], "2.0a1"),
        ([_file("1.0a1"), _file("1.0a2")], "1.0a2"),
        ([_file("1.0", yanked=True), _file("2.0", yanked="why"), _file("3.0a1", yanked=True)], "2.0"),
        ([_file("1.0"), _file("2.0", yanked=True), _file("2.0", wheel=False)], "2.0"),
    ],
)
def test_the_version_that_an_installer_would_take_is_shown(files: list[File], shown: str) -> None:
    assert str(shown_version(_project(*files), None)) == shown


@pytest.mark.parametrize("spelled", ["1.0", "1.0.0", "v1", "1"])
def test_a_version_may_be_spelled_otherwise(spelled: str) -> None:
    assert str(shown_version(_project(_file("1.0"), _file("1.1")), spelled)) == "1.0"


@pytest.mark.parametrize("wanted", ["2.0", "latest", "", "1" * 300, "1.0+local"])
def test_another_version_is_not_there(wanted: str) -> None:
    with pytest.raises(NotFoundError):
        shown_version(_project(_file("1.0")), wanted)


def test_a_version_is_yanked_where_all_its_files_are() -> None:
    whole = _page(_project(_file(yanked=True), _file(wheel=False, yanked="Broken")))["info"]
    assert (whole["yanked"], whole["yanked_reason"]) == (True, "Broken")
    part = _page(_project(_file(yanked="Broken"), _file(wheel=False)))["info"]
    assert (part["yanked"], part["yanked_reason"]) == (False, None)


def test_the_wheel_that_was_read_already_stands_for_its_version() -> None:
    unread, read = _file("1.0"), _file("1.0", metadata="cd" * 32)
    other, sdist, unreadable = _file("2.0"), _file("3.0", wheel=False), _file("4.0", metadata=False)
    project = _project(unread, read, other, sdist, unreadable)
    assert describing_wheel(project, Version("1.0")) is read
    assert describing_wheel(project, Version("2.0")) is other
    assert describing_wheel(project, Version("3.0")) is None
    assert describing_wheel(project, Version("4.0")) is None
