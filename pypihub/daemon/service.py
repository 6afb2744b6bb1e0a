"""The service that a configuration makes: the house, and the ports that it is served on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred, succeed

from pypihub.config import Config, load_config
from pypihub.daemon.activation import AdoptedPorts, without_systemd
from pypihub.daemon.doors import Doors
from pypihub.daemon.house import House, build_house
from pypihub.daemon.listening import TELLS, Listener, keys_of, make_endpoints, readable
from pypihub.daemon.logfile import check_file
from pypihub.daemon.logs import PLAIN, Manner
from pypihub.daemon.notify import Announced, InitSystem, Starter, watchdog_time
from pypihub.daemon.places import check_places
from pypihub.daemon.ports import InheritedPorts
from pypihub.daemon.reloading import Reloads, tell_of_restart
from pypihub.daemon.renewing import Renewals
from pypihub.daemon.reports import Reporter
from pypihub.daemon.scraping import metrics_listener
from pypihub.daemon.serving import Serving
from pypihub.daemon.signals import obeying
from pypihub.daemon.supervisor import make_supervisor
from pypihub.errors import ConfigError
from pypihub.github.patience import BACKOFF
from pypihub.tally import Tally


def load_service(file: Path | None, config: Config, reactor: Any, manner: Manner) -> IService:
    """The daemon of a configuration, which is that of the `file` (None: the defaults); it obeys signals.

    Its log is written in the given manner. An init system is told how the daemon is. Raises ConfigError, which names
    the file.
    """
    file = file and file.absolute()  # twistd may change the folder
    watchdog, starter = watchdog_time(os.environ), InitSystem(os.environ)
    try:
        if file is not None and config.server.workers > 1:
            supervisor = make_supervisor(config, file, reactor, manner, watchdog=watchdog)
            service = Announced(supervisor, starter, watchdog, reactor)
            return obeying(service, Reloads(supervisor.reload, service).begin, reactor)
        alone = make_service(config, reactor, manner=manner)
    except ConfigError as error:
        raise ConfigError(f"{file}: {error.message}" if file else error.message) from None
    return announced(alone, file, starter, watchdog, reactor)


def announced(
    alone: Alone, file: Path | None, starter: Starter, watchdog: float | None, reactor: Any, *, tells: bool = True
) -> IService:
    """The daemon, which reads its file again when it is told to by a signal, and tells its starter of that.

    It `tells` the log of its end, of what was read again and what takes a restart. `watchdog` is as for `Announced`.
    """
    service = Announced(alone, starter, watchdog, reactor, tells=tells)

    async def reload() -> None:
        config = load_config(file)
        if tells:
            tell_of_restart(alone.serving.started, alone.serving.server, config)
        await alone.serving.reload(config)

    return obeying(service, Reloads(reload, service, tells=tells).begin, reactor)


def check_config(file: Path, reactor: Any) -> str:
    """What a configuration file that can be served means, in one line; raises ConfigError as serving it would.

    Nothing listens, is asked or is made: whether a port can be had is not known. Of a socket that systemd hands down
    only the name is checked.
    """
    config = load_config(file)
    server = config.server
    try:
        make_service(msgspec.structs.replace(config, server=without_systemd(server)), reactor)
        check_places(config)
        check_file(config.log)
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
    manner: Manner = PLAIN,
    reporter: Reporter | None = None,
) -> Alone:
    """The daemon in this process as a service. Nothing listens, is asked or is opened until it is started.

    `backoff` are the pauses in seconds before GitHub is asked again. `ports` are those of a supervisor, which tells
    of them and, asked by the `reporter`, of metrics. Requests are logged in the given manner.
    Raises ConfigError for an endpoint that Twisted does not know.
    """

    def build(config: Config, tally: Tally) -> House:
        return build_house(config, reactor, backoff, manner.log_access, tally)

    doors = Doors(ports or reactor, AdoptedPorts(reactor))
    endpoints = make_endpoints(config.server, doors, doors)
    serving = Serving(config, build, doors)
    keys, tells = keys_of(config.server), TELLS if ports is None else ""
    listeners = [Listener(endpoint, serving.site, keys, tells=tells) for endpoint in endpoints]
    alone = Alone(serving, listeners, Renewals(serving, reactor))
    if config.metrics.endpoint is not None:
        from pypihub.daemon.metrics import Metrics  # Prometheus' library takes some memory

        collect = Metrics(serving).text
        if reporter is not None:
            reporter.collect = collect
        elif ports is None:
            metrics_listener(config.metrics.endpoint, lambda: succeed(collect()), reactor).setServiceParent(alone)
    return alone


class Alone(MultiService):
    """What is served, and the ports that it is served on; `ready` fires once all listen and the store is open."""

    def __init__(self, serving: Serving, listeners: Sequence[Listener], renewals: Renewals) -> None:
        super().__init__()
        self.serving = serving
        self._listeners = listeners
        for service in (serving, *listeners, renewals):
            service.setServiceParent(self)

    @property
    def ready(self) -> Deferred[None]:
        """The ports listen at once, or starting fails."""
        return self.serving.opened

    @property
    def status(self) -> str:
        """Where it listens."""
        return "Listens on " + ", ".join(listener.where for listener in self._listeners)
