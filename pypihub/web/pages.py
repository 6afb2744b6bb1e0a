"""Pages, rendered once for each caller, project, type and encoding, and kept while they are good."""

from __future__ import annotations

from dataclasses import dataclass

from packaging.utils import NormalizedName
from twisted.internet.interfaces import IReactorTime

from pypihub.catalog.catalog import Catalog
from pypihub.catalog.flights import Flights
from pypihub.catalog.memory import Memory
from pypihub.catalog.snapshots import Snapshot
from pypihub.github.credentials import Credentials
from pypihub.github.tokens import TokenHash, TokenHasher
from pypihub.index.names import Owner
from pypihub.index.negotiate import Format
from pypihub.index.simple import project_page
from pypihub.tally import Tally
from pypihub.web.ready import WORTH_IT, Encoding, Ready, ready_page

UNFINISHED = 0.5
"""Seconds for which a page serves while more is being found out about its files."""


@dataclass(frozen=True, slots=True)
class PageKey:
    """Whose page it is, and which."""

    who: TokenHash
    owner: Owner
    name: NormalizedName
    form: Format
    encoding: Encoding


class Pages:
    """The pages of projects. `lifetime` is in seconds, after which a page tells what was learned meanwhile."""

    def __init__(
        self,
        catalog: Catalog,
        hasher: TokenHasher,
        memory: Memory[object, object],
        reactor: IReactorTime,
        *,
        lifetime: float,
        tally: Tally | None = None,
    ) -> None:
        self._catalog = catalog
        self._hasher = hasher
        self._memory = memory
        self._reactor = reactor
        self._lifetime = lifetime
        self._tally = tally or Tally()
        self._flights: Flights[tuple[PageKey, Snapshot], Ready] = Flights()

    async def page(
        self, credentials: Credentials, name: NormalizedName, form: Format, encoding: Encoding, *, fresh: bool
    ) -> tuple[PageKey, Ready, Snapshot]:
        """The project's page, and the snapshot that it shows, which is stale where GitHub has trouble.

        Raises what `Catalog.snapshot` and `Catalog.project` raise.
        """
        snapshot = await self._catalog.snapshot(credentials, name, fresh=fresh)
        key = PageKey(self._hasher(credentials.token), credentials.owner, name, form, encoding)
        ready = self._memory.get(key)
        is_good = isinstance(ready, Ready) and ready.snapshot is snapshot and ready.until > self._reactor.seconds()
        self._tally.looks["page", "hit" if is_good else "miss"] += 1  # the visit is told of the listing
        if not isinstance(ready, Ready) or not is_good:
            ready = await self._flights.join((key, snapshot), lambda: self._render(key, credentials, snapshot))
        return key, ready, snapshot

    def stop(self) -> None:
        """Ends what is being rendered."""
        self._flights.stop()

    async def _render(self, key: PageKey, credentials: Credentials, snapshot: Snapshot) -> Ready:
        project, is_pending = await self._catalog.project(credentials, key.name, snapshot)
        page = project_page(project, key.form)
        encoding = key.encoding if len(page.body) >= WORTH_IT else "identity"
        lifetime = min(UNFINISHED, self._lifetime) if is_pending else self._lifetime
        ready = ready_page(page, encoding, snapshot, self._reactor.seconds() + lifetime)
        self._memory.put(key, ready, ready.size)
        return ready
