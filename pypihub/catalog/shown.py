"""Files that a caller's own page showed a moment ago: HEAD on one of them need not ask GitHub again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

from pypihub.github.credentials import Credentials
from pypihub.github.tokens import TokenHash, TokenHasher
from pypihub.index.model import File
from pypihub.index.names import Owner

MOST_OF_A_PAGE = 1000


class Shown:
    """Remembers up to `size` files for `lifetime` seconds, each for the token and the owner of its page."""

    def __init__(
        self, hasher: TokenHasher, seconds: Callable[[], float], *, lifetime: float = 30, size: int = 50_000
    ) -> None:
        self._hasher = hasher
        self._seconds = seconds
        self._lifetime = lifetime
        self._size = size
        self._files: OrderedDict[tuple[TokenHash, Owner, str], tuple[float, str, int]] = OrderedDict()

    def note(self, credentials: Credentials, files: Sequence[File]) -> None:
        """Remembers the files of a page, unless it is a huge one."""
        if len(files) > MOST_OF_A_PAGE:
            return
        who, until = self._hasher(credentials.token), self._seconds() + self._lifetime
        for file in files:
            key = who, credentials.owner, file.asset_id
            self._files[key] = until, file.filename, file.size
            self._files.move_to_end(key)
        while len(self._files) > self._size:
            self._files.popitem(last=False)

    def size(self, credentials: Credentials, asset_id: str, filename: str) -> int | None:
        """The file's size in bytes, if this caller was just shown it under this name; else None."""
        key = self._hasher(credentials.token), credentials.owner, asset_id
        until, name, size = self._files.get(key, (0.0, "", 0))
        return size if name == filename and until > self._seconds() else None
