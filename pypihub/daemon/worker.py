"""One of several processes that serve, started by the supervisor: what is different from serving alone."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Literal

import msgspec
from twisted.application.service import Service
from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from pypihub.config import load_config
from pypihub.daemon.activation import without_systemd
from pypihub.daemon.foreground import run_service
from pypihub.daemon.logs import Manner, hand_over_to, log_to
from pypihub.daemon.ports import InheritedPorts
from pypihub.daemon.reports import Reporter
from pypihub.daemon.service import announced, make_service
from pypihub.daemon.supervisor import FIRST_SOCKET
from pypihub.daemon.workers import TOLD


def run_worker(
    file: Path | None,
    sockets: int,
    watchdog: float | None,
    reactor: Any,
    stdout: IO[str],
    *,
    relayed: Literal["text", "json"] | None,
    reports: bool,
) -> None:
    """Serves the configuration on the sockets that were handed down, until a signal or the supervisor's end.

    With `watchdog` the supervisor takes so many seconds of silence for a hang. It logs to `stdout`: for the supervisor
    where that relays the log, which has the requests' lines in this form. With `reports` there is a pipe behind the
    sockets for metrics. Raises ConfigError for a configuration that cannot be served.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for all on the terminal, and the supervisor tells us
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # the log's file is the supervisor's, and init systems tell all
    config = load_config(file)
    (log_to if relayed is None else hand_over_to)(stdout, config.log)
    manner = Manner(relayed or config.log.format)
    reporter = Reporter(FIRST_SOCKET + sockets, reactor) if reports else None
    ports = InheritedPorts(reactor, range(FIRST_SOCKET, FIRST_SOCKET + sockets))
    config = msgspec.structs.replace(config, server=without_systemd(config.server))  # the next port, whatever it is
    service = make_service(config, reactor, ports=ports, manner=manner, reporter=reporter)
    Lifeline(0, reactor, reporter.report if reporter is not None else None).setServiceParent(service)
    run_service(announced(service, file, SupervisorPipe(TOLD), watchdog, reactor, tells=False), reactor)


class SupervisorPipe:
    """Who started this process, at the other end of a pipe."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        os.set_blocking(descriptor, False)

    def tell(self, *lines: str) -> None:
        """As of `Starter`."""
        with suppress(OSError):  # it has gone, or does not read
            os.write(self._descriptor, "".join(f"{line}\n" for line in lines).encode(errors="replace"))


@implementer(IReadDescriptor)
class Lifeline(Service):
    """The reading end of a pipe whose other end is the supervisor's: when that ends, however it does, so do we.

    Whatever comes on it means that we are `asked`.
    """

    def __init__(self, descriptor: int, reactor: Any, asked: Callable[[], object] | None = None) -> None:
        self._descriptor = descriptor
        self._reactor = reactor
        self._asked = asked

    def startService(self) -> None:
        """Listens for the end."""
        super().startService()
        self._reactor.addReader(self)

    def stopService(self) -> None:
        """We end ourselves."""
        super().stopService()
        self._reactor.removeReader(self)

    def fileno(self) -> int:
        """Twisted's."""
        return self._descriptor

    def doRead(self) -> None:
        """Twisted's: there is a question, or the end."""
        if not os.read(self._descriptor, 1024):
            self._end()
        elif self._asked is not None:
            self._asked()

    def connectionLost(self, reason: Failure) -> None:
        """Twisted's, where the operating system tells of the end in this way."""
        self._end()

    def logPrefix(self) -> str:
        """Twisted's."""
        return type(self).__name__

    def _end(self) -> None:
        self._reactor.removeReader(self)
        self._reactor.stop()
