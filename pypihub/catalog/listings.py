"""Listings, fresh or cached: each asked for once by all who want it, and kept while GitHub fails."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Generic

import msgspec
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as WaitedTooLongError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from pypihub.catalog.flights import Flights
from pypihub.catalog.memory import Memory
from pypihub.catalog.snapshots import S, Snapshot, SnapshotKey, V, pack
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
from pypihub.tally import Tally, for_nobody

_log = Logger("pypihub")

FRESHEST = 1.0
"""Seconds for which a listing serves also those who want it fresh."""
PATIENCE = 5.0
"""Seconds that a caller waits for GitHub where there is a stale listing: pip gives up after 15."""
PAUSE = 5.0
"""Seconds between two tries in the background for the same listing."""
MOST_MISSING = 10_000
_RENEWED = 2 / 3  # of its life, after which a listing is renewed ahead
_TROUBLE = (UpstreamError, RateLimitedError, BusyError, WaitedTooLongError)


class Listings(Generic[S, V]):
    """Snapshots by token of what GitHub lists: a repository's releases, or an owner's projects.

    `ask` puts the question to GitHub, whose answer is a `kind`.

    A snapshot is shown for `ttl` seconds; where GitHub has trouble, for `stale` seconds more. They live in `memory`,
    which others may share. The `tally` is told how each was had, under the `name`.
    """

    def __init__(
        self,
        ask: Callable[[Token, S], Awaitable[V]],
        kind: type[V],
        hasher: TokenHasher,
        memory: Memory[object, object],
        reactor: IReactorTime,
        *,
        ttl: float,
        stale: float,
        name: str = "listing",
        tally: Tally | None = None,
    ) -> None:
        self._ask: Callable[[Token, S], Awaitable[V]] = ask
        self._decoder = msgspec.msgpack.Decoder(kind)
        self._hasher = hasher
        self._memory = memory
        self._reactor = reactor
        self._ttl = ttl
        self._stale = stale
        self._name = name
        self._tally = tally or Tally()
        self._flights: Flights[SnapshotKey[S], Snapshot[V]] = Flights()
        self._serials = count(1)
        self._missing: OrderedDict[SnapshotKey[S], tuple[float, str]] = OrderedDict()
        self._outdated: set[SnapshotKey[S]] = set()  # of what is asked for now: it changed meanwhile

    async def snapshot(self, token: Token, subject: S, *, fresh: bool = False) -> Snapshot[V]:
        """What this token sees; `fresh` for what GitHub was asked for within a second.

        Raises what `ask` raises, unless that is trouble and there is a snapshot that may be shown meanwhile.
        """
        key, now = SnapshotKey(self._hasher(token), subject), self._reactor.seconds()
        held = self._held(key)
        if held is None:
            self._refuse_missing(key, now if not fresh else now + self._ttl - FRESHEST)
            return await self._miss(key, token)
        if held.until > now and not (fresh and now - held.seen >= FRESHEST):
            self._renew_ahead(key, token, held)
            self._tally.looked(self._name, "hit")
            return held
        if now - held.seen > self._ttl + self._stale:
            return await self._miss(key, token)
        if held.is_troubled:
            self._renew_ahead(key, token, held)
            self._tally.looked(self._name, "stale")
            return held
        return await self._wait_for_better(key, token, held)

    def is_current(self, token: Token, subject: S, serial: int) -> bool:
        """Whether the snapshot with this number may still be shown without asking GitHub."""
        held = self._held(SnapshotKey(self._hasher(token), subject))
        return held is not None and held.serial == serial and held.until > self._reactor.seconds()

    def end(self, token: Token) -> None:
        """Forgets all that the token saw, be it in other `Listings` of this memory: GitHub refuses it."""
        who = self._hasher(token)
        for key in self._memory.find(lambda key: isinstance(key, SnapshotKey) and key.who == who):
            self._end(key)

    def expire(self, token: Token, subject: S) -> None:
        """It was changed with this token: whoever asks with it from now on is shown that."""
        key = SnapshotKey(self._hasher(token), subject)
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

    def _held(self, key: SnapshotKey[S]) -> Snapshot[V] | None:
        held = self._memory.get(key)
        return held if isinstance(held, Snapshot) else None

    def _fly(self, key: SnapshotKey[S], token: Token) -> Deferred[Snapshot[V]]:
        return self._flights.join(key, lambda: self._fetch(key, token))

    def _miss(self, key: SnapshotKey[S], token: Token) -> Deferred[Snapshot[V]]:
        self._tally.looked(self._name, "miss")
        return self._fly(key, token)

    async def _wait_for_better(self, key: SnapshotKey[S], token: Token, held: Snapshot[V]) -> Snapshot[V]:
        """A new snapshot, or the one that there is where GitHub has trouble or takes long."""
        self._renew(key, token, held)  # it goes on where this caller waits no longer
        waiter = self._fly(key, token)
        waiter.addTimeout(PATIENCE, self._reactor)
        try:
            better = await waiter
        except _TROUBLE as error:
            if held.is_ended:  # while this waited the token was refused, or something published with it
                return await self._miss(key, token)
            if not held.is_troubled:
                held.is_troubled = True
                why = error.message if isinstance(error, PyPIHubError) else "it takes long to answer."
                _log.warn("A stale listing of {name} is shown: {why}", name=key.subject, why=why)
            self._tally.looked(self._name, "stale")
            return held
        self._tally.looked(self._name, "miss")
        return better

    def _renew_ahead(self, key: SnapshotKey[S], token: Token, held: Snapshot[V]) -> None:
        """Asks when it is time to, with nobody waiting."""
        if self._reactor.seconds() >= held.renew_at:
            self._tally.looked(self._name, "refresh")
            for_nobody(lambda: self._renew(key, token, held))

    def _renew(self, key: SnapshotKey[S], token: Token, held: Snapshot[V]) -> None:
        """Asks in the background, not again before a pause is over."""
        held.renew_at = self._reactor.seconds() + PAUSE
        self._fly(key, token).addErrback(_is_no_surprise)

    async def _fetch(self, key: SnapshotKey[S], token: Token) -> Snapshot[V]:
        try:
            content = await self._ask_until_current(key, token)
        except (TokenRefusedError, ForbiddenError):
            self._end(key)
            raise
        except NotFoundError as error:
            self._end(key)
            self._remember_missing(key, error.message)
            raise
        self._missing.pop(key, None)
        return self._keep(key, content)

    async def _ask_until_current(self, key: SnapshotKey[S], token: Token) -> V:
        """GitHub's answer, asked for anew where something was changed from here meanwhile."""
        try:
            while True:
                self._outdated.discard(key)
                content = await self._ask(token, key.subject)
                if key not in self._outdated:
                    return content
        finally:
            self._outdated.discard(key)

    def _keep(self, key: SnapshotKey[S], content: V) -> Snapshot[V]:
        """The snapshot that is kept: the old one where nothing changed, and with it all that was made of it."""
        packed, now = pack(content), self._reactor.seconds()
        until, renew_at = now + self._ttl, now + self._ttl * _RENEWED
        held = self._held(key)
        if held is not None and held.packed == packed:
            held.seen, held.until, held.renew_at, held.is_troubled = now, until, renew_at, False
            return held
        if held is not None:
            held.end()
        snapshot = Snapshot(next(self._serials), packed, self._decoder, now, until, renew_at)
        self._memory.put(key, snapshot, len(packed))
        return snapshot

    def _end(self, key: object) -> None:
        held = self._memory.get(key)
        if isinstance(held, Snapshot):
            held.end()
        self._memory.drop(key)

    def _remember_missing(self, key: SnapshotKey[S], message: str) -> None:
        self._missing[key] = self._reactor.seconds() + self._ttl, message
        self._missing.move_to_end(key)
        if len(self._missing) > MOST_MISSING:
            self._missing.popitem(last=False)

    def _refuse_missing(self, key: SnapshotKey[S], now: float) -> None:
        """Raises NotFoundError for what GitHub did not show this token a moment ago."""
        until, message = self._missing.get(key, (0.0, ""))
        if until > now:
            self._tally.looked(self._name, "hit")
            raise NotFoundError(message)


def _is_no_surprise(failure: Failure) -> None:
    failure.trap(PyPIHubError, CancelledError)
