"""What a GitHub holds: repositories, their releases and the assets of those."""

import hashlib
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import ClassVar

from pypihub.sandbox.accounts import Account, Caller, Members
from pypihub.sandbox.nodeids import node_id

_BEGINNING = datetime(2025, 7, 1, tzinfo=UTC)
# Numbers as large as GitHub's own, so that node ids look and decode like GitHub's.
_FIRST_NUMBERS = {"account": 9_100_000, "repository": 834_818_760, "release": 161_000_000, "asset": 183_937_167}


class Registry:
    """Hands out numbers and moments, and knows every record by its node id."""

    def __init__(self) -> None:
        self.nodes: dict[str, Account | Repository | Release | Asset] = {}
        self._numbers = {kind: count(first) for kind, first in _FIRST_NUMBERS.items()}
        self._seconds = count()

    def number(self, kind: str) -> int:
        """Return the next database id of that kind of record."""
        return next(self._numbers[kind])

    def moment(self) -> datetime:
        """Return a moment one second after the one before; the same in every run."""
        return _BEGINNING + timedelta(seconds=next(self._seconds))


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
    download_count: int = 0


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
    description: str = ""
    immutable: bool = False
    assets: dict[str, Asset] = field(default_factory=dict, repr=False)

    @property
    def is_latest(self) -> bool:
        """Whether this is the repository's latest release."""
        return self.repository.latest_release is self

    @property
    def url(self) -> str:
        """The release's page on the web."""
        return f"{self.repository.url}/releases/tag/{self.tag_name}"

    def add_asset(
        self,
        name: str,
        content: bytes | Path,
        *,
        content_type: str = "application/octet-stream",
        digest: bool = True,
        created_at: datetime | None = None,
    ) -> Asset:
        """Add a file under the name that GitHub would give it (see `stored_name`).

        :param content: the bytes, or a file to serve from where it lies; empty for a failed upload (state ``starter``).
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
            digest=f"sha256:{sha256}" if digest else None,
            content_type=content_type,
            created_at=created_at,
            updated_at=created_at,
            uploaded_by=self.repository.uploader,
        )
        self.assets[name] = self.registry.nodes[asset.id] = asset
        return asset

    def remove_asset(self, name: str) -> None:
        """Remove a file; KeyError when there is none of that name."""
        del self.registry.nodes[self.assets.pop(name).id]

    def publish(self) -> None:
        """Turn a draft into a published release."""
        self.is_draft = False
        self.published_at = self.updated_at = self.registry.moment()


@dataclass(eq=False, slots=True)
class Repository:
    """A repository with its releases by tag; it is found through `World`, which knows its present and former names."""

    typename: ClassVar[str] = "Repository"
    registry: Registry = field(repr=False)
    id: str
    database_id: int
    owner: Account
    name: str
    is_private: bool
    is_archived: bool
    members: Members
    uploader: Account
    created_at: datetime
    updated_at: datetime
    description: str | None = None
    is_disabled: bool = False
    is_fork: bool = False
    is_locked: bool = False
    releases: dict[str, Release] = field(default_factory=dict, repr=False)

    @property
    def name_with_owner(self) -> str:
        """The full name, such as ``octo/hello``."""
        return f"{self.owner.login}/{self.name}"

    @property
    def url(self) -> str:
        """The repository's page on the web."""
        return f"https://github.com/{self.name_with_owner}"

    @property
    def visibility(self) -> str:
        """GraphQL's RepositoryVisibility."""
        return "PRIVATE" if self.is_private else "PUBLIC"

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
        """The newest release that is neither a draft nor a pre-release."""
        full = (release for release in self.releases.values() if not (release.is_draft or release.is_prerelease))
        return max(full, key=lambda release: (release.created_at, release.database_id), default=None)

    def add_release(
        self,
        tag: str,
        *,
        name: str | None = None,
        draft: bool = False,
        prerelease: bool = False,
        created_at: datetime | None = None,
        published_at: datetime | None = None,
    ) -> Release:
        """Add a release, by default created one second after whatever was made before it.

        :raises ValueError: when the repository has a release of that tag.
        """
        if tag in self.releases:
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
        )
        self.releases[tag] = self.registry.nodes[release.id] = release
        self.updated_at = max(self.updated_at, created_at)
        return release

    def remove_release(self, tag: str) -> None:
        """Remove a release with its assets; KeyError when there is none of that tag."""
        release = self.releases.pop(tag)
        for gone in (release.id, *(asset.id for asset in release.assets.values())):
            del self.registry.nodes[gone]

    def permission(self, caller: Caller | None) -> str | None:
        """Return GraphQL's RepositoryPermission: ADMIN, WRITE or READ; None when the caller may not even know of it."""
        login = caller.account.login.lower() if caller else ""
        if caller and "repo" in caller.scopes:
            if login == self.owner.login.lower():
                return "ADMIN"
            if login in self.members.writers:
                return "WRITE"
            if login in self.members.readers:
                return "READ"
        return None if self.is_private else "READ"

    def may_push(self, caller: Caller | None) -> bool:
        """Whether the caller has push access, and so sees drafts."""
        return self.permission(caller) in ("ADMIN", "WRITE")


def stored_name(name: str) -> str:
    """Return the name that GitHub stores a file under: some characters become dots, dots at the ends go."""
    return re.sub(r"[ ~:()!]", ".", name).strip(".")


def _measure(content: bytes | Path) -> tuple[int, str]:
    """Return the size in bytes and the sha256 in hex; a file is read in pieces."""
    if isinstance(content, bytes):
        return len(content), hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return content.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()
