"""Lock files keep URLs of assets. One that was replaced under the same name, with the same bytes, is still found."""

from __future__ import annotations

from itertools import islice

from pypihub.catalog.facts import SeenAsset
from pypihub.catalog.store import Store
from pypihub.index.model import Listing
from pypihub.index.names import SUFFIXES, Owner

NOTED_AT_ONCE = 500
"""Files at a time: those of a large repository take megabytes otherwise."""


class Successors:
    """Remembers which asset was what."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def note(self, listing: Listing) -> None:
        """Remembers the wheels and sdists of a listing."""
        seen = (
            (asset.id, asset.name, asset.digest)
            for release in listing.releases
            for asset in release.assets
            if asset.digest and asset.name.endswith(SUFFIXES)
        )
        while some := list(islice(seen, NOTED_AT_ONCE)):
            await self._store.keep_seen(listing.name_with_owner, some)

    async def remembered(self, owner: Owner, asset_id: str, filename: str) -> SeenAsset | None:
        """What the asset was: None where it was never seen, was another owner's or another file, or had no digest."""
        seen = await self._store.seen(asset_id)
        if seen is None or seen.name != filename or seen.digest is None:
            return None
        return seen if seen.repository.partition("/")[0] == owner else None


def successor_of(old: SeenAsset, listing: Listing) -> str | None:
    """The id of the one asset in the listing with the old one's name and digest; None for none or several."""
    same = [
        asset.id
        for release in listing.releases
        for asset in release.assets
        if not release.is_draft and asset.name == old.name and asset.digest == old.digest and asset.id != old.asset_id
    ]
    return same[0] if len(same) == 1 else None
