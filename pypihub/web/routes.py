"""The kinds of URLs that there are, for counting: a word for each path."""

from __future__ import annotations

import re
from functools import lru_cache

HEALTH = "health"
OTHER = "other"

_KINDS = {
    "about": rb"/",
    "static": rb"/static/[^/]+",
    HEALTH: rb"/(healthz|readyz)",
    "root": rb"(/[^/]+)?/simple/?",
    "page": rb"(/[^/]+)?/(simple|legacy/\+simple)/[^/]+/?",
    "json": rb"(/[^/]+)?/pypi/[^/]+(/[^/]+)?/json/?",
    "metadata": rb"(/[^/]+)?/asset/[^/]+/[^/]+\.metadata",
    "file": rb"(/[^/]+)?/asset/[^/]+/[^/]+",
    "project": rb"(/[^/]+)?/project/[^/]+/?",
    "upload": rb"(/[^/]+)?/legacy/?",
    "owner": rb"/[\w-]+/?",
}
_PATH = re.compile(b"|".join(b"(?P<%b>%b)" % (name.encode(), path) for name, path in _KINDS.items()))
_MOST_PATHS = 4000
_LONGEST = 1000  # bytes of a path that is looked at


def route_of(path: bytes) -> str:
    """What the path is for, in one word of few; whether there is anything is not asked."""
    return _known(path) if len(path) <= _LONGEST else OTHER


@lru_cache(maxsize=_MOST_PATHS)
def _known(path: bytes) -> str:
    match = _PATH.fullmatch(path)
    return (match.lastgroup if match else None) or OTHER
