"""Facts about assets outlive a restart, and whatever happens to their file, no request fails for it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import random
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from twisted.internet.defer import CancelledError, Deferred, gatherResults

from pypihub.catalog import facts
from pypihub.catalog.facts import AssetKey, KnownMetadata, SeenAsset, Unreadable, asset_key
from pypihub.catalog.store import Store

KEY, OTHER, THIRD = AssetKey("RA_one sha256:aa"), AssetKey("RA_two sha256:bb"), AssetKey("RA_three sha256:cc")
CONTENT = b"Metadata-Version: 2.4\nName: demo\nVersion: 1.0\nRequires-Python: >=3.11\n"
HASH = hashlib.sha256(CONTENT).hexdigest()
KNOWN = KnownMetadata(HASH, ">=3.11")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the facts are kept; neither the file nor its folder is there yet."""
    return tmp_path / "state" / "facts.sqlite"


@pytest_twisted.async_yield_fixture
async def opened(reactor: Any) -> AsyncIterator[Callable[..., Any]]:
    """Opens stores; they are closed after the test, and no thread is left."""
    threads = set(threading.enumerate())
    stores: list[Store] = []

    async def make(file: Path | None, **options: Any) -> Store:
        stores.append(Store(file, reactor, **options))
        await stores[-1].open()
        return stores[-1]

    yield make
    for store in stores:
        await store.close()
    assert set(threading.enumerate()) == threads


def warnings(lines: list[str]) -> list[str]:
    """What the store warned of."""
    return [line for line in lines if "'pypihub.store'" in line]


async def keep(store: Store, key: AssetKey = KEY) -> None:
    """Keeps METADATA under the key."""
    await store.keep_metadata(key, CONTENT, HASH, ">=3.11")


async def is_kept(store: Store, key: AssetKey = KEY) -> bool:
    """Whether the page and the content of METADATA can be had, or neither."""
    known, content = await store.metadata([key]), await store.metadata_content(key)
    assert (known, content) in [({key: KNOWN}, CONTENT), ({}, None)]
    return content is not None


def noise(size: int) -> bytes:
    """Bytes that cannot be compressed, always the same."""
    return random.Random(size).randbytes(size)  # noqa: S311  # no secret


# What it is for


def test_a_key_is_the_id_the_digest_and_the_name() -> None:
    time = datetime(2026, 1, 1, tzinfo=UTC)
    assert asset_key("RA_one", "demo.whl", "sha256:aa", 5, time) == "RA_one sha256:aa demo.whl"
    assert asset_key("RA_one", "demo.whl", "sha256:aa", 6, time) == "RA_one sha256:aa demo.whl"


def test_without_a_digest_the_key_has_the_size_and_the_time() -> None:
    time = datetime(2026, 1, 1, tzinfo=UTC)
    key = asset_key("RA_one", "demo.whl", None, 5, time)
    assert key == "RA_one 5 2026-01-01T00:00:00+00:00 demo.whl"
    assert key == asset_key("RA_one", "demo.whl", None, 5, time.astimezone(timezone(timedelta(hours=2))))
    later = asset_key("RA_one", "demo.whl", None, 5, time + timedelta(seconds=1))
    assert len({key, asset_key("RA_one", "demo.whl", None, 6, time), later}) == 3


