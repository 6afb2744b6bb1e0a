"""The store: facts about release assets that outlive a restart, in an SQLite file that may be deleted at any time.

Whoever reads a fact was shown the asset by a listing of their own before; the store does not check that, and it
never holds a token or a URL. Nor does it ever fail: what cannot be read is absent, and what cannot be kept is not.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
import zlib
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from twisted.enterprise import adbapi
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from pypihub.catalog import facts
from pypihub.catalog.facts import AssetKey, KnownMetadata, SeenAsset, Unreadable

T = TypeVar("T")
Tell = Callable[[str, str], object]

_MIB = 1024 * 1024
_PATIENCE = 1.0  # seconds that a lock of another process is waited for
_WITH_FILE = ("-wal", "-shm", "")  # what SQLite keeps beside a file; the file itself last
_TROUBLES = (sqlite3.Error, OSError, zlib.error, ValueError)  # the last: a text that is no Unicode


class Store:
    """Immutable facts by asset, shared by all callers. `file` is where they are kept; None keeps them in memory.

    METADATA takes `limit` bytes at most; of the small facts there are at most `rows` of each kind. The oldest give
    way. Before `open` and after `close` nothing is known and nothing is kept.
    """

    def __init__(self, file: Path | None, reactor: Any, *, limit: int = 256 * _MIB, rows: int = 1_000_000) -> None:
        self._file = file
        self._reactor = reactor
        self._limit = limit
        self._rows = rows
        self._pool: _Pool | None = None
        self._told: set[str] = set()
        self._log = Logger("pypihub.store")

    async def open(self) -> None:
        """Starts the thread and opens the file; where that fails, memory stands in for it."""
        if self._pool is None:
            self._pool = _Pool(self._file, self._reactor, self._tell_from_thread)
            await self._do(None, lambda connection: None)

    async def close(self) -> None:
        """Ends the thread and closes the file, after all that was asked before."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            await deferToThreadPool(self._reactor, pool.threadpool, pool.leave)
        finally:
            pool.close()  # Twisted's adbapi has no annotations

    def size(self) -> int:
        """Bytes on the disk: the file, and what SQLite keeps beside it."""
        size = 0
        for ending in _WITH_FILE if self._file is not None else ():
            with suppress(OSError):
                size += os.stat(f"{self._file}{ending}").st_size
        return size

    async def metadata(self, keys: Collection[AssetKey]) -> dict[AssetKey, KnownMetadata | Unreadable]:
        """What is known of these wheels' METADATA, without their content."""
        return await self._do({}, facts.metadata, list(keys)) if keys else {}

    async def metadata_content(self, key: AssetKey) -> bytes | None:
        """METADATA's bytes, None where they are not kept."""
        return await self._do(None, facts.metadata_content, key)

    async def keep_metadata(self, key: AssetKey, content: bytes, sha256: str, requires_python: str | None) -> None:
        """Keeps a wheel's METADATA, the hash of it (64 hex digits) and its Requires-Python."""
        await self._do(None, facts.keep_metadata, self._limit, key, content, sha256, requires_python)

    async def keep_unreadable(self, key: AssetKey, reason: str) -> None:
        """Keeps that the wheel has no METADATA that can be read; the reason is a few words."""
        await self._do(None, facts.keep_unreadable, self._limit, key, reason)

    async def hashes(self, keys: Collection[AssetKey]) -> dict[AssetKey, str]:
        """The hashes (64 hex digits) that were computed of these assets."""
        return await self._do({}, facts.hashes, list(keys)) if keys else {}

    async def keep_hash(self, key: AssetKey, sha256: str) -> None:
        """Keeps the hash of an asset that has no digest."""
        await self._do(None, facts.keep_hash, self._rows, key, sha256)

    async def keep_seen(self, repository: str, assets: Iterable[tuple[str, str, str | None]]) -> None:
        """Keeps the (id, name, digest) that a listing of `owner/name` shows, as each was when it was seen first."""
        await self._do(None, facts.keep_seen, self._rows, repository.lower(), list(assets))

    async def seen(self, asset_id: str) -> SeenAsset | None:
        """The asset that some listing showed under this id, also when GitHub has it no more."""
        return await self._do(None, facts.seen, asset_id)

    async def _do(self, otherwise: T, work: Callable[..., T], *arguments: Any) -> T:
        """The work's result, done in the pool's thread; `otherwise` where there is trouble, with one warning."""
        pool = self._pool
        if pool is None:
            return otherwise
        try:
            done = pool.runWithConnection(pool.work, work, *arguments)  # as above
            result: T = await done
        except _TROUBLES as error:
            if not facts.is_broken(error):  # the pool told of that, and what it does
                kind = getattr(error, "sqlite_errorname", type(error).__name__)
                self._tell(kind, f"Facts about assets cannot be read or kept ({kind}): {error}")
            return otherwise
        return result

    def _tell(self, kind: str, text: str) -> None:
        """Warns once of each kind of trouble: what goes wrong for one asset mostly does so for thousands."""
        if kind not in self._told:
            self._told.add(kind)
            self._log.warn("{text}", text=text)

    def _tell_from_thread(self, kind: str, text: str) -> None:
        self._reactor.callFromThread(self._tell, kind, text)


