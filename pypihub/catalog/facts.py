"""The facts that the store keeps of release assets, and their tables in SQLite: plain functions that block.

Each function takes a connection to a database that `prepare` has made ready, leaves the commit to its caller,
and raises sqlite3.Error for what SQLite cannot do.
"""

from __future__ import annotations

import json
import os
import sqlite3
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NewType

from pypihub.github.decoding import ReleaseAsset
from pypihub.index.model import Asset

AssetKey = NewType("AssetKey", str)
"""Stands for the content and the name of an asset: `asset_key` makes it."""

VERSION = 1
"""The version of the tables below; a file with another one is not read."""

PRAGMAS = (
    "journal_mode = WAL",  # readers and a writer of another process do not wait for each other
    "cache_size = -512",  # KiB; the rows are small, and the operating system caches the file as well
    "synchronous = NORMAL",  # a power failure may take the newest facts, never the file
)

_LONGEST_REASON = 200
_ROW = 300  # bytes that a row takes beside its content: about what the key, the hash and the index need

# `number` grows with age, so the lowest is the oldest. The content stands last: what comes before it is read
# without it. `kept` has one row, the sum of all costs: summing them up for each new fact would be slow.
_TABLES = (
    "CREATE TABLE metadata (number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, sha256 TEXT,"
    " requires_python TEXT, reason TEXT, cost INTEGER NOT NULL, content BLOB)",
    "CREATE TABLE kept (cost INTEGER NOT NULL)",
    "INSERT INTO kept VALUES (0)",
    "CREATE TRIGGER one_more AFTER INSERT ON metadata BEGIN UPDATE kept SET cost = cost + new.cost; END",
    "CREATE TRIGGER one_less AFTER DELETE ON metadata BEGIN UPDATE kept SET cost = cost - old.cost; END",
    "CREATE TABLE hashes (number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, sha256 TEXT NOT NULL)",
    "CREATE TABLE seen (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, repository TEXT NOT NULL,"
    " name TEXT NOT NULL, digest TEXT)",
    f"PRAGMA user_version = {VERSION}",
)


@dataclass(frozen=True, slots=True)
class KnownMetadata:
    """What a page tells of a wheel's METADATA: the hash (64 hex digits) and Requires-Python, None without one."""

    sha256: str
    requires_python: str | None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The wheel is known to have no METADATA that can be read; the reason is a few words."""

    reason: str


@dataclass(frozen=True, slots=True)
class SeenAsset:
    """An asset as a listing showed it once; `repository` is `owner/name` in lower case."""

    repository: str
    asset_id: str
    name: str
    digest: str | None


class OtherTablesError(sqlite3.DatabaseError):
    """The file is a database, and not one of this version of the store."""


def asset_key(asset_id: str, name: str, digest: str | None, size: int, created_at: datetime) -> AssetKey:
    """The key of an asset's facts: its id, digest and name, for GitHub lets assets be renamed.

    In place of a digest that GitHub lacks size and time stand.
    """
    return AssetKey(f"{asset_id} {digest or f'{size} {created_at.astimezone(UTC).isoformat()}'} {name}")


def key_of(asset: Asset | ReleaseAsset) -> AssetKey:
    """The key of an asset's facts."""
    return asset_key(asset.id, asset.name, asset.digest, asset.size, asset.created_at)


def make_file(file: Path) -> None:
    """The file and its folder, for this user alone: METADATA of private projects is private.

    A file that is there is not opened: closing it again would undo this process's own locks on it.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not file.exists():
        os.close(os.open(file, os.O_CREAT | os.O_WRONLY, 0o600))


def prepare(connection: sqlite3.Connection) -> None:
    """Makes a new connection ready, and the tables where the file is new.

    Raises OtherTablesError and sqlite3.Error; the connection is closed then, for its maker will not get it.
    """
    try:
        if _version(connection) != VERSION:
            connection.execute("BEGIN IMMEDIATE")
            _make_tables(connection)
            connection.commit()
        _set_up(connection)  # only now: a file that is another's is left as it is
    except BaseException:
        connection.close()
        raise


def _set_up(connection: sqlite3.Connection) -> None:
    for pragma in PRAGMAS:
        try:
            connection.execute(f"PRAGMA {pragma}")
        except sqlite3.OperationalError as error:
            if code(error) != sqlite3.SQLITE_BUSY:
                raise
            # SQLite does not wait where another process turns to WAL at this moment; its turn is ours too.


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _make_tables(connection: sqlite3.Connection) -> None:
    version = _version(connection)
    if version == VERSION:
        return  # another process was quicker
    if connection.execute("SELECT 1 FROM sqlite_master").fetchone():
        raise OtherTablesError(f"its tables have version {version}, not {VERSION}")
    for statement in _TABLES:
        connection.execute(statement)


def is_broken(error: Exception) -> bool:
    """Whether the file is the trouble, so that a new one may help."""
    return isinstance(error, OtherTablesError) or code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def code(error: Exception) -> int:
    """SQLite's primary code of the error, 0 where it is not SQLite's."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def metadata(connection: sqlite3.Connection, keys: Sequence[AssetKey]) -> dict[AssetKey, KnownMetadata | Unreadable]:
    """What is known of these wheels' METADATA, without their content."""
    rows = connection.execute(
        "SELECT key, sha256, requires_python, reason FROM metadata WHERE key IN (SELECT value FROM json_each(?))",
        (json.dumps(keys),),
    )
    return {
        key: Unreadable(reason) if sha256 is None else KnownMetadata(sha256, requires_python)
        for key, sha256, requires_python, reason in rows
    }


