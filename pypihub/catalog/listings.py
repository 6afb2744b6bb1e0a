"""Listings, fresh or cached: each asked for once by all who want it, and kept while GitHub fails."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from itertools import count

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as WaitedTooLongError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from pypihub.catalog.flights import Flights
from pypihub.catalog.memory import Memory
from pypihub.catalog.snapshots import Snapshot, SnapshotKey, pack
from pypihub.errors import (
    BusyError,
    ForbiddenError,
    NotFoundError,
    PyPIHubError,
    RateLimitedError,
    TokenRefusedError,
    UpstreamError,
)
from pypihub.github.credentials import Token
from pypihub.github.tokens import TokenHasher
from pypihub.index.model import Listing
from pypihub.index.names import Repository
from pypihub.tally import Tally, for_nobody

_log = Logger("pypihub")

FRESHEST = 1.0
"""Seconds for which a listing serves also those who want it fresh."""
PATIENCE = 5.0
"""Seconds that a caller waits for GitHub where there is a stale listing: pip gives up after 15."""
PAUSE = 5.0
"""Seconds between two tries in the background for the same listing."""
MOST_MISSING = 10_000
_LISTING = "listing"
_RENEWED = 2 / 3  # of its life, after which a listing is renewed ahead
_TROUBLE = (UpstreamError, RateLimitedError, BusyError, WaitedTooLongError)


class Listings:
    """Snapshots of repositories by token. `ask` puts the question to GitHub.

    A snapshot is shown for `ttl` seconds; where GitHub has trouble, for `stale` seconds more. They live in `memory`,
    which others may share. The `tally` is told how each was had.
    """

    def __init__(
        self,
        ask: Callable[[Token, Repository], Awaitable[Listing]],
        hasher: TokenHasher,
        memory: Memory[object, object],
        reactor: IReactorTime,
        *,
        ttl: float,
        stale: float,
        tally: Tally | None = None,
    ) -> None:
        self._ask = ask
        self._hasher = hasher
        self._memory = memory
        self._reactor = reactor
        self._ttl = ttl
        self._stale = stale
        self._tally = tally or Tally()
        self._flights: Flights[SnapshotKey, Snapshot] = Flights()
        self._serials = count(1)
        self._missing: OrderedDict[SnapshotKey, tuple[float, str]] = OrderedDict()
        self._outdated: set[SnapshotKey] = set()  # of what is asked for now: it changed meanwhile

    async def snapshot(self, token: Token, repository: Repository, *, fresh: bool = False) -> Snapshot:
        """The repository as this token sees it; `fresh` for one that GitHub was asked for within a second.

        Raises what `ask` raises, unless that is trouble and there is a snapshot that may be shown meanwhile.
        """
        key, now = SnapshotKey(self._hasher(token), repository), self._reactor.seconds()
        held = self._held(key)
        if held is None:
            self._refuse_missing(key, now if not fresh else now + self._ttl - FRESHEST)
            return await self._miss(key, token)
        if held.until > now and not (fresh and now - held.seen >= FRESHEST):
            self._renew_ahead(key, token, held)
            self._tally.looked(_LISTING, "hit")
            return held
        if now - held.seen > self._ttl + self._stale:
            return await self._miss(key, token)
        if held.is_troubled:
            self._renew_ahead(key, token, held)
            self._tally.looked(_LISTING, "stale")
            return held
        return await self._wait_for_better(key, token, held)

    def is_current(self, token: Token, repository: Repository, serial: int) -> bool:
        """Whether the snapshot with this number may still be shown without asking GitHub."""
        held = self._held(SnapshotKey(self._hasher(token), repository))
        return held is not None and held.serial == serial and held.until > self._reactor.seconds()

    def end(self, token: Token) -> None:
        """Forgets all that the token saw: GitHub refuses it."""
        who = self._hasher(token)
        for key in self._memory.find(lambda key: isinstance(key, SnapshotKey) and key.who == who):
            self._end(key)

    def expire(self, token: Token, repository: Repository) -> None:
        """The repository was changed with this token: whoever asks with it from now on is shown that."""
        key = SnapshotKey(self._hasher(token), repository)
        self._end(key)
        self._missing.pop(key, None)
        if key in self._flights:
            self._outdated.add(key)

    def stop(self) -> None:
        """Ends what is under way; those who wait are told."""
        self._flights.stop()

    def __len__(self) -> int:
        """The calls under way."""
        return len(self._flights)

    def _held(self, key: SnapshotKey) -> Snapshot | None:
        held = self._memory.get(key)
        return held if isinstance(held, Snapshot) else None

    def _fly(self, key: SnapshotKey, token: Token) -> Deferred[Snapshot]:
        return self._flights.join(key, lambda: self._fetch(key, token))

    def _miss(self, key: SnapshotKey, token: Token) -> Deferred[Snapshot]:
        self._tally.looked(_LISTING, "miss")
        return self._fly(key, token)

    async def _wait_for_better(self, key: SnapshotKey, token: Token, held: Snapshot) -> Snapshot:
        """A new snapshot, or the one that there is where GitHub has trouble or takes long."""
        self._renew(key, token, held)  # it goes on where this caller waits no longer
        waiter = self._fly(key, token)
        waiter.addTimeout(PATIENCE, self._reactor)
        try:
            better = await waiter
        except _TROUBLE as error:
            if not held.is_troubled:
                held.is_troubled = True
                why = error.message if isinstance(error, PyPIHubError) else "it takes long to answer."
                _log.warn("A stale listing of {name} is shown: {why}", name=held.name_with_owner, why=why)
            self._tally.looked(_LISTING, "stale")
            return held
        self._tally.looked(_LISTING, "miss")
        return better

    def _renew_ahead(self, key: SnapshotKey, token: Token, held: Snapshot) -> None:
        """Asks when it is time to, with nobody waiting."""
        if self._reactor.seconds() >= held.renew_at:
            self._tally.looked(_LISTING, "refresh")
            for_nobody(lambda: self._renew(key, token, held))

    def _renew(self, key: SnapshotKey, token: Token, held: Snapshot) -> None:
        """Asks in the background, not again before a pause is over."""
        held.renew_at = self._reactor.seconds() + PAUSE
        self._fly(key, token).addErrback(_is_no_surprise)

    async def _fetch(self, key: SnapshotKey, token: Token) -> Snapshot:
        try:
            listing = await self._ask_until_current(key, token)
        except (TokenRefusedError, ForbiddenError):
            self._end(key)
            raise
        except NotFoundError as error:
            self._end(key)
            self._remember_missing(key, error.message)
            raise
        self._missing.pop(key, None)
        return self._keep(key, listing)

    async def _ask_until_current(self, key: SnapshotKey, token: Token) -> Listing:
        """GitHub's answer, asked for anew where the repository was changed from here meanwhile."""
        try:
            while True:
                self._outdated.discard(key)
                listing = await self._ask(token, key.repository)
                if key not in self._outdated:
                    return listing
        finally:
            self._outdated.discard(key)

    def _keep(self, key: SnapshotKey, listing: Listing) -> Snapshot:
        """The snapshot that is kept: the old one where nothing changed, and with it all that was made of it."""
        packed, now = pack(listing), self._reactor.seconds()
        until, renew_at = now + self._ttl, now + self._ttl * _RENEWED
        held = self._held(key)
        if held is not None and held.packed == packed:
            held.seen, held.until, held.renew_at, held.is_troubled = now, until, renew_at, False
            return held
        if held is not None:
            held.end()
        snapshot = Snapshot(next(self._serials), listing.name_with_owner, packed, now, until, renew_at)
        self._memory.put(key, snapshot, len(packed))
        return snapshot

    def _end(self, key: SnapshotKey | object) -> None:
        held = self._memory.get(key)
        if isinstance(held, Snapshot):
            held.end()
        self._memory.drop(key)

    def _remember_missing(self, key: SnapshotKey, message: str) -> None:
        self._missing[key] = self._reactor.seconds() + self._ttl, message
        self._missing.move_to_end(key)
        if len(self._missing) > MOST_MISSING:
            self._missing.popitem(last=False)

    def _refuse_missing(self, key: SnapshotKey, now: float) -> None:
        """Raises NotFoundError for a repository that GitHub did not show this token a moment ago."""
        until, message = self._missing.get(key, (0.0, ""))
        if until > now:
            self._tally.looked(_LISTING, "hit")
            raise NotFoundError(message)


def _is_no_surprise(failure: Failure) -> None:
    failure.trap(PyPIHubError, CancelledError)
