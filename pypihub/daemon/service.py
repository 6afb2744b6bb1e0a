"""The service that a configuration makes: the house, and the ports that it is served on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from twisted.application.service import IService, MultiService

from pypihub.config import Config, load_config
from pypihub.daemon.doors import Doors
from pypihub.daemon.house import build_house
from pypihub.daemon.listening import Listener, make_endpoints
from pypihub.daemon.logs import log_apart, log_together
from pypihub.daemon.ports import InheritedPorts
from pypihub.daemon.reloading import Reloads
from pypihub.daemon.serving import Serving
from pypihub.daemon.signals import obeying
from pypihub.daemon.supervisor import make_supervisor
from pypihub.errors import ConfigError
from pypihub.github.patience import BACKOFF
from pypihub.tally import Tally


def load_service(file: Path | None, reactor: Any, *, relays: bool = False) -> IService:
    """The daemon of a configuration file, or of the defaults, which obeys signals; raises ConfigError.

    With `relays` the log is Twisted's, as this process was told to keep it, and that of its workers, if any, goes there
    too; otherwise all write to stdout themselves.
    """
    file = file and file.absolute()  # twistd may change the folder
    config = load_config(file)
    try:
        if file is not None and config.server.workers > 1:
            supervisor = make_supervisor(config.server, file, reactor, relays=relays)
            return obeying(supervisor, supervisor.reload, reactor)
        return make_reloading_service(config, file, reactor, log_access=log_apart if relays else log_together)
    except ConfigError as error:
        raise ConfigError(f"{file}: {error.message}" if file else error.message) from None


def make_reloading_service(
    config: Config,
    file: Path | None,
    reactor: Any,
    *,
    ports: InheritedPorts | None = None,
    log_access: Callable[[list[str]], object] = log_together,
) -> MultiService:
    """As `make_service`; reads the file again on SIGHUP, and certificates when their files change."""
    service = make_service(config, reactor, ports=ports, log_access=log_access)
    (serving,) = (each for each in service if isinstance(each, Serving))
    reloads = Reloads(file, serving, reactor, tells=ports is None)
    reloads.setServiceParent(service)
    return obeying(service, reloads.reload, reactor)


def make_service(
    config: Config,
    reactor: Any,
    *,
    backoff: Sequence[float] = BACKOFF,
    ports: InheritedPorts | None = None,
    log_access: Callable[[list[str]], object] = log_together,
) -> MultiService:
    """The daemon in this process as a service. Nothing listens, is asked or is opened until it is started.

    `backoff` are the pauses in seconds before GitHub is asked again. `ports` are those of a supervisor, which tells
    of them. `log_access` takes the lines of the access log.
    Raises ConfigError for an endpoint that Twisted does not know.
    """
    doors = Doors(ports or reactor)
    endpoints = make_endpoints(config.server, doors)
    build = partial(build_house, reactor=reactor, backoff=backoff, log_access=log_access, tally=Tally())
    service = MultiService()
    serving = Serving(config, build, doors)
    serving.setServiceParent(service)
    for endpoint in endpoints:
        Listener(endpoint, serving.site, tells=ports is None).setServiceParent(service)
    return service
