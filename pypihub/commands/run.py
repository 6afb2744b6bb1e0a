"""`pypihub run`: PyPIHub on a port of this machine, for the time of one command that installs from it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import click
from twisted.internet.defer import Deferred, maybeDeferred

from pypihub.commands.children import run_child, until_told_to_stop
from pypihub.commands.environment import Index, variables
from pypihub.commands.running import run_in_reactor
from pypihub.commands.token import find_token, github_host
from pypihub.config import Config, Log, Seconds, Server, load_config
from pypihub.daemon.foreground import start_service
from pypihub.daemon.listening import Listener
from pypihub.daemon.logs import log_to
from pypihub.daemon.service import make_service
from pypihub.errors import CommandError, OwnerNotServedError
from pypihub.index.names import Owner, parse_owner

_HOST = "127.0.0.1"
_NO_SUCH_COMMAND = 127  # as shells have it
_DRAIN = Seconds(1)  # whoever asked is gone


@dataclass(frozen=True, slots=True)
class Wish:
    """Whose packages are to be had, on which port (0 for a free one), and whether PyPI stays beside them."""

    owner: str
    port: int = 0
    with_pypi: bool = True


def run_command(file: Path | None, wish: Wish, command: Sequence[str]) -> NoReturn:
    """Runs the command with the index in its environment, and ends the process with its status.

    That is 128 and the signal's number where one ended it, and 127 where there is no such command.
    Raises CommandError, ConfigError and OwnerNotServedError.
    """
    program = shutil.which(command[0])
    if program is None:
        click.echo(f"pypihub: {command[0]}: there is no such command.", err=True)
        raise SystemExit(_NO_SUCH_COMMAND)

    async def run(reactor: Any, added: Mapping[str, str]) -> None:
        status = await run_child(reactor, program, command, {**os.environ, **added})
        if status:
            raise SystemExit(status)

    _serve_while(file, wish, run)


def hold(file: Path | None, wish: Wish, env_file: Path) -> NoReturn:
    """Appends the variables to `env_file`, a line each, serves until a signal ends it, and ends the process.

    Raises like `run_command`.
    """

    async def write(reactor: Any, added: Mapping[str, str]) -> None:
        lines = "".join(f"{name}={value}\n" for name, value in added.items())
        try:
            descriptor = os.open(env_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)  # the token is among them
            with os.fdopen(descriptor, "wb", buffering=0) as stream:
                stream.write(lines.encode())  # at once: others wait for it
        except OSError as error:
            raise CommandError(f"{env_file}: cannot be written: {error.strerror}") from None
        await until_told_to_stop(reactor)

    _serve_while(file, wish, write)


def _serve_while(
    file: Path | None, wish: Wish, work: Callable[[Any, Mapping[str, str]], Coroutine[Deferred[Any], Any, None]]
) -> NoReturn:
    """Serves while `work` goes on, which is told the variables that lead to the index."""
    config = load_config(file)
    owner = _owner(wish.owner, config)
    token = find_token(os.environ, github_host(config.github.api_url))
    log_to(sys.stderr, Log(level="warn"))

    async def serve(reactor: Any) -> None:
        await _until_running(reactor)
        async with _served(_for_this_machine(config, wish.port), reactor) as port:
            index = Index(f"http://{_HOST}:{port}", owner, token)
            await work(reactor, variables(index, os.environ, with_pypi=wish.with_pypi))

    run_in_reactor(serve)


@asynccontextmanager
async def _served(config: Config, reactor: Any) -> AsyncIterator[int]:
    """The port that is served on meanwhile; afterwards it is closed."""
    service = make_service(config, reactor)
    start_service(service, "--port")
    try:
        await service.ready
        address: Any = next(each for each in service if isinstance(each, Listener)).address
        yield address.port
    finally:
        await maybeDeferred(service.stopService)


def _for_this_machine(config: Config, port: int) -> Config:
    """Of the configuration all but where it listens and what it logs."""
    return Config(
        server=Server(endpoint=f"tcp:{port}:interface={_HOST}", drain=_DRAIN),
        github=config.github,
        cache=config.cache,
        metadata=config.metadata,
        downloads=config.downloads,
        publish=config.publish,
        pages=config.pages,
        limits=config.limits,
        log=Log(access=False),
    )


def _owner(text: str, config: Config) -> Owner:
    owner = parse_owner(text)
    if owner is None:
        raise CommandError(f"{text[:50]!r} is no GitHub user or organization.")
    served = config.github.owners
    if served and owner not in {each.lower() for each in served}:
        raise OwnerNotServedError(f"{owner} is not among github.owners.")
    return owner


def _until_running(reactor: Any) -> Deferred[None]:
    """Fires once the reactor runs, and with it its handlers of signals, which others may replace then."""
    running: Deferred[None] = Deferred()
    reactor.callWhenRunning(running.callback, None)
    return running