def metadata_content(connection: sqlite3.Connection, key: AssetKey) -> bytes | None:
    """METADATA's bytes, None where they are not kept; raises zlib.error for a row that is damaged."""
    row = connection.execute("SELECT content FROM metadata WHERE key = ? AND content NOT NULL", (key,)).fetchone()
    return zlib.decompress(row[0]) if row else None


def keep_metadata(
    connection: sqlite3.Connection, limit: int, key: AssetKey, content: bytes, sha256: str, requires_python: str | None
) -> None:
    """Keeps a wheel's METADATA; the oldest give way so that all take `limit` bytes at most."""
    packed = zlib.compress(content)
    _keep(connection, limit, (key, sha256, requires_python, None, len(packed) + _ROW, packed))


def keep_unreadable(connection: sqlite3.Connection, limit: int, key: AssetKey, reason: str) -> None:
    """Keeps that the wheel has no METADATA that can be read."""
    _keep(connection, limit, (key, None, None, reason[:_LONGEST_REASON], _ROW, None))


def _keep(
    connection: sqlite3.Connection,
    limit: int,
    row: tuple[AssetKey, str | None, str | None, str | None, int, bytes | None],
) -> None:
    cost = row[4]
    if cost > limit:
        return  # it would drive out all others, and itself
    connection.execute("DELETE FROM metadata WHERE key = ?", row[:1])
    connection.execute(
        "INSERT INTO metadata (key, sha256, requires_python, reason, cost, content) VALUES (?, ?, ?, ?, ?, ?)", row
    )
    (excess,) = connection.execute("SELECT cost - ? FROM kept", (limit,)).fetchone()
    if excess > 0:
        _make_room(connection, excess)


def _make_room(connection: sqlite3.Connection, excess: int) -> None:
    """The oldest go until `excess` bytes are free."""
    last = 0
    for number, cost in connection.execute("SELECT number, cost FROM metadata ORDER BY number"):
        last = number
        excess -= cost
        if excess <= 0:
            break
    connection.execute("DELETE FROM metadata WHERE number <= ?", (last,))


def hashes(connection: sqlite3.Connection, keys: Sequence[AssetKey]) -> dict[AssetKey, str]:
    """The hashes that are kept of these assets."""
    rows = connection.execute(
        "SELECT key, sha256 FROM hashes WHERE key IN (SELECT value FROM json_each(?))", (json.dumps(keys),)
    )
    return dict(rows.fetchall())


def keep_hash(connection: sqlite3.Connection, limit: int, key: AssetKey, sha256: str) -> None:
    """Keeps the hash of an asset that has no digest; the oldest of more than `limit` go."""
    connection.execute("INSERT OR IGNORE INTO hashes (key, sha256) VALUES (?, ?)", (key, sha256))
    # Only the oldest are ever deleted, so the numbers have no gaps and there is no need to count.
    connection.execute("DELETE FROM hashes WHERE number <= (SELECT max(number) FROM hashes) - ?", (limit,))


def keep_seen(
    connection: sqlite3.Connection, limit: int, repository: str, assets: Sequence[tuple[str, str, str | None]]
) -> None:
    """Keeps the (id, name, digest) of which nothing is kept yet; the oldest of more than `limit` go.

    It reads first: a listing without news, the usual case, then needs no lock.
    """
    ids = json.dumps([asset_id for asset_id, _, _ in assets])
    rows = connection.execute("SELECT id FROM seen WHERE id IN (SELECT value FROM json_each(?))", (ids,))
    old = {asset_id for (asset_id,) in rows}
    new = [(asset_id, repository, name, digest) for asset_id, name, digest in assets if asset_id not in old]
    if not new:
        return
    connection.executemany("INSERT OR IGNORE INTO seen (id, repository, name, digest) VALUES (?, ?, ?, ?)", new)
    connection.execute("DELETE FROM seen WHERE number <= (SELECT max(number) FROM seen) - ?", (limit,))


def seen(connection: sqlite3.Connection, asset_id: str) -> SeenAsset | None:
    """The asset as a listing showed it first."""
    row = connection.execute("SELECT repository, id, name, digest FROM seen WHERE id = ?", (asset_id,)).fetchone()
    return SeenAsset(*row) if row else None
