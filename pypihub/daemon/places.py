"""Where a configuration's ports are to be, known before one is opened: no two of them can be the same."""

from __future__ import annotations

from typing import Any, NamedTuple

from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.internet.protocol import Factory

from pypihub.config import Config
from pypihub.daemon.activation import without_systemd
from pypihub.daemon.doors import Taken
from pypihub.daemon.listening import described, make_endpoints
from pypihub.errors import ConfigError

_EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 - these are compared


class _Place(NamedTuple):
    """A port at an address, or a Unix socket's path as the address, without one."""

    address: str
    port: int | None

    def meets(self, other: _Place) -> bool:
        """Whether both cannot be opened, as far as that is certain: IPv6 and IPv4 may do beside each other."""
        if self.port != other.port or self.port == _ANY:
            return False
        if self.address == other.address:
            return True
        is_of_one_kind = self.port is not None and (":" in self.address) == (":" in other.address)
        return is_of_one_kind and not {self.address, other.address}.isdisjoint(_EVERYWHERE)


_ANY = 0  # the system chooses one
_HIGHEST = 65535


def check_places(config: Config) -> None:
    """Raises ConfigError where two endpoints of the configuration would listen in one place, or at no port.

    Those that systemd opens, or whose port the system chooses, do not. Raises like `make_endpoints`.
    """
    noting = _Noting()
    server = without_systemd(config.server)
    _note(noting, make_endpoints(server, noting, noting))
    first = len(noting.places)
    if config.metrics.endpoint is not None:
        _note(noting, [described(noting, config.metrics.endpoint, "metrics.endpoint")])
    for number, place in enumerate(noting.places):
        key = "server.endpoint" if number < first else "metrics.endpoint"
        if place.port is not None and not 0 <= place.port <= _HIGHEST:
            raise ConfigError(f"{key}: should have a port of at most {_HIGHEST}, not {place.port}")
        if any(place.meets(other) for other in noting.places[:number]):
            where = f"port {place.port}" if place.port is not None else place.address
            raise ConfigError(f"{key}: should not be {where}, where another endpoint of this file listens")


def _note(noting: _Noting, endpoints: list[IStreamServerEndpoint]) -> None:
    for endpoint in endpoints:
        # What cannot be known, as of endpoints that use other parts of the reactor, is found out by listening.
        maybeDeferred(endpoint.listen, Factory()).addErrback(lambda _: None)


class _Noting(Taken):
    """Stands in for the reactor, and notes where it would listen."""

    def __init__(self) -> None:
        super().__init__()
        self.places: list[_Place] = []

    def listenTCP(self, port: int, factory: IProtocolFactory, **options: Any) -> IListeningPort:
        """Notes the port."""
        self.places.append(_Place(options.get("interface", ""), port))
        return super().listenTCP(port, factory, **options)

    def listenSSL(self, port: int, factory: IProtocolFactory, contextFactory: Any, **options: Any) -> IListeningPort:
        """Notes the port."""
        return self.listenTCP(port, factory, **options)

    def listenUNIX(self, address: str, factory: IProtocolFactory, **options: Any) -> IListeningPort:
        """Notes the path."""
        self.places.append(_Place(address, None))
        return super().listenTCP(0, factory)