@pytest.mark.parametrize("in_memory", [False, True])
@ensureDeferred
async def test_what_is_kept_is_known(
    opened: Callable[..., Any], file: Path, in_memory: bool, log_lines: list[str]
) -> None:
    store = await opened(None if in_memory else file)
    assert not await is_kept(store)
    await keep(store)
    await store.keep_metadata(OTHER, b"", "00", None)
    await store.keep_unreadable(THIRD, "no METADATA in it")
    await store.keep_hash(KEY, HASH)
    await store.keep_seen("Octo/Demo", [("RA_one", "demo-1.0.tar.gz", "sha256:aa"), ("RA_old", "demo-0.1.zip", None)])
    assert await store.metadata([KEY, OTHER, THIRD, AssetKey("RA_none")]) == {
        KEY: KNOWN,
        OTHER: KnownMetadata("00", None),
        THIRD: Unreadable("no METADATA in it"),
    }
    contents = [await store.metadata_content(key) for key in (KEY, OTHER, THIRD)]
    assert contents == [CONTENT, b"", None]
    assert await store.hashes([KEY, OTHER]) == {KEY: HASH}
    assert await store.seen("RA_one") == SeenAsset("octo/demo", "RA_one", "demo-1.0.tar.gz", "sha256:aa")
    assert await store.seen("RA_old") == SeenAsset("octo/demo", "RA_old", "demo-0.1.zip", None)
    assert await store.seen("RA_none") is None
    assert (await store.metadata([]), await store.hashes([])) == ({}, {})
    assert file.exists() is not in_memory
    assert not warnings(log_lines)


@ensureDeferred
async def test_a_restart_keeps_everything(opened: Callable[..., Any], file: Path) -> None:
    first = await opened(file)
    await keep(first)
    await first.keep_unreadable(OTHER, "no zip")
    await first.keep_hash(KEY, HASH)
    await first.keep_seen("octo/demo", [("RA_one", "demo.whl", None)])
    await first.close()
    second = await opened(file)
    assert await is_kept(second)
    assert await second.metadata([OTHER]) == {OTHER: Unreadable("no zip")}
    assert await second.hashes([KEY]) == {KEY: HASH}
    assert await second.seen("RA_one") == SeenAsset("octo/demo", "RA_one", "demo.whl", None)


@ensureDeferred
async def test_what_is_kept_again_takes_the_place_of_the_first(opened: Callable[..., Any]) -> None:
    store = await opened(None)
    await store.keep_unreadable(KEY, "x" * 1000)
    known = await store.metadata([KEY])
    assert known == {KEY: Unreadable("x" * 200)}
    await keep(store)
    assert await is_kept(store)


@ensureDeferred
async def test_an_asset_stays_what_it_was_when_it_was_seen_first(opened: Callable[..., Any]) -> None:
    store = await opened(None)
    await store.keep_seen("octo/demo", [("RA_one", "old.whl", None)])
    await store.keep_seen("octo/other", [("RA_one", "new.whl", None), ("RA_two", "two.whl", None)])
    assert await store.seen("RA_one") == SeenAsset("octo/demo", "RA_one", "old.whl", None)
    assert await store.seen("RA_two") == SeenAsset("octo/other", "RA_two", "two.whl", None)


@ensureDeferred
async def test_thousands_of_keys_are_one_question(opened: Callable[..., Any]) -> None:
    store = await opened(None)
    keys = [AssetKey(f"RA_{number} sha256:aa") for number in range(5000)]
    await store.keep_unreadable(keys[-1], "no zip")
    await store.keep_hash(keys[-1], HASH)
    assert await store.metadata(keys) == {keys[-1]: Unreadable("no zip")}
    assert await store.hashes(set(keys)) == {keys[-1]: HASH}


# How it starts and ends


@ensureDeferred
async def test_threads_start_with_open_and_end_with_close(reactor: Any, file: Path) -> None:
    threads = set(threading.enumerate())
    store = Store(file, reactor)
    assert not await is_kept(store)
    await keep(store)
    assert (set(threading.enumerate()), file.parent.exists()) == (threads, False)
    await store.open()
    await store.open()
    assert len(set(threading.enumerate()) - threads) == 1
    await keep(store)
    await store.close()
    await store.close()
    assert set(threading.enumerate()) == threads
    assert list(file.parent.iterdir()) == [file], "SQLite's own files are left behind"
    assert not await is_kept(store)
    await store.open()
    assert await is_kept(store)
    await store.close()


@ensureDeferred
async def test_what_was_asked_before_close_is_answered(opened: Callable[..., Any], file: Path) -> None:
    store = await opened(file)
    await keep(store)
    keeping = Deferred.fromCoroutine(store.keep_seen("octo/demo", [(str(n), "demo.whl", None) for n in range(10_000)]))
    asking = Deferred.fromCoroutine(store.metadata_content(KEY))
    await store.close()
    assert (keeping.called, asking.called, await asking) == (True, True, CONTENT)


