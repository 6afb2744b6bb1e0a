"""The `pypihub` command: serves in the foreground, or does what its subcommand says."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from pypihub import __version__
from pypihub.config import Config, load_config
from pypihub.errors import ConfigError, PyPIHubError

if TYPE_CHECKING:
    from twisted.application.service import IService

_CONFIG = click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The configuration, a TOML file. Without one: the defaults.",
)


def _configured(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a subcommand its `config`, be it named before or after the subcommand, or None.

    Two different files are a mistake.
    """

    @_CONFIG
    @click.pass_obj
    @wraps(command)
    def call(before: Path | None, /, **options: Any) -> None:
        command(**options | {"config": _one_of(before, options["config"])})

    return call


def _one_of(before: Path | None, after: Path | None) -> Path | None:
    if before is not None and after is not None and before.absolute() != after.absolute():
        raise click.UsageError(f"two configurations are given: {before} and {after}")
    return before if after is None else after


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="PyPIHub %(version)s")
@_CONFIG
@click.pass_context
def main(context: click.Context, config: Path | None) -> None:
    """Serve the wheels and sdists in GitHub releases as a Python package index.

    Without a COMMAND it serves in the foreground and logs to stdout. To run it in the background: twistd pypihub.
    """
    context.obj = config
    if context.invoked_subcommand is None:
        _serve(config)


def _serve(file: Path | None) -> None:
    # Imported here, so that -h and --version do not wait for a reactor.
    from twisted.internet import reactor

    from pypihub.daemon.foreground import run_service
    from pypihub.daemon.logfile import keep_log
    from pypihub.daemon.service import load_service

    try:
        config = load_config(file)
        service = load_service(file, config, reactor, keep_log(config.log, sys.stdout, reactor))
        run_service(service, reactor)
    except ConfigError as error:
        raise SystemExit(f"pypihub: {error.message}") from None


@main.command(hidden=True)
@_configured
@click.option("--sockets", type=click.IntRange(1), required=True)
@click.option("--watchdog", type=float)
@click.option("--relayed", type=click.Choice(["text", "json"]))
@click.option("--reports", is_flag=True)
def worker(
    config: Path | None, sockets: int, watchdog: float | None, relayed: Literal["text", "json"] | None, reports: bool
) -> None:
    """Serve from sockets that another process opened: it starts this, and logs what is relayed."""
    from twisted.internet import reactor

    from pypihub.daemon.worker import run_worker

    try:
        run_worker(config, sockets, watchdog, reactor, sys.stdout, relayed=relayed, reports=reports)
    except ConfigError as error:
        raise SystemExit(f"pypihub: {error.message}") from None


@main.command(short_help="Tell whether a configuration can be served.")
@_configured
@click.argument("file", type=click.Path(path_type=Path), required=False)
def check_config(config: Path | None, file: Path | None) -> None:
    """Tell whether FILE, a configuration, can be served: in one line, and by status 0 or 1. Nothing listens."""
    from twisted.internet import reactor

    from pypihub.daemon.service import check_config

    chosen = _one_of(config, file)
    if chosen is None:
        raise click.UsageError("which FILE?")
    try:
        click.echo(check_config(chosen, reactor))
    except ConfigError as error:
        raise SystemExit(f"pypihub: {error.message}") from None


@main.command(short_help="Try it without GitHub: a stand-in GitHub and a real pip.")
@_configured
@click.option(
    "--from",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Your own wheels and sdists: OWNER/REPO/TAG/FILES, or all in one folder.",
)
@click.option("--port", type=click.IntRange(1, 65535), default=3141, show_default=True, help="Where to serve.")
@click.option("--once", is_flag=True, help="Stop after the installation: status 0 when it worked.")
def demo(config: Path | None, folder: Path | None, port: int, once: bool) -> None:
    """Try PyPIHub without GitHub: a stand-in GitHub, the daemon, and a real pip install through it.

    Of a configuration all counts but where to listen, which GitHub, whose packages, and the cache's folder.
    """
    from twisted.internet import reactor

    from pypihub.daemon.foreground import start_service
    from pypihub.daemon.logs import log_to
    from pypihub.daemon.service import make_service

    try:
        from pypihub.sandbox.demo import run_demo
    except ImportError as error:
        # The name on PyPI belongs to others, whose program must not come in place of this one.
        raise SystemExit(f"pypihub: the demo needs {error.name}. In PyPIHub's clone: pip install '.[demo]'") from None

    def start_daemon(config: Config) -> IService:
        return start_service(make_service(config, reactor), "--port")

    try:
        wanted = load_config(config)
    except ConfigError as error:
        raise SystemExit(f"pypihub: {error.message}") from None
    log_to(sys.stdout)
    sys.exit(run_demo(reactor, start_daemon, config=wanted, folder=folder, port=port, once=once))


