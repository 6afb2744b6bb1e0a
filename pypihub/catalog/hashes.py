"""Hashes of assets that are older than GitHub's digests (June 2025): computed once, in the background."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Protocol

from msgspec import structs

from pypihub.catalog.chores import Chores
from pypihub.catalog.facts import AssetKey, key_of
from pypihub.catalog.lookups import Lookups
from pypihub.catalog.store import Store
from pypihub.github.credentials import Source, Token
from pypihub.github.decoding import ReleaseAsset
from pypihub.index.model import Asset, File, Project

MOST_WAITING = 100


class Files(Protocol):
    """Where a file's bytes are, and their hash."""

    def source(self, token: Token, asset: ReleaseAsset) -> Awaitable[Source]:
        """Where the asset's bytes can be had for a few minutes."""

    def sha256(self, source: Source, size: int) -> Awaitable[str]:
        """The sha256, in hex, of a file of `size` bytes."""


class Hashes:
    """Completes projects by hashes. Files of up to `up_to` bytes are hashed, one at a time; 0 hashes none.

    `seconds` is a clock.
    """

    def __init__(
        self, files: Files, lookups: Lookups, store: Store, seconds: Callable[[], float], *, up_to: int
    ) -> None:
        self._files = files
        self._lookups = lookups
        self._store = store
        self._up_to = up_to
        self._chores = Chores(1, MOST_WAITING, seconds)

    def stop(self) -> None:
        """Ends what is under way."""
        self._chores.stop()

    async def complete(self, token: Token, project: Project, assets: Mapping[str, Asset]) -> tuple[Project, bool]:
        """The project with the hashes that are known; missing ones are computed for a later page, the newest first.

        `assets` are the listing's by their ids. Tells also whether any is being computed.
        """
        keys = {file.asset_id: key_of(assets[file.asset_id]) for file in project.files if file.sha256 is None}
        if not keys:
            return project, False
        known = await self._store.hashes(list(keys.values()))
        pending = False
        for file in reversed(project.files):
            if file.asset_id in keys and keys[file.asset_id] not in known and file.size <= self._up_to:
                pending |= self._chores.add(keys[file.asset_id], self._hashing(token, file, keys[file.asset_id]))
        files = (
            structs.replace(file, sha256=known.get(keys[file.asset_id])) if file.asset_id in keys else file
            for file in project.files
        )
        return replace(project, files=tuple(files)), pending

    def _hashing(self, token: Token, file: File, key: AssetKey) -> Callable[[], Awaitable[object]]:
        async def compute() -> None:
            asset = await self._lookups.asset(token, file.asset_id, file.filename)
            source = await self._files.source(token, asset)
            await self._store.keep_hash(key, await self._files.sha256(source, asset.size))

        return compute
