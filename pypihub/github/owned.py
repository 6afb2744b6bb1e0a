"""The queries for what an owner's repositories hold: no more of each file than its name. Sans-io."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec

from pypihub.errors import NotFoundError, UpstreamError
from pypihub.github.decoding import Answer, Moment, Number, PageInfo, in_utc
from pypihub.github.queries import PAGE_INFO, PageSize
from pypihub.index.model import Home
from pypihub.index.names import Owner
from pypihub.index.yanked import yanked_reason
from pypihub.lines import one_line

_REPOSITORY = (
    "id nameWithOwner description isPrivate isArchived"
    " releases(first: $releases, orderBy: {field: CREATED_AT, direction: DESC}) { totalCount"
    f" {PAGE_INFO} nodes {{ id isDraft publishedAt name"
    f" releaseAssets(first: $assets) {{ {PAGE_INFO} nodes {{ name size }} }} }} }}"
)


@dataclass(frozen=True, slots=True)
class OwnedRelease:
    """A published release with the names of its first files; `more` is the cursor behind them where there are more."""

    id: str
    published_at: datetime | None
    is_yanked: bool
    filenames: tuple[str, ...]
    more: str | None


@dataclass(frozen=True, slots=True)
class OwnedRepository:
    """A repository with some of its releases, the newest ones; `total` is how many it has, drafts included.

    `more` is the cursor behind the known releases where there are more.
    """

    id: str
    home: Home
    total: int
    releases: tuple[OwnedRelease, ...]
    more: str | None

    @property
    def name(self) -> str:
        """The repository's name."""
        return self.home.name


@dataclass(frozen=True, slots=True)
class OwnedPage:
    """A page of an owner's repositories, and the query for the next one."""

    repositories: tuple[OwnedRepository, ...]
    following: OwnedQuery | None


@dataclass(frozen=True, slots=True)
class OwnedQuery:
    """A page of the repositories that the token sees of an owner, each with its newest release.

    The repository that was made last comes first, an order in which nothing moves while the pages are read.
    """

    owner: Owner
    after: str | None = None
    repositories: int = 100

    @property
    def points(self) -> int:
        """What GitHub charges (see `survey`)."""
        return points(1 + 2 * self.repositories)

    def document(self, *, digest: bool) -> str:
        return (
            "query Owned($login: String!, $repositories: Int!, $releases: Int!, $assets: Int!, $after: String) {"
            " repositoryOwner(login: $login) { login"
            " repositories(first: $repositories, after: $after, ownerAffiliations: [OWNER],"
            " orderBy: {field: CREATED_AT, direction: DESC}) {"
            f" {PAGE_INFO} nodes {{ {_REPOSITORY} }} }} }} }}"
        )

    def variables(self) -> dict[str, object]:
        return {
            "login": self.owner,
            "repositories": self.repositories,
            "releases": 1,
            "assets": 100,
            "after": self.after,
        }

    def smaller(self) -> OwnedQuery | None:
        return replace(self, repositories=max(1, self.repositories // 4)) if self.repositories > 1 else None

    def decode(self, data: msgspec.Raw) -> OwnedPage:
        """The page; raises NotFoundError for a null, GitHub's answer for a login that is nobody's."""
        owner = _OWNED.decode(data).repository_owner
        if owner is None or owner.login.lower() != self.owner:
            raise self.missing()
        page = owner.repositories
        more = page.page_info.more()
        repositories = tuple(node.repository() for node in page.nodes if node)
        return OwnedPage(repositories, replace(self, after=more) if more else None)

    def missing(self) -> NotFoundError:
        return NotFoundError(f"GitHub has no user or organization {self.owner}. Check the spelling.")


@dataclass(frozen=True, slots=True)
class DeeperQuery:
    """The newest releases of each of several repositories by their node ids (up to 100)."""

    ids: tuple[str, ...]
    size: PageSize

    @property
    def points(self) -> int:
        """What GitHub charges (see `survey`)."""
        return points(1 + len(self.ids) * (1 + self.size.releases))

    def document(self, *, digest: bool) -> str:
        return (
            "query Deeper($ids: [ID!]!, $releases: Int!, $assets: Int!) { nodes(ids: $ids) {"
            f" ... on Repository {{ {_REPOSITORY} }} }} }}"
        )

    def variables(self) -> dict[str, object]:
        return {"ids": self.ids, "releases": self.size.releases, "assets": self.size.assets}

    def smaller(self) -> DeeperQuery | None:
        """Fewer releases, or assets: the cursors behind them tell where it goes on."""
        size = self.size.smaller()
        return replace(self, size=size) if size else None

    def decode(self, data: msgspec.Raw) -> tuple[OwnedRepository, ...]:
        return tuple(node.repository() for node in _DEEPER.decode(data).nodes)

    def missing(self) -> UpstreamError:
        """Trouble, and no 404: the repositories were there a moment ago."""
        return UpstreamError("A repository was removed while it was being read. Try again in a moment.")


def points(requests: int) -> int:
    """What GitHub charges for a query that stands for so many requests, one a connection."""
    return max(1, round(requests / 100))


# The shapes of the answers, under GitHub's names.


class _AssetName(Answer, frozen=True, gc=False):
    name: str
    size: Number


class _AssetNames(Answer, frozen=True):
    page_info: PageInfo
    nodes: tuple[_AssetName | None, ...]


class _Release(Answer, frozen=True):
    id: str
    is_draft: bool
    release_assets: _AssetNames
    published_at: Moment | None = None
    name: str | None = None

    def release(self) -> OwnedRelease:
        return OwnedRelease(
            self.id,
            in_utc(self.published_at) if self.published_at else None,
            yanked_reason(self.name or "") is not False,
            tuple(asset.name for asset in self.release_assets.nodes if asset and asset.size),
            self.release_assets.page_info.more(),
        )


class _Releases(Answer, frozen=True):
    total_count: Number
    page_info: PageInfo
    nodes: tuple[_Release | None, ...]

    def published(self) -> Iterator[_Release]:
        return (node for node in self.nodes if node and not node.is_draft)


class _Repository(Answer, frozen=True):
    id: str
    name_with_owner: str
    is_private: bool
    is_archived: bool
    releases: _Releases
    description: str | None = None

    def repository(self) -> OwnedRepository:
        name = self.name_with_owner.partition("/")[2]
        return OwnedRepository(
            self.id,
            Home(name, one_line(self.description or ""), self.is_private, self.is_archived),
            self.releases.total_count,
            tuple(node.release() for node in self.releases.published()),
            self.releases.page_info.more(),
        )


class _Repositories(Answer, frozen=True):
    page_info: PageInfo
    nodes: tuple[_Repository | None, ...]


class _Owner(Answer, frozen=True):
    login: str
    repositories: _Repositories


class _OwnedData(Answer, frozen=True):
    repository_owner: _Owner | None


class _DeeperData(Answer, frozen=True):
    nodes: tuple[_Repository, ...]


_OWNED = msgspec.json.Decoder(_OwnedData)
_DEEPER = msgspec.json.Decoder(_DeeperData)