@ensureDeferred
async def test_a_caller_who_goes_away_breaks_nothing(opened: Callable[..., Any], file: Path) -> None:
    store = await opened(file)
    rows = [(str(number), "demo.whl", None) for number in range(10_000)]
    for work in (store.keep_seen("octo/demo", rows), keep(store), store.metadata([KEY])):
        going = Deferred.fromCoroutine(work)
        going.cancel()
        with pytest.raises(CancelledError):
            await going
    assert await is_kept(store)
    assert await store.seen("9999")


@ensureDeferred
async def test_the_file_is_for_its_user_alone(opened: Callable[..., Any], file: Path) -> None:
    await keep(await opened(file))
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()} == {
        "facts.sqlite": 0o600,
        "facts.sqlite-wal": 0o600,
        "facts.sqlite-shm": 0o600,
    }


def test_a_process_that_does_not_close_the_store_ends_all_the_same(file: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from twisted.internet import reactor;"
        " from twisted.internet.defer import Deferred; from pypihub.catalog.store import Store;"
        " opening = Deferred.fromCoroutine(Store(Path(sys.argv[1]), reactor).open());"
        " opening.addCallback(lambda _: reactor.stop()); reactor.run()"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, file], check=True, timeout=60, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("", "")
    assert list(file.parent.iterdir()) == [file]


# How much it keeps


def _sum(file: Path) -> tuple[int, int]:
    with closing(sqlite3.connect(file)) as connection:
        (kept,) = connection.execute("SELECT cost FROM kept").fetchone()
        (counted,) = connection.execute("SELECT total(length(content)) FROM metadata").fetchone()
    return int(kept), int(counted)


@ensureDeferred
async def test_the_oldest_metadata_gives_way(opened: Callable[..., Any], file: Path) -> None:
    limit = 50_000
    store = await opened(file, limit=limit)
    keys = [AssetKey(f"RA_{number}") for number in range(20)]
    for key in keys:
        await store.keep_metadata(key, noise(5_000), "00", None)
        kept, counted = _sum(file)
        assert counted < kept <= limit
    assert list(await store.metadata(keys)) == keys[-9:]
    await store.keep_metadata(keys[0], noise(20_000), "00", None)
    assert set(await store.metadata(keys)) == {keys[0], *keys[-5:]}


@ensureDeferred
async def test_what_was_kept_before_a_restart_counts(opened: Callable[..., Any], file: Path) -> None:
    keys = [AssetKey(f"RA_{number}") for number in range(4)]
    for key in keys:
        store = await opened(file, limit=12_000)
        await store.keep_metadata(key, noise(5_000), "00", None)
        await store.close()
    store = await opened(file, limit=12_000)
    assert list(await store.metadata(keys)) == keys[-2:]


@ensureDeferred
async def test_metadata_that_is_kept_again_counts_once(opened: Callable[..., Any], file: Path) -> None:
    store = await opened(file, limit=12_000)
    await keep(store, OTHER)
    for _ in range(5):
        await store.keep_metadata(KEY, noise(5_000), "00", None)
    assert await is_kept(store, OTHER)


@ensureDeferred
async def test_one_that_is_larger_than_all_may_be_drives_nothing_out(opened: Callable[..., Any], file: Path) -> None:
    store = await opened(file, limit=12_000)
    await keep(store)
    await store.keep_metadata(OTHER, noise(12_000), "00", None)
    assert await is_kept(store)
    assert await store.metadata([OTHER]) == {}


@ensureDeferred
async def test_wheels_without_metadata_are_bounded_too(opened: Callable[..., Any], file: Path) -> None:
    store = await opened(file, limit=3_000)
    keys = [AssetKey(f"RA_{number}") for number in range(20)]
    for key in keys:
        await store.keep_unreadable(key, "no zip")
    assert list(await store.metadata(keys)) == keys[-10:]


