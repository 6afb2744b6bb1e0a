"""The GraphQL queries that PyPIHub asks. Sans-io.

A query knows its document, its variables, how to read its data, and how to ask for less where GitHub finds
it too large. https://docs.github.com/en/graphql
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, Self, TypeVar

import msgspec

from pypihub.errors import NotFoundError, PyPIHubError, UpstreamError
from pypihub.github.decoding import (
    AssetsPage,
    ListingPage,
    ReleaseAsset,
    decode_assets,
    decode_listing,
    decode_lookup,
    no_such_asset,
)
from pypihub.index.names import Repository

T_co = TypeVar("T_co", covariant=True)


class Query(Protocol[T_co]):
    """A question to GitHub's GraphQL API with an answer of type `T_co`."""

    def document(self, *, digest: bool) -> str:
        """The GraphQL document; without `digest` where the server's schema lacks that field (GHES)."""

    def variables(self) -> dict[str, object]:
        """The document's variables."""

    def smaller(self) -> Self | None:
        """The same question with smaller pages; None where it cannot be made smaller."""

    def decode(self, data: msgspec.Raw) -> T_co:
        """The answer in the `data` of a response; raises msgspec.ValidationError for partial data."""

    def missing(self) -> PyPIHubError:
        """The error for GitHub's NOT_FOUND at the root of this query."""


@dataclass(frozen=True, slots=True, order=True)
class PageSize:
    """How many releases, and assets of each, are asked for at once (1 to 100). They compare as `smaller` has them."""

    releases: int = 100
    assets: int = 100

    def smaller(self) -> PageSize | None:
        """A quarter or so: first of the releases, then of the assets."""
        if self.releases > 1:
            return replace(self, releases=max(1, self.releases // 4))
        return replace(self, assets=self.assets // 4) if self.assets >= 8 else None


PAGE_INFO = "pageInfo { hasNextPage endCursor }"
"""For `decoding.PageInfo`."""


def _asset_fields(digest: bool) -> str:
    return f"{PAGE_INFO} nodes {{ id name size createdAt {'digest ' if digest else ''}}}"


_NEWEST_FIRST = "orderBy: {field: CREATED_AT, direction: DESC}"
_PAGE_INFO_BACKWARD = "pageInfo { hasNextPage: hasPreviousPage endCursor: startCursor }"


@dataclass(frozen=True, slots=True)
class ListingQuery:
    """A page of the repository's releases with their assets, the newest release first.

    The page begins behind the cursor `after`, or `backward` ends before the cursor `before`. The other one of the
    two cursors is how far somebody has read who comes from the other end; without them it goes from end to end.
    """

    repository: Repository
    after: str | None = None
    before: str | None = None
    backward: bool = False
    size: PageSize = PageSize()

    def document(self, *, digest: bool) -> str:
        bounds = "last: $releases, before: $before" if self.backward else "first: $releases, after: $after"
        cursors = "".join(f", ${name}: String" for name in self._cursors())
        return (
            f"query Listing($owner: String!, $name: String!, $releases: Int!, $assets: Int!{cursors}) {{"
            f" repository(owner: $owner, name: $name) {{ nameWithOwner isArchived isPrivate{self._opposite()}"
            f" releases({bounds}, {_NEWEST_FIRST}) {{"
            f" totalCount {_PAGE_INFO_BACKWARD if self.backward else PAGE_INFO}"
            " nodes { id isDraft publishedAt tagName name"
            f" releaseAssets(first: $assets) {{ {_asset_fields(digest)} }} }} }} }} }}"
        )

    def _opposite(self) -> str:
        """Asks, in the same moment, for the release next to the other's place: where the page holds it, they meet."""
        if not (self.before and self.after):
            return ""
        bounds = "first: 1, after: $after" if self.backward else "last: 1, before: $before"
        return f" opposite: releases({bounds}, {_NEWEST_FIRST}) {{ nodes {{ id }} }}"

    def _cursors(self) -> dict[str, str | None]:
        """The cursors that the document names."""
        if self.before and self.after:
            return {"after": self.after, "before": self.before}
        return {"before": self.before} if self.backward else {"after": self.after}

    def variables(self) -> dict[str, object]:
        return {
            "owner": self.repository.owner,
            "name": self.repository.name,
            "releases": self.size.releases,
            "assets": self.size.assets,
            **self._cursors(),
        }

    def smaller(self) -> ListingQuery | None:
        size = self.size.smaller()
        return replace(self, size=size) if size else None

    def decode(self, data: msgspec.Raw) -> tuple[ListingPage, ListingQuery | None]:
        """The page, and the query for the next one, which keeps this one's size.

        There is no next one where the page reaches the end, or the other's place.
        """
        page = decode_listing(data)
        if page.more is None:
            return page, None
        return page, replace(self, before=page.more) if self.backward else replace(self, after=page.more)

    def missing(self) -> NotFoundError:
        return NotFoundError(
            f"GitHub has no repository {self.repository}, or this token may not see it."
            " Check the project's name, the owner and the token's access."
        )


@dataclass(frozen=True, slots=True)
class AssetsQuery:
    """A further page of one release's assets."""

    release_id: str
    after: str
    size: int = 100

    def document(self, *, digest: bool) -> str:
        return (
            "query Assets($id: ID!, $assets: Int!, $after: String) { node(id: $id) { ... on Release {"
            f" releaseAssets(first: $assets, after: $after) {{ {_asset_fields(digest)} }} }} }} }}"
        )

    def variables(self) -> dict[str, object]:
        return {"id": self.release_id, "assets": self.size, "after": self.after}

    def smaller(self) -> AssetsQuery | None:
        return replace(self, size=self.size // 4) if self.size >= 8 else None

    def decode(self, data: msgspec.Raw) -> tuple[AssetsPage, AssetsQuery | None]:
        """The page, and the query for the next one, which keeps this one's size."""
        page = decode_assets(data)
        return page, replace(self, after=page.more) if page.more else None

    def missing(self) -> UpstreamError:
        """Trouble, and no 404: the repository was there a moment ago."""
        return UpstreamError("A release was removed while it was being read. Try again in a moment.")


@dataclass(frozen=True, slots=True)
class LookupQuery:
    """Up to a hundred assets by their node ids; each of them is there or missing by itself."""

    ids: tuple[str, ...]

    def document(self, *, digest: bool) -> str:
        return (
            "query Lookup($ids: [ID!]!) { nodes(ids: $ids) { __typename ... on ReleaseAsset { name size createdAt url"
            f" {'digest' if digest else ''} release {{ isDraft repository {{ nameWithOwner }} }} }} }} }}"
        )

    def variables(self) -> dict[str, object]:
        return {"ids": self.ids}

    def smaller(self) -> None:
        return None

    def decode(self, data: msgspec.Raw) -> tuple[ReleaseAsset | NotFoundError | None, ...]:
        return decode_lookup(data, self.ids)

    def missing(self) -> NotFoundError:
        return no_such_asset()
