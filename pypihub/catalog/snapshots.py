"""Snapshots: what GitHub listed for one token at a moment, packed so that its size is known."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from pypihub.github.tokens import TokenHash
from pypihub.index.names import Owner, Repository

S = TypeVar("S", Repository, Owner)
V = TypeVar("V")

_QUICK = 1  # zlib's level: a listing of 10,000 assets becomes a third in some milliseconds
_ENCODER = msgspec.msgpack.Encoder()


@dataclass(frozen=True, slots=True)
class SnapshotKey(Generic[S]):
    """Whose view, and of what: a repository's releases, or an owner's projects."""

    who: TokenHash
    subject: S


@dataclass(eq=False, slots=True)
class Snapshot(Generic[V]):
    """What GitHub listed at a moment. Times are in seconds of the reactor's clock.

    Its `serial` number is its own. It is as GitHub said at `seen`, and shown without asking up to `until`; from
    `renew_at` on whoever shows it asks in the background. `is_troubled` while GitHub failed when it was asked last.
    `is_noted` once its files are remembered for lock files. `is_ended` once nobody new is shown it.
    """

    serial: int
    packed: bytes
    decoder: msgspec.msgpack.Decoder[V]
    seen: float
    until: float
    renew_at: float
    is_troubled: bool = False
    is_noted: bool = False
    is_ended: bool = False

    @property
    def size(self) -> int:
        """How large it is, in packed bytes."""
        return len(self.packed)

    def age(self, now: float) -> float | None:
        """For how many seconds it is as it is, where it is stale; else None.

        None too where it ended while an answer was made of it: that answer was good when it was begun.
        """
        return None if now < self.until or self.is_ended else now - self.seen

    def content(self) -> V:
        """What was listed."""
        return self.decoder.decode(zlib.decompress(self.packed))

    def end(self) -> None:
        """Nobody who asks from now on is shown this."""
        self.is_ended = True
        self.until = self.renew_at = float("-inf")


def pack(content: object) -> bytes:
    """What was listed in a few bytes; what is equal is equal bytes."""
    return zlib.compress(_ENCODER.encode(content), _QUICK)
