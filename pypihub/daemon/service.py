"""The service that a configuration makes: the house, and the ports that it is served on."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred

from pypihub.config import Config, load_config
from pypihub.daemon.activation import AdoptedPorts, without_systemd
from pypihub.daemon.house import House, build_house
from pypihub.daemon.listening import Listener, make_endpoints, readable
from pypihub.daemon.logs import log_apart, log_together
from pypihub.daemon.notify import Announced, Daemon, InitSystem, watchdog_time
from pypihub.daemon.ports import InheritedPorts
from pypihub.daemon.supervisor import make_supervisor
from pypihub.errors import ConfigError
from pypihub.github.patience import BACKOFF


def load_service(file: Path | None, reactor: Any, *, relays: bool = False) -> Announced:
    """The daemon of a configuration file, or of the defaults; raises ConfigError, which names the file.

    With `relays` the log is Twisted's, as this process was told to keep it, and that of its workers, if any, goes there
    too; otherwise all write to stdout themselves. An init system is told how the daemon is.
    """
    config = load_config(file)
    watchdog = watchdog_time(os.environ)
    try:
        if file is not None and config.server.workers > 1:
            daemon: Daemon = make_supervisor(config.server, file, reactor, relays=relays, watchdog=watchdog)
        else:
            daemon = make_service(config, reactor, log_access=log_apart if relays else log_together)
    except ConfigError as error:
        raise ConfigError(f"{file}: {error.message}" if file else error.message) from None
    return Announced(daemon, InitSystem(os.environ), watchdog, reactor)


def check_config(file: Path, reactor: Any) -> str:
    """What a configuration file that can be served means, in one line; raises ConfigError as serving it would.

    Nothing listens, is asked or is opened. Of a socket that systemd hands down only the name is checked.
    """
    config = load_config(file)
    server = config.server
    try:
        make_service(msgspec.structs.replace(config, server=without_systemd(server)), reactor)
    except ConfigError as error:
        raise ConfigError(f"{file}: {error.message}") from None
    if server.endpoint is None:
        where = readable(server.host, server.port) + (" with TLS" if server.tls else "")
    else:
        where = server.endpoint if isinstance(server.endpoint, str) else " and ".join(server.endpoint)
    by = f" by {server.workers} workers" if server.workers > 1 else ""
    return f"{file}: is sound: it listens on {where}{by} and asks {config.github.api_url}"


def make_service(
    config: Config,
    reactor: Any,
    *,
    backoff: Sequence[float] = BACKOFF,
    ports: InheritedPorts | None = None,
    log_access: Callable[[list[str]], object] = log_together,
) -> Alone:
    """The daemon in this process as a service. Nothing listens, is asked or is opened until it is started.

    `backoff` are the pauses in seconds before GitHub is asked again. `ports` are those of a supervisor, which tells
    of them. `log_access` takes the lines of the access log.
    Raises ConfigError for an endpoint that Twisted does not know.
    """
    endpoints = make_endpoints(config.server, ports or reactor, AdoptedPorts(reactor))
    house = build_house(config, reactor, backoff, log_access)
    return Alone(house, [Listener(endpoint, house.site, tells=ports is None) for endpoint in endpoints])


class Alone(MultiService):
    """The house, and the ports that it is served on; `ready` fires once all listen and the store is open."""

    def __init__(self, house: House, listeners: Sequence[Listener]) -> None:
        super().__init__()
        self._rooms = _Rooms(house)
        self._listeners = listeners
        for service in (self._rooms, *listeners):
            service.setServiceParent(self)

    @property
    def ready(self) -> Deferred[None]:
        """The ports listen at once, or starting fails."""
        return self._rooms.opened

    @property
    def status(self) -> str:
        """Where it listens."""
        return "Listens on " + ", ".join(listener.where for listener in self._listeners)


class _Rooms(Service):
    """Opens the store at the start (not before twistd has forked).

    In the end, while nothing listens any more, it waits for the answers under way, then ends the background.
    """

    def __init__(self, house: House) -> None:
        self._house = house
        self.opened: Deferred[None] = Deferred()

    def startService(self) -> None:
        super().startService()
        Deferred.fromCoroutine(self._house.open()).addCallback(self.opened.callback)

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return Deferred.fromCoroutine(self._house.close())
