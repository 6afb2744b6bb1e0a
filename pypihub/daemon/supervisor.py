"""One process for several that serve: it opens the ports, starts the workers, replaces those that end, stops them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, DeferredList, gatherResults
from twisted.internet.interfaces import IProcessTransport
from twisted.internet.protocol import Factory, ProcessProtocol

from pypihub.catalog.publishing import LONGEST_END
from pypihub.config import Server, load_config
from pypihub.daemon.listening import Listener, in_force, make_endpoints
from pypihub.daemon.notify import FOR_THIS_PROCESS
from pypihub.daemon.ports import OpenedPorts
from pypihub.daemon.reloading import tell_of_restart
from pypihub.daemon.workers import TOLD, Worker
from pypihub.errors import ConfigError

FIRST_SOCKET = 4
"""The descriptor of a worker's first socket; the others follow."""

# Seconds to end in, beyond those for which a worker waits for its answers: for uploads that must be undone.
_GRACE = 2 * LONGEST_END + 5
_ACCEPT = 3.0  # seconds in which the workers accept what waits, once they are told to end


def make_supervisor(
    server: Server, file: Path, reactor: Any, *, relays: bool, watchdog: float | None = None
) -> Supervisor:
    """The service for `server.workers` processes that serve the configuration in the file.

    With `relays` their log passes through this process's, otherwise they write to its stdout. A worker that says
    nothing for `watchdog` seconds is killed. Raises ConfigError for an endpoint that Twisted does not know.
    """
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
        arguments = [*command, "--sockets", str(len(sockets)), *(["--relayed"] if relays else [])]
        output: dict[int, str | int] = {1: "r", 2: "r"} if relays else {1: 1, 2: 2}
        # stdin is a pipe on which nothing comes but its end, with the end of this process.
        descriptors = {0: "w", **output, TOLD: "r", **dict(enumerate(sockets, FIRST_SOCKET))}
        started: IProcessTransport = reactor.spawnProcess(
            process, command[0], arguments, environment, childFDs=descriptors
        )
        return started

    workers = [Worker(number, spawn, reactor, watchdog) for number in range(1, server.workers + 1)]
    return Supervisor(
        server, file, workers, ports, [Listener(endpoint, _Nothing(), accepts=False) for endpoint in endpoints], reactor
    )


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
        server: Server,
        file: Path,
        workers: list[Worker],
        ports: OpenedPorts,
        listeners: list[Listener],
        reactor: Any,
    ) -> None:
        super().__init__()
        self._reactor = reactor
        self._server = server
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
        gone = gatherResults([worker.stop(self._server.drain + _GRACE) for worker in self._workers])
        accepted = DeferredList([worker.accepted for worker in self._workers])
        timer = self._reactor.callLater(_ACCEPT, accepted.cancel)
        await accepted  # whoever closes these ports breaks the connections that wait there
        if timer.active():
            timer.cancel()
        await super().stopService()
        await gone

    async def reload(self) -> None:
        """Has the workers read the configuration again, and waits for them; raises ConfigError where it is no good."""
        server = load_config(self._file).server
        tell_of_restart(self._server, server)
        self._server = in_force(self._server, server)
        await gatherResults([worker.reload() for worker in self._workers])
