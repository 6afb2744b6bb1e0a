"""Running a service in the foreground until a signal ends it."""

from __future__ import annotations

import signal
from typing import Any

from twisted.application.service import IService

from pypihub.daemon.refusals import Keys, ListenError


def start_service(service: IService, port: str | None = None) -> IService:
    """Starts the service and gives it back; raises ConfigError where a port cannot be had.

    `port` is what named that, where it was not the configuration.
    """
    try:
        service.privilegedStartService()
        service.startService()
    except ListenError as error:
        raise (error.named(Keys(port, port)) if port else error) from None
    return service


def run_service(service: IService, reactor: Any) -> None:
    """Runs the reactor and the service until SIGINT or SIGTERM, then stops the service.

    That takes as long as the answers under way. SIGINT a second time ends the process at once.
    Raises ConfigError where a port cannot be had, and whatever else kept the service from starting.
    """
    failures: list[Exception] = []

    def start() -> None:  # once the reactor runs, and with it the handlers of the signals
        try:
            start_service(service)
        except Exception as error:
            failures.append(error)
            reactor.stop()

    def stop() -> object:  # the reactor stops once, and a second signal would be an error to it
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # init systems send it to each process
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        return service.stopService()

    reactor.callWhenRunning(start)
    reactor.addSystemEventTrigger("before", "shutdown", stop)
    reactor.run()
    if failures:
        raise failures[0]
