"""Files that a caller's own pages showed: HEAD on one of them need not ask GitHub again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pypihub.catalog.facts import AssetKey, key_of
from pypihub.catalog.memory import Memory
from pypihub.github.credentials import Credentials
from pypihub.github.tokens import TokenHash, TokenHasher
from pypihub.index.model import Asset, File
from pypihub.index.names import Owner, Repository

MOST_OF_A_PAGE = 1000
MOST_FILES = 20_000
COST = 750
"""Bytes that a file takes here, about."""
_SHARE = 8  # a part of the memory that this may take


@dataclass(frozen=True, slots=True)
class ShownFile:
    """A file of `size` bytes, as snapshot number `serial` of the repository showed it; `key` is that of its facts."""

    filename: str
    size: int
    key: AssetKey
    repository: Repository
    serial: int


class Shown:
    """Remembers files, each for the token and the owner of its page, and charges them to `memory`."""

    def __init__(self, hasher: TokenHasher, memory: Memory[object, object]) -> None:
        self._hasher = hasher
        self._memory = memory
        self._count = min(MOST_FILES, memory.limit // _SHARE // COST)
        self._files: OrderedDict[tuple[TokenHash, Owner, str], ShownFile] = OrderedDict()

    def note(
        self,
        credentials: Credentials,
        files: Sequence[File],
        assets: Mapping[str, Asset],
        repository: Repository,
        serial: int,
    ) -> None:
        """Remembers the files of a page, unless it is a huge one; `assets` are the listing's by their ids."""
        if len(files) > MOST_OF_A_PAGE:
            return
        who, before = self._hasher(credentials.token), len(self._files)
        for file in files:
            place = who, credentials.owner, file.asset_id
            key = key_of(assets[file.asset_id])
            self._files[place] = ShownFile(file.filename, file.size, key, repository, serial)
            self._files.move_to_end(place)
        while len(self._files) > self._count:
            self._files.popitem(last=False)
        self._memory.charge(COST * (len(self._files) - before))

    def find(self, credentials: Credentials, asset_id: str, filename: str) -> ShownFile | None:
        """The file, if this caller was shown it under this name; whoever asks compares the snapshot."""
        shown = self._files.get((self._hasher(credentials.token), credentials.owner, asset_id))
        return shown if shown is not None and shown.filename == filename else None
