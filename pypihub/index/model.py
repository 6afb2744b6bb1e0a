"""The model: GitHub's records as they are read, and the project that an index shows of them.

Words: a *listing* is all releases of one repository with their assets; a *project* is what the Simple API
calls by that name, and a *file* is one of its wheels or sdists.

What there are ten thousands of is a Struct, which is made in a twentieth of a dataclass's time. None can be part of a
circle, so the garbage collector need not look at them (`gc=False`): with each large page it would look at everything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

from msgspec import Struct
from packaging.utils import NormalizedName
from packaging.version import Version

from pypihub.index.names import FileNames
from pypihub.index.yanked import yanked_reason

_SHA256 = re.compile(r"sha256:([0-9a-f]{64})", re.ASCII)


class Asset(Struct, frozen=True, gc=False):
    """A release asset, as GitHub tells of it.

    `id` is its GraphQL node id, `size` is in bytes, `digest` looks like `sha256:<64 hex digits>` and is None
    for assets that were uploaded before June 2025.
    """

    id: str
    name: str
    size: int
    digest: str | None
    created_at: datetime


class Release(Struct, frozen=True, gc=False):
    """A release with all its assets. `published_at` is None for a draft.

    `tag` is GitHub's `tagName`, `title` its `name`, which may be empty.
    """

    id: str
    is_draft: bool
    published_at: datetime | None
    assets: tuple[Asset, ...]
    tag: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """All releases of one repository, the newest first. `is_archived` and `is_private` are GitHub's."""

    name_with_owner: str
    is_archived: bool
    releases: tuple[Release, ...]
    is_private: bool = True


class File(Struct, frozen=True, gc=False):
    """One file of a project, with the words of PEP 691 and PEP 700.

    `asset_id` and `filename` make its URL, `size` is in bytes, `sha256` is 64 hex digits where they are known,
    `upload_time` is when it could first be installed. `core_metadata` (PEP 658, PEP 714) tells whether METADATA
    can be had beside the file: by its sha256 once it was read, True before, False where there is none. `yanked`
    (PEP 592) is the reason, or True where there is none.
    """

    filename: str
    version: Version
    asset_id: str
    size: int
    sha256: str | None
    upload_time: datetime
    core_metadata: str | bool = False
    requires_python: str | None = None
    yanked: str | bool = False

    @property
    def is_wheel(self) -> bool:
        """Wheels have METADATA, sdists do not."""
        return self.filename.endswith(".whl")


@dataclass(frozen=True, slots=True)
class Project:
    """A project's files in the order of their versions. `archived` is PEP 792's status of that name."""

    name: NormalizedName
    files: tuple[File, ...]
    archived: bool = False

    @property
    def versions(self) -> tuple[str, ...]:
        """Every file's version once, ascending (PEP 700)."""
        objects = {id(file.version): file.version for file in self.files}  # a release's files mostly share theirs
        return tuple(dict.fromkeys(str(version) for version in objects.values()))


class Home(Struct, frozen=True, gc=False):
    """A repository in the list of its owner's projects. `name` is in GitHub's spelling."""

    name: str
    description: str
    is_private: bool
    is_archived: bool


class ListedProject(Struct, frozen=True, gc=False):
    """A project in the list of its owner's projects.

    `version` is the newest one that was seen, before it none that is yanked or a pre-release; `published_at` is when
    its release was published. `is_alone` where no other project lives in the repository, which then describes this one.
    """

    name: NormalizedName
    home: Home
    is_alone: bool
    version: str
    published_at: datetime | None
    is_yanked: bool
    is_prerelease: bool


def preference(version: Version, *, is_yanked: bool) -> tuple[bool, bool, Version]:
    """The rank of a version: an installer takes the highest, so one that is yanked or a pre-release where all are."""
    return not is_yanked, not version.is_prerelease, version


def project_of(listing: Listing, name: NormalizedName) -> Project:
    """The project `name` as the listing shows it; without files where the listing has none of it.

    Drafts, empty assets (an upload that failed) and other projects' files are left out. Where two releases
    hold an asset of the same name, the one that was uploaded last stands for it.
    """
    files: dict[str, File] = {}
    for file in _files(listing.releases, FileNames(name)):
        other = files.get(file.filename)
        if other is None or other.upload_time < file.upload_time:
            files[file.filename] = file
    by_name = sorted(files.values(), key=attrgetter("filename"))
    in_order = sorted(by_name, key=attrgetter("version"))  # each by itself is far quicker than both as a tuple
    return Project(name, tuple(in_order), archived=listing.is_archived)


def _files(releases: Iterable[Release], names: FileNames) -> Iterator[File]:
    for release in releases:
        if release.is_draft:
            continue
        yanked = yanked_reason(release.title)
        for asset in release.assets:
            version = names.version(asset.name) if asset.size else None
            if version is not None:
                yield File(
                    filename=asset.name,
                    version=version,
                    asset_id=asset.id,
                    size=asset.size,
                    sha256=_sha256(asset.digest),
                    upload_time=_upload_time(release, asset),
                    yanked=yanked,
                )


def _upload_time(release: Release, asset: Asset) -> datetime:
    """A file of a draft is there for users only when the draft is published: cool-down rules count from then."""
    if release.published_at is None:
        return asset.created_at
    return max(asset.created_at, release.published_at)


def _sha256(digest: str | None) -> str | None:
    match = _SHA256.fullmatch(digest) if digest else None
    return match[1] if match else None
