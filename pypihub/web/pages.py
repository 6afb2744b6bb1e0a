"""Pages, rendered once for each caller, page, type and encoding, and kept while they are good."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from packaging.utils import NormalizedName
from packaging.version import Version
from twisted.internet.interfaces import IReactorTime

from pypihub.catalog.catalog import Catalog
from pypihub.catalog.flights import Flights
from pypihub.catalog.memory import Memory
from pypihub.catalog.roots import ListedProjects
from pypihub.catalog.snapshots import Snapshot
from pypihub.catalog.threads import Threads
from pypihub.errors import UpstreamError
from pypihub.github.credentials import Credentials
from pypihub.github.tokens import TokenHash, TokenHasher
from pypihub.index.legacy import describing_wheel, legacy_page, shown_version
from pypihub.index.model import Listing, Project
from pypihub.index.names import Owner
from pypihub.index.negotiate import Format
from pypihub.index.simple import Page, project_page, root_page
from pypihub.tally import Tally
from pypihub.web.ready import WORTH_IT, Encoding, Ready, ready_page

_PEOPLE = " for people"  # behind a path, where the page differs from that for tools
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
    """What a caller says of any page: who they are, how it is to be encoded, and whether GitHub must be asked.

    It is `for_people` where a browser asks.
    """

    credentials: Credentials
    encoding: Encoding
    fresh: bool
    for_people: bool


@dataclass(frozen=True, slots=True)
class Found:
    """A page that is ready, and what it shows, which is stale where GitHub has trouble."""

    key: PageKey
    ready: Ready
    snapshot: Snapshot[Any]


@dataclass(frozen=True, slots=True)
class Told:
    """A project, the version of it that is shown, METADATA of that, and whether more is being found out.

    It is `unread` where there may be METADATA that GitHub did not give.
    """

    project: Project
    version: Version
    metadata: bytes | None
    is_pending: bool
    unread: bool = False


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
        threads: Threads,
        reactor: IReactorTime,
        *,
        lifetime: float,
        tally: Tally | None = None,
    ) -> None:
        self._catalog = catalog
        self._hasher = hasher
        self._memory = memory
        self._threads = threads
        self._reactor = reactor
        self._lifetime = lifetime
        self._tally = tally or Tally()
        self._flights: Flights[tuple[PageKey, Snapshot[Any]], Ready] = Flights()

    async def root(self, wish: Wish, form: Format) -> Found:
        """The page of all projects."""
        snapshot = await self._catalog.root(wish.credentials, fresh=wish.fresh)

        for_people = wish.for_people and form is Format.TEXT_HTML

        async def render() -> tuple[Page, bool]:
            return await self._threads.do(snapshot.size, partial(_root_page, snapshot, form, for_people)), False

        return await self.find(wish, "simple" + _PEOPLE * for_people, form, snapshot, render)

    async def project(self, wish: Wish, name: NormalizedName, form: Format) -> Found:
        """The page of a project's files."""
        snapshot = await self._catalog.snapshot(wish.credentials, name, fresh=wish.fresh)
        for_people = wish.for_people and form is Format.TEXT_HTML

        async def render() -> tuple[Page, bool]:
            project, is_pending = await self._catalog.project(wish.credentials, name, snapshot)
            page = partial(project_page, project, form, for_people=for_people)
            return await self._threads.do(snapshot.size, page), is_pending

        return await self.find(wish, f"simple/{name}" + _PEOPLE * for_people, form, snapshot, render)

    async def legacy(self, wish: Wish, name: NormalizedName, version: str | None) -> Found:
        """The page of a project, or of one version of it, in the legacy JSON API."""
        snapshot = await self._catalog.snapshot(wish.credentials, name, fresh=wish.fresh)

        async def render() -> tuple[Page, bool]:
            told = await self.tell(wish.credentials, name, snapshot, version)
            page = partial(legacy_page, told.project, told.version, told.metadata, is_whole=version is None)
            return await self._threads.do(snapshot.size, page), told.is_pending

        path = f"pypi/{name}" if version is None else f"pypi/{name}/{version}"
        return await self.find(wish, path, None, snapshot, render)

    async def tell(
        self,
        credentials: Credentials,
        name: NormalizedName,
        snapshot: Snapshot[Listing],
        version: str | None,
        *,
        even_unread: bool = False,
    ) -> Told:
        """The project with METADATA of the version, or of the newest; NotFoundError where there is no such version.

        With `even_unread` it is told without METADATA where GitHub does not give that just now.
        """
        project, is_pending = await self._catalog.project(credentials, name, snapshot)
        shown = shown_version(project, version)
        wheel = describing_wheel(project, shown)
        try:
            metadata = await self._catalog.description(credentials, wheel) if wheel else None
        except UpstreamError:
            if not even_unread:
                raise
            return Told(project, shown, None, is_pending=True, unread=True)
        if wheel and wheel.core_metadata is True:  # it was read just now, and tells more of the files
            project, is_pending = await self._catalog.project(credentials, name, snapshot)
        return Told(project, shown, metadata, is_pending)

    def stop(self) -> None:
        """Ends what is being rendered."""
        self._flights.stop()

    async def find(self, wish: Wish, path: str, form: Format | None, snapshot: Snapshot[Any], render: Render) -> Found:
        """The page at `path` below the owner as it was made for this snapshot, or made now."""
        who = self._hasher(wish.credentials.token)
        key = PageKey(who, wish.credentials.owner, path, form, wish.encoding)
        ready = self._memory.get(key)
        is_good = isinstance(ready, Ready) and ready.snapshot is snapshot and ready.until > self._reactor.seconds()
        self._tally.looks["page", "hit" if is_good else "miss"] += 1  # the visit is told of the listing
        if not isinstance(ready, Ready) or not is_good:
            ready = await self._flights.join((key, snapshot), lambda: self._make(key, snapshot, render))
        return Found(key, ready, snapshot)

    async def _make(self, key: PageKey, snapshot: Snapshot[Any], render: Render) -> Ready:
        page, is_pending = await render()
        encoding = key.encoding if len(page.body) >= WORTH_IT else "identity"
        lifetime = min(UNFINISHED, self._lifetime) if is_pending else self._lifetime
        until = self._reactor.seconds() + lifetime
        ready = await self._threads.do(len(page.body), partial(ready_page, page, encoding, snapshot, until))
        self._memory.put(key, ready, ready.size)
        return ready


def _root_page(snapshot: Snapshot[ListedProjects], form: Format, for_people: bool) -> Page:
    return root_page((project.name for project in snapshot.content()), form, for_people=for_people)
