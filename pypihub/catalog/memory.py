"""Memory with a limit: what was used longest ago gives way."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

ENTRY = 800
"""Bytes that an entry takes beside its content: the key, the objects around the bytes, the place in the dictionary, and
what the allocator leaves unused around them."""


class Memory(Generic[K, V]):
    """Keeps values whose costs, in bytes, come to `limit` at most, with what others charge to it."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._entries: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self.used = 0

    def get(self, key: K) -> V | None:
        """The value, which now is the one used last; None where there is none."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def put(self, key: K, value: V, size: int) -> None:
        """Keeps a value of `size` bytes, unless it alone is larger than the limit."""
        self.drop(key)
        cost = size + ENTRY
        if cost > self.limit:
            return
        self._entries[key] = value, cost
        self.charge(cost)

    def charge(self, size: int) -> None:
        """Makes room for `size` bytes that are kept elsewhere, or here; a negative size is given back."""
        self.used += size
        while self.used > self.limit and self._entries:
            _, (_, freed) = self._entries.popitem(last=False)
            self.used -= freed

    def drop(self, key: K) -> None:
        """Forgets the value, if there is one."""
        _, cost = self._entries.pop(key, (None, 0))
        self.used -= cost

    def find(self, wanted: Callable[[K], bool]) -> list[K]:
        """The keys that are wanted; looks at all."""
        return [key for key in self._entries if wanted(key)]

    def __len__(self) -> int:
        return len(self._entries)
