"""One process for several that serve: it opens the ports, starts the workers, replaces those that end, stops them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IProcessTransport
from twisted.internet.protocol import Factory, ProcessProtocol

from pypihub.catalog.publishing import LONGEST_END
from pypihub.config import Config, load_config
from pypihub.daemon.listening import Listener, in_force, keys_of, make_endpoints
from pypihub.daemon.logs import Manner
from pypihub.daemon.notify import FOR_THIS_PROCESS
from pypihub.daemon.ports import OpenedPorts
from pypihub.daemon.reloading import tell_of_restart
from pypihub.daemon.scraping import metrics_listener
from pypihub.daemon.workers import TOLD, Worker
from pypihub.errors import ConfigError

FIRST_SOCKET = 4
"""The descriptor of a worker's first socket; the others follow."""

# Seconds to end in, beyond those for which a worker waits for its answers: for uploads that must be undone.
_GRACE = 2 * LONGEST_END + 5


def make_supervisor(
    config: Config, file: Path, reactor: Any, manner: Manner, *, watchdog: float | None = None
) -> Supervisor:
    """The service for `server.workers` processes that serve the configuration, which is that in the file.

    Their log is written in the given manner. A worker that says nothing for `watchdog` seconds is killed. Raises
    ConfigError for an endpoint that Twisted does not know.
    """
    server, reports = config.server, config.metrics.endpoint is not None
    ports = OpenedPorts(reactor)
    endpoints = make_endpoints(server, ports, ports)
    # Before twistd changes the folder; and the very modules that run here, whatever the folder holds.
    command = [sys.executable, "-P", "-m", "pypihub", "worker", "--config", str(file.absolute())]
    if watchdog is not None:
        command += ["--watchdog", str(watchdog)]
    environment = {name: value for name, value in os.environ.items() if name not in FOR_THIS_PROCESS}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)

    def spawn(process: ProcessProtocol) -> IProcessTransport:
        sockets = ports.descriptors()
        arguments = [*command, "--sockets", str(len(sockets))]
        arguments += ["--relayed", manner.form] if manner.relays else []
        arguments += ["--reports"] if reports else []
        output: dict[int, str | int] = {1: "r", 2: "r"} if manner.relays else {1: 1, 2: 2}
        # stdin is a pipe on which questions for metrics come, and its end, with the end of this process.
        descriptors = {0: "w", **output, TOLD: "r", **dict(enumerate(sockets, FIRST_SOCKET))}
        if reports:
            descriptors[FIRST_SOCKET + len(sockets)] = "r"
        started: IProcessTransport = reactor.spawnProcess(
            process, command[0], arguments, environment, childFDs=descriptors
        )
        return started

    workers = [Worker(number, spawn, reactor, watchdog, manner.write) for number in range(1, server.workers + 1)]
    listeners = [Listener(endpoint, _Nothing(), keys_of(server), accepts=False) for endpoint in endpoints]
    supervisor = Supervisor(config, file, workers, ports, listeners)
    if config.metrics.endpoint is not None:
        metrics_listener(config.metrics.endpoint, supervisor.metrics, reactor).setServiceParent(supervisor)
    return supervisor


class _Nothing(Factory):
    """What a port is for that accepts nothing."""

    noisy = False

    def logPrefix(self) -> str:
        """For Twisted's own log."""
        return "PyPIHub"


class Supervisor(MultiService):
    """Listens, and has workers; `ready` fires once all of them serve.

    They read the configuration themselves; of one that is no good they are not told.
    """

    def __init__(
        self,
        config: Config,
        file: Path,
        workers: list[Worker],
        ports: OpenedPorts,
        listeners: list[Listener],
    ) -> None:
        super().__init__()
        self._started = config
        self._server = config.server
        self._file = file
        self._workers = workers
        self._ports = ports
        self._listeners = listeners
        for listener in listeners:
            listener.setServiceParent(self)
        self.ready: Deferred[None] = gatherResults([worker.ready for worker in workers]).addCallback(lambda _: None)

    @property
    def status(self) -> str:
        """How many serve, and where."""
        where = ", ".join(listener.where for listener in self._listeners)
        return f"{len(self._workers)} workers listen on {where}"

    def startService(self) -> None:
        """Starts the workers, as the user that twistd became; raises ConfigError for ports that cannot be shared."""
        super().startService()
        if len(self._ports.descriptors()) != len(self._listeners):
            raise ConfigError(
                "server.endpoint: is of a kind that several workers cannot share; server.workers = 1 serves"
            )
        for worker in self._workers:
            worker.start()

    def stopService(self) -> Deferred[Any]:
        """Ends them; fires when all are gone."""
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        await super().stopService()  # now the port is the workers' alone, and the last to close it accepts what waits
        await gatherResults([worker.stop(self._server.drain + _GRACE) for worker in self._workers])

    def metrics(self) -> Deferred[bytes]:
        """The metrics of all workers."""
        from pypihub.daemon.merging import merged  # Prometheus' library takes some memory

        numbers = [str(worker.number) for worker in self._workers]
        asked = gatherResults([Deferred.fromCoroutine(worker.metrics()) for worker in self._workers])
        return asked.addCallback(lambda texts: merged(dict(zip(numbers, texts, strict=True))))

    async def reload(self) -> None:
        """Has the workers read the configuration again, and waits for them; raises ConfigError where it is no good."""
        config = load_config(self._file)
        tell_of_restart(self._started, self._server, config)
        self._server = in_force(self._server, config.server)
        await gatherResults([worker.reload() for worker in self._workers])
