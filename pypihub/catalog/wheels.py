"""METADATA of wheels: read out of them by ranges, kept, and told on pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, cast

from msgspec import structs
from packaging.version import Version
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from pypihub.catalog.chores import Chores
from pypihub.catalog.facts import AssetKey, KnownMetadata, Unreadable, key_of
from pypihub.catalog.lookups import Lookups
from pypihub.catalog.store import Store
from pypihub.catalog.threads import Threads
from pypihub.errors import NotFoundError, StoppingError, UpstreamError
from pypihub.github.breaker import BreakerOpenError
from pypihub.github.credentials import Source, Token
from pypihub.github.decoding import ReleaseAsset
from pypihub.index.model import Asset, File, Project
from pypihub.index.wheel import Metadata, Span, UnreadableWheelError, read_metadata

READ_AT_ONCE = 4
MOST_WAITING = 500
LOOKED_UP_AT_ONCE = 500


class Files(Protocol):
    """Where a file's bytes are, and how ranges of them are read."""

    def source(self, token: Token, asset: ReleaseAsset) -> Awaitable[Source]:
        """Where the asset's bytes can be had for a few minutes."""

    def read(self, source: Source, start: int, end: int, size: int) -> Awaitable[bytes]:
        """The bytes from `start` up to and without `end` of a file of `size` bytes."""


class Wheels:
    """Reads METADATA once for all callers; who asks for it was shown the wheel by GitHub before.

    `seconds` is a clock.
    """

    def __init__(
        self, files: Files, lookups: Lookups, store: Store, threads: Threads, seconds: Callable[[], float]
    ) -> None:
        self._files = files
        self._lookups = lookups
        self._store = store
        self._threads = threads
        self._waiters: dict[AssetKey, list[Deferred[bytes]]] = {}
        self._readers: dict[AssetKey, Deferred[Any]] = {}
        self._stopped = False
        self._ahead = Chores(READ_AT_ONCE, MOST_WAITING, seconds)

    def stop(self) -> None:
        """Ends what is read, and read ahead; those who wait are told."""
        self._stopped = True
        self._ahead.stop()
        for reader in list(self._readers.values()):
            reader.cancel()

    async def known(self, key: AssetKey) -> bytes | None:
        """The METADATA that is kept; raises NotFoundError for a wheel that is known to have none."""
        known = (await self._store.metadata([key])).get(key)
        if isinstance(known, Unreadable):
            raise _unreadable(known.reason)
        return await self._store.metadata_content(key)

    async def metadata(self, token: Token, asset: ReleaseAsset) -> bytes:
        """The wheel's METADATA, read now where it is not known.

        Raises NotFoundError where the wheel has none that can be read, UpstreamError where its bytes cannot be had.
        """
        key = key_of(asset)
        content = await self.known(key)
        if content is not None:
            return content
        # Who comes to a reading under way needs no source, for which GitHub may have to be asked.
        source = await self._files.source(token, asset) if key not in self._readers else None
        if self._stopped:
            raise StoppingError
        try:
            return await self._join(source, asset, key)
        except BreakerOpenError:
            raise
        except UpstreamError:
            self._lookups.forget(token, asset.id)  # its URL may have expired
            raise

    def _join(self, source: Source | None, asset: ReleaseAsset, key: AssetKey) -> Deferred[bytes]:
        """Those who ask at the same time share one reading, from the source of the first; each has their own Deferred.

        Without a `source` there is a reading under way.
        """
        waiter: Deferred[bytes] = Deferred()
        self._waiters.setdefault(key, []).append(waiter)
        if source is not None and key not in self._readers:
            self._readers[key] = Deferred.fromCoroutine(self._read(source, asset, key))
            self._readers[key].addBoth(self._tell, key)
        return waiter

    def _tell(self, result: object, key: AssetKey) -> None:
        self._readers.pop(key, None)
        if isinstance(result, Failure) and result.check(CancelledError):
            result = Failure(StoppingError())
        for waiter in self._waiters.pop(key):
            if not waiter.called:
                waiter.callback(result)  # type: ignore[arg-type]  # bytes, or a Failure

    async def _read(self, source: Source, asset: ReleaseAsset, key: AssetKey) -> bytes:
        content = await self._store.metadata_content(key)
        if content is not None:
            return content  # read by others since the caller looked
        try:
            metadata = await read_out(self._files, source, asset, self._threads)
        except UnreadableWheelError as error:
            await self._store.keep_unreadable(key, error.message)
            raise _unreadable(error.message) from None
        await self._store.keep_metadata(key, metadata.content, metadata.sha256, metadata.requires_python)
        return metadata.content

    async def describe(self, token: Token, project: Project, assets: Mapping[str, Asset]) -> tuple[Project, bool]:
        """The project with what is known of its wheels; the newest version's unknown ones are read ahead.

        `assets` are the listing's by their ids. Tells also whether any is being read.
        """
        pending = False
        files: list[File] = []
        for start in range(0, len(project.files), LOOKED_UP_AT_ONCE):
            files += await self._described(project.files[start : start + LOOKED_UP_AT_ONCE], assets)
        for file in _of_newest_version(files):
            if file.core_metadata is True:
                is_taken = self._ahead.add(key_of(assets[file.asset_id]), self._ahead_of(token, file))
                if is_taken:  # all are looked up in one call, be there more than are read at once
                    self._lookups.find_ahead(token, file.asset_id, file.filename)
                pending |= is_taken
        return replace(project, files=tuple(files)), pending

    async def _described(self, files: Sequence[File], assets: Mapping[str, Asset]) -> list[File]:
        keys = {file.asset_id: key_of(assets[file.asset_id]) for file in files if file.is_wheel}
        known = await self._store.metadata(keys.values())
        return [_with(file, known.get(keys[file.asset_id])) if file.is_wheel else file for file in files]

    def _ahead_of(self, token: Token, file: File) -> Callable[[], Awaitable[object]]:
        async def read() -> None:
            await self.metadata(token, await self._lookups.asset(token, file.asset_id, file.filename))

        return read


async def read_out(files: Files, source: Source, asset: ReleaseAsset, threads: Threads) -> Metadata:
    """The METADATA in a wheel at its source. Raises UnreadableWheelError, and what `files` raises."""
    reading = read_metadata(asset.name, asset.size)
    span = next(reading)
    while True:
        data = await files.read(source, span.start, span.end, asset.size)
        step = await threads.do(len(data), partial(_next_step, reading, data))
        if isinstance(step, Metadata):
            return step
        span = step


def _next_step(reading: Generator[Span, bytes, Metadata], data: bytes) -> Span | Metadata:
    """What is to be read next, or what was found."""
    try:
        return reading.send(data)
    except StopIteration as end:
        return cast("Metadata", end.value)


def _of_newest_version(files: Sequence[File]) -> Iterable[File]:
    newest: Version | None = files[-1].version if files else None
    return (file for file in files if file.version == newest)


def _with(file: File, known: KnownMetadata | Unreadable | None) -> File:
    if known is None:
        return structs.replace(file, core_metadata=True)
    if isinstance(known, Unreadable):
        return file
    return structs.replace(file, core_metadata=known.sha256, requires_python=known.requires_python)


def _unreadable(reason: str) -> NotFoundError:
    return NotFoundError(f"This wheel has no METADATA that can be read: {reason}")
