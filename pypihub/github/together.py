"""Doing several things at the same time, all or none."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, cast

from twisted.internet.defer import Deferred, DeferredList
from twisted.python.failure import Failure


async def together(*works: Coroutine[Deferred[Any], Any, None]) -> None:
    """Does all works at the same time, and is done when the last of them is.

    The first that fails cancels the others, and its error is raised when they have ended. A caller who cancels
    this cancels all of them.
    """
    failures: list[Failure] = []
    running = [Deferred.fromCoroutine(work) for work in works]

    def failed(failure: Failure) -> None:
        failures.append(failure)
        for each in running:
            each.cancel()

    for each in running:
        each.addErrback(failed)
    await DeferredList(running)
    if failures:
        # By no name: a frame that held it would keep all that was read alive.
        raise cast(BaseException, failures.pop(0).value)
