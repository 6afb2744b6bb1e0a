"""`twistd pypihub` and `twist pypihub`: their options, and the service that they run."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from twisted.application.service import IService
from twisted.python import usage

from pypihub.config import Config, load_config
from pypihub.daemon.service import make_endpoints, make_service
from pypihub.errors import ConfigError


class Options(usage.Options):
    """The options behind `twistd pypihub`; twistd's own stand before that word."""

    synopsis = "[--config FILE]"
    longdesc = "Serves the wheels and sdists in GitHub releases as a Python package index."
    optParameters: ClassVar = [["config", "c", None, "The configuration, a TOML file. Without one: the defaults."]]

    hub_config: Config

    def postOptions(self) -> None:
        """Reads the configuration while the terminal is still there.

        A mistake ends the process with one line and status 1. (UsageError would print the whole usage too.)
        """
        from twisted.internet import reactor

        try:
            self.hub_config = load_config(Path(self["config"]) if self["config"] is not None else None)
            make_endpoints(self.hub_config.server, reactor)
        except ConfigError as error:
            raise SystemExit(f"pypihub: {error.message}") from None


def makeService(options: Options) -> IService:
    """The service for twistd; nothing listens until it is started."""
    from twisted.internet import reactor

    return make_service(options.hub_config, reactor)
