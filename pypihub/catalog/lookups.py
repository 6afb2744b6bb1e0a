"""Look-ups of assets: those of one token that come together share one call, and what was found serves a minute."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Sequence
from typing import Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from pypihub.errors import PyPIHubError, StoppingError
from pypihub.github.credentials import Token
from pypihub.github.decoding import ReleaseAsset
from pypihub.github.tokens import TokenHash, TokenHasher

MOST_AT_ONCE = 100
"""Nodes that one call asks for; GitHub allows 100."""


class FindAssets(Protocol):
    """Asks GitHub for assets by their node ids: each of them, or its own error."""

    def __call__(self, token: Token, ids: Sequence[str]) -> Awaitable[tuple[ReleaseAsset | PyPIHubError, ...]]: ...


_Queue = dict[str, list[Deferred[ReleaseAsset]]]
"""Who waits for which asset of one token. While a call is under way the next ones gather here."""


class Lookups:
    """Finds assets for their callers. What one token found is never another's.

    An asset with its signed URL is kept for `lifetime` seconds, up to `size` of them.
    """

    def __init__(
        self,
        find: FindAssets,
        hasher: TokenHasher,
        reactor: IReactorTime,
        *,
        lifetime: float = 60,
        size: int = 10_000,
    ) -> None:
        self._find = find
        self._hasher = hasher
        self._reactor = reactor
        self._lifetime = lifetime
        self._size = size
        self._found: OrderedDict[tuple[TokenHash, str], tuple[float, ReleaseAsset]] = OrderedDict()
        self._queues: dict[TokenHash, _Queue] = {}
        self._workers: dict[TokenHash, Deferred[None]] = {}
        self._stopped = False

    async def asset(self, token: Token, asset_id: str) -> ReleaseAsset:
        """The asset with this node id, as GitHub showed it to this token; raises what GitHub's answer stands for."""
        key = self._hasher(token), asset_id
        until, asset = self._found.get(key, (0.0, None))
        if asset is not None and until > self._reactor.seconds():
            return asset
        if self._stopped:
            raise StoppingError
        return await self._join(token, *key)

    def stop(self) -> None:
        """Ends what is under way and takes no more; those who wait are told."""
        self._stopped = True
        for who, worker in list(self._workers.items()):
            waiters = [waiter for waiting in self._queues[who].values() for waiter in waiting]
            self._queues[who].clear()
            for waiter in waiters:
                waiter.errback(StoppingError())
            worker.addErrback(_over).cancel()

    def forget(self, token: Token, asset_id: str) -> None:
        """Asks anew the next time: the signed URL did not serve."""
        self._found.pop((self._hasher(token), asset_id), None)

    def _join(self, token: Token, who: TokenHash, asset_id: str) -> Deferred[ReleaseAsset]:
        """Each waiter has a Deferred of its own, so that one who hangs up takes nothing from the others."""
        queue = self._queues.get(who)
        if queue is None:
            queue = self._queues[who] = {}
            # Not at once: what arrives in the same turn of the reactor goes into the same call.
            turn: Deferred[None] = deferLater(self._reactor, 0)
            self._workers[who] = Deferred.fromCoroutine(self._work(token, who, queue, turn))
        waiter: Deferred[ReleaseAsset] = Deferred(lambda left: _leave(queue, asset_id, left))
        queue.setdefault(asset_id, []).append(waiter)
        return waiter

    async def _work(self, token: Token, who: TokenHash, queue: _Queue, turn: Deferred[None]) -> None:
        """Asks for all that waits, a hundred at a time, until nobody waits any more."""
        try:
            await turn
            await self._ask_for_all(token, who, queue)
        finally:
            del self._queues[who], self._workers[who]

    async def _ask_for_all(self, token: Token, who: TokenHash, queue: _Queue) -> None:
        while queue:
            batch = {asset_id: queue.pop(asset_id) for asset_id in list(queue)[:MOST_AT_ONCE]}
            answers: Sequence[ReleaseAsset | Exception]
            try:
                answers = await self._find(token, list(batch))
            except CancelledError:
                answers = [StoppingError()] * len(batch)
            except Exception as error:  # whatever it is, each waiter is told
                answers = [error] * len(batch)
            for asset_id, answer in zip(batch, answers, strict=True):
                self._tell(who, asset_id, answer, batch[asset_id])

    def _tell(
        self, who: TokenHash, asset_id: str, answer: ReleaseAsset | Exception, waiters: list[Deferred[ReleaseAsset]]
    ) -> None:
        if isinstance(answer, ReleaseAsset):
            self._found[who, asset_id] = self._reactor.seconds() + self._lifetime, answer
            self._found.move_to_end((who, asset_id))
            if len(self._found) > self._size:
                self._found.popitem(last=False)
        for waiter in waiters:
            if not waiter.called:
                waiter.callback(answer) if isinstance(answer, ReleaseAsset) else waiter.errback(answer)


def _over(failure: Failure) -> None:
    failure.trap(CancelledError)


def _leave(queue: _Queue, asset_id: str, waiter: Deferred[ReleaseAsset]) -> None:
    waiters = queue.get(asset_id, [])
    if waiter in waiters:
        waiters.remove(waiter)
        if not waiters:
            del queue[asset_id]