@ensureDeferred
async def test_small_facts_are_bounded_by_number(opened: Callable[..., Any], file: Path) -> None:
    store = await opened(file, rows=3)
    ids = [f"RA_{number}" for number in range(8)]
    for asset_id in ids[:5]:
        await store.keep_hash(AssetKey(asset_id), HASH)
        await store.keep_seen("octo/demo", [(asset_id, "demo.whl", None)])
    assert set(await store.hashes([AssetKey(asset_id) for asset_id in ids])) == set(ids[2:5])
    assert [asset_id for asset_id in ids if await store.seen(asset_id)] == ids[2:5]
    await store.keep_seen("octo/demo", [(asset_id, "demo.whl", None) for asset_id in ids])
    assert [asset_id for asset_id in ids if await store.seen(asset_id)] == ["RA_5", "RA_6", "RA_7"]


@ensureDeferred
async def test_a_listing_without_news_is_cheap_and_needs_no_lock(
    opened: Callable[..., Any], file: Path, log_lines: list[str]
) -> None:
    store = await opened(file)
    for repository in range(5):
        await store.keep_seen("octo/other", [(f"RA_{repository}_{n:05}", "demo.whl", None) for n in range(10_000)])
    rows = [(f"RA_{number:05}", f"demo-{number}.whl", "sha256:" + "a" * 64) for number in range(10_000)]
    await store.keep_seen("octo/demo", rows)
    times = []
    with lock(file):
        for _ in range(5):
            begin = time.perf_counter()
            await store.keep_seen("octo/demo", rows)
            times.append(time.perf_counter() - begin)
    assert min(times) < 0.1
    assert await store.seen("RA_09999")
    assert not warnings(log_lines)


# Trouble with the file


