"""The catalog: answers what a caller may see, from GitHub's listing under the caller's own token."""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Mapping
from typing import Protocol, TypeVar

from packaging.utils import NormalizedName

from pypihub.catalog.knowledge import Knowledge
from pypihub.catalog.listings import Listings
from pypihub.catalog.roots import ListedProjects
from pypihub.catalog.shown import ShownFile
from pypihub.catalog.snapshots import Snapshot
from pypihub.catalog.successors import successor_of
from pypihub.catalog.threads import Threads
from pypihub.catalog.tokens import RefusedTokens
from pypihub.errors import NotFoundError, OwnerNotServedError, TokenRefusedError, UpstreamError
from pypihub.github.breaker import BreakerOpenError
from pypihub.github.credentials import Credentials, SignedURL, Source, Token
from pypihub.github.decoding import ReleaseAsset
from pypihub.github.downloads import Download
from pypihub.github.nodes import check_node_id
from pypihub.index.mapping import Mapping as NameMapping
from pypihub.index.model import File, Listing, Project, project_of
from pypihub.index.names import Owner, Repository

T = TypeVar("T")


class GitHub(Protocol):
    """What the catalog asks of GitHub; `pypihub.github.client.Client` does it over HTTP."""

    def source(self, token: Token, asset: ReleaseAsset) -> Awaitable[Source]:
        """Where the asset's bytes can be had for a few minutes."""

    def open(self, source: Source, size: int, wanted: Mapping[str, str]) -> Awaitable[Download]:
        """The bytes as they come; `wanted` are the reader's Range and If-Range headers."""


