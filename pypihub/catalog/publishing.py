"""Publishing: takes uploads, checks them, and has them delivered to GitHub, whoever hangs up meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import closing
from hashlib import sha256
from io import BytesIO
from typing import Any, BinaryIO, Protocol

from twisted.internet.defer import CancelledError, Deferred, DeferredList, DeferredSemaphore
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure

from pypihub.catalog.catalog import Catalog, check_owner
from pypihub.catalog.delivery import Delivery, Published
from pypihub.catalog.facts import asset_key
from pypihub.catalog.store import Store
from pypihub.catalog.turns import Turns
from pypihub.config import Publish
from pypihub.errors import ForbiddenError, NotFoundError, PyPIHubError, StoppingError, TokenRefusedError
from pypihub.github.credentials import Credentials, Token
from pypihub.github.releases import NewAsset, Releases, RestAsset
from pypihub.github.rest import GoneError, TakenError
from pypihub.index.mapping import Mapping
from pypihub.index.model import Listing
from pypihub.index.names import Repository
from pypihub.index.uploads import Received, Upload, read_upload
from pypihub.index.wheel import Metadata

_log = Logger("pypihub")

DELIVERED_AT_ONCE = 10
"""How many uploads are on their way to GitHub: they take places of those who read. How many there are at all
is for whoever takes them in to bound."""
CHECKED_AT_ONCE = 2
MOST_TRIES = 3
LONGEST_END = 20.0
"""Seconds for which the end waits for uploads under way, before it has them undone; and for that as many again."""


CheckArchive = Callable[[Upload, BinaryIO], Metadata | None]
"""Gives a wheel's METADATA; blocks while it reads the file, and raises UploadRefusedError."""


class GitHub(Protocol):
    """What publishing asks of GitHub; `pypihub.github.client.Client` does it over HTTP."""

    def listing(self, token: Token, repository: Repository) -> Awaitable[Listing]:
        """All releases of the repository that the token may see."""

    def releases(self, token: Token, name_with_owner: str) -> Releases:
        """The releases of a repository, to be written to."""