def lock(file: Path, how: str = "IMMEDIATE") -> closing[sqlite3.Connection]:
    """Holds a lock of the file as another process would, until the end of a `with`."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA locking_mode = EXCLUSIVE" if how == "EXCLUSIVE" else "PRAGMA user_version")
    connection.execute(f"BEGIN {how}")
    return closing(connection)


def _garbage(file: Path) -> None:
    file.write_bytes(noise(100_000))


def _later_version(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE metadata (something)")
        connection.execute("PRAGMA user_version = 1000")


def _somebody_elses(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE accounts (name)")


@pytest.mark.parametrize("spoil", [_garbage, _later_version, _somebody_elses])
@ensureDeferred
async def test_a_file_that_is_not_ours_is_set_aside(
    opened: Callable[..., Any], file: Path, spoil: Callable[[Path], None], log_lines: list[str]
) -> None:
    file.parent.mkdir()
    spoil(file)
    content = file.read_bytes()
    Path(f"{file}.old").write_bytes(b"of the time before")
    Path(f"{file}.old-wal").write_bytes(b"of the time before")
    store = await opened(file)
    await keep(store)
    await store.close()
    assert {path.name for path in file.parent.iterdir()} == {"facts.sqlite", "facts.sqlite.old"}
    assert Path(f"{file}.old").read_bytes() == content
    (warning,) = warnings(log_lines)
    assert f"{file}.old" in warning
    assert await is_kept(await opened(file))


@ensureDeferred
async def test_an_empty_file_is_a_new_one(opened: Callable[..., Any], file: Path, log_lines: list[str]) -> None:
    file.parent.mkdir()
    file.touch()
    store = await opened(file)
    await keep(store)
    await store.close()
    assert await is_kept(await opened(file))
    assert not warnings(log_lines)


async def _damaged(opened: Callable[..., Any], file: Path) -> list[AssetKey]:
    """Makes a file that opens and then turns out to be damaged; returns the keys that it held."""
    store = await opened(file)
    keys = [AssetKey(f"RA_{number}") for number in range(200)]
    for key in keys:
        await store.keep_metadata(key, noise(1_000), "00", None)
    await store.close()
    content = file.read_bytes()
    assert len(content) > 200_000
    with closing(sqlite3.connect(file)) as connection:  # the first pages hold the tables' definitions
        (page,) = connection.execute("PRAGMA page_size").fetchone()
    whole = 3 * page
    file.write_bytes(content[:whole] + b"\xff" * (len(content) - whole))
    return keys


@ensureDeferred
async def test_a_damage_that_is_found_later_begins_a_new_file(
    opened: Callable[..., Any], file: Path, log_lines: list[str]
) -> None:
    keys = await _damaged(opened, file)
    store = await opened(file)
    assert not Path(f"{file}.old").exists()
    work = [store.metadata(keys), store.metadata_content(keys[0]), store.keep_unreadable(keys[0], "no zip")]
    await gatherResults([Deferred.fromCoroutine(each) for each in work])
    await keep(store)
    assert await is_kept(store)
    await store.close()
    assert len(warnings(log_lines)) == 1
    assert Path(f"{file}.old").stat().st_size > 200_000
    assert await is_kept(await opened(file))


@ensureDeferred
async def test_the_second_to_find_the_damage_goes_on_with_the_new_file_of_the_first(
    opened: Callable[..., Any], file: Path
) -> None:
    keys = await _damaged(opened, file)
    first, second = await opened(file), await opened(file)
    assert await first.metadata(keys) == {}
    await keep(first)
    assert await second.metadata(keys) == {}
    assert await is_kept(second)
    await keep(second, OTHER)
    assert await is_kept(first, OTHER)
    await first.close()
    assert await is_kept(second, OTHER)


@ensureDeferred
async def test_a_row_that_is_damaged_is_absent(opened: Callable[..., Any], file: Path, log_lines: list[str]) -> None:
    store = await opened(file)
    await keep(store)
    await keep(store, OTHER)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE metadata SET content = x'00112233' WHERE key = ?", (KEY,))
        connection.commit()
    assert await store.metadata_content(KEY) is None
    assert await store.metadata_content(KEY) is None
    assert await is_kept(store, OTHER)
    assert len(warnings(log_lines)) == 1


@ensureDeferred
async def test_a_name_that_is_no_unicode_is_not_kept(opened: Callable[..., Any], log_lines: list[str]) -> None:
    store = await opened(None)
    await store.keep_seen("octo/demo", [("RA_one", "half-\udc00.whl", None)])
    assert await store.seen("RA_one") is None
    await store.keep_seen("octo/demo", [("RA_one", "whole.whl", None)])
    assert await store.seen("RA_one")
    assert len(warnings(log_lines)) == 1


@ensureDeferred
async def test_a_file_that_is_locked_at_the_start_is_not_waited_for_long(
    opened: Callable[..., Any], file: Path, log_lines: list[str]
) -> None:
    await (await opened(file)).close()
    with lock(file, "EXCLUSIVE"):
        begin = time.perf_counter()
        store = await opened(file)
        assert time.perf_counter() - begin < 15
        await keep(store)
        assert await is_kept(store)
    assert len(warnings(log_lines)) == 1
    await store.close()
    assert not await is_kept(await opened(file)), "it went to memory"


@ensureDeferred
async def test_a_file_that_others_read_while_it_turns_to_wal_is_used_as_it_is(
    opened: Callable[..., Any], file: Path, monkeypatch: pytest.MonkeyPatch, log_lines: list[str]
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(facts, "PRAGMAS", ())
        store = await opened(file)
        await keep(store)
        await store.close()
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT * FROM kept").fetchall()
        store = await opened(file)
        assert await is_kept(store)
    await keep(store, OTHER)
    assert await is_kept(store, OTHER)
    assert not warnings(log_lines)


@ensureDeferred
async def test_while_the_file_is_locked_known_facts_are_read_and_new_ones_let_go(
    opened: Callable[..., Any], file: Path, log_lines: list[str]
) -> None:
    store = await opened(file)
    await keep(store)
    begin = time.perf_counter()
    with lock(file):
        work = [keep(store, AssetKey(f"RA_{number}")) for number in range(20)]
        await gatherResults([Deferred.fromCoroutine(each) for each in work])
        for _ in range(3):
            await keep(store, OTHER)
            assert await is_kept(store)
            assert not await is_kept(store, OTHER)
    assert 0.9 < time.perf_counter() - begin < 15, "one waits, not each of twenty"
    assert len(warnings(log_lines)) == 1
    await keep(store, OTHER)
    assert await is_kept(store, OTHER)


@ensureDeferred
async def test_a_lock_that_is_held_shortly_is_waited_for_also_after_a_long_one(
    reactor: Any, opened: Callable[..., Any], file: Path
) -> None:
    store = await opened(file)
    with lock(file):
        await keep(store)
    await keep(store)
    with lock(file):
        keeping = Deferred.fromCoroutine(keep(store, OTHER))
        time.sleep(0.2)  # the reactor's thread; the store's waits for the lock
    await keeping
    assert await is_kept(store, OTHER)


@ensureDeferred
async def test_only_one_at_a_time_sets_a_file_aside(
    opened: Callable[..., Any], file: Path, log_lines: list[str]
) -> None:
    file.parent.mkdir()
    _garbage(file)
    folder = os.open(file.parent, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    begin = time.perf_counter()
    store = await opened(file)
    assert 0.9 < time.perf_counter() - begin < 15
    os.close(folder)
    assert list(file.parent.iterdir()) == [file]
    await keep(store)
    assert await is_kept(store)
    assert "in memory only" in warnings(log_lines)[-1]


@pytest.fixture
def ordinary_user() -> Iterator[Callable[[], None]]:
    """Gives up root's rights, which know no read-only folder, for the rest of the test."""
    yield lambda: os.seteuid(65534) if os.getuid() == 0 else None
    os.seteuid(os.getuid())


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that any user can reach; pytest's are for their user alone."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)
        Path(name).chmod(0o755)


