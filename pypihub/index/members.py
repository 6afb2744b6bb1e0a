"""What may be in an archive, whatever its format: how much, and under which paths."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from enum import Enum, auto
from typing import NamedTuple

from pypihub.errors import PyPIHubError

MOST_MEMBERS = 100_000
"""Of one archive; the largest on PyPI have some ten thousands."""
_LONGEST_PATH = 4096  # Linux's PATH_MAX; a header of tar may tell a megabyte
_DEEPEST_PATH = 250  # folders; real ones have a dozen, and Python's makedirs fails beyond a thousand
_ALWAYS_INFLATED = 64 * 2**20
_HIGHEST_RATIO = 50
_SEPARATOR = re.compile(rb"[/\\]")
_DRIVE = re.compile(rb"[A-Za-z]:")


class BrokenArchiveError(PyPIHubError):
    """The archive is damaged, hostile, or could be unpacked in two ways; the text says why."""


class Kind(Enum):
    """What a member becomes when it is unpacked."""

    FILE = auto()
    FOLDER = auto()
    SYMLINK = auto()
    HARDLINK = auto()


class Member(NamedTuple):
    """One member of an archive; a tuple, because 100,000 are made in a row.

    `path` is plain (see `plain_path`), `size` is what its content takes unpacked, in bytes, and `target` is where a
    link leads. `content` gives the bytes in pieces; it is good only until the next member is asked for.
    """

    path: bytes
    kind: Kind
    size: int
    content: Callable[[], Iterator[bytes]]
    target: bytes = b""


class Inflating:
    """Adds up what an archive of `size` bytes takes unpacked: at most 64 MiB and 50 times its size, and `most`."""

    def __init__(self, size: int, most: int | None = None) -> None:
        limit = _ALWAYS_INFLATED + _HIGHEST_RATIO * size
        self._left = limit if most is None else min(limit, most)

    def add(self, size: int) -> None:
        """Counts `size` bytes more. Raises BrokenArchiveError where they are too many."""
        self._left -= size
        if self._left < 0:
            raise BrokenArchiveError("It inflates to far more than its own size.")


def plain_path(name: bytes) -> bytes:
    """The path of a member without a slash at its end.

    Raises BrokenArchiveError for a path that could lead out of the folder where it is unpacked, on any system, or
    could be spelled in another way, and for one that is too long or too deep.
    """
    check_length(name)
    path = name.removesuffix(b"/")
    parts = _SEPARATOR.split(path)
    if len(parts) > _DEEPEST_PATH + 1:
        raise BrokenArchiveError(f"The path '{shown(name)}' leads through more than {_DEEPEST_PATH} folders.")
    if b"\0" in path or b".." in parts or b"." in parts or b"" in parts or _DRIVE.match(path):
        raise BrokenArchiveError(f"The path '{shown(name)}' is not plain: it must lead into the archive's own folder.")
    return path


def check_length(name: bytes) -> None:
    """Raises BrokenArchiveError for a path, or a link's target, that is longer than any system takes."""
    if len(name) > _LONGEST_PATH:
        raise BrokenArchiveError(f"The path '{shown(name)}' is longer than {_LONGEST_PATH:,} bytes.")


def add_once(seen: set[int], path: bytes) -> None:
    """Adds the path's hash to those seen. Raises BrokenArchiveError for a path that is there twice.

    Two paths that differ in case alone are common where systems tell them apart.
    """
    key = hash(path)
    if key in seen:
        raise BrokenArchiveError(f"'{shown(path)}' is there more than once.")
    seen.add(key)


def shown(name: bytes) -> str:
    """A member's name for a message."""
    text = name.decode("utf-8", "replace")
    return text if len(text) <= 80 else text[:79] + "…"
