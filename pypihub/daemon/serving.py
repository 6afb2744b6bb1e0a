"""What is served on the ports: a site, and a house behind it that may be replaced by another one meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IProtocolFactory
from twisted.logger import Logger
from twisted.python.failure import Failure

from pypihub.config import Config, Server
from pypihub.config.endpoints import pem_files
from pypihub.daemon.activation import without_systemd
from pypihub.daemon.doors import Doors, Taken
from pypihub.daemon.house import House
from pypihub.daemon.listening import in_force, make_endpoints
from pypihub.errors import ConfigError
from pypihub.tally import Tally
from pypihub.web.site import HubSite

_log = Logger("pypihub")


class Serving(Service):
    """Opens the store at the start (not before twistd has forked).

    In the end, while nothing listens any more, it waits for the answers under way, then ends the background. `build`
    makes the house of a configuration, and `doors` are those of the ports that are, or will be, open. `opened` fires
    once the store is open; `started` is the configuration of that moment. The `tally` goes on from house to house.
    """

    def __init__(self, config: Config, build: Callable[[Config, Tally], House], doors: Doors) -> None:
        self.started = config
        self._server = config.server
        self._build = build
        self._doors = doors
        self.tally = Tally()
        self._house = build(config, self.tally)
        self._left: dict[Deferred[Any], Deferred[None]] = {}
        self.site = HubSite(self._house.inside)
        self.opened: Deferred[None] = Deferred()

    @property
    def server(self) -> Server:
        """What is in force of `[server]`."""
        return self._server

    @property
    def house(self) -> House:
        """The one that is served."""
        return self._house

    def startService(self) -> None:
        """Opens the house."""
        super().startService()
        Deferred.fromCoroutine(self._house.open()).addCallback(self.opened.callback)

    def stopService(self) -> Deferred[None]:
        """Ends all that goes on."""
        super().stopService()
        return Deferred.fromCoroutine(self._end())

    async def reload(self, config: Config) -> None:
        """Serves another configuration from now on; ports stay as they are.

        Requests under way are finished as they began, and what they need is closed after the last of them. Raises
        ConfigError for one that cannot be served, and goes on with the old one.
        """
        server = in_force(self._server, config.server)
        factories = self._factories(server)
        house = self._build(config, self.tally)
        await house.open()
        if not self.running:  # it was stopped meanwhile
            await house.close()
            return
        before, self._house, self._server = self._house, house, server
        self._doors.lead_to(factories)
        self._leave(before, self.site.lead_to(house.inside))

    def renew_certificates(self) -> None:
        """Reads the PEM files again; raises ConfigError where they are no good, and goes on with the old ones."""
        self._doors.lead_to(self._factories(self._server))

    def _factories(self, server: Server) -> list[IProtocolFactory]:
        """What the ports are to have for a factory; none where there is no TLS, and nothing to renew."""
        if not certificate_files(server):
            return []
        taken = Taken()
        failures: list[Failure] = []
        for endpoint in make_endpoints(without_systemd(server), taken, taken):
            endpoint.listen(self.site).addErrback(failures.append)
        if failures or len(taken.factories) != len(self._doors):
            raise ConfigError("server.endpoint: is of a kind whose certificates are renewed by a restart only")
        return taken.factories

    def _leave(self, house: House, answered: Deferred[Any]) -> None:
        async def close() -> None:
            await answered
            await house.close()

        def left(_: None) -> None:
            del self._left[answered]

        leaving = self._left[answered] = Deferred.fromCoroutine(close())
        leaving.addErrback(lambda failure: _log.failure("What was served before could not be closed", failure))
        leaving.addCallback(left)

    async def _end(self) -> None:
        await self.site.end(self._server.drain)
        leaving = list(self._left.values())
        for answered in list(self._left):
            answered.cancel()  # where one takes longer than we wait
        await DeferredList(leaving)
        await self._house.close()


def certificate_files(server: Server) -> list[Path]:
    """The PEM files that are served with."""
    if server.tls is not None:
        return [server.tls.crt, server.tls.key]
    endpoints = [server.endpoint] if isinstance(server.endpoint, str) else server.endpoint or ()
    return [file for endpoint in endpoints for file in pem_files(endpoint)]