@ensureDeferred
async def test_a_folder_that_cannot_be_written_leaves_memory(
    opened: Callable[..., Any], public_folder: Path, ordinary_user: Callable[[], None], log_lines: list[str]
) -> None:
    public_folder.chmod(0o555)
    ordinary_user()
    store = await opened(public_folder / "facts.sqlite")
    await keep(store)
    assert await is_kept(store)
    assert not list(public_folder.iterdir())
    assert len(warnings(log_lines)) == 1


@ensureDeferred
async def test_a_file_that_cannot_be_written_leaves_memory(
    opened: Callable[..., Any], public_folder: Path, ordinary_user: Callable[[], None], log_lines: list[str]
) -> None:
    file = public_folder / "facts.sqlite"
    await (await opened(file)).close()
    file.chmod(0o444)
    public_folder.chmod(0o555)
    ordinary_user()
    store = await opened(file)
    await keep(store)
    assert await is_kept(store)
    assert len(warnings(log_lines)) == 1


@pytest.mark.parametrize("place", ["file/facts.sqlite", "file/deeper/facts.sqlite", "folder", "link"])
@ensureDeferred
async def test_a_place_for_no_file_leaves_memory(
    opened: Callable[..., Any], tmp_path: Path, place: str, log_lines: list[str]
) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere" / "facts.sqlite")
    store = await opened(tmp_path / place)
    await keep(store)
    assert await is_kept(store)
    (warning,) = warnings(log_lines)
    assert str(tmp_path / place) in warning
    assert "in memory only" in warning


@ensureDeferred
async def test_a_full_disk_keeps_what_is_there(
    opened: Callable[..., Any], file: Path, monkeypatch: pytest.MonkeyPatch, log_lines: list[str]
) -> None:
    monkeypatch.setattr(facts, "PRAGMAS", (*facts.PRAGMAS, "max_page_count = 20"))
    store = await opened(file)
    await keep(store)
    for number in range(3):
        await store.keep_metadata(AssetKey(f"RA_{number}"), noise(100_000), "00", None)
    await store.keep_seen("octo/demo", [(f"RA_{number}", "demo.whl", None) for number in range(5_000)])
    assert await is_kept(store)
    assert await store.metadata([AssetKey("RA_0")]) == {}
    assert await store.seen("RA_0") is None, "a listing is kept as a whole or not at all"
    (warning,) = warnings(log_lines)
    assert "SQLITE_FULL" in warning
    await keep(store, OTHER)
    assert await is_kept(store, OTHER)


