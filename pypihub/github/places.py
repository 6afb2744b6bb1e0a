"""Places towards GitHub: so many exchanges at once, so many of them for one token, and a queue for the others."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from pypihub.errors import BusyError
from pypihub.github.tokens import TokenHash

MOST_AT_ONCE = 50
"""Exchanges under way at once."""
MOST_OF_A_TOKEN = 20
"""How many of them are one token's; GitHub limits a user to 100, who may have several tokens, and other clients."""
MOST_WAITING = 1000

_Queue = dict[Deferred[None], None]
"""Those of one token who wait, in the order in which they came; a dict, because any of them may leave."""


class Places:
    """Hands out places, to one token after the other where many wait.

    `None` in place of a token stands for the storage, which knows no tokens and no limit but the whole.
    """

    def __init__(self) -> None:
        self._free = MOST_AT_ONCE
        self._taken: dict[TokenHash | None, int] = {}
        self._queues: dict[TokenHash | None, _Queue] = {}  # the next whose turn it is comes first
        self._waiting = 0
        self._handing_out = False

    @property
    def waiting(self) -> int:
        """How many wait."""
        return self._waiting

    def take(self, who: TokenHash | None) -> Deferred[None]:
        """Fires when there is a place, which is the caller's until `give_back`; cancelled, it waits no more.

        Raises BusyError where too many wait. It also fires with it: where the queue is full, whoever has the most in
        it makes room, so that no token keeps the others out.
        """
        if not self._may_have_one(who) and self._waiting >= MOST_WAITING:
            self._make_room(who)
        waiter: Deferred[None] = Deferred(lambda left: self._remove(who, left))
        self._queues.setdefault(who, {})[waiter] = None
        self._waiting += 1
        self._hand_out()
        return waiter

    def give_back(self, who: TokenHash | None) -> None:
        """Ends what `take` gave, and lets the next one in."""
        self._free += 1
        self._taken[who] -= 1
        if not self._taken[who]:
            del self._taken[who]
        self._hand_out()

    def _may_have_one(self, who: TokenHash | None) -> bool:
        return self._free > 0 and (who is None or self._taken.get(who, 0) < MOST_OF_A_TOKEN)

    def _hand_out(self) -> None:
        """A loop, because one who gives the place back at once would else lead ever deeper into the stack."""
        if self._handing_out:
            return
        self._handing_out = True
        while (waiter := self._next()) is not None:
            waiter.callback(None)
        self._handing_out = False

    def _next(self) -> Deferred[None] | None:
        if not self._free:
            return None  # without a look at a thousand queues
        for who, queue in self._queues.items():
            if self._may_have_one(who):
                waiter = next(iter(queue))
                self._remove(who, waiter)
                if queue:
                    self._queues[who] = self._queues.pop(who)  # its next turn is after everybody else's
                self._free -= 1
                self._taken[who] = self._taken.get(who, 0) + 1
                return waiter
        return None

    def _make_room(self, who: TokenHash | None) -> None:
        longest = max(self._queues, key=lambda each: len(self._queues[each]))
        if len(self._queues.get(who, ())) + 1 >= len(self._queues[longest]):
            raise BusyError
        newest = next(reversed(self._queues[longest]))
        self._remove(longest, newest)
        newest.errback(BusyError())

    def _remove(self, who: TokenHash | None, waiter: Deferred[None]) -> None:
        queue = self._queues[who]
        del queue[waiter]
        if not queue:
            del self._queues[who]
        self._waiting -= 1
