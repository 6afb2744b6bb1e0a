"""Pages of the Simple API: HTML and JSON say the same, and no name breaks out of them."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import pypi_simple
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import NormalizedName
from packaging.version import Version

from pypihub.index.model import File, Project
from pypihub.index.negotiate import Format
from pypihub.index.simple import project_page, root_page

_HASH = "0123456789abcdef" * 4
_TIME = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_HTML_FORMS = [Format.HTML, Format.TEXT_HTML]


def _file(
    filename: str = "pkg-1.0.tar.gz",
    *,
    sha256: str | None = _HASH,
    time: datetime = _TIME,
    yanked: str | bool = False,
) -> File:
    return File(filename, Version("1.0"), "RA_kw=", 12345, sha256, time, yanked=yanked)


def _project(*files: File, name: str = "pkg", archived: bool = False) -> Project:
    return Project(NormalizedName(name), files, archived)


def _json(project: Project) -> dict[str, Any]:
    return dict(json.loads(project_page(project, Format.JSON).body))


class _Reader(HTMLParser):
    """Reads a page as a client does: its anchors and its metas; and every tag, to see that there are no others."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.anchors: list[tuple[dict[str, str | None], str]] = []
        self.metas: dict[str | None, str | None] = {}
        self.tags: set[str] = set()
        self._inside = False
        self.feed(page.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        attributes = dict(attrs)
        if tag == "a":
            self.anchors.append((attributes, ""))
            self._inside = True
        elif tag == "meta" and "name" in attributes:
            self.metas[attributes["name"]] = attributes["content"]

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag != "a"

    def handle_data(self, data: str) -> None:
        if self._inside:
            attributes, text = self.anchors[-1]
            self.anchors[-1] = (attributes, text + data)


def test_the_json_page_has_the_words_of_the_specification() -> None:
    assert _json(_project(_file())) == {
        "meta": {"api-version": "1.4"},
        "name": "pkg",
        "versions": ["1.0"],
        "files": [
            {
                "filename": "pkg-1.0.tar.gz",
                "url": "../../asset/RA_kw%3D/pkg-1.0.tar.gz",
                "hashes": {"sha256": _HASH},
                "size": 12345,
                "upload-time": "2026-01-02T03:04:05Z",
            }
        ],
    }


@pytest.mark.parametrize("form", _HTML_FORMS)
def test_the_html_page_has_one_anchor_a_file(form: Format) -> None:
    page = project_page(_project(_file()), form)
    reader = _Reader(page.body)
    assert page.body.startswith(b"<!DOCTYPE html>")
    assert page.content_type == form.content_type
    assert reader.metas == {"pypi:repository-version": "1.4"}
    assert reader.anchors == [
        ({"href": f"../../asset/RA_kw%3D/pkg-1.0.tar.gz#sha256={_HASH}"}, "pkg-1.0.tar.gz"),
    ]


def test_a_file_without_a_digest_has_no_hash() -> None:
    project = _project(_file(sha256=None))
    assert _json(project)["files"][0]["hashes"] == {}
    ((attributes, _text),) = _Reader(project_page(project, Format.HTML).body).anchors
    assert "#" not in (attributes["href"] or "")


def test_an_archived_project_says_so_in_both_forms() -> None:
    project = _project(_file(), archived=True)
    assert _json(project)["project-status"] == {"status": "archived"}
    assert _Reader(project_page(project, Format.HTML).body).metas["pypi:project-status"] == "archived"


@pytest.mark.parametrize(("yanked", "attribute"), [("loses data", "loses data"), (True, "")])
def test_a_yanked_file_says_so_in_both_forms(yanked: str | bool, attribute: str) -> None:
    project = _project(_file(yanked=yanked))
    ((attributes, _text),) = _Reader(project_page(project, Format.HTML).body).anchors
    assert attributes["data-yanked"] == attribute
    assert _json(project)["files"][0]["yanked"] == yanked


def test_a_file_that_is_not_yanked_says_nothing_of_it() -> None:
    assert not any(b"yanked" in project_page(_project(_file()), form).body for form in Format)


def test_no_json_value_is_null() -> None:
    """uv drops a whole page for a null."""
    assert b"null" not in project_page(_project(_file(sha256=None)), Format.JSON).body


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (_TIME, "2026-01-02T03:04:05Z"),
        (_TIME.replace(microsecond=120), "2026-01-02T03:04:05.000120Z"),
        (_TIME.astimezone(timezone(timedelta(hours=5, minutes=30))), "2026-01-02T03:04:05Z"),
    ],
)
def test_upload_times_are_utc(time: datetime, text: str) -> None:
    assert _json(_project(_file(time=time)))["files"][0]["upload-time"] == text


