"""What a GitHub holds: repositories, their releases and the assets of those."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from pypihub.sandbox.access import Guarded
from pypihub.sandbox.accounts import Account
from pypihub.sandbox.names import stored_name
from pypihub.sandbox.nodeids import node_id
from pypihub.sandbox.registry import Registry


@dataclass(eq=False, slots=True)
class Asset:
    """A file of a release. `content` is its bytes or where they lie; `digest` is what GitHub tells of them."""

    typename: ClassVar[str] = "ReleaseAsset"
    id: str
    database_id: int
    release: "Release"
    name: str
    content: bytes | Path
    size: int
    sha256: str
    digest: str | None
    content_type: str
    created_at: datetime
    updated_at: datetime
    uploaded_by: Account
    label: str | None = None
    download_count: int = 0

    @property
    def state(self) -> str:
        """REST's state. GitHub takes no empty file: what is empty was not, or is not yet, uploaded."""
        return "uploaded" if self.size else "starter"

    def fill(self, content: Path, size: int, sha256: str) -> None:
        """Put the bytes of a finished upload into an asset that was added without any."""
        self.content, self.size, self.sha256 = content, size, sha256
        self.digest = f"sha256:{sha256}" if self.release.registry.digests else None
        self.updated_at = self.release.registry.moment()

    def rename(self, name: str) -> None:
        """Give the asset another name; ValueError when the release has one of that name."""
        assets = self.release.assets
        if assets.get(name, self) is not self:
            raise ValueError(f"release {self.release.tag_name} already has an asset {name!r}")
        del assets[self.name]
        self.name = name
        assets[name] = self


@dataclass(eq=False, slots=True)
class Release:
    """A release of a repository, with its assets by name in the order of their arrival."""

    typename: ClassVar[str] = "Release"
    registry: Registry = field(repr=False)
    repository: "Repository"
    id: str
    database_id: int
    tag_name: str
    name: str | None
    is_draft: bool
    is_prerelease: bool
    created_at: datetime
    published_at: datetime | None
    updated_at: datetime
    author: Account
    target_commitish: str
    description: str | None = ""
    immutable: bool = False
    assets: dict[str, Asset] = field(default_factory=dict, repr=False)

    @property
    def slug(self) -> str:
        """The release's name in addresses of the web: its tag, which a draft does not have yet."""
        return f"untagged-{hashlib.sha256(self.id.encode()).hexdigest()[:20]}" if self.is_draft else self.tag_name

    @property
    def is_latest(self) -> bool:
        """Whether this is the repository's latest release."""
        return self.repository.latest_release is self

    @property
    def url(self) -> str:
        """The release's page on the web."""
        return f"{self.repository.url}/releases/tag/{self.slug}"

    def add_asset(
        self,
        name: str,
        content: bytes | Path,
        *,
        content_type: str = "application/octet-stream",
        digest: bool = True,
        created_at: datetime | None = None,
        uploaded_by: Account | None = None,
        label: str | None = None,
    ) -> Asset:
        """Add a file under the name that GitHub would give it (see `stored_name`).

        :param content: the bytes, or a file to serve from where it lies; empty for an unfinished or failed upload.
        :param digest: False for an asset as old as those of which GitHub tells no digest.
        :raises ValueError: when the release has an asset of that name.
        """
        name = stored_name(name)
        if name in self.assets:
            raise ValueError(f"release {self.tag_name} already has an asset {name!r}")
        number = self.registry.number("asset")
        size, sha256 = _measure(content)
        created_at = created_at or self.registry.moment()
        asset = Asset(
            id=node_id("RA", self.repository.database_id, number),
            database_id=number,
            release=self,
            name=name,
            content=content,
            size=size,
            sha256=sha256,
            digest=f"sha256:{sha256}" if digest and size else None,
            content_type=content_type,
            created_at=created_at,
            updated_at=created_at,
            uploaded_by=uploaded_by or self.repository.uploader,
            label=label,
        )
        self.assets[name] = self.registry.nodes[asset.id] = asset
        return asset

    def remove_asset(self, name: str) -> None:
        """Remove a file; KeyError when there is none of that name."""
        del self.registry.nodes[self.assets.pop(name).id]

    def publish(self) -> None:
        """Turn a draft into a published release; ValueError when another one has its tag."""
        self.move(self.tag_name, draft=False)

    def move(self, tag: str, *, draft: bool) -> None:
        """Give the release another tag, publish it or make it a draft again.

        :raises ValueError: when another published release has the tag.
        """
        releases = self.repository.releases
        if not draft and releases.get(tag, self) is not self:
            raise ValueError(f"repository {self.repository.name_with_owner} already has a release {tag!r}")
        published = self.is_draft and not draft
        del releases[self.slug]
        self.tag_name, self.is_draft = tag, draft
        releases[self.slug] = self
        self.updated_at = self.registry.moment()
        if published:
            self.published_at = self.updated_at
            self.immutable = self.repository.immutable_releases
        if self.immutable:
            self.repository.spent_tags.add(tag)


