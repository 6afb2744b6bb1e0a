"""Running a service in the foreground until a signal ends it."""

from __future__ import annotations

import signal
from typing import Any

from twisted.application.service import IService
from twisted.internet.error import CannotListenError

from pypihub.errors import ConfigError


def start_service(service: IService) -> IService:
    """Starts the service and gives it back; raises ConfigError where a port cannot be had."""
    try:
        service.privilegedStartService()
        service.startService()
    except CannotListenError as error:
        raise ConfigError(_describe(error)) from None
    except (OSError, OverflowError, TypeError, ValueError) as error:  # no port, no folder, no address
        raise ConfigError(f"cannot listen there: {error}. Check server.host, server.port, server.endpoint.") from None
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


def _describe(error: CannotListenError) -> str:
    where = f"{error.interface or '*'} port {error.port}" if isinstance(error.port, int) else f"{error.port!s}"
    why = getattr(error.socketError, "strerror", None) or error.socketError
    return f"cannot listen on {where}: {why}. Choose another one, or end what uses it."
