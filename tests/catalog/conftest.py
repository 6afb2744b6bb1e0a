"""Boxes to publish into, whose files must all be closed in the end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_twisted
from support.press import Box, Press, start_box


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


@pytest.fixture
def signature() -> bytes:
    return b"-----BEGIN PGP SIGNATURE-----\n\niQ==\n-----END PGP SIGNATURE-----\n"
