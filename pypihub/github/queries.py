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


@dataclass(frozen=True, slots=True)
class PageSize:
    """How many releases, and assets of each, are asked for at once (1 to 100)."""

    releases: int = 100
    assets: int = 100

    def smaller(self) -> PageSize | None:
        """A quarter or so: first of the releases, then of the assets."""
        if self.releases > 1:
            return replace(self, releases=max(1, self.releases // 4))
        return replace(self, assets=self.assets // 4) if self.assets >= 8 else None


def _asset_fields(digest: bool) -> str:
    return "pageInfo { hasNextPage endCursor } nodes { id name size createdAt " + ("digest " if digest else "") + "}"


@dataclass(frozen=True, slots=True)
class ListingQuery:
    """A page of the repository's releases with their assets, the newest release first."""

    repository: Repository
    after: str | None = None
    size: PageSize = PageSize()

    def document(self, *, digest: bool) -> str:
        return (
            "query Listing($owner: String!, $name: String!, $releases: Int!, $assets: Int!, $after: String) {"
            " repository(owner: $owner, name: $name) { nameWithOwner isArchived"
            " releases(first: $releases, after: $after, orderBy: {field: CREATED_AT, direction: DESC}) {"
            " pageInfo { hasNextPage endCursor } nodes { id isDraft publishedAt"
            f" releaseAssets(first: $assets) {{ {_asset_fields(digest)} }} }} }} }} }}"
        )

    def variables(self) -> dict[str, object]:
        return {
            "owner": self.repository.owner,
            "name": self.repository.name,
            "releases": self.size.releases,
            "assets": self.size.assets,
            "after": self.after,
        }

    def smaller(self) -> ListingQuery | None:
        size = self.size.smaller()
        return replace(self, size=size) if size else None

    def decode(self, data: msgspec.Raw) -> tuple[ListingPage, ListingQuery | None]:
        """The page, and the query for the next one, which keeps this one's size."""
        page = decode_listing(data)
        return page, replace(self, after=page.more) if page.more else None

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
