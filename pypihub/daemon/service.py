"""The service that a configuration makes: the house, and the ports that it is served on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from twisted.application.service import IService, MultiService, Service
from twisted.internet.defer import Deferred

from pypihub.config import Config, load_config
from pypihub.daemon.house import House, build_house
from pypihub.daemon.listening import Listener, make_endpoints
from pypihub.daemon.logs import log_apart, log_together
from pypihub.daemon.ports import InheritedPorts
from pypihub.daemon.supervisor import make_supervisor
from pypihub.errors import ConfigError
from pypihub.github.patience import BACKOFF


def load_service(file: Path | None, reactor: Any, *, relays: bool = False) -> IService:
    """The daemon of a configuration file, or of the defaults; raises ConfigError, which names the file.

    With `relays` the log is Twisted's, as this process was told to keep it, and that of its workers, if any, goes there
    too; otherwise all write to stdout themselves.
    """
    config = load_config(file)
    try:
        if file is not None and config.server.workers > 1:
            return make_supervisor(config.server, file, reactor, relays=relays)
        return make_service(config, reactor, log_access=log_apart if relays else log_together)
    except ConfigError as error:
        raise ConfigError(f"{file}: {error.message}" if file else error.message) from None


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
    endpoints = make_endpoints(config.server, ports or reactor)
    house = build_house(config, reactor, backoff, log_access)
    service = MultiService()
    _Rooms(house).setServiceParent(service)
    for endpoint in endpoints:
        Listener(endpoint, house.site, tells=ports is None).setServiceParent(service)
    return service


class _Rooms(Service):
    """Opens the store at the start (not before twistd has forked).

    In the end, while nothing listens any more, it waits for the answers under way, then ends the background.
    """

    def __init__(self, house: House) -> None:
        self._house = house

    def startService(self) -> None:
        super().startService()
        Deferred.fromCoroutine(self._house.open())

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return Deferred.fromCoroutine(self._house.close())