class Publishing:
    """Publishes files, one at a time in each repository.

    `pauses` are those of the client, in seconds: between two tries to undo what failed each is four times as long.
    """

    def __init__(
        self,
        catalog: Catalog,
        github: GitHub,
        mapping: Mapping,
        store: Store,
        rules: Publish,
        check_archive: CheckArchive,
        reactor: Any,
        *,
        pauses: Sequence[float],
    ) -> None:
        self._catalog = catalog
        self._github = github
        self._mapping = mapping
        self._store = store
        self._rules = rules
        self._check_archive = check_archive
        self._reactor = reactor
        self._pauses = [4 * pause for pause in pauses]
        self._turns = Turns()
        self._checks = DeferredSemaphore(CHECKED_AT_ONCE)
        self._deliveries = DeferredSemaphore(DELIVERED_AT_ONCE)
        self._under_way: set[Deferred[Published]] = set()
        self._is_stopped = False

    async def publish(self, credentials: Credentials, received: Received) -> Published:
        """Checks what came, and puts it into a release; `received.file` is closed in the end, whatever happens.

        Once it has begun it goes on where the caller is cancelled. Raises UploadRefusedError for what cannot be
        published, ForbiddenError without write access, StoppingError, and what `Catalog` raises.
        """
        try:
            self._catalog.admit(credentials)
            upload = read_upload(received)
            repository = self._mapping.repository(credentials.owner, upload.name)
            if self._is_stopped:
                raise StoppingError
        except BaseException:
            received.file.close()
            raise
        return await self._shielded(self._published(credentials, repository, upload, received.file))

    async def stop(self) -> None:
        """Takes no more, and waits for what is under way; what takes too long is undone."""
        self._is_stopped = True
        ending = DeferredList(list(self._under_way))
        timers = [self._reactor.callLater(turn * LONGEST_END, ending.cancel) for turn in (1, 2)]
        await ending
        for timer in timers:
            if timer.active():
                timer.cancel()

    def __len__(self) -> int:
        """The uploads under way."""
        return len(self._under_way)

    def _shielded(self, work: Coroutine[Deferred[Any], Any, Published]) -> Deferred[Published]:
        """What the work gives; it goes on where nobody waits for that any more."""
        waiter: Deferred[Published] = Deferred()
        working = Deferred.fromCoroutine(work)
        self._under_way.add(working)
        working.addBoth(self._ended, working, waiter)
        return waiter

    def _ended(self, result: Published | Failure, working: Deferred[Published], waiter: Deferred[Published]) -> None:
        self._under_way.discard(working)
        if isinstance(result, Failure) and result.check(CancelledError):
            result = Failure(StoppingError())
        if not waiter.called:
            waiter.callback(result)  # what was published, or a Failure
        elif isinstance(result, Failure) and not result.check(PyPIHubError):
            _log.failure("Publishing a file failed", result)

    async def _published(
        self, credentials: Credentials, repository: Repository, upload: Upload, file: BinaryIO
    ) -> Published:
        with closing(file):
            metadata = await self._checked(upload, file)
            async with self._turns.of(repository), self._deliveries:
                if self._is_stopped:
                    raise StoppingError
                published, asset = await self._delivered(credentials, repository, upload, file)
                if asset is not None:
                    await self._remember(upload, asset, metadata)
                self._catalog.changed(credentials.token, repository)
                return published

    async def _checked(self, upload: Upload, file: BinaryIO) -> Metadata | None:
        """The METADATA of a wheel that is sound, read in a thread."""
        async with self._checks:
            pool = self._reactor.getThreadPool()
            metadata: Metadata | None = await deferToThreadPool(self._reactor, pool, self._check_archive, upload, file)
        return metadata

    async def _delivered(
        self, credentials: Credentials, repository: Repository, upload: Upload, file: BinaryIO
    ) -> tuple[Published, RestAsset | None]:
        """What came of it, and the file's asset where it is new."""
        new = NewAsset(upload.filename, file, upload.size, upload.sha256)
        companions = [
            NewAsset(name, BytesIO(content), len(content), sha256(content).hexdigest())
            for name, content in upload.companions
        ]
        tries_left = MOST_TRIES
        while True:
            listing = await self._listing(credentials, repository)
            releases = self._github.releases(credentials.token, listing.name_with_owner)
            delivery = Delivery(releases, self._store, self._rules, upload, new, companions)
            tries_left -= 1
            try:
                return await self._catalog.asked(credentials, delivery.run(listing)), delivery.asset
            except Exception as error:  # whatever it is, and be it that nobody waits any more
                await self._undo(delivery, f"{upload.filename} in {listing.name_with_owner}")
                if not tries_left or not isinstance(error, GoneError | TakenError):
                    raise

    async def _listing(self, credentials: Credentials, repository: Repository) -> Listing:
        """The repository as it is now: what is kept may lack what others have just published."""
        try:
            listing = await self._catalog.asked(credentials, self._github.listing(credentials.token, repository))
        except NotFoundError as error:
            raise NotFoundError(f"{error.message} Files are published into repositories that exist.") from None
        check_owner(listing.name_with_owner, credentials.owner)
        return listing

    async def _undo(self, delivery: Delivery, what: str) -> None:
        """Leaves nothing behind, or says so."""
        for pause in (*self._pauses, None):
            try:
                await delivery.undo()
                break
            except PyPIHubError as error:
                is_hopeless = isinstance(error, TokenRefusedError | ForbiddenError)
                if pause is None or is_hopeless:
                    _log.warn("Publishing {what} may have left something behind: {why}", what=what, why=error.message)
                    break
                await deferLater(self._reactor, pause)

    async def _remember(self, upload: Upload, asset: RestAsset, metadata: Metadata | None) -> None:
        """Keeps what pages tell of the file, so that nobody has to read it for that."""
        key = asset_key(asset.node_id, asset.name, asset.digest, asset.size, asset.created_at)
        if metadata is not None:
            await self._store.keep_metadata(key, metadata.content, metadata.sha256, metadata.requires_python)
        if asset.digest is None:
            await self._store.keep_hash(key, upload.sha256)
