"""Pages, rendered once for each caller, page, type and encoding, and kept while they are good."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from packaging.utils import NormalizedName
from twisted.internet.interfaces import IReactorTime

from pypihub.catalog.catalog import Catalog
from pypihub.catalog.flights import Flights
from pypihub.catalog.memory import Memory
from pypihub.catalog.snapshots import Snapshot
from pypihub.github.credentials import Credentials
from pypihub.github.tokens import TokenHash, TokenHasher
from pypihub.index.legacy import describing_wheel, legacy_page, shown_version
from pypihub.index.names import Owner
from pypihub.index.negotiate import Format
from pypihub.index.simple import Page, project_page, root_page
from pypihub.web.ready import WORTH_IT, Encoding, Ready, ready_page

UNFINISHED = 0.5
"""Seconds for which a page serves while more is being found out about its files."""


@dataclass(frozen=True, slots=True)
class PageKey:
    """Whose page it is, which one (its path below the owner), and how it is written."""

    who: TokenHash
    owner: Owner
    path: str
    form: Format | None
    encoding: Encoding


@dataclass(frozen=True, slots=True)
class Wish:
    """What a caller says of any page: who they are, how it is to be encoded, and whether GitHub must be asked."""

    credentials: Credentials
    encoding: Encoding
    fresh: bool


@dataclass(frozen=True, slots=True)
class Found:
    """A page that is ready, and what it shows, which is stale where GitHub has trouble."""

    key: PageKey
    ready: Ready
    snapshot: Snapshot[Any]


Render = Callable[[], Awaitable[tuple[Page, bool]]]
"""Makes a page, and tells whether more is being found out for it."""


class Pages:
    """The pages of an owner. `lifetime` is in seconds, after which a page tells what was learned meanwhile.

    Every method raises what the catalog raises.
    """

    def __init__(
        self,
        catalog: Catalog,
        hasher: TokenHasher,
        memory: Memory[object, object],
        reactor: IReactorTime,
        *,
        lifetime: float,
    ) -> None:
        self._catalog = catalog
        self._hasher = hasher
        self._memory = memory
        self._reactor = reactor
        self._lifetime = lifetime
        self._flights: Flights[tuple[PageKey, Snapshot[Any]], Ready] = Flights()

    async def root(self, wish: Wish, form: Format) -> Found:
        """The page of all projects."""
        snapshot = await self._catalog.root(wish.credentials, fresh=wish.fresh)

        async def render() -> tuple[Page, bool]:
            return root_page((project.name for project in snapshot.content()), form), False

        return await self._find(self._key(wish, "simple", form), snapshot, render)

    async def project(self, wish: Wish, name: NormalizedName, form: Format) -> Found:
        """The page of a project's files."""
        snapshot = await self._catalog.snapshot(wish.credentials, name, fresh=wish.fresh)

        async def render() -> tuple[Page, bool]:
            project, is_pending = await self._catalog.project(wish.credentials, name, snapshot)
            return project_page(project, form), is_pending

        return await self._find(self._key(wish, f"simple/{name}", form), snapshot, render)

    async def legacy(self, wish: Wish, name: NormalizedName, version: str | None) -> Found:
        """The page of a project, or of one version of it, in the legacy JSON API."""
        snapshot = await self._catalog.snapshot(wish.credentials, name, fresh=wish.fresh)

        async def render() -> tuple[Page, bool]:
            project, is_pending = await self._catalog.project(wish.credentials, name, snapshot)
            shown = shown_version(project, version)
            wheel = describing_wheel(project, shown)
            metadata = await self._catalog.description(wish.credentials, wheel) if wheel else None
            if wheel and wheel.core_metadata is True:  # it was read just now, and tells more of the files
                project, is_pending = await self._catalog.project(wish.credentials, name, snapshot)
            return legacy_page(project, shown, metadata, is_whole=version is None), is_pending

        path = f"pypi/{name}" if version is None else f"pypi/{name}/{version}"
        return await self._find(self._key(wish, path, None), snapshot, render)

    def stop(self) -> None:
        """Ends what is being rendered."""
        self._flights.stop()

    def _key(self, wish: Wish, path: str, form: Format | None) -> PageKey:
        who = self._hasher(wish.credentials.token)
        return PageKey(who, wish.credentials.owner, path, form, wish.encoding)

    async def _find(self, key: PageKey, snapshot: Snapshot[Any], render: Render) -> Found:
        """The page as it was made for this snapshot, or made now."""
        ready = self._memory.get(key)
        is_good = isinstance(ready, Ready) and ready.snapshot is snapshot and ready.until > self._reactor.seconds()
        if not isinstance(ready, Ready) or not is_good:
            ready = await self._flights.join((key, snapshot), lambda: self._make(key, snapshot, render))
        return Found(key, ready, snapshot)

    async def _make(self, key: PageKey, snapshot: Snapshot[Any], render: Render) -> Ready:
        page, is_pending = await render()
        encoding = key.encoding if len(page.body) >= WORTH_IT else "identity"
        lifetime = min(UNFINISHED, self._lifetime) if is_pending else self._lifetime
        ready = ready_page(page, encoding, snapshot, self._reactor.seconds() + lifetime)
        self._memory.put(key, ready, ready.size)
        return ready
