"""What a version needs besides itself, as its METADATA says, in words for people."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

MOST = 50
"""Requirements that are told."""
_LONGEST = 200
# `extra == "test"`, as every tool writes it.
_EXTRA = re.compile(r"""\bextra\s*==\s*(["'])([\w.-]+)\1""", re.ASCII)


@dataclass(frozen=True, slots=True)
class Need:
    """A requirement: `wanted` is the project with its versions, `where` says when it is needed, "" for always.

    It is `optional` where only an extra asks for it.
    """

    wanted: str
    where: str
    optional: bool


def needs(requires_dist: Sequence[str]) -> tuple[Need, ...]:
    """The values of Requires-Dist (PEP 508), read leniently, in their order; those of extras come last."""
    return tuple(sorted(map(_need, requires_dist), key=lambda need: need.optional))


def _need(value: str) -> Need:
    # A marker follows a semicolon; a URL may hold one, and then a blank comes before the marker's.
    wanted, _, marker = value.partition(" ;" if " @ " in value else ";")
    where, extras = _EXTRA.subn(r"extra \2", marker.strip())
    return Need(wanted.strip()[:_LONGEST], where[:_LONGEST], bool(extras))
