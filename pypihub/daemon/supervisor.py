"""One process for several that serve: it opens the ports, starts the workers, replaces those that end, stops them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.internet.defer import TimeoutError as DeferredTimeoutError
from twisted.internet.error import ProcessDone, ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall, IProcessTransport
from twisted.internet.protocol import Factory, ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from pypihub.config import Config, Server, load_config
from pypihub.daemon.listening import Listener, in_force, make_endpoints
from pypihub.daemon.logs import Manner, Received
from pypihub.daemon.ports import OpenedPorts
from pypihub.daemon.reloading import tell_of_refusal, tell_of_restart
from pypihub.daemon.reports import PATIENCE as REPORT_PATIENCE
from pypihub.daemon.reports import Reports
from pypihub.daemon.scraping import metrics_listener
from pypihub.errors import ConfigError

_log = Logger("pypihub")

FIRST_SOCKET = 3
"""The descriptor of a worker's first socket; the others follow."""

_GRACE = 5.0  # seconds to end in, beyond those for which a worker itself waits for its answers
_SHORTEST, _LONGEST = 0.5, 10.0  # seconds between a worker's end and the next one's start
_SOUND = 60.0  # seconds of life after which an end is no part of a series


def make_supervisor(config: Config, file: Path, reactor: Any, manner: Manner) -> Supervisor:
    """The service for `server.workers` processes that serve the configuration, which is that in the file.

    Their log is written in the given manner. Raises ConfigError for an endpoint that Twisted does not know.
    """
    server = config.server
    reports = config.metrics.endpoint is not None
    ports = OpenedPorts(reactor)
    endpoints = make_endpoints(server, ports)
    # Before twistd changes the folder; and the very modules that run here, whatever the folder holds.
    command = [sys.executable, "-P", "-m", "pypihub", "worker", "--config", str(file.absolute())]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}

    def spawn(process: ProcessProtocol) -> IProcessTransport:
        sockets = ports.descriptors()
        arguments = [*command, "--sockets", str(len(sockets))]
        arguments += ["--relayed", manner.form] if manner.relays else []
        arguments += ["--reports"] if reports else []
        output: dict[int, str | int] = {1: "r", 2: "r"} if manner.relays else {1: 1, 2: 2}
        # stdin is a pipe on which questions for metrics come, and its end, with the end of this process.
        descriptors = {0: "w", **output, **dict(enumerate(sockets, FIRST_SOCKET))}
        if reports:
            descriptors[FIRST_SOCKET + len(sockets)] = "r"
        started: IProcessTransport = reactor.spawnProcess(
            process, command[0], arguments, environment, childFDs=descriptors
        )
        return started

    workers = [Worker(number, spawn, manner.write, reactor) for number in range(1, server.workers + 1)]
    supervisor = Supervisor(server, file, workers, ports, len(endpoints))
    for endpoint in endpoints:
        Listener(endpoint, _Nothing()).setServiceParent(supervisor)
    if config.metrics.endpoint is not None:
        metrics = metrics_listener(config.metrics.endpoint, supervisor.metrics, reactor)
        metrics.setServiceParent(supervisor)
    return supervisor


class _Nothing(Factory):
    """What a port is for that accepts nothing."""

    noisy = False

    def logPrefix(self) -> str:
        """For Twisted's own log."""
        return "PyPIHub"


class Supervisor(MultiService):
    """Listens, and has workers. Those read the configuration themselves; what is no good they are not told of."""

    def __init__(self, server: Server, file: Path, workers: list[Worker], ports: OpenedPorts, shared: int) -> None:
        super().__init__()
        self._server = server
        self._file = file
        self._workers = workers
        self._ports = ports
        self._shared = shared

    def startService(self) -> None:
        """Starts the workers, as the user that twistd became; raises ConfigError for ports that cannot be shared."""
        super().startService()
        if len(self._ports.descriptors()) != self._shared:
            raise ConfigError(
                "server.endpoint: is of a kind that several workers cannot share; server.workers = 1 serves"
            )
        for worker in self._workers:
            worker.start()

    def stopService(self) -> Deferred[Any]:
        """Ends them; fires when all are gone."""
        grace = self._server.drain + _GRACE
        return gatherResults([*(worker.stop(grace) for worker in self._workers), super().stopService()])

    def metrics(self) -> Deferred[bytes]:
        """The metrics of all workers."""
        from pypihub.daemon.merging import merged  # Prometheus' library takes some memory

        numbers = [str(worker.number) for worker in self._workers]
        asked = gatherResults([Deferred.fromCoroutine(worker.metrics()) for worker in self._workers])
        return asked.addCallback(lambda texts: merged(dict(zip(numbers, texts, strict=True))))

    def reload(self) -> None:
        """Has the workers read the configuration again."""
        try:
            server = load_config(self._file).server
        except ConfigError as error:
            tell_of_refusal(error)
            return
        tell_of_restart(self._server, server)
        self._server = in_force(self._server, server)
        for worker in self._workers:
            worker.reload()


