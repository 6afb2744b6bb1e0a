"""Commands that run as children of a test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from support.daemons import GitHub
from support.process import Process
from twisted.internet.defer import Deferred

from pypihub.sandbox.server import Sandbox
from pypihub.sandbox.world import World


@pytest.fixture
def run(reactor: Any, tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Runs a command in a folder of its own; whatever still runs after the test is killed."""
    started: list[Process] = []

    def start(*command: str) -> Process:
        started.append(Process(reactor, list(command), cwd=tmp_path))
        return started[-1]

    yield start
    left = [process for process in started if process.code is None]
    for process in left:
        process.signal("KILL")
        pytest_twisted.blockon(Deferred.fromCoroutine(process.ends()))
    assert not left, "a process was left running"


@pytest_twisted.async_yield_fixture
async def github(reactor: Any, tmp_path: Path) -> AsyncIterator[GitHub]:
    sandbox = Sandbox(reactor, World())
    await sandbox.start()
    yield GitHub(reactor, sandbox, tmp_path)
    await sandbox.stop()
