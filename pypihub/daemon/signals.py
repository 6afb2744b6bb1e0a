"""The signals that a service is told to stop and to reload by, under whatever runs it."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.application.service import IService, MultiService, Service
from twisted.internet.error import ReactorNotRunning


def obeying(service: IService, reload: Callable[[], object], reactor: Any) -> MultiService:
    """The service, with signals: SIGTERM stops the reactor and is no failure, SIGHUP calls `reload`."""
    both = MultiService()
    Signals(reload, reactor).setServiceParent(both)  # before the service, which must not be reached without
    service.setServiceParent(both)
    return both


class Signals(Service):
    """Takes the signals while it runs.

    Left to itself, twistd ends by SIGTERM once all is stopped, and by SIGHUP at once.
    """

    def __init__(self, reload: Callable[[], object], reactor: Any) -> None:
        self._reload = reload
        self._reactor = reactor

    def privilegedStartService(self) -> None:
        """Takes them; whatever is started afterwards is safe from them."""
        signal.signal(signal.SIGHUP, lambda *_: self._reactor.callFromThread(self._reload))
        self._take_term()

    def startService(self) -> None:
        """Takes SIGTERM again as soon as the reactor, which takes it too, runs. (`twist` comes here alone.)"""
        super().startService()
        self.privilegedStartService()
        self._reactor.callWhenRunning(self._take_term_over)

    def stopService(self) -> None:
        """There is nothing to reload any more, and to stop once is enough: at its end Python takes no more signals."""
        super().stopService()
        for number in (signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)

    def _take_term(self) -> None:
        signal.signal(signal.SIGTERM, lambda *_: self._reactor.callFromThread(self._stop))

    def _take_term_over(self) -> None:
        """Takes SIGTERM, also one that came since the reactor took it: twistd and `twist` would end by that one."""
        self._take_term()
        if getattr(self._reactor, "_exitSignal", None) == signal.SIGTERM:  # what they look at has no public name
            self._reactor._exitSignal = None

    def _stop(self) -> None:
        with suppress(ReactorNotRunning):  # it is being stopped already
            self._reactor.stop()
