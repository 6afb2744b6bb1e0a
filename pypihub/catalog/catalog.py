"""The catalog: answers what a caller may see, from GitHub's listing under the caller's own token."""

from __future__ import annotations

from collections.abc import Awaitable, Collection
from typing import Protocol, TypeVar

from packaging.utils import NormalizedName

from pypihub.catalog.tokens import RefusedTokens
from pypihub.errors import NotFoundError, OwnerNotServedError, TokenRefusedError
from pypihub.github.credentials import Credentials, SignedURL, Token
from pypihub.github.decoding import ReleaseAsset
from pypihub.github.nodes import check_node_id
from pypihub.index.mapping import Mapping
from pypihub.index.model import Listing, Project, project_of
from pypihub.index.names import Owner, Repository

T = TypeVar("T")


class GitHub(Protocol):
    """What the catalog asks of GitHub; `pypihub.github.client.Client` does it over HTTP."""

    def listing(self, token: Token, repository: Repository) -> Awaitable[Listing]:
        """All releases of the repository that the token may see."""

    def asset(self, token: Token, asset_id: str) -> Awaitable[ReleaseAsset]:
        """The asset with this node id."""

    def download_url(self, token: Token, asset: ReleaseAsset) -> Awaitable[SignedURL]:
        """Where the asset's bytes can be had for a few minutes."""


class Catalog:
    """Projects and files by owner, for callers with a token. `owners` are served, all where it is empty.

    Every method raises OwnerNotServedError, TokenRefusedError, NotFoundError, and what `GitHub` raises.
    """

    def __init__(
        self, github: GitHub, mapping: Mapping, refused: RefusedTokens, owners: Collection[Owner] = ()
    ) -> None:
        self._github = github
        self._mapping = mapping
        self._refused = refused
        self._owners = frozenset(owners)

    def admit(self, credentials: Credentials) -> None:
        """Raises the error for a caller who is turned away without asking GitHub."""
        if self._owners and credentials.owner not in self._owners:
            raise OwnerNotServedError(f"This server does not serve {credentials.owner}'s packages.")
        self._refused.check(credentials.token)

    async def project(self, credentials: Credentials, name: NormalizedName) -> Project:
        """The project with its files of all releases."""
        self.admit(credentials)
        repository = self._mapping.repository(credentials.owner, name)
        listing = await self._asked(credentials, self._github.listing(credentials.token, repository))
        _check_owner(listing.name_with_owner, credentials.owner)
        project = project_of(listing, name)
        if not project.files:
            raise NotFoundError(f"No release of {repository} holds a wheel or an sdist of {name}.")
        return project

    async def asset(self, credentials: Credentials, asset_id: str, filename: str) -> ReleaseAsset:
        """The file behind an asset's URL: id, name and owner must agree, and a draft's are not shown."""
        self.admit(credentials)
        query = self._github.asset(credentials.token, check_node_id(asset_id))
        asset = await self._asked(credentials, query)
        _check_owner(asset.name_with_owner, credentials.owner)
        if asset.is_draft or asset.name != filename or not asset.size:
            raise NotFoundError("There is no such file. Read the project's page again for its current URL.")
        return asset

    async def download_url(self, credentials: Credentials, asset_id: str, filename: str) -> SignedURL:
        """The temporary URL of the file's bytes; the same checks as for `asset`."""
        asset = await self.asset(credentials, asset_id, filename)
        return await self._asked(credentials, self._github.download_url(credentials.token, asset))

    async def _asked(self, credentials: Credentials, question: Awaitable[T]) -> T:
        try:
            return await question
        except TokenRefusedError:
            self._refused.add(credentials.token)
            raise


def _check_owner(name_with_owner: str, owner: Owner) -> None:
    """A repository that moved to another owner still resolves on GitHub; here it is its new owner's."""
    if name_with_owner.partition("/")[0].lower() != owner:
        raise NotFoundError(f"This does not belong to {owner}.")
