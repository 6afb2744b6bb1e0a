"""`twistd pypihub` and `twist pypihub`: their options, and the service that they run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from twisted.application.service import IService, MultiService
from twisted.logger import Logger
from twisted.python import usage

from pypihub.config import load_config
from pypihub.daemon.logs import Manner, log_apart
from pypihub.daemon.service import load_service
from pypihub.errors import ConfigError

_log = Logger("pypihub")


class Options(usage.Options):
    """The options behind `twistd pypihub`; twistd's own stand before that word."""

    synopsis = "[--config FILE]"
    longdesc = "Serves the wheels and sdists in GitHub releases as a Python package index."
    optParameters: ClassVar = [["config", "c", None, "The configuration, a TOML file. Without one: the defaults."]]

    service: IService

    def postOptions(self) -> None:
        """Reads the configuration and makes the service of it, while the terminal is still there.

        A mistake ends the process with one line and status 1. (UsageError would print the whole usage too.)
        """
        from twisted.internet import reactor

        try:
            file = Path(self["config"]) if self["config"] is not None else None
            config = load_config(file)
            self.service = load_service(file, config, reactor, Manner("text", log_apart, relays=True))
        except ConfigError as error:
            raise SystemExit(f"pypihub: {error.message}") from None
        if config.log.file is not None or config.log.format != "text":
            _log.warn("The log is twistd's: log.file and log.format are left aside, see twistd --help")


class StartError(SystemExit, Exception):
    """The end of twistd with one line and status 1.

    As a SystemExit it is no traceback. As an Exception it has twistd take its PID file away and, in the background,
    tell the terminal; which reads `str`, of 100 bytes with the name of this class.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = f"pypihub: {message}"


class Starting(MultiService):
    """Services whose start can fail by the configuration; raises StartError then."""

    def privilegedStartService(self) -> None:
        """Starts what needs privileges."""
        with _in_one_line():
            super().privilegedStartService()

    def startService(self) -> None:
        """Starts all else."""
        with _in_one_line():
            super().startService()


@contextmanager
def _in_one_line() -> Iterator[None]:
    try:
        yield
    except ConfigError as error:
        raise StartError(error.message) from None


def makeService(options: Options) -> IService:
    """The service for twistd; nothing listens until it is started."""
    starting = Starting()
    options.service.setServiceParent(starting)
    return starting