class Catalog:
    """Projects and files by owner, for callers with a token. `owners` are served, all where it is empty.

    Every method raises OwnerNotServedError, TokenRefusedError, NotFoundError, and what `GitHub` raises.
    """

    def __init__(
        self,
        github: GitHub,
        mapping: NameMapping,
        refused: RefusedTokens,
        listings: Listings[Repository, Listing],
        roots: Listings[Owner, ListedProjects],
        knowledge: Knowledge,
        threads: Threads,
        owners: Collection[Owner] = (),
    ) -> None:
        self._github = github
        self._mapping = mapping
        self._refused = refused
        self._listings = listings
        self._roots = roots
        self._knowledge = knowledge
        self._threads = threads
        self._owners = frozenset(owners)

    def admit(self, credentials: Credentials) -> None:
        """Raises the error for a caller who is turned away without asking GitHub."""
        if self._owners and credentials.owner not in self._owners:
            raise OwnerNotServedError(f"This server does not serve {credentials.owner}'s packages.")
        self._refused.check(credentials.token)

    async def snapshot(
        self, credentials: Credentials, name: NormalizedName, *, fresh: bool = False
    ) -> Snapshot[Listing]:
        """The listing of the project's repository; `fresh` for one that GitHub was asked for within a second."""
        self.admit(credentials)
        repository = self._mapping.repository(credentials.owner, name)
        return await self.asked(credentials, self._listings.snapshot(credentials.token, repository, fresh=fresh))

    async def root(self, credentials: Credentials, *, fresh: bool = False) -> Snapshot[ListedProjects]:
        """The owner's projects; `fresh` as for `snapshot`."""
        self.admit(credentials)
        return await self.asked(credentials, self._roots.snapshot(credentials.token, credentials.owner, fresh=fresh))

    def changed(self, token: Token, repository: Repository) -> None:
        """The repository was changed with this token, which is shown that from now on."""
        self._listings.expire(token, repository)
        self._roots.expire(token, repository.owner)

    async def project(
        self, credentials: Credentials, name: NormalizedName, snapshot: Snapshot[Listing]
    ) -> tuple[Project, bool]:
        """The project with its files of all releases in the snapshot, and whether more is being found out of them."""
        repository = self._mapping.repository(credentials.owner, name)
        listing, project = await self._threads.do(snapshot.size, lambda: _read(snapshot, name))
        if not project.files:
            raise NotFoundError(f"No release of {repository} holds a wheel or an sdist of {name}.")
        assets = {asset.id: asset for release in listing.releases for asset in release.assets}
        project, is_pending = await self._knowledge.complete(credentials.token, project, assets)
        self._knowledge.shown.note(credentials, project.files, assets, repository, snapshot.serial)
        if not snapshot.is_noted:  # not before: the page's own questions to the store would stand behind it
            snapshot.is_noted = True
            self._knowledge.note(listing)
        return project, is_pending

    async def asset(self, credentials: Credentials, asset_id: str, filename: str) -> ReleaseAsset:
        """The file behind an asset's URL: id, name and owner must agree, and a draft's are not shown."""
        self.admit(credentials)
        asset = await self.asked(credentials, self._find(credentials, check_node_id(asset_id), filename))
        check_owner(asset.name_with_owner, credentials.owner)
        if asset.is_draft or asset.name != filename or not asset.size:
            raise NotFoundError("There is no such file. Read the project's page again for its current URL.")
        return asset

    async def size(self, credentials: Credentials, asset_id: str, filename: str) -> int:
        """The file's size in bytes; GitHub is not asked where the caller's own listing shows it."""
        self.admit(credentials)
        shown = self._shown(credentials, asset_id, filename)
        return shown.size if shown is not None else (await self.asset(credentials, asset_id, filename)).size

    async def metadata(self, credentials: Credentials, asset_id: str, filename: str) -> bytes:
        """A wheel's METADATA, checked like `asset`; GitHub is not asked where the caller's own listing shows it."""
        if not filename.endswith(".whl"):
            raise NotFoundError("Only wheels have METADATA beside them.")
        self.admit(credentials)
        shown = self._shown(credentials, asset_id, filename)
        known = await self._knowledge.wheels.known(shown.key) if shown is not None else None
        if known is not None:
            return known
        asset = await self.asset(credentials, asset_id, filename)
        return await self.asked(credentials, self._knowledge.wheels.metadata(credentials.token, asset))

    async def description(self, credentials: Credentials, wheel: File) -> bytes | None:
        """METADATA of a wheel that `project` gave this caller; None where it turns out to have none."""
        shown = self._knowledge.shown.find(credentials, wheel.asset_id, wheel.filename)
        try:
            known = await self._knowledge.wheels.known(shown.key) if shown is not None else None
            return known if known is not None else await self.metadata(credentials, wheel.asset_id, wheel.filename)
        except NotFoundError:
            return None

    async def download_url(self, credentials: Credentials, asset_id: str, filename: str) -> tuple[SignedURL, float]:
        """The temporary URL of the file's bytes, and up to when it may be used; the same checks as for `asset`."""
        asset = await self.asset(credentials, asset_id, filename)
        source = await self.asked(credentials, self._github.source(credentials.token, asset))
        if source.token is not None:
            raise UpstreamError("This GitHub sends files itself, with no URL for them. Set downloads.mode to proxy.")
        return source.url, self._knowledge.lookups.until(credentials.token, asset.id)

    async def download(
        self, credentials: Credentials, asset_id: str, filename: str, wanted: Mapping[str, str]
    ) -> Download:
        """The file's bytes as they come, or what `wanted` (Range, If-Range) says of them; checked like `asset`."""
        asset = await self.asset(credentials, asset_id, filename)
        source = await self.asked(credentials, self._github.source(credentials.token, asset))
        try:
            return await self._github.open(source, asset.size, wanted)
        except BreakerOpenError:
            raise
        except UpstreamError:
            self._knowledge.lookups.forget(credentials.token, asset.id)  # its URL may have expired
            raise

    def _shown(self, credentials: Credentials, asset_id: str, filename: str) -> ShownFile | None:
        """The file as a listing shows it that still counts for this caller."""
        shown = self._knowledge.shown.find(credentials, asset_id, filename)
        is_current = shown is not None and self._listings.is_current(credentials.token, shown.repository, shown.serial)
        return shown if is_current else None

    async def _find(self, credentials: Credentials, asset_id: str, filename: str) -> ReleaseAsset:
        """The asset, or the one that took its place with the same name and bytes."""
        try:
            return await self._knowledge.lookups.asset(credentials.token, asset_id, filename)
        except NotFoundError:
            old = await self._knowledge.successors.remembered(credentials.owner, asset_id, filename)
            if old is None:
                raise
            repository = Repository(credentials.owner, old.repository.partition("/")[2])
            snapshot = await self._listings.snapshot(credentials.token, repository, fresh=True)
            successor = await self._threads.do(snapshot.size, lambda: successor_of(old, snapshot.content()))
            if successor is None:
                raise
        return await self._knowledge.lookups.asset(credentials.token, successor, filename)

    async def asked(self, credentials: Credentials, question: Awaitable[T]) -> T:
        """What GitHub answers; where it refuses the token, that is remembered, and what the token saw forgotten."""
        try:
            return await question
        except TokenRefusedError:
            self._refused.add(credentials.token)
            self._listings.end(credentials.token)
            raise


def _read(snapshot: Snapshot[Listing], name: NormalizedName) -> tuple[Listing, Project]:
    listing = snapshot.content()
    return listing, project_of(listing, name)


def check_owner(name_with_owner: str, owner: Owner) -> None:
    """A repository that moved to another owner still resolves on GitHub; here it is its new owner's."""
    if name_with_owner.partition("/")[0].lower() != owner:
        raise NotFoundError(f"This does not belong to {owner}.")