def test_pypi_simple_reads_the_same_files_from_both_forms() -> None:
    project = _project(_file(yanked="old <b>"), _file("pkg-1.0-py3-none-any.whl", sha256=None))
    base = "https://index.example/prefix/simple/pkg/"
    html = pypi_simple.ProjectPage.from_html("pkg", project_page(project, Format.TEXT_HTML).body, base)
    data = pypi_simple.ProjectPage.from_json_data(_json(project), base)
    assert html.repository_version == data.repository_version == "1.4"
    assert [(p.filename, p.url, p.digests, p.yanked_reason) for p in html.packages] == [
        (p.filename, p.url, p.digests, p.yanked_reason) for p in data.packages
    ]
    assert [p.yanked_reason for p in data.packages] == ["old <b>", None]
    assert data.packages[0].url == "https://index.example/prefix/asset/RA_kw%3D/pkg-1.0.tar.gz"
    assert data.packages[0].upload_time == _TIME


_HOSTILE = st.text(min_size=1) | st.lists(
    st.sampled_from(["<", ">", '"', "'", "&", "&lt;", "</a>", "<script>", "/", "..", "#", "?", "%", "\n", " ", "é"]),
    min_size=1,
).map("".join)
_FILES = st.builds(
    File,
    filename=_HOSTILE,
    version=st.just(Version("1.0")),
    asset_id=_HOSTILE,
    size=st.integers(1, 2**31),
    sha256=st.none() | st.from_regex("[0-9a-f]{64}", fullmatch=True),
    upload_time=st.datetimes(datetime(1980, 1, 1), timezones=st.just(UTC)),
    yanked=st.booleans() | _HOSTILE,
)


@given(st.lists(_FILES, max_size=5), _HOSTILE, st.booleans())
def test_html_and_json_say_the_same_whatever_files_are_called(files: list[File], name: str, archived: bool) -> None:
    project = _project(*files, name=name, archived=archived)
    reader = _Reader(project_page(project, Format.HTML).body)
    page = _json(project)
    assert reader.tags <= {"html", "head", "meta", "title", "body", "h1", "a", "br"}
    assert [(attributes["href"], text) for attributes, text in reader.anchors] == [
        (file["url"] + "".join(f"#{kind}={value}" for kind, value in file["hashes"].items()), file["filename"])
        for file in page["files"]
    ]
    assert [set(attributes) - {"href", "data-yanked"} for attributes, _ in reader.anchors] == [set()] * len(files)
    assert [attributes.get("data-yanked") for attributes, _ in reader.anchors] == [
        {True: "", False: None}.get(file.yanked, file.yanked) for file in files
    ]
    assert [file.get("yanked", False) for file in page["files"]] == [file.yanked for file in files]
    assert reader.metas.get("pypi:project-status") == page.get("project-status", {}).get("status")
    assert [file["filename"] for file in page["files"]] == [file.filename for file in files]


@given(_FILES)
def test_urls_are_relative_and_lead_to_the_file_alone(file: File) -> None:
    url = _json(_project(file))["files"][0]["url"]
    joined = urlsplit(urljoin("https://index.example/prefix/simple/pkg/", url))
    assert not urlsplit(url).scheme
    assert not url.startswith("/")
    assert re.fullmatch(r"[\x21-\x7e]+", url)
    assert (joined.netloc, joined.query, joined.fragment) == ("index.example", "", "")
    if {file.asset_id, file.filename}.isdisjoint({".", ".."}):
        prefix, asset_id, filename = joined.path.rsplit("/", 2)
        assert (prefix, unquote(asset_id), unquote(filename)) == ("/prefix/asset", file.asset_id, file.filename)


def test_an_etag_is_strong_and_belongs_to_one_body_in_one_form() -> None:
    projects = [_project(_file()), _project(_file(sha256=None)), _project(_file(), archived=True), _project()]
    etags = [project_page(project, form).etag for project in projects for form in Format]
    assert all(re.fullmatch(r'"[0-9a-f]{32,}"', etag) for etag in etags)
    assert len(set(etags)) == len(etags)
    assert etags == [project_page(project, form).etag for project in projects for form in Format]


def test_the_root_lists_projects_in_both_forms() -> None:
    names = [NormalizedName("a-b"), NormalizedName("c")]
    assert json.loads(root_page(names, Format.JSON).body) == {
        "meta": {"api-version": "1.4"},
        "projects": [{"name": "a-b"}, {"name": "c"}],
    }
    reader = _Reader(root_page(names, Format.TEXT_HTML).body)
    assert reader.anchors == [({"href": "a-b/"}, "a-b"), ({"href": "c/"}, "c")]
    assert reader.metas == {"pypi:repository-version": "1.4"}


@pytest.mark.parametrize("form", list(Format))
def test_an_empty_root_is_a_page(form: Format) -> None:
    assert root_page([], form).body