@ensureDeferred
async def test_a_disk_that_is_full_at_the_start_leaves_memory(
    opened: Callable[..., Any], file: Path, monkeypatch: pytest.MonkeyPatch, log_lines: list[str]
) -> None:
    prepare = facts.prepare

    def prepare_full(connection: sqlite3.Connection) -> None:
        (_, _, place) = connection.execute("PRAGMA database_list").fetchone()
        if place:
            connection.execute("PRAGMA max_page_count = 2")
        prepare(connection)

    monkeypatch.setattr(facts, "prepare", prepare_full)
    store = await opened(file)
    await keep(store)
    assert await is_kept(store)
    assert len(warnings(log_lines)) == 1


@ensureDeferred
async def test_a_file_that_is_deleted_meanwhile_is_begun_anew_at_the_next_start(
    opened: Callable[..., Any], file: Path
) -> None:
    store = await opened(file)
    await keep(store)
    for path in file.parent.iterdir():
        path.unlink()
    await keep(store, OTHER)
    assert await is_kept(store)
    await store.close()
    store = await opened(file)
    assert not await is_kept(store)
    await keep(store)
    assert await is_kept(store)


# Several at one file


@ensureDeferred
async def test_two_stores_share_one_file(opened: Callable[..., Any], file: Path, log_lines: list[str]) -> None:
    one, two = await opened(file), await opened(file)
    work = []
    for number in range(50):
        for store in (one, two):
            work.append(store.keep_unreadable(AssetKey(f"RA_{number}"), "no zip"))
            work.append(store.keep_seen("octo/demo", [(f"RA_{number}_{n}", "demo.whl", None) for n in range(50)]))
    await gatherResults([Deferred.fromCoroutine(each) for each in work])
    await keep(one)
    await keep(two, OTHER)
    assert [await is_kept(one, OTHER), await is_kept(two)] == [True, True]
    await one.close()
    assert len(await two.metadata([AssetKey(f"RA_{number}") for number in range(50)])) == 50
    assert await two.seen("RA_49_49")
    assert not warnings(log_lines)


@contextmanager
def _process(code: str, *arguments: object) -> Iterator[Any]:
    """A process that runs the code; it is killed at the end where it did not end itself."""
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], text=True, **pipes) as process:
        yield process
        process.kill()


def _line(process: Any) -> str:
    line: str = process.stdout.readline()
    return line.strip()


@pytest.mark.parametrize("is_broken", [False, True])
def test_processes_that_start_at_once_share_one_file(file: Path, is_broken: bool) -> None:
    if is_broken:
        file.parent.mkdir()
        _garbage(file)
    code = """if True:
        import sys
        from pathlib import Path
        from twisted.internet.defer import ensureDeferred
        from twisted.internet.task import react
        from twisted.logger import globalLogBeginner, textFileLogObserver
        from pypihub.catalog.store import Store

        async def main(reactor):
            store = Store(Path(sys.argv[1]), reactor)
            print("ready", flush=True)
            sys.stdin.readline()
            await store.open()
            await store.keep_hash(sys.argv[2], "00")
            print("kept", flush=True)
            sys.stdin.readline()
            print(len(await store.hashes([str(number) for number in range(4)])), flush=True)
            sys.stdin.readline()
            await store.close()

        globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stderr)], redirectStandardIO=False)
        react(lambda reactor: ensureDeferred(main(reactor)))
    """
    with ExitStack() as stack:
        processes = [stack.enter_context(_process(code, file, number)) for number in range(4)]
        for answer in ("ready", "kept", "4"):
            assert [_line(process) for process in processes] == [answer] * 4
            for process in processes:
                process.stdin.write("\n")
                process.stdin.flush()
        troubles = "".join(process.stderr.read() for process in processes)
    assert ("in memory only" in troubles, "cannot be" in troubles) == (False, False)
