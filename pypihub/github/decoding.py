"""How the data of GitHub's answers becomes records. Sans-io.

A null where the schema has a value is partial data: decoding refuses it with msgspec.ValidationError.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from pypihub.errors import NotFoundError
from pypihub.github.credentials import SignedURL
from pypihub.index.model import Asset, Release


@dataclass(frozen=True, slots=True)
class ReleasePart:
    """A release with its first assets; `more` is the cursor behind them where there are more."""

    release: Release
    more: str | None


@dataclass(frozen=True, slots=True)
class ListingPage:
    """A page of a repository's releases, the newest first; `total` is how many the repository has.

    `more` is the cursor of its far end (of its beginning, where it was read backward) where there are more.
    """

    name_with_owner: str
    is_archived: bool
    total: int
    parts: tuple[ReleasePart, ...]
    more: str | None
    is_private: bool = True


@dataclass(frozen=True, slots=True)
class AssetsPage:
    """A page of one release's assets; `more` is the cursor behind it where there are more."""

    assets: tuple[Asset, ...]
    more: str | None


@dataclass(frozen=True, slots=True)
class ReleaseAsset:
    """An asset with what decides who may have it. `size` is in bytes."""

    id: str
    name: str
    size: int
    digest: str | None
    created_at: datetime
    is_draft: bool
    name_with_owner: str
    url: SignedURL


def decode_listing(data: msgspec.Raw) -> ListingPage:
    """A page of releases out of `{"repository": …}`."""
    repository = _LISTING.decode(data).repository
    releases = repository.releases
    return ListingPage(
        name_with_owner=repository.name_with_owner,
        is_archived=repository.is_archived,
        total=releases.total_count,
        parts=tuple(node.part() for node in releases.nodes if node),
        more=None if _reaches(releases, repository.opposite) else releases.page_info.more(),
        is_private=repository.is_private,
    )


def _reaches(page: _Releases, opposite: _Opposite | None) -> bool:
    """Whether the page goes as far as the other reader came: nothing is left, or the last that is left is on it."""
    if opposite is None:
        return False
    on_page = {node.id for node in page.nodes if node}
    return all(node is not None and node.id in on_page for node in opposite.nodes)


def decode_assets(data: msgspec.Raw) -> AssetsPage:
    """A page of assets out of `{"node": …}`."""
    return _ASSETS.decode(data).node.release_assets.page()


def no_such_asset() -> NotFoundError:
    """The answer for a node that is not there, or is no asset of a release."""
    return NotFoundError("GitHub has no such asset, or this token may not see it.")


def decode_lookup(data: msgspec.Raw, ids: Sequence[str]) -> tuple[ReleaseAsset | NotFoundError | None, ...]:
    """The assets out of `{"nodes": […]}`, in the order of their ids; None for a null, of which an error tells."""
    nodes = _NODES.decode(data).nodes
    if len(nodes) != len(ids):
        raise msgspec.ValidationError("nodes are missing")
    return tuple(_looked_up(node, asset_id) for node, asset_id in zip(nodes, ids, strict=True))


def _looked_up(data: msgspec.Raw, asset_id: str) -> ReleaseAsset | NotFoundError | None:
    any_node = _ANY_NODE.decode(data)
    if any_node is None:
        return None
    if any_node.typename != "ReleaseAsset":
        return no_such_asset()
    node = _ASSET.decode(data)
    if node.release is None:
        return no_such_asset()
    return ReleaseAsset(
        id=asset_id,
        name=node.name,
        size=node.size,
        digest=node.digest,
        created_at=in_utc(node.created_at),
        is_draft=node.release.is_draft,
        name_with_owner=node.release.repository.name_with_owner,
        url=SignedURL(node.url),
    )


# The shapes of the answers, under GitHub's names.

Moment = Annotated[datetime, Meta(tz=True)]
"""To be read by `in_utc`."""
Number = Annotated[int, Meta(ge=0, le=2**63 - 1)]
"""A count, a size or an id: more than what fits into 64 bits can be neither kept nor told."""


def in_utc(moment: datetime) -> datetime:
    """The moment in UTC; raises msgspec.ValidationError where that is before the year 1 or behind 9999."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise msgspec.ValidationError("a time that is none") from None


class Answer(Struct, frozen=True, rename="camel"):
    """A part of an answer, under GitHub's names."""


class PageInfo(Answer, frozen=True):
    """What lies behind a page."""

    has_next_page: bool
    end_cursor: str | None

    def more(self) -> str | None:
        """The cursor behind the page where there is more; raises msgspec.ValidationError where that has none."""
        if self.has_next_page and self.end_cursor is None:
            raise msgspec.ValidationError("a next page without a cursor")
        return self.end_cursor if self.has_next_page else None


class _AssetNode(Answer, frozen=True, gc=False):
    id: str
    name: str
    size: Number
    created_at: Moment
    digest: str | None = None

    def asset(self) -> Asset:
        return Asset(self.id, self.name, self.size, self.digest, in_utc(self.created_at))


class _Assets(Answer, frozen=True):
    page_info: PageInfo
    nodes: tuple[_AssetNode | None, ...]

    def page(self) -> AssetsPage:
        return AssetsPage(tuple(node.asset() for node in self.nodes if node), self.page_info.more())


class _ReleaseNode(Answer, frozen=True):
    id: str
    is_draft: bool
    published_at: Moment | None
    release_assets: _Assets
    tag_name: str
    name: str | None = None

    def part(self) -> ReleasePart:
        page = self.release_assets.page()
        published_at = in_utc(self.published_at) if self.published_at else None
        release = Release(self.id, self.is_draft, published_at, page.assets, self.tag_name, self.name or "")
        return ReleasePart(release, page.more)


class _Releases(Answer, frozen=True):
    total_count: Number
    page_info: PageInfo
    nodes: tuple[_ReleaseNode | None, ...]


class _ReleaseId(Answer, frozen=True):
    id: str


class _Opposite(Answer, frozen=True):
    nodes: tuple[_ReleaseId | None, ...]


class _Repository(Answer, frozen=True):
    name_with_owner: str
    is_archived: bool
    is_private: bool
    releases: _Releases
    opposite: _Opposite | None = None


class _ListingData(Answer, frozen=True):
    repository: _Repository


class _ReleaseOfAssets(Answer, frozen=True):
    release_assets: _Assets


class _AssetsData(Answer, frozen=True):
    node: _ReleaseOfAssets


class _RepositoryName(Answer, frozen=True):
    name_with_owner: str


class _ReleaseOfAsset(Answer, frozen=True):
    is_draft: bool
    repository: _RepositoryName


class _ReleaseAsset(Answer, frozen=True):
    name: str
    size: Number
    created_at: Moment
    url: str
    release: _ReleaseOfAsset | None
    digest: str | None = None


class _AnyNode(Struct, frozen=True):
    typename: str = msgspec.field(name="__typename")


class _NodesData(Struct, frozen=True):
    nodes: tuple[msgspec.Raw, ...]


_LISTING = msgspec.json.Decoder(_ListingData)
_ASSETS = msgspec.json.Decoder(_AssetsData)
_NODES = msgspec.json.Decoder(_NodesData)
_ANY_NODE = msgspec.json.Decoder(_AnyNode | None)
_ASSET = msgspec.json.Decoder(_ReleaseAsset)
