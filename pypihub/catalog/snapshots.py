"""Snapshots: listings as one token saw them at a moment, packed so that their size is known."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import msgspec

from pypihub.github.tokens import TokenHash
from pypihub.index.model import Listing
from pypihub.index.names import Repository

_QUICK = 1  # zlib's level: a listing of 10,000 assets becomes a third in some milliseconds
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Listing)


@dataclass(frozen=True, slots=True)
class SnapshotKey:
    """Whose view of which repository."""

    who: TokenHash
    repository: Repository


@dataclass(eq=False, slots=True)
class Snapshot:
    """A listing at a moment. Times are in seconds of the reactor's clock.

    Its `serial` number is its own. It is as GitHub said at `seen`, and shown without asking up to `until`; from
    `renew_at` on whoever shows it asks in the background. `is_troubled` while GitHub failed when it was asked last.
    `is_noted` once its files are remembered for lock files.
    """

    serial: int
    name_with_owner: str
    packed: bytes
    seen: float
    until: float
    renew_at: float
    is_troubled: bool = False
    is_noted: bool = False

    def age(self, now: float) -> float | None:
        """For how many seconds it is as it is, where it is stale; else None."""
        return None if now < self.until else now - self.seen

    def listing(self) -> Listing:
        """The listing."""
        return _DECODER.decode(zlib.decompress(self.packed))

    def end(self) -> None:
        """Nobody is shown this any more."""
        self.seen = self.until = self.renew_at = float("-inf")


def pack(listing: Listing) -> bytes:
    """The listing in a few bytes; equal listings are equal bytes."""
    return zlib.compress(_ENCODER.encode(listing), _QUICK)