@dataclass(eq=False, slots=True)
class Repository(Guarded):
    """A repository with its releases; it is found through `World`, which knows its present and former names.

    `releases` has the published ones by their tags, and the drafts, several of which may want the same tag, by their
    slugs; without commits there can be drafts alone. `pinned` is the release that was last declared to be the latest.
    `spent_tags` were those of immutable releases; no other release ever gets them.
    """

    typename: ClassVar[str] = "Repository"
    registry: Registry = field(repr=False)
    id: str
    database_id: int
    name: str
    uploader: Account
    created_at: datetime
    updated_at: datetime
    description: str | None = None
    default_branch: str = "main"
    has_commits: bool = True
    is_disabled: bool = False
    is_fork: bool = False
    is_locked: bool = False
    immutable_releases: bool = False
    releases: dict[str, Release] = field(default_factory=dict, repr=False)
    pinned: Release | None = field(default=None, repr=False)
    spent_tags: set[str] = field(default_factory=set, repr=False)

    @property
    def name_with_owner(self) -> str:
        """The full name, such as ``octo/hello``."""
        return f"{self.owner.login}/{self.name}"

    @property
    def url(self) -> str:
        """The repository's page on the web."""
        return f"https://github.com/{self.name_with_owner}"

    @property
    def is_empty(self) -> bool:
        """Whether nothing was pushed: here, whether there is no release."""
        return not self.releases

    @property
    def pushed_at(self) -> datetime | None:
        """When something was last pushed: here, when the last release was added."""
        return None if self.is_empty else self.updated_at

    @property
    def latest_release(self) -> Release | None:
        """The newest release that is neither a draft nor a pre-release, unless another such one is pinned."""
        full = [release for release in self.releases.values() if not (release.is_draft or release.is_prerelease)]
        if self.pinned in full:
            return self.pinned
        return max(full, key=lambda release: (release.created_at, release.database_id), default=None)

    def find_release(self, tag: str) -> Release | None:
        """Return the published release of that tag; without one, the newest draft that wants it."""
        drafts = (release for release in reversed(self.releases.values()) if release.tag_name == tag)
        return self.releases.get(tag) or next(drafts, None)

    def add_release(
        self,
        tag: str,
        *,
        name: str | None = None,
        draft: bool = False,
        prerelease: bool = False,
        created_at: datetime | None = None,
        published_at: datetime | None = None,
        author: Account | None = None,
    ) -> Release:
        """Add a release, by default created one second after whatever was made before it.

        :raises ValueError: when the repository has a published release of that tag, and this is not a draft.
        """
        if tag in self.releases and not draft:
            raise ValueError(f"repository {self.name_with_owner} already has a release {tag!r}")
        number = self.registry.number("release")
        created_at = created_at or self.registry.moment()
        release = Release(
            registry=self.registry,
            repository=self,
            id=node_id("RE", self.database_id, number),
            database_id=number,
            tag_name=tag,
            name=name,
            is_draft=draft,
            is_prerelease=prerelease,
            created_at=created_at,
            published_at=None if draft else published_at or created_at,
            updated_at=created_at,
            author=author or self.uploader,
            target_commitish=self.default_branch,
        )
        self.releases[release.slug] = self.registry.nodes[release.id] = release
        self.updated_at = max(self.updated_at, created_at)
        return release

    def remove_release(self, tag: str) -> None:
        """Remove a release (see `find_release`, or by its slug) with its assets; KeyError when there is none."""
        release = self.find_release(tag)
        if release is None:
            raise KeyError(tag)
        del self.releases[release.slug]
        for gone in (release.id, *(asset.id for asset in release.assets.values())):
            del self.registry.nodes[gone]


def _measure(content: bytes | Path) -> tuple[int, str]:
    """Return the size in bytes and the sha256 in hex; a file is read in pieces."""
    if isinstance(content, bytes):
        return len(content), hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return content.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()
