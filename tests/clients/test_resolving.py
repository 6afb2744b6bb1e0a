"""Resolvers read kilobytes, not wheels: what real clients ask for until they know what to install."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import shake_256
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from packaging.utils import canonicalize_name
from pytest_twisted import ensureDeferred
from support.hub import Hub
from support.registry import TREE

from pypihub.sandbox.samples import sample_wheel

Client = Callable[..., Any]
Answered = list[tuple[str, str, int]]

FAST = ("--dry-run", "--use-feature=fast-deps")
PARTS = [f"part-{number}" for number in range(60)]
LATENCY = 0.2
"""Seconds that GitHub takes for an answer."""
MOST_READ = 100_000
"""Bytes that it takes at most to read METADATA in each of these wheels; the largest have megabytes."""
BIG = sample_wheel("big", "1.0", requires=["lib"], extra_files={"big.bin": shake_256(b"big").digest(500_000)})


def bytes_read(hub: Hub, *, by_hub: bool) -> dict[str, int]:
    """How many bytes PyPIHub itself, or its clients, had of each file by its path in storage; all of them by ranges."""
    calls = [
        call
        for call in hub.sandbox.calls
        if call.where == "storage" and call.headers["user-agent"].startswith("PyPIHub/") == by_hub
    ]
    assert {call.status for call in calls} <= {206}
    read = dict.fromkeys((call.path for call in calls), 0)
    for path, span in {(call.path, call.headers["range"]) for call in calls}:
        start, end = span.removeprefix("bytes=").split("-")
        read[path] += int(end) + 1 - int(start)
    return read


def check_that_metadata_was_enough(hub: Hub, answered: Answered) -> None:
    """No wheel, no sdist, no HEAD and no range: METADATA alone, and little of the wheels to get it."""
    files = {(method, PurePosixPath(path).suffix, code) for method, path, code in answered if "/asset/" in path}
    assert files == {("GET", ".metadata", 200)}
    assert bytes_read(hub, by_hub=False) == {}
    assert max(bytes_read(hub, by_hub=True).values()) < MOST_READ


def check_that_ranges_were_enough(hub: Hub, answered: Answered, path: str) -> None:
    """The wheel's size and some of its bytes, each range by way of a redirect of its own."""
    first, *others = [(method, code) for method, asked, code in answered if asked == path]
    assert first == ("HEAD", 200)
    assert set(others) == {("GET", 302)}
    (size,) = bytes_read(hub, by_hub=False).values()
    assert size < MOST_READ


def projects(hub: Hub) -> set[str]:
    """All projects of a hub; the real tree has none that is not needed."""
    return {repository.name for repository in hub.world.repositories()}


@ensureDeferred
async def test_pip_resolves_a_real_tree_by_metadata_alone(filled: Hub, pip: Client, answered: Answered) -> None:
    ended = await pip("install", "--dry-run", "--ignore-installed", *TREE, index=filled.index_url())
    assert ended.code == 0, ended.text
    (line,) = (line for line in ended.out.splitlines() if line.startswith("Would install "))
    assert {canonicalize_name(word.rpartition("-")[0]) for word in line.split()[2:]} == projects(filled)
    check_that_metadata_was_enough(filled, answered)


@ensureDeferred
async def test_uv_resolves_a_real_tree_by_metadata_alone(filled: Hub, uv: Client, answered: Answered) -> None:
    ended = await uv("pip", "compile", "-", stdin="\n".join(TREE), index=filled.index_url())
    assert ended.code == 0, ended.text
    pinned = {canonicalize_name(line.partition("==")[0]) for line in ended.out.splitlines() if "==" in line}
    assert pinned == projects(filled)
    check_that_metadata_was_enough(filled, answered)


@pytest.fixture
def with_lib(hub: Hub) -> Hub:
    """A hub with what the big wheel needs."""
    hub.world.add_repository("octo/lib").add_release("v1").add_asset(*sample_wheel("lib", "1.0"))
    return hub


def publish(hub: Hub, name: str, content: bytes) -> str:
    """The path of the big wheel."""
    return f"/asset/{hub.world.add_repository('octo/big').add_release('v1').add_asset(name, content).id}/{name}"


@ensureDeferred
async def test_fast_deps_reads_metadata_beside_the_wheel(with_lib: Hub, pip: Client, answered: Answered) -> None:
    publish(with_lib, *BIG)
    ended = await pip("install", *FAST, "big", index=with_lib.index_url())
    assert ended.code == 0, ended.text
    assert "Would install big-1.0 lib-1.0" in ended.out
    check_that_metadata_was_enough(with_lib, answered)


@ensureDeferred
async def test_fast_deps_reads_ranges_of_a_wheel_that_is_given_by_its_url(
    with_lib: Hub, pip: Client, answered: Answered
) -> None:
    """As lock files do; there is no page then that tells of METADATA."""
    path = publish(with_lib, *BIG)
    ended = await pip("install", *FAST, with_lib.url + path, index=with_lib.index_url())
    assert ended.code == 0, ended.text
    assert "Would install big-1.0 lib-1.0" in ended.out
    check_that_ranges_were_enough(with_lib, answered, path)


@ensureDeferred
async def test_fast_deps_reads_ranges_of_a_wheel_that_only_pip_can_read(
    with_lib: Hub, pip: Client, answered: Answered
) -> None:
    name, content = BIG
    path = publish(with_lib, name, b"#!/bin/sh\n" + content)
    assert (await with_lib.get(path + ".metadata")).code == 404, "from now on the page tells of no METADATA"
    answered.clear()
    ended = await pip("install", *FAST, "big", index=with_lib.index_url())
    assert ended.code == 0, ended.text
    assert "Would install big-1.0 lib-1.0" in ended.out
    check_that_ranges_were_enough(with_lib, answered, path)


@ensureDeferred
async def test_many_packages_at_once_are_a_listing_each_and_a_few_look_ups(
    make_hub: Callable[..., Any], uv: Client, tmp_path: Path
) -> None:
    hub: Hub = await make_hub(latency=LATENCY)
    for name, needed in [("root", PARTS), *((part, []) for part in PARTS)]:
        release = hub.world.add_repository(f"octo/{name}").add_release("v1")
        release.add_asset(*sample_wheel(name, "1.0", requires=needed))
    ended = await uv("pip", "install", "--target", "site", "root", index=hub.index_url())
    assert ended.code == 0, ended.text
    assert len(list((tmp_path / "site").glob("*.py"))) == 61
    assert hub.asked(operation="Listing") == 61
    assert hub.asked(operation="Lookup") <= 8
    assert hub.asked() == hub.asked(operation="Listing") + hub.asked(operation="Lookup")
