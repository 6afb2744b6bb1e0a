"""The legacy JSON API: what `/pypi/<project>/json` and `/pypi/<project>/<version>/json` say of a project.

https://docs.pypi.org/api/json/ has its words. What PyPIHub does not know is null or left out. Every URL is relative to
the page, so that nothing depends on the host's name or on a proxy in front; PyPI's are absolute.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

import msgspec
from msgspec import Struct
from packaging.version import Version

from pypihub.errors import NotFoundError
from pypihub.index.described import Described
from pypihub.index.model import File, Project, preference
from pypihub.index.names import read_version
from pypihub.index.simple import Hashes, Page, asset_url, make_page

_LONGEST_VERSION = 200


def shown_version(project: Project, wanted: str | None) -> Version:
    """The version that is asked for (it may be spelled otherwise, PEP 440), or the one that an installer would take.

    That is the newest one; before it come none that are yanked or pre-releases, unless there are no others.
    Raises NotFoundError where the project has no such version.
    """
    if wanted is None:
        return max(preference(file.version, is_yanked=file.yanked is not False) for file in project.files)[-1]
    version = read_version(wanted) if len(wanted) <= _LONGEST_VERSION else None
    found = next((file.version for file in project.files if file.version == version), None)
    if found is None:
        raise NotFoundError(f"There is no such version of {project.name}.")
    return found


def describing_wheel(project: Project, version: Version) -> File | None:
    """The wheel whose METADATA stands for this version, one that was read already if there is one."""
    wheels = (file for file in _files_of(project, version) if file.core_metadata)
    return min(wheels, key=lambda file: file.core_metadata is True, default=None)


def legacy_page(project: Project, version: Version, metadata: bytes | None, *, is_whole: bool) -> Page:
    """The page of this version, with `metadata` (METADATA of one of its wheels) where that is known.

    With `is_whole` it is the project's page, which has the files of all versions, two levels below the owner's root;
    else the version's, three levels below it.
    """
    root = "../.." if is_whole else "../../.."
    files = _files_of(project, version)
    page: dict[str, object] = {"info": _info(project, files, metadata, f"{root}/simple/{project.name}/")}
    if is_whole:
        releases: dict[str, list[_FileEntry]] = {text: [] for text in project.versions}
        for file in project.files:
            releases[str(file.version)].append(_file_entry(file, root))
        page["releases"] = releases
    page["urls"] = [_file_entry(file, root) for file in files]
    page["vulnerabilities"] = ()
    return make_page(msgspec.json.encode(page), "application/json")


def _files_of(project: Project, version: Version) -> Sequence[File]:
    return [file for file in project.files if file.version == version]


class _Info(Struct, frozen=True, kw_only=True):
    """`info`, in PyPI's words."""

    name: str
    version: str
    summary: str | None
    description: str | None
    description_content_type: str | None
    author: str | None
    author_email: str | None
    maintainer: str | None
    maintainer_email: str | None
    license: str | None
    license_expression: str | None
    license_files: Sequence[str] | None
    keywords: str | None
    platform: str | None
    classifiers: Sequence[str]
    requires_python: str | None
    requires_dist: Sequence[str] | None
    provides_extra: Sequence[str] | None
    dynamic: Sequence[str] | None
    home_page: str | None
    download_url: str | None
    project_urls: dict[str, str] | None
    package_url: str
    project_url: str
    release_url: str
    yanked: bool
    yanked_reason: str | None
    bugtrack_url: None = None
    docs_url: None = None


class _FileEntry(Struct, frozen=True, gc=False):
    """A file, in PyPI's words; -1 downloads is PyPI's own way to say that it does not tell."""

    filename: str
    url: str
    digests: Hashes
    size: int
    upload_time: str
    upload_time_iso_8601: str
    packagetype: str
    python_version: str
    requires_python: str | None
    yanked: bool
    yanked_reason: str | None
    comment_text: str = ""
    has_sig: bool = False
    downloads: int = -1


def _file_entry(file: File, root: str) -> _FileEntry:
    time = file.upload_time.astimezone(UTC)
    return _FileEntry(
        filename=file.filename,
        url=asset_url(file, root),
        digests=Hashes(file.sha256),
        size=file.size,
        upload_time=f"{time:%Y-%m-%dT%H:%M:%S}",
        upload_time_iso_8601=f"{time:%Y-%m-%dT%H:%M:%S.%fZ}",
        packagetype="bdist_wheel" if file.is_wheel else "sdist",
        python_version=file.filename.split("-")[-3] if file.is_wheel else "source",
        requires_python=file.requires_python,
        yanked=file.yanked is not False,
        yanked_reason=_reason(file),
    )


def _reason(file: File) -> str | None:
    return file.yanked if isinstance(file.yanked, str) else None


def _info(project: Project, files: Sequence[File], metadata: bytes | None, url: str) -> _Info:
    """What the version's METADATA says. A version is yanked where all its files are."""
    said = Described(metadata)
    is_yanked = all(file.yanked is not False for file in files)
    return _Info(
        name=said.one("Name") or project.name,
        version=str(files[0].version),
        summary=said.one("Summary"),
        description=said.description,
        description_content_type=said.one("Description-Content-Type"),
        author=said.one("Author"),
        author_email=said.one("Author-email"),
        maintainer=said.one("Maintainer"),
        maintainer_email=said.one("Maintainer-email"),
        license=said.text("License"),
        license_expression=said.one("License-Expression"),
        license_files=said.all("License-File"),
        keywords=said.one("Keywords"),
        platform=", ".join(said.all("Platform") or ()) or None,
        classifiers=said.all("Classifier") or (),
        requires_python=said.one("Requires-Python"),
        requires_dist=said.all("Requires-Dist"),
        provides_extra=said.all("Provides-Extra"),
        dynamic=said.all("Dynamic"),
        home_page=said.one("Home-page"),
        download_url=said.one("Download-URL"),
        project_urls=said.project_urls or None,
        package_url=url,
        project_url=url,
        release_url=url,
        yanked=is_yanked,
        yanked_reason=next(filter(None, map(_reason, files)), None) if is_yanked else None,
    )
