"""The service that a configuration makes: the house, and the ports that it is served on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.internet.defer import succeed

from pypihub.config import Config
from pypihub.daemon.doors import Doors
from pypihub.daemon.house import House, build_house
from pypihub.daemon.listening import TELLS, Listener, make_endpoints
from pypihub.daemon.logs import PLAIN, Manner
from pypihub.daemon.ports import InheritedPorts
from pypihub.daemon.reloading import Reloads
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

    Its log is written in the given manner. Raises ConfigError.
    """
    file = file and file.absolute()  # twistd may change the folder
    try:
        if file is not None and config.server.workers > 1:
            supervisor = make_supervisor(config, file, reactor, manner)
            return obeying(supervisor, supervisor.reload, reactor)
        return make_reloading_service(config, file, reactor, manner=manner)
    except ConfigError as error:
        raise ConfigError(f"{file}: {error.message}" if file else error.message) from None


def make_reloading_service(
    config: Config,
    file: Path | None,
    reactor: Any,
    *,
    ports: InheritedPorts | None = None,
    manner: Manner = PLAIN,
    reporter: Reporter | None = None,
) -> MultiService:
    """As `make_service`; reads the file again on SIGHUP, and certificates when their files change."""
    service = make_service(config, reactor, ports=ports, manner=manner, reporter=reporter)
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
    manner: Manner = PLAIN,
    reporter: Reporter | None = None,
) -> MultiService:
    """The daemon in this process as a service. Nothing listens, is asked or is opened until it is started.

    `backoff` are the pauses in seconds before GitHub is asked again. `ports` are those of a supervisor, which tells
    of them and, asked by the `reporter`, of metrics. Requests are logged in the given manner.
    Raises ConfigError for an endpoint that Twisted does not know.
    """

    def build(config: Config, tally: Tally) -> House:
        return build_house(config, reactor, backoff, manner.log_access, tally)

    doors = Doors(ports or reactor)
    endpoints = make_endpoints(config.server, doors)
    service = MultiService()
    serving = Serving(config, build, doors)
    serving.setServiceParent(service)
    for endpoint in endpoints:
        Listener(endpoint, serving.site, tells=TELLS if ports is None else "").setServiceParent(service)
    if config.metrics.endpoint is not None:
        from pypihub.daemon.metrics import Metrics  # Prometheus' library takes some memory

        collect = Metrics(serving).text
        if reporter is not None:
            reporter.collect = collect
        elif ports is None:
            metrics_listener(config.metrics.endpoint, lambda: succeed(collect()), reactor).setServiceParent(service)
    return service
