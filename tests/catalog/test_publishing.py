"""Publishing: where files go, what is refused, and what their publisher is shown next."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from support.press import SDIST, WHEEL, Box, Press, start_box

from pypihub.catalog.publishing import Published


@pytest_twisted.async_yield_fixture
async def make_box(reactor: Any) -> AsyncIterator[Callable[..., Awaitable[Box]]]:
    boxes: list[Box] = []

    async def make(**options: Any) -> Box:
        boxes.append(await start_box(reactor, **options))
        return boxes[-1]

    yield make
    for box in boxes:
        await box.stop()
        assert all(file.closed for file in box.files), "files were left open"


@pytest_twisted.async_yield_fixture
async def box(make_box: Callable[..., Awaitable[Box]]) -> AsyncIterator[Box]:
    yield await make_box()


@pytest_twisted.async_yield_fixture
async def press(box: Box) -> AsyncIterator[Press]:
    yield await box.press()


@ensureDeferred
async def test_a_file_gets_a_release_of_its_version(box: Box, press: Press) -> None:
    assert await press.publish(WHEEL, b"a wheel") is Published.NEW
    [release] = box.releases
    assert (release.tag_name, release.name, release.description) == ("v1.0", "demo 1.0", "")
    assert (release.is_draft, release.is_prerelease) == (False, False)
    assert [(asset.name, asset.state, asset.size) for asset in box.assets] == [(WHEEL, "uploaded", 7)]
    print(box.calls())
