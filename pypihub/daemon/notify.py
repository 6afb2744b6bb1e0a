"""Telling who started this process how it is: ready, reloading, stopping, alive.

systemd listens on a socket, a supervisor of ours on a pipe; both are told the same words
(https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html).
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Protocol

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

_log = Logger("pypihub")

FOR_THIS_PROCESS = frozenset(
    {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID"}
)
"""The environment's variables by which systemd speaks to this process; they are nothing for its children."""


class Starter(Protocol):
    """Who started this process."""

    def tell(self, *lines: str) -> None:
        """Sends lines such as `READY=1`. What cannot be sent at once is lost; nothing is raised."""


class InitSystem:
    """systemd, or whatever understands it: a datagram socket at a path, or with `@` in front in the abstract namespace.

    Where the environment names no socket, nothing is sent.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address

    def tell(self, *lines: str) -> None:
        """As of `Starter`."""
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sending:
            sending.setblocking(False)
            sending.sendto("\n".join(lines).encode(errors="replace"), os.fsencode(self._address))


def watchdog_time(environment: Mapping[str, str]) -> float | None:
    """The seconds after which systemd thinks that this process hangs; None where it does not watch."""
    microseconds = re.fullmatch(r"0*([1-9][0-9]{0,17})", environment.get("WATCHDOG_USEC", ""), re.ASCII)
    is_for_us = environment.get("WATCHDOG_PID") in (None, str(os.getpid()))
    return int(microseconds[1]) / 1e6 if microseconds and is_for_us else None


class Daemon(Protocol):
    """A service that takes its time to start."""

    @property
    def ready(self) -> Deferred[None]:
        """Fires once requests are answered."""

    @property
    def status(self) -> str:
        """What it does then, in a few words."""

    def setServiceParent(self, parent: Any) -> None:
        """Twisted's."""


class Announced(MultiService):
    """A daemon whose starter is told when it is ready, as long as it lives, and when it begins to stop.

    `watchdog` are the seconds after which the starter takes silence for a hang; None where it does not mind. It `tells`
    the log of its end, unless its starter does for all.
    """

    def __init__(
        self, daemon: Daemon, starter: Starter, watchdog: float | None, reactor: Any, *, tells: bool = True
    ) -> None:
        super().__init__()
        self._tells = tells
        self._is_started = False
        self._daemon = daemon
        self._starter = starter
        self._watchdog = watchdog
        self._alive = LoopingCall(starter.tell, "WATCHDOG=1")
        self._alive.clock = reactor
        daemon.setServiceParent(self)

    def startService(self) -> None:
        """Starts the daemon; raises what that raises."""
        super().startService()
        self._is_started = True
        if self._watchdog is not None:
            self._alive.start(self._watchdog / 2)
        self._daemon.ready.addCallback(lambda _: self.ready())

    def stopService(self) -> Deferred[Any]:
        """Stops the daemon, which is alive until that is done."""
        self._starter.tell("STOPPING=1", "STATUS=Finishes the answers under way")
        if self._tells and self._is_started:
            _log.info("PyPIHub is stopping: the answers under way are finished")
        return super().stopService().addBoth(self._ended)

    def reloading(self) -> None:
        """Tells that the configuration is being read again; `ready` must follow."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._starter.tell("RELOADING=1", f"MONOTONIC_USEC={now}", "STATUS=Reads the configuration again")

    def ready(self) -> None:
        """Tells that requests are answered."""
        self._starter.tell("READY=1", f"STATUS={self._daemon.status}")

    def _ended(self, result: Any) -> Any:
        if self._alive.running:
            self._alive.stop()
        if self._tells and self._is_started:
            _log.info("PyPIHub has stopped")
        return result
