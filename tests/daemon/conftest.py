"""A GitHub for daemons that run as children of a test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_twisted
from support.daemons import GitHub

from pypihub.sandbox.server import Sandbox
from pypihub.sandbox.world import World


@pytest_twisted.async_yield_fixture
async def github(reactor: Any, tmp_path: Path) -> AsyncIterator[GitHub]:
    sandbox = Sandbox(reactor, World())
    await sandbox.start()
    yield GitHub(reactor, sandbox, tmp_path)
    await sandbox.stop()
