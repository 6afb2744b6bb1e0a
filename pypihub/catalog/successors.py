"""Lock files keep URLs of assets. One that was replaced under the same name, with the same bytes, is still found."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import islice

from pypihub.catalog.store import Store
from pypihub.github.credentials import Credentials, Token
from pypihub.index.model import Listing
from pypihub.index.names import Repository

NOTED_AT_ONCE = 500
"""Files at a time: those of a large repository take megabytes otherwise."""
_DISTRIBUTIONS = (".whl", ".tar.gz", ".zip")


class Successors:
    """Remembers which asset was what, and finds the one that stands in its place today."""

    def __init__(self, listing: Callable[[Token, Repository], Awaitable[Listing]], store: Store) -> None:
        self._listing = listing
        self._store = store

    async def note(self, repository: Repository, listing: Listing) -> None:
        """Remembers the wheels and sdists of a listing."""
        seen = (
            (asset.id, asset.name, asset.digest)
            for release in listing.releases
            for asset in release.assets
            if asset.digest and asset.name.endswith(_DISTRIBUTIONS)
        )
        while some := list(islice(seen, NOTED_AT_ONCE)):
            await self._store.keep_seen(str(repository), some)

    async def find(self, credentials: Credentials, asset_id: str, filename: str) -> str | None:
        """The id of the asset with the name and the digest that `asset_id` had.

        The caller's own listing decides: None where it shows no such asset or several, where the old one was never
        seen, was another owner's, or had no digest.
        """
        seen = await self._store.seen(asset_id)
        if seen is None or seen.name != filename or seen.digest is None:
            return None
        owner, _, name = seen.repository.partition("/")
        if owner != credentials.owner:
            return None
        listing = await self._listing(credentials.token, Repository(credentials.owner, name))
        same = [
            asset.id
            for release in listing.releases
            for asset in release.assets
            if not release.is_draft and asset.name == filename and asset.digest == seen.digest
        ]
        return same[0] if len(same) == 1 else None
