"""Look-ups of assets: those of one token that come together share one call, and what was found serves a minute."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Coroutine, Sequence
from contextvars import Context, copy_context
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from pypihub.errors import PyPIHubError, StoppingError
from pypihub.github.credentials import Token
from pypihub.github.decoding import ReleaseAsset
from pypihub.github.tokens import TokenHash, TokenHasher
from pypihub.tally import Tally, for_nobody

MOST_AT_ONCE = 100
"""Nodes that one call asks for; GitHub allows 100."""
MANY = 10
"""So many do not wait for a call that is under way: it may be one for a few, who came a moment before."""
MOST_CALLS = 3
"""Calls of one token at the same time."""
GATHERING = 0.01
"""Seconds in which those gather who do not wait for a call that is under way."""

MOMENT = 5.0
"""Seconds for which an asset with another name than the wanted one is not asked for again."""


class FindAssets(Protocol):
    """Asks GitHub for assets by their node ids: each of them, or its own error."""

    def __call__(self, token: Token, ids: Sequence[str]) -> Awaitable[tuple[ReleaseAsset | PyPIHubError, ...]]: ...


_Waiters = dict[str, list[Deferred[ReleaseAsset]]]
"""Who waits for which asset."""


class _Queue:
    """Who waits with one token: for the calls that are under way, and for the next one, which gathers meanwhile."""

    def __init__(self, token: Token, who: TokenHash) -> None:
        self.token = token
        self.who = who
        self.asked: list[_Waiters] = []
        self.waiting: _Waiters = {}
        self.calls: set[Deferred[None]] = set()
        self.next: IDelayedCall | None = None
        self._context = Context()  # of the first who waits for the next call

    def add(self, asset_id: str) -> Deferred[ReleaseAsset]:
        """A new waiter with a Deferred of its own, so that one who hangs up takes nothing from the others."""
        waiter: Deferred[ReleaseAsset] = Deferred(lambda left: self._leave(asset_id, left))
        if not self.waiting:
            self._context = copy_context()
        waiters = next((asked for asked in self.asked if asset_id in asked), self.waiting)
        waiters.setdefault(asset_id, []).append(waiter)
        return waiter

    def take(self) -> _Waiters:
        """The next call's, a hundred at most."""
        return {asset_id: self.waiting.pop(asset_id) for asset_id in list(self.waiting)[:MOST_AT_ONCE]}

    def begin(self, call: Coroutine[Deferred[Any], Any, None]) -> Deferred[None]:
        """Begins a call, for the first of those who wait for it: its visit is told."""
        return self._context.copy().run(Deferred.fromCoroutine, call)

    def _leave(self, asset_id: str, waiter: Deferred[ReleaseAsset]) -> None:
        waiters = self.waiting.get(asset_id, [])
        if waiter in waiters:
            waiters.remove(waiter)
            if not waiters:
                del self.waiting[asset_id]


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
        tally: Tally | None = None,
    ) -> None:
        self._find = find
        self._hasher = hasher
        self._reactor = reactor
        self._lifetime = lifetime
        self._size = size
        self._tally = tally or Tally()
        self._found: OrderedDict[tuple[TokenHash, str], tuple[float, ReleaseAsset]] = OrderedDict()
        self._queues: dict[TokenHash, _Queue] = {}
        self._stopped = False

    async def asset(self, token: Token, asset_id: str, name: str) -> ReleaseAsset:
        """The asset with this node id, as GitHub showed it to this token; raises what GitHub's answer stands for.

        What was found before under another `name` serves for a moment only: it may have been renamed.
        """
        key, now = (self._hasher(token), asset_id), self._reactor.seconds()
        until, asset = self._found.get(key, (0.0, None))
        if asset is not None and now < (until if asset.name == name else until - self._lifetime + MOMENT):
            self._tally.looked("lookup", "hit")
            return asset
        self._tally.looked("lookup", "miss")
        if self._stopped:
            raise StoppingError
        return await self._join(token, *key)

    def find_ahead(self, token: Token, asset_id: str, name: str) -> None:
        """Begins to look the asset up for a reader to come, who is told of trouble."""
        found = for_nobody(lambda: Deferred.fromCoroutine(self.asset(token, asset_id, name)))
        found.addErrback(lambda failure: failure.trap(PyPIHubError))

    def until(self, token: Token, asset_id: str) -> float:
        """The moment up to which what was found of the asset serves; one in the past where nothing does."""
        return self._found.get((self._hasher(token), asset_id), (0.0,))[0]

    def stop(self) -> None:
        """Ends what is under way and takes no more; those who wait are told."""
        self._stopped = True
        for queue in list(self._queues.values()):
            waiters = [waiter for waiting in queue.waiting.values() for waiter in waiting]
            queue.waiting.clear()
            for waiter in waiters:
                waiter.errback(StoppingError())
            for call in list(queue.calls):
                call.cancel()
            self._send(queue)

    def __len__(self) -> int:
        """The assets that are kept."""
        return len(self._found)

    def forget(self, token: Token, asset_id: str) -> None:
        """Asks anew the next time: the signed URL did not serve."""
        self._found.pop((self._hasher(token), asset_id), None)

    def _join(self, token: Token, who: TokenHash, asset_id: str) -> Deferred[ReleaseAsset]:
        """Waits for a call that is under way where that asks for the asset, else for the next one."""
        queue = self._queues.get(who)
        if queue is None:
            queue = self._queues[who] = _Queue(token, who)
        waiter = queue.add(asset_id)
        # Not at once: what arrives in the same turn of the reactor goes into the same call.
        if queue.next is None and self._may_ask(queue):
            queue.next = self._reactor.callLater(GATHERING if queue.calls else 0, self._send, queue)
        return waiter

    def _may_ask(self, queue: _Queue) -> bool:
        """Whether those who wait need not wait for the calls under way."""
        return not queue.calls or (len(queue.waiting) >= MANY and len(queue.calls) < MOST_CALLS)

    def _send(self, queue: _Queue) -> None:
        """Asks for those who need not wait; forgets a queue that nobody is in any more."""
        if queue.next is not None and queue.next.active():
            queue.next.cancel()
        queue.next = None
        while queue.waiting and self._may_ask(queue):
            call = queue.begin(self._ask(queue, queue.take()))
            if not call.called:
                queue.calls.add(call)
                call.addBoth(self._ended, queue, call)
        if not queue.calls and not queue.waiting:
            self._queues.pop(queue.who, None)

    def _ended(self, _result: object, queue: _Queue, call: Deferred[None]) -> None:
        queue.calls.discard(call)
        if queue.next is None or not queue.calls:
            self._send(queue)

    async def _ask(self, queue: _Queue, batch: _Waiters) -> None:
        queue.asked.append(batch)
        answers: Sequence[ReleaseAsset | Exception]
        try:
            answers = await self._find(queue.token, list(batch))
        except CancelledError:
            answers = [StoppingError()] * len(batch)
        except Exception as error:  # whatever it is, each waiter is told
            answers = [error] * len(batch)
        queue.asked.remove(batch)  # who is told of trouble now and asks again waits for another call
        for asset_id, answer in zip(batch, answers, strict=True):
            self._tell(queue.who, asset_id, answer, batch[asset_id])

    def _tell(
        self, who: TokenHash, asset_id: str, answer: ReleaseAsset | Exception, waiters: list[Deferred[ReleaseAsset]]
    ) -> None:
        if isinstance(answer, ReleaseAsset):
            self._keep((who, asset_id), answer)
        for waiter in waiters:
            if not waiter.called:
                waiter.callback(answer) if isinstance(answer, ReleaseAsset) else waiter.errback(answer)

    def _keep(self, key: tuple[TokenHash, str], asset: ReleaseAsset) -> None:
        """Keeps what was found; what serves no more, and what is too much, goes."""
        now = self._reactor.seconds()
        self._found[key] = now + self._lifetime, asset
        self._found.move_to_end(key)
        while len(self._found) > self._size or next(iter(self._found.values()))[0] <= now:
            self._found.popitem(last=False)
