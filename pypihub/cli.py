"""The `pypihub` command: serves in the foreground, or does what its subcommand says."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from pypihub import __version__
from pypihub.config import Config, load_config
from pypihub.errors import ConfigError

if TYPE_CHECKING:
    from twisted.application.service import IService

_CONFIG = click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The configuration, a TOML file. Without one: the defaults.",
)


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="PyPIHub %(version)s")
@_CONFIG
@click.pass_context
def main(context: click.Context, config: Path | None) -> None:
    """Serve the wheels and sdists in GitHub releases as a Python package index.

    Without a COMMAND it serves in the foreground and logs to stdout. To run it in the background: twistd pypihub.
    """
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
@_CONFIG
@click.option("--sockets", type=click.IntRange(1), required=True)
@click.option("--relayed", type=click.Choice(["text", "json"]))
@click.option("--reports", is_flag=True)
def worker(config: Path, sockets: int, relayed: Literal["text", "json"] | None, reports: bool) -> None:
    """Serve from sockets that another process opened: it starts this, and logs what is relayed."""
    from twisted.internet import reactor

    from pypihub.daemon.worker import run_worker

    try:
        run_worker(config, sockets, reactor, sys.stdout, relayed, reports=reports)
    except ConfigError as error:
        raise SystemExit(f"pypihub: {error.message}") from None


@main.command()
@click.option(
    "--from",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Your own wheels and sdists: OWNER/REPO/TAG/FILES, or all in one folder.",
)
@click.option("--port", type=click.IntRange(1, 65535), default=3141, show_default=True, help="Where to serve.")
@click.option("--once", is_flag=True, help="Stop after the installation: status 0 when it worked.")
def demo(folder: Path | None, port: int, once: bool) -> None:
    """Try PyPIHub without GitHub: a stand-in GitHub, the daemon, and a real pip install through it."""
    from twisted.internet import reactor

    from pypihub.daemon.foreground import start_service
    from pypihub.daemon.logs import log_to
    from pypihub.daemon.service import make_service

    try:
        from pypihub.sandbox.demo import run_demo
    except ImportError as error:
        raise SystemExit(f"pypihub: the demo needs {error.name}: pip install 'pypihub[demo]'") from None

    def start_daemon(config: Config) -> IService:
        return start_service(make_service(config, reactor))

    log_to(sys.stdout)
    sys.exit(run_demo(reactor, start_daemon, folder=folder, port=port, once=once))
