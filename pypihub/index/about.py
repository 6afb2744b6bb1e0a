"""What a person sees of a project: one version with its files, the others by name, and where it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

from packaging.utils import NormalizedName
from packaging.version import Version

from pypihub.index.described import Described
from pypihub.index.legacy import shown_version
from pypihub.index.model import File, Listing, Project
from pypihub.index.requires import MOST, Need, needs
from pypihub.index.simple import asset_url

MOST_VERSIONS = 500
"""Versions that are shown; the Simple API has all."""
MOST_FILES = 500
"""Files of the version that are shown."""
MOST_LINKS = 20
_LONGEST_WORDS = 200
_LONGEST_URL = 1000


@dataclass(frozen=True, slots=True)
class FileLine:
    """A file of the version; `url` is relative to the project's page, `size` in words.

    `python` is what it runs with: a wheel's tag and Requires-Python, None where nothing is known.
    """

    filename: str
    url: str
    kind: str
    size: str
    uploaded_at: datetime
    sha256: str | None
    python: str | None
    yanked: str | bool


@dataclass(frozen=True, slots=True)
class VersionLine:
    """A version of the project; `notes_url` leads to the release on GitHub. It is yanked where all its files are."""

    version: str
    published_at: datetime
    yanked: str | bool
    is_prerelease: bool
    is_shown: bool
    notes_url: str


@dataclass(frozen=True, slots=True)
class About:
    """A project with the version that is shown. `readme` is its text as METADATA has it, `content_type` what it is.

    `tree` leads to the repository as it was at that version, for what the README links to. `current` is the version
    that an installer takes. It `needs_others` where an installer wants other projects too, without any extra.
    """

    name: NormalizedName
    shown: VersionLine
    current: str
    summary: str
    repository: str
    repository_url: str
    tree: str
    is_archived: bool
    is_private: bool
    requires_python: str | None
    license: str | None
    author: str | None
    needs: Sequence[Need]
    more_needs: int
    needs_others: bool
    links: Sequence[tuple[str, str]]
    files: Sequence[FileLine]
    more_files: int
    versions: Sequence[VersionLine]
    more_versions: int
    readme: str
    content_type: str | None


def about(listing: Listing, project: Project, version: Version, metadata: bytes | None, github: str) -> About:
    """The project as the listing shows it, and this version of it, which `metadata` (METADATA) is of.

    `github` is the URL of GitHub's web site. The newest versions come first.
    """
    said = Described(metadata)
    repository_url = f"{github}/{quote(listing.name_with_owner)}"
    tags = _tags(listing)
    versions = _versions(project, version, repository_url, tags)
    shown = next(line for line in versions if line.is_shown)
    files = [file for file in project.files if file.version == version]
    tag = quote(tags[files[0].asset_id])
    needed = needs(said.all("Requires-Dist") or ())
    return About(
        name=project.name,
        shown=shown,
        current=str(shown_version(project, None)),
        summary=said.one("Summary") or "",
        repository=listing.name_with_owner,
        repository_url=repository_url,
        tree=f"{repository_url}/blob/{tag}/",
        is_archived=listing.is_archived,
        is_private=listing.is_private,
        requires_python=said.one("Requires-Python"),
        license=_words(said.one("License-Expression") or (said.text("License") or "").partition("\n")[0]),
        author=_words(said.one("Author") or said.one("Author-email") or said.one("Maintainer")),
        needs=needed[:MOST],
        more_needs=max(0, len(needed) - MOST),
        needs_others=any(not need.optional for need in needed),
        links=_links(said),
        files=[_file_line(file) for file in files[:MOST_FILES]],
        more_files=max(0, len(files) - MOST_FILES),
        versions=versions[:MOST_VERSIONS],
        more_versions=max(0, len(versions) - MOST_VERSIONS),
        readme=said.description or "",
        content_type=said.one("Description-Content-Type"),
    )


def _tags(listing: Listing) -> dict[str, str]:
    """The tag of each asset's release."""
    return {asset.id: release.tag for release in listing.releases for asset in release.assets}


def _versions(project: Project, shown: Version, repository_url: str, tags: dict[str, str]) -> list[VersionLine]:
    files: dict[Version, list[File]] = {}
    for file in project.files:
        files.setdefault(file.version, []).append(file)
    return [
        VersionLine(
            version=str(version),
            published_at=min(file.upload_time for file in of_version).astimezone(UTC),
            yanked=_yanked(of_version),
            is_prerelease=version.is_prerelease,
            is_shown=version == shown,
            notes_url=f"{repository_url}/releases/tag/{quote(tags[of_version[0].asset_id], safe='')}",
        )
        for version, of_version in sorted(files.items(), reverse=True)
    ]


def _yanked(files: Sequence[File]) -> str | bool:
    """Whether all the files are yanked: the first reason, or True where there is none."""
    if not all(file.yanked for file in files):
        return False
    return next((file.yanked for file in files if isinstance(file.yanked, str)), True)


def _file_line(file: File) -> FileLine:
    return FileLine(
        filename=file.filename,
        url=asset_url(file),
        kind="wheel" if file.is_wheel else "sdist",
        size=size_in_words(file.size),
        uploaded_at=file.upload_time.astimezone(UTC),
        sha256=file.sha256,
        python=_python(file),
        yanked=file.yanked,
    )


def _python(file: File) -> str | None:
    """A wheel's tag says more than Requires-Python, but where it is that of every Python 3."""
    if not file.is_wheel:
        return file.requires_python
    python, abi = file.filename.split("-")[-3:-1]
    tag = f"{python}-{abi}" if abi == "abi3" else python
    is_usual = "py3" in python.split(".")
    return ", ".join(filter(None, ("" if is_usual and file.requires_python else tag, file.requires_python)))


def _links(said: Described) -> Sequence[tuple[str, str]]:
    """The project's own links, by their labels: those that lead to the web."""
    urls = {"Homepage": said.one("Home-page") or "", **said.project_urls}
    return [(label[:_LONGEST_WORDS], url) for label, url in urls.items() if label and _is_web(url)][:MOST_LINKS]


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return len(url) <= _LONGEST_URL and parts.scheme in ("http", "https") and bool(parts.netloc)


def _words(text: str | None) -> str | None:
    return text[:_LONGEST_WORDS] if text else None


def size_in_words(size: int) -> str:
    """A number of bytes, as people read it."""
    if size < 1024:
        return f"{size} bytes"
    power = 1 + (size >= 1023.95 * 1024) + (size >= 1023.95 * 1024**2)  # no 1024.0 KiB
    return f"{size / 1024**power:.1f} {('KiB', 'MiB', 'GiB')[power - 1]}"
