"""Numbers, moments and node ids: what every record of a world gets from the same counter."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Protocol

_BEGINNING = datetime(2025, 7, 1, tzinfo=UTC)
# Numbers as large as GitHub's own, so that node ids look and decode like GitHub's.
_FIRST_NUMBERS = {"account": 9_100_000, "repository": 834_818_760, "release": 161_000_000, "asset": 183_937_167}


class Node(Protocol):
    """A record that has a node id."""

    @property
    def id(self) -> str:
        """The global node id."""


class Registry:
    """Hands out numbers and moments, and knows every record by its node id.

    :param digests: False for a server that is too old to tell digests of what is uploaded.
    """

    def __init__(self, *, digests: bool = True) -> None:
        self.digests = digests
        self.nodes: dict[str, Node] = {}
        self._numbers = {kind: count(first) for kind, first in _FIRST_NUMBERS.items()}
        self._seconds = count()

    def number(self, kind: str) -> int:
        """Return the next database id of that kind of record."""
        return next(self._numbers[kind])

    def moment(self) -> datetime:
        """Return a moment one second after the one before; the same in every run."""
        return _BEGINNING + timedelta(seconds=next(self._seconds))