class _Pool(adbapi.ConnectionPool):
    """One thread with one connection. Where the file is unusable, a new one or memory takes its place.

    All methods but `__init__` and `close` run in the thread, so one thing happens at a time.
    """

    def __init__(self, file: Path | None, reactor: Any, tell: Tell) -> None:
        self._place = file
        self._tell = tell
        self._identity: tuple[int, int] | None = None  # of the file: two may bear its name, one after the other
        self._is_broken = False
        self._is_locked = False
        super().__init__(  # as above
            "sqlite3",
            str(file or ":memory:"),
            cp_min=1,
            cp_max=1,
            cp_openfun=facts.prepare,
            cp_reactor=reactor,
            timeout=_PATIENCE,
            check_same_thread=False,  # where `leave` was not called, the reactor's thread closes the connection
        )

    def connect(self) -> Any:
        """The thread's connection; adbapi calls this before each work."""
        if self._is_broken:
            self.leave()
        if self._place is None or self._current() is not None:
            return super().connect()  # as above
        try:
            return self._connect_to(self._place)
        except (sqlite3.Error, OSError) as error:
            self._tell("memory", f"Facts about assets are kept in memory only; {self._place} is of no use: {error}")
            self._place, self.connargs = None, (":memory:",)
            return super().connect()  # as above

    def _connect_to(self, file: Path) -> Any:
        if not self._is_broken:
            try:
                return self._connect_once(file)
            except sqlite3.DatabaseError as error:
                if not facts.is_broken(error):
                    raise
                self._tell_of_broken(error)
        self._is_broken = False
        _set_aside(file, self._identity)
        return self._connect_once(file)

    def _connect_once(self, file: Path) -> Any:
        facts.make_file(file)
        self._identity = _identity(file)
        return super().connect()  # as above

    def work(self, connection: sqlite3.Connection, work: Callable[..., T], *arguments: Any) -> T:
        """Does the work on the connection and commits it; remembers a file that is broken or locked."""
        try:
            result = work(connection, *arguments)
            is_writing = connection.in_transaction
            connection.commit()
        except sqlite3.DatabaseError as error:
            if facts.is_broken(error):
                self._is_broken = True  # the next work begins a new file
                self._tell_of_broken(error)
            if facts.code(error) == sqlite3.SQLITE_BUSY:
                self._wait_for_locks(connection, 0)
            raise
        if self._is_locked and is_writing:
            self._wait_for_locks(connection, _PATIENCE)
        return result

    def _wait_for_locks(self, connection: sqlite3.Connection, seconds: float) -> None:
        """While the file stays locked only the first waits: the works of many requests stand in one queue."""
        self._is_locked = not seconds
        connection.execute(f"PRAGMA busy_timeout = {seconds * 1000:.0f}")

    def leave(self) -> None:
        """Closes the thread's connection."""
        self.disconnect(self._current())  # as above

    def _current(self) -> Any:
        return self.connections.get(self.threadID())  # as above

    def _tell_of_broken(self, error: sqlite3.DatabaseError) -> None:
        self._tell("broken", f"{self._place} is set aside as {self._place}.old, and a new one begun: {error}")


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _set_aside(file: Path, identity: tuple[int, int] | None) -> None:
    """Renames the file and what SQLite keeps beside it, in place of what was set aside before.

    Processes that start together find the trouble together: the folder is locked, and a file with another
    identity is the one that the first of them has begun.
    """
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        _lock(folder)
        if _identity(file) == identity:
            for ending in _WITH_FILE:
                _rename(Path(f"{file}{ending}"), Path(f"{file}.old{ending}"))
    finally:
        os.close(folder)  # this gives up the lock


def _lock(folder: int) -> None:
    """Raises OSError where others hold the lock for too long."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            return fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise
        time.sleep(0.01)


def _rename(path: Path, old: Path) -> None:
    try:
        path.replace(old)
    except FileNotFoundError:
        old.unlink(missing_ok=True)
