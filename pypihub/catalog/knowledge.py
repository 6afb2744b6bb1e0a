"""What PyPIHub knows of files beyond GitHub's listing, and where it keeps that."""

from __future__ import annotations

from collections.abc import Mapping

from twisted.internet.defer import Deferred

from pypihub.catalog.hashes import Hashes
from pypihub.catalog.lookups import Lookups
from pypihub.catalog.shown import Shown
from pypihub.catalog.store import Store
from pypihub.catalog.successors import Successors
from pypihub.catalog.wheels import Wheels
from pypihub.github.credentials import Token
from pypihub.index.model import Asset, Listing, Project


class Knowledge:
    """Completes projects by what is known of their files; what is missing is found out in the background."""

    def __init__(
        self, store: Store, lookups: Lookups, wheels: Wheels, hashes: Hashes, successors: Successors, shown: Shown
    ) -> None:
        self.lookups = lookups
        self.wheels = wheels
        self.successors = successors
        self.shown = shown
        self._store = store
        self._hashes = hashes

    async def open(self) -> None:
        """Opens the store."""
        await self._store.open()

    async def close(self) -> None:
        """Ends what goes on in the background and closes the store."""
        self.wheels.stop()
        self._hashes.stop()
        self.lookups.stop()
        await self._store.close()

    def note(self, listing: Listing) -> None:
        """Remembers what a new listing shows."""
        # Nobody waits for this one, and the store tells of its own troubles.
        Deferred.fromCoroutine(self.successors.note(listing))

    async def complete(self, token: Token, project: Project, assets: Mapping[str, Asset]) -> tuple[Project, bool]:
        """The project with all that is known of its files; `assets` are the listing's by their ids.

        Tells also whether more is being found out.
        """
        project, is_hashing = await self._hashes.complete(token, project, assets)
        project, is_reading = await self.wheels.describe(token, project, assets)
        return project, is_hashing or is_reading
