"""Pages of the Simple API, version 1.4: HTML (PEP 503) and JSON (PEP 691) that say the same.

https://packaging.python.org/specifications/simple-repository-api/
Every URL is relative to the page, so that nothing depends on the host's name or on a proxy in front.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from urllib.parse import quote

import msgspec
from msgspec import Struct
from packaging.utils import NormalizedName

from pypihub.index.model import File, Project
from pypihub.index.negotiate import Format

API_VERSION = "1.4"
_PLAIN = re.compile(r"[A-Za-z0-9._~-]*", re.ASCII)  # what `quote` leaves as it is; it takes five times as long


@dataclass(frozen=True, slots=True)
class Page:
    """A page ready to send; `etag` is strong and belongs to this body in this content type. `headers` are its own."""

    body: bytes
    content_type: str
    etag: str
    headers: tuple[tuple[str, str], ...] = ()


def project_page(project: Project, form: Format, *, for_people: bool = False) -> Page:
    """The page of a project's files, as it stands at `/simple/<project>/`.

    `for_people`, who come with a browser, HTML has a link to the page that was made for them; tools take each link for
    one to a file.
    """
    if form is Format.JSON:
        return make_page(msgspec.json.encode(_project_json(project)), form.content_type)
    anchors = (_anchor(_file_url(file), file.filename, _attributes(file)) for file in project.files)
    status = ("archived",) if project.archived else ()
    other = _for_people(f"../../project/{project.name}/", "the project's page") if for_people else ""
    return make_page(_html(f"Links for {project.name}", anchors, status, other), form.content_type)


def root_page(projects: Iterable[NormalizedName], form: Format, *, for_people: bool = False) -> Page:
    """The page of all projects, as it stands at `/simple/`; `for_people` as for `project_page`."""
    if form is Format.JSON:
        root = {"meta": {"api-version": API_VERSION}, "projects": [{"name": name} for name in projects]}
        return make_page(msgspec.json.encode(root), form.content_type)
    anchors = (_anchor(f"{name}/", name) for name in projects)
    other = _for_people("../", "the projects' page") if for_people else ""
    return make_page(_html("Simple index", anchors, other=other), form.content_type)


def make_page(body: bytes, content_type: str, headers: tuple[tuple[str, str], ...] = ()) -> Page:
    """The page that is this body, with its entity tag."""
    digest = hashlib.sha256(content_type.encode() + b"\0" + body)
    return Page(body, content_type, f'"{digest.hexdigest()[:32]}"', headers)


def _file_url(file: File) -> str:
    """From `/simple/<project>/` to the file, with its hash, which JSON has beside the URL."""
    fragment = f"#sha256={file.sha256}" if file.sha256 else ""
    return asset_url(file) + fragment


def asset_url(file: File, root: str = "../..") -> str:
    """The file's URL, where `root` leads from the page to the owner's root; from `/simple/<project>/` by default."""
    return f"{root}/asset/{_quoted(file.asset_id)}/{_quoted(file.filename)}"


def _quoted(text: str) -> str:
    """Percent-encoded as a part of a URL's path, and so without any character that means something in HTML."""
    return text if _PLAIN.fullmatch(text) else quote(text, safe="")


class Hashes(Struct, frozen=True, omit_defaults=True, gc=False):
    """A dictionary of hashes, in a tenth of its memory."""

    sha256: str | None = None


class _FileEntry(Struct, frozen=True, rename="kebab", omit_defaults=True, gc=False):
    """A file in a JSON page; msgspec writes a time in UTC as PEP 700 wants it, with a Z.

    What is not known is left out: some clients drop a whole page for a null in it.
    """

    filename: str
    url: str
    hashes: Hashes
    size: int
    upload_time: datetime
    requires_python: str | None = None
    core_metadata: bool | Hashes = False
    yanked: bool | str = False


def _project_json(project: Project) -> dict[str, object]:
    page: dict[str, object] = {
        "meta": {"api-version": API_VERSION},
        "name": project.name,
        "versions": project.versions,
        "files": [_file_entry(file) for file in project.files],
    }
    if project.archived:
        page["project-status"] = {"status": "archived"}
    return page


def _file_entry(file: File) -> _FileEntry:
    metadata = Hashes(file.core_metadata) if isinstance(file.core_metadata, str) else file.core_metadata
    return _FileEntry(
        file.filename,
        asset_url(file),
        Hashes(file.sha256),
        file.size,
        file.upload_time.astimezone(UTC),
        file.requires_python,
        metadata,
        file.yanked,
    )


def _attributes(file: File) -> str:
    attributes = ""
    if file.requires_python:
        attributes += f' data-requires-python="{escape(file.requires_python)}"'
    if file.core_metadata:
        value = f"sha256={file.core_metadata}" if isinstance(file.core_metadata, str) else "true"
        attributes += f' data-core-metadata="{value}" data-dist-info-metadata="{value}"'
    if file.yanked:
        attributes += f' data-yanked="{escape(file.yanked) if isinstance(file.yanked, str) else ""}"'
    return attributes


def _anchor(url: str, text: str, attributes: str = "") -> str:
    """A link; nothing in the URL or in the attributes needs to be escaped any more."""
    return f'<a href="{url}"{attributes}>{escape(text)}</a><br>\n'


def _for_people(url: str, what: str) -> str:
    return f'<p>This page is for tools; <a href="{url}">{what}</a> is for people.</p>\n'


def _html(title: str, anchors: Iterable[str], status: Iterable[str] = (), other: str = "") -> bytes:
    return b"".join(part.encode() for part in _html_parts(title, anchors, status, other))


def _html_parts(title: str, anchors: Iterable[str], status: Iterable[str], other: str) -> Iterator[str]:
    yield '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    yield f'<meta name="pypi:repository-version" content="{API_VERSION}">\n'
    for name in status:
        yield f'<meta name="pypi:project-status" content="{escape(name)}">\n'
    yield f"<title>{escape(title)}</title>\n</head>\n<body>\n<h1>{escape(title)}</h1>\n"
    yield other
    yield from anchors
    yield "</body>\n</html>\n"
