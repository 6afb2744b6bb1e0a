"""A command's work in the reactor: it ends with the work, with one line for an error, and tells what takes long."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NoReturn

import click
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import react

from pypihub.config import Config
from pypihub.errors import PyPIHubError
from pypihub.github.client import Client
from pypihub.github.configured import configured_client

_QUICK = 1.0  # seconds in which nobody wonders
_INTERRUPTED = 130


def run_in_reactor(work: Callable[[Any], Coroutine[Deferred[Any], Any, None]]) -> NoReturn:
    """Runs `work(reactor)` and ends the process: status 0, 1 with the error's line, or 130 after SIGINT.

    Raises BrokenPipeError where nobody reads what is printed any more, which click ends by status 1 without a word.
    """
    is_done = False
    unread: list[BrokenPipeError] = []

    async def told(reactor: Any) -> None:
        nonlocal is_done
        try:
            await work(reactor)
        except PyPIHubError as error:
            raise SystemExit(f"pypihub: {error.message}") from None
        except BrokenPipeError as error:  # `react` would print a traceback of it
            unread.append(error)
        is_done = True

    try:
        react(lambda reactor: Deferred.fromCoroutine(told(reactor)))
    except SystemExit as end:
        if unread:
            raise unread[0] from None
        # A signal leaves 0 there, and the work undone.
        raise SystemExit(end.code or (0 if is_done else _INTERRUPTED)) from None


@contextmanager
def progress(reactor: IReactorTime, doing: str) -> Iterator[None]:
    """Says on stderr what is being done, once it takes longer than a second."""
    timer = reactor.callLater(_QUICK, click.echo, f"{doing} …", err=True)
    try:
        yield
    finally:
        if timer.active():
            timer.cancel()


@asynccontextmanager
async def github_of(config: Config, reactor: Any) -> AsyncIterator[Client]:
    """The configuration's GitHub, for as long as it is needed; raises ConfigError like `configured_client`."""
    github = configured_client(config.github, os.environ, reactor)
    try:
        yield github.client
    finally:
        await github.close()
