"""The workers of a supervisor: a process in each place, replaced when it ends."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.defer import TimeoutError as WaitedTooLongError
from twisted.internet.error import ProcessDone, ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall, IProcessTransport
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from pypihub.daemon.logs import Received, log_apart
from pypihub.daemon.reports import PATIENCE, Reports

_log = Logger("pypihub")

TOLD = 3
"""The descriptor of a pipe by which a worker tells how it is; see `Starter`."""

_SHORTEST, _LONGEST = 0.5, 10.0  # seconds between a worker's end and the next one's start
_RELOAD = 30.0  # seconds that a worker may take to reload
_LOOKS = 4  # after as many silent ones in the watchdog's time a worker hangs; a late one counts once: we were halted
_SOUND = 60.0  # seconds of life after which an end is no part of a series


class Worker:
    """The place of one worker: a process, and when it ended the next; `ready` fires once one serves.

    `log_access` takes the lines of requests, where its log passes through this process. A process that served and then
    says nothing for `watchdog` seconds, if any, is killed.
    """

    def __init__(
        self,
        number: int,
        spawn: Callable[[ProcessProtocol], IProcessTransport],
        reactor: Any,
        watchdog: float | None = None,
        log_access: Callable[[list[str]], object] = log_apart,
    ) -> None:
        self.ready: Deferred[None] = Deferred()
        self.number = number
        self._spawn = spawn
        self._log_access = log_access
        self._reactor = reactor
        self._watchdog = watchdog
        self._look: IDelayedCall | None = None
        self._silent_looks = 0
        self._pauses = Pauses()
        self._process: _Process | None = None
        self._serves = self._is_due = False
        self._reloading: list[Deferred[None]] = []
        self._next: IDelayedCall | None = None
        self._stopped: Deferred[None] | None = None

    def start(self) -> None:
        """Starts a process."""
        process = self._process = _Process(self._told, self._log_access, partial(self._ended, self._reactor.seconds()))
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
            return await self._process.reports.next().addTimeout(PATIENCE, self._reactor)
        except WaitedTooLongError:
            return b""

    def reload(self) -> Deferred[None]:
        """Has it read the configuration again; fires when it did, or is gone: the next one reads what is there then."""
        if self._process is None:
            return succeed(None)
        if self._serves:
            self._process.signal("HUP")
        else:
            self._is_due = True  # it may have read what was there before, and does not take the signal yet
        reloaded: Deferred[None] = Deferred()
        self._reloading.append(reloaded)
        return reloaded.addTimeout(_RELOAD, self._reactor).addErrback(self._has_not_reloaded)

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

    def _kill(self, process: _Process, why: str = "does not end") -> None:
        _log.warn("Worker {number} {why} and is killed (process {pid})", number=self.number, why=why, pid=process.pid)
        process.signal("KILL")

    def _told(self, line: str) -> None:
        if line == "READY=1":
            self._is_ready()
        self._silent_looks = 0
        if self._watchdog is not None and self._look is None and line == "READY=1":
            self._look_later(self._watchdog)

    def _is_ready(self) -> None:
        self._serves = True
        if not self.ready.called:
            self.ready.callback(None)
        if self._is_due and self._process is not None:
            self._is_due = False
            self._process.signal("HUP")
        else:
            self._has_reloaded()

    def _has_reloaded(self) -> None:
        reloading, self._reloading = self._reloading, []
        for waiting in reloading:
            waiting.callback(None)

    def _has_not_reloaded(self, failure: Failure) -> None:
        _log.warn("Worker {number} did not reload within {seconds:g} s", number=self.number, seconds=_RELOAD)

    def _look_later(self, watchdog: float) -> None:
        self._look = self._reactor.callLater(watchdog / _LOOKS, self._look_now, watchdog)

    def _look_now(self, watchdog: float) -> None:
        self._look = None
        self._silent_looks += 1
        if self._silent_looks <= _LOOKS:
            self._look_later(watchdog)
        elif self._process is not None:
            self._kill(self._process, f"said nothing for {watchdog:g} s")

    def _ended(self, started: float, how: str) -> None:
        self._process = None
        self._serves = self._is_due = False
        self._has_reloaded()
        if self._look is not None:
            self._look.cancel()
            self._look = None
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
    """A worker's process; `told` takes the lines that it tells, `log_access` requests, and `ended` how it ended."""

    def __init__(
        self, told: Callable[[str], None], log_access: Callable[[list[str]], object], ended: Callable[[str], None]
    ) -> None:
        self._told = told
        self._ended = ended
        self._output = {1: Received(log_access), 2: Received(log_access)}
        self.reports = Reports(self._ask)
        self.pid: int | None = None

    def connectionMade(self) -> None:
        """Twisted's: it runs."""
        self.pid = self.transport.pid  # type: ignore[union-attr]  # it has one by now

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """Twisted's: how it is, what it logs, if it does so here, or its metrics."""
        if childFD == TOLD:
            for line in data.decode(errors="replace").splitlines():  # each is written and read as a whole
                self._told(line)
        else:
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