@main.command(short_help="Yank a version, or bring it back.")
@_configured
@click.argument("repository", metavar="OWNER/REPO")
@click.argument("version")
@click.option(
    "--reason", default="", metavar="TEXT", help="Why: pip and uv show it to whoever installs it all the same."
)
@click.option("--project", metavar="NAME", help="Which project, where several of the repository have this version.")
@click.option("--undo", is_flag=True, help="Bring it back.")
def yank(
    config: Path | None,
    repository: str,
    version: str,
    reason: str,
    project: str | None,
    undo: bool,
) -> None:
    """Yank a version: it is installed only where it is pinned.

    The title of each release that holds its files becomes `[yanked] TEXT`, and with --undo the tag. The token comes
    from PYPIHUB_TOKEN, GITHUB_TOKEN, GH_TOKEN or `gh auth token`, and must be allowed to write to the repository.
    """
    from pypihub.commands.yank import read_wish, run_yank

    if undo and reason:
        raise click.UsageError("--reason and --undo do not go together.")
    try:
        wish = read_wish(repository, version, project, reason, undo=undo)
        run_yank(config, wish)
    except PyPIHubError as error:
        raise SystemExit(f"pypihub: {error.message}") from None


@main.command(short_help="Tell what works on the way to a package, and what helps.")
@_configured
@click.argument("owner")
@click.argument("project", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON document, for machines.")
def check(config: Path | None, owner: str, project: str | None, as_json: bool) -> None:
    """Walk the way of a request for OWNER's PROJECT, and tell of each step whether it works and what helps.

    Without PROJECT it ends with the list of the owner's projects. The token comes from PYPIHUB_TOKEN, GITHUB_TOKEN,
    GH_TOKEN or `gh auth token`. Exit status 0 where all is well, else 1.
    """
    from pypihub.commands.check import run_check

    try:
        run_check(config, owner, project, as_json=as_json)
    except PyPIHubError as error:
        raise SystemExit(f"pypihub: {error.message}") from None


class _Running(click.Command):
    """A command that runs another one, whose options are not its own."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Click's; an option that is not known here may be meant for the other command."""
        is_parted = "--" in args
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if is_parted:
                raise
            hint = f"If it is COMMAND's, write: {ctx.command_path} OWNER -- COMMAND …"
            raise click.UsageError(f"{error.format_message()} {hint}", ctx) from None


@main.command(cls=_Running, short_help="Run a command that installs packages; it needs no server.")
@_configured
@click.argument("owner")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.option("--no-pypi", is_flag=True, help="Install from OWNER alone: neither PyPI nor other indexes stay beside.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help="Where to serve meanwhile, for lock files, which keep URLs; else a free port.",
)
@click.option(
    "--env-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="In place of a COMMAND: append the variables, with the token, to FILE, and serve until a signal.",
)
def run(
    config: Path | None, owner: str, command: tuple[str, ...], no_pypi: bool, port: int | None, env_file: Path | None
) -> None:
    """Run `pypihub run OWNER -- COMMAND …`: PyPIHub serves OWNER's packages on this machine while COMMAND runs.

    COMMAND, such as `pip install`, `uv sync` or `pdm install`, finds the index in its environment (PIP_INDEX_URL,
    UV_INDEX and the like) and gets signals; its exit status is passed on. The token comes from PYPIHUB_TOKEN,
    GITHUB_TOKEN, GH_TOKEN or `gh auth token`. pip treats all indexes alike: --no-pypi keeps others out.
    """
    from pypihub.commands.run import Wish, hold, run_command

    if bool(command) == (env_file is not None):
        raise click.UsageError("What is to run? Write: pypihub run OWNER -- COMMAND …")
    wish = Wish(owner, port or 0, with_pypi=not no_pypi)
    try:
        if env_file is not None:
            hold(config, wish, env_file)
        run_command(config, wish, command)
    except PyPIHubError as error:
        raise SystemExit(f"pypihub: {error.message}") from None


@main.command(name="config", short_help="Print what a tool's configuration needs.")
@click.argument("tool", type=click.Choice(["pip", "uv", "poetry", "pdm", "netrc", "actions"]))
@click.argument("owner")
@click.option(
    "--url",
    default="http://127.0.0.1:3141",
    show_default=True,
    metavar="URL",
    help="Where PyPIHub serves, without OWNER.",
)
def print_snippet(tool: str, owner: str, url: str) -> None:
    """Print what TOOL's configuration needs to install OWNER's packages. The token stays out of it."""
    from pypihub.commands.snippets import snippet

    try:
        click.echo(snippet(tool, owner, url), nl=False)
    except PyPIHubError as error:
        raise SystemExit(f"pypihub: {error.message}") from None
