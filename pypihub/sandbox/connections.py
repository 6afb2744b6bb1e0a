"""Pages of a list, in the manner of GitHub's connections: opaque cursors and hard bounds."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from pypihub.sandbox import troubles
from pypihub.sandbox.records import Asset, Release, Repository

MOST = 100
_CURSOR_MARK = b"cursor:v2:"

Item: TypeAlias = Repository | Release | Asset
Place: TypeAlias = tuple[str, int]
"""Where an item stands: its sorting key and, for equals, its database id."""


@dataclass(frozen=True, slots=True)
class Order:
    """How a connection is sorted: the key of an item, and whether the greatest comes first."""

    key: Callable[[Any], str]
    descending: bool = False

    def place(self, item: Item) -> Place:
        """Return where an item stands in the ascending order."""
        return self.key(item), item.database_id


BY_AGE = Order(lambda item: "")
"""The order in which things were made, which is GitHub's when nobody asks for another."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The arguments with which a page is asked for, as GraphQL delivers them."""

    first: int | None = None
    last: int | None = None
    after: str | None = None
    before: str | None = None

    def check(self, connection: str) -> None:
        """Raise what GitHub answers when neither or too much of `first` and `last` is asked for."""
        if self.first is None and self.last is None:
            raise troubles.no_boundaries(connection)
        for argument, asked in (("first", self.first), ("last", self.last)):
            if asked is not None and not 0 <= asked <= MOST:
                raise troubles.too_many(connection, argument, asked, MOST)


@dataclass(frozen=True, slots=True)
class Edge:
    """An item and the cursor that stands for its place."""

    node: Item
    cursor: str


@dataclass(frozen=True, slots=True)
class PageInfo:
    """What lies around a page."""

    start_cursor: str | None
    end_cursor: str | None
    has_next_page: bool
    has_previous_page: bool


@dataclass(frozen=True, slots=True)
class Connection:
    """A page of a list, as the connection types of the schema have it."""

    nodes: Sequence[Item]
    order: Order
    total_count: int
    more_before: bool
    more_after: bool

    @property
    def edges(self) -> list[Edge]:
        """The items with their cursors."""
        return [Edge(node, self._cursor(node)) for node in self.nodes]

    @property
    def page_info(self) -> PageInfo:
        """The page's ends."""
        start, end = (self._cursor(self.nodes[0]), self._cursor(self.nodes[-1])) if self.nodes else (None, None)
        return PageInfo(start, end, self.more_after, self.more_before)

    def _cursor(self, item: Item) -> str:
        return write_cursor(self.order.place(item))


def paginate(connection: str, items: Sequence[Item], order: Order, bounds: Bounds) -> Connection:
    """Cut the asked page out of a list.

    A cursor names a place in the order and not a count, so pages stay whole while items come and go.

    :param connection: the field's name, for the wording of errors.
    :raises FieldError: for bounds that GitHub refuses.
    """
    bounds.check(connection)
    ranked = sorted(items, key=order.place, reverse=order.descending)
    total = len(ranked)
    rising = not order.descending
    page = ranked
    if bounds.after is not None:
        after = read_cursor(bounds.after)
        page = [item for item in page if order.place(item) != after and (order.place(item) > after) is rising]
    if bounds.before is not None:
        before = read_cursor(bounds.before)
        page = [item for item in page if order.place(item) != before and (order.place(item) < before) is rising]
    if bounds.first is not None:
        page = page[: bounds.first]
    if bounds.last is not None:
        page = page[max(len(page) - bounds.last, 0) :]
    first, last = _ends(ranked, page, order, bounds)
    return Connection(page, order, total, first, last)


def _ends(ranked: list[Item], page: list[Item], order: Order, bounds: Bounds) -> tuple[bool, bool]:
    """Tell whether anything lies before and after the page."""
    if page:
        return page[0] is not ranked[0], page[-1] is not ranked[-1]
    return bool(ranked) and bounds.after is not None, bool(ranked) and bounds.before is not None


def write_cursor(place: Place) -> str:
    """Write a place as an opaque text."""
    return base64.b64encode(_CURSOR_MARK + json.dumps(place).encode()).decode()


def read_cursor(cursor: str) -> Place:
    """Read back what `write_cursor` wrote; FieldError for anything else."""
    try:
        written = base64.b64decode(cursor, validate=True)
        if not written.startswith(_CURSOR_MARK):
            raise troubles.bad_cursor(cursor)
        key, number = json.loads(written.removeprefix(_CURSOR_MARK))
        return str(key), int(number)
    except (binascii.Error, ValueError, TypeError) as error:
        raise troubles.bad_cursor(cursor) from error