class Worker:
    """The place of one worker: a process, and when it ended the next."""

    def __init__(
        self,
        number: int,
        spawn: Callable[[ProcessProtocol], IProcessTransport],
        log_access: Callable[[list[str]], object],
        reactor: Any,
    ) -> None:
        self.number = number
        self._spawn = spawn
        self._log_access = log_access
        self._reactor = reactor
        self._pauses = Pauses()
        self._process: _Process | None = None
        self._next: IDelayedCall | None = None
        self._stopped: Deferred[None] | None = None

    def start(self) -> None:
        """Starts a process."""
        process = self._process = _Process(self._log_access, partial(self._ended, self._reactor.seconds()))
        try:
            self._spawn(process)
        except OSError as error:
            self._ended(self._reactor.seconds(), f"could not be started: {error}")
        else:
            _log.info("Worker {number} is process {pid}", number=self.number, pid=process.pid)

    async def metrics(self) -> bytes:
        """What it tells of itself; empty where it does not."""
        if self._process is None:
            return b""
        try:
            return await self._process.reports.next().addTimeout(REPORT_PATIENCE, self._reactor)
        except DeferredTimeoutError:
            return b""

    def reload(self) -> None:
        """Tells it to reload, if there is one: the next one reads what is there then."""
        if self._process is not None:
            self._process.signal("HUP")

    def stop(self, grace: float) -> Deferred[None]:
        """Asks it to end, kills it where it does not within so many seconds; fires when it is gone."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
        if self._process is None:
            return succeed(None)
        self._stopped = Deferred()
        self._process.signal("TERM")
        timer = self._reactor.callLater(grace, self._kill, self._process)
        return self._stopped.addCallback(lambda _: timer.cancel() if timer.active() else None)

    def _kill(self, process: _Process) -> None:
        _log.warn("Worker {number} does not end and is killed (process {pid})", number=self.number, pid=process.pid)
        process.signal("KILL")

    def _ended(self, started: float, how: str) -> None:
        self._process = None
        if self._stopped is not None:
            self._stopped.callback(None)
            return
        pause = self._pauses.after(self._reactor.seconds() - started)
        when = f"in {pause:g} s" if pause else "now"
        _log.warn("Worker {number} {how}; the next one starts {when}", number=self.number, how=how, when=when)
        self._next = self._reactor.callLater(pause, self._start_next)

    def _start_next(self) -> None:
        self._next = None
        self.start()


class Pauses:
    """How long to wait before a worker is replaced: not at all, but ever longer where they end one after the other."""

    def __init__(self) -> None:
        self._pause = 0.0

    def after(self, lived: float) -> float:
        """The pause in seconds after one that lived so many seconds."""
        pause = 0.0 if lived >= _SOUND else self._pause
        self._pause = min(max(pause * 2, _SHORTEST), _LONGEST)
        return pause


class _Process(ProcessProtocol):
    """A worker's process; `log_access` takes its requests' lines, and `ended` is told how it ended."""

    def __init__(self, log_access: Callable[[list[str]], object], ended: Callable[[str], None]) -> None:
        self._ended = ended
        self._output = {1: Received(log_access), 2: Received(log_access)}
        self.reports = Reports(self._ask)
        self.pid: int | None = None

    def connectionMade(self) -> None:
        """Twisted's: it runs."""
        self.pid = self.transport.pid  # type: ignore[union-attr]  # it has one by now

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """Twisted's: what it logs, if it does so here, or reports."""
        self._output.get(childFD, self.reports).write(data)

    def processEnded(self, reason: Failure) -> None:
        """Twisted's: it has ended, and all that it wrote was read."""
        for output in self._output.values():
            output.close()
        self.reports.close()
        error: Any = reason.value
        if isinstance(error, ProcessDone):
            how = "ended"
        else:
            how = f"was ended by signal {error.signal}" if error.signal else f"ended with status {error.exitCode}"
        self._ended(f"(process {self.pid}) {how}")

    def _ask(self) -> None:
        with suppress(KeyError):  # it is about to end, and has closed the pipe
            self.transport.writeToChild(0, b"?")  # type: ignore[union-attr]  # it has one since it was started

    def signal(self, name: str) -> None:
        """Sends a signal, unless it is gone already."""
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess(name)  # type: ignore[union-attr]  # it has one since it was started
