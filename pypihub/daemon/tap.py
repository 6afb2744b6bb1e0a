"""`twistd pypihub` and `twist pypihub`: their options, and the service that they run."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from twisted.application.service import IService
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


def makeService(options: Options) -> IService:
    """The service for twistd; nothing listens until it is started."""
    return options.service
