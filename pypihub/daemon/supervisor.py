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
from twisted.internet.error import ProcessDone, ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall, IProcessTransport
from twisted.internet.protocol import Factory, ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from pypihub.config import Server
from pypihub.daemon.listening import Listener, make_endpoints
from pypihub.daemon.logs import Received
from pypihub.daemon.notify import FOR_THIS_PROCESS
from pypihub.daemon.ports import OpenedPorts
from pypihub.errors import ConfigError
from pypihub.web.connections import PATIENCE

_log = Logger("pypihub")

TOLD = 3
"""The descriptor of a pipe by which a worker tells how it is; see `Starter`."""
FIRST_SOCKET = 4
"""The descriptor of a worker's first socket; the others follow."""

_GRACE = PATIENCE + 5  # seconds to end in; a worker waits for its answers for PATIENCE itself
_SHORTEST, _LONGEST = 0.5, 10.0  # seconds between a worker's end and the next one's start
_SOUND = 60.0  # seconds of life after which an end is no part of a series


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
    return Supervisor(workers, ports, [Listener(endpoint, _Nothing()) for endpoint in endpoints])


class _Nothing(Factory):
    """What a port is for that accepts nothing."""

    noisy = False

    def logPrefix(self) -> str:
        """For Twisted's own log."""
        return "PyPIHub"


class Supervisor(MultiService):
    """Listens, and has workers; `ready` fires once all of them serve."""

    def __init__(self, workers: list[Worker], ports: OpenedPorts, listeners: list[Listener]) -> None:
        super().__init__()
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
        return gatherResults([*(worker.stop() for worker in self._workers), super().stopService()])


class Worker:
    """The place of one worker: a process, and when it ended the next; `ready` fires once one serves.

    A process that served and then says nothing for `watchdog` seconds, if any, is killed.
    """

    def __init__(
        self,
        number: int,
        spawn: Callable[[ProcessProtocol], IProcessTransport],
        reactor: Any,
        watchdog: float | None = None,
    ) -> None:
        self.ready: Deferred[None] = Deferred()
        self._number = number
        self._spawn = spawn
        self._reactor = reactor
        self._watchdog = watchdog
        self._silence: IDelayedCall | None = None
        self._pauses = Pauses()
        self._process: _Process | None = None
        self._next: IDelayedCall | None = None
        self._stopped: Deferred[None] | None = None

    def start(self) -> None:
        """Starts a process."""
        process = self._process = _Process(self._told, partial(self._ended, self._reactor.seconds()))
        try:
            self._spawn(process)
        except OSError as error:
            self._ended(self._reactor.seconds(), f"could not be started: {error}")
        else:
            _log.info("Worker {number} is process {pid}", number=self._number, pid=process.pid)

    def stop(self) -> Deferred[None]:
        """Asks it to end, kills it where it does not; fires when it is gone."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
        if self._process is None:
            return succeed(None)
        self._stopped = Deferred()
        self._process.signal("TERM")
        timer = self._reactor.callLater(_GRACE, self._kill, self._process)
        return self._stopped.addCallback(lambda _: timer.cancel() if timer.active() else None)

    def _kill(self, process: _Process, why: str = "does not end") -> None:
        _log.warn("Worker {number} {why} and is killed (process {pid})", number=self._number, why=why, pid=process.pid)
        process.signal("KILL")

    def _told(self, line: str) -> None:
        if line == "READY=1" and not self.ready.called:
            self.ready.callback(None)
        if self._watchdog is None:
            return
        if self._silence is not None:
            self._silence.reset(self._watchdog)
        elif line == "READY=1":
            self._silence = self._reactor.callLater(self._watchdog, self._is_silent)

    def _is_silent(self) -> None:
        self._silence = None
        if self._process is not None:
            self._kill(self._process, f"said nothing for {self._watchdog:g} s")

    def _ended(self, started: float, how: str) -> None:
        self._process = None
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None
        if self._stopped is not None:
            self._stopped.callback(None)
            return
        pause = self._pauses.after(self._reactor.seconds() - started)
        when = f"in {pause:g} s" if pause else "now"
        _log.warn("Worker {number} {how}; the next one starts {when}", number=self._number, how=how, when=when)
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
    """A worker's process; `told` takes the lines that it tells, and `ended` how it ended."""

    def __init__(self, told: Callable[[str], None], ended: Callable[[str], None]) -> None:
        self._told = told
        self._ended = ended
        self._output = {1: Received(), 2: Received()}
        self.pid: int | None = None

    def connectionMade(self) -> None:
        """Twisted's: it runs."""
        self.pid = self.transport.pid  # type: ignore[union-attr]  # it has one by now

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """Twisted's: how it is, or what it logs, if it does so here."""
        if childFD == TOLD:
            for line in data.decode(errors="replace").splitlines():  # each is written and read as a whole
                self._told(line)
        else:
            self._output[childFD].write(data)

    def processEnded(self, reason: Failure) -> None:
        """Twisted's: it has ended, and all that it wrote was read."""
        for output in self._output.values():
            output.close()
        error: Any = reason.value
        if isinstance(error, ProcessDone):
            how = "ended"
        else:
            how = f"was ended by signal {error.signal}" if error.signal else f"ended with status {error.exitCode}"
        self._ended(f"(process {self.pid}) {how}")

    def signal(self, name: str) -> None:
        """Sends a signal, unless it is gone already."""
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess(name)  # type: ignore[union-attr]  # it has one since it was started
