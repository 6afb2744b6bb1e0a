"""Ports whose factory may change while they are open: certificates are renewed, and nobody is turned away meanwhile.

Twisted's endpoints listen by the reactor that they are given, and give it the factory with TLS and all around it. Here
are two things to give them in its place: one listens as the reactor does and puts a door in each port, and one only
takes what the same endpoints, made anew, would listen with.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IAddress, IListeningPort, IProtocol, IProtocolFactory
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer


@implementer(IProtocolFactory)
class Door:
    """What a port has for a factory; connections go on to another one, which may change."""

    def __init__(self, factory: IProtocolFactory) -> None:
        self._factory = factory
        self._ports = 0

    def lead_to(self, factory: IProtocolFactory) -> None:
        """Sends the connections to come to another factory."""
        before, self._factory = self._factory, factory
        for _ in range(self._ports):
            factory.doStart()
            before.doStop()

    def buildProtocol(self, addr: IAddress) -> IProtocol | None:
        """Twisted's: a connection."""
        return self._factory.buildProtocol(addr)

    def doStart(self) -> None:
        """Twisted's: a port is opened."""
        self._ports += 1
        self._factory.doStart()

    def doStop(self) -> None:
        """Twisted's: a port is closed."""
        self._ports -= 1
        self._factory.doStop()

    def logPrefix(self) -> str:
        """For Twisted's own log."""
        return "PyPIHub"


class Doors:
    """Listens as the reactor does, with a door in each port. All else is the reactor's own.

    `adopting` stands in for it where a port is adopted.
    """

    def __init__(self, reactor: Any, adopting: Any) -> None:
        self._reactor = reactor
        self._adopting = adopting
        self._doors: list[Door] = []

    def __len__(self) -> int:
        return len(self._doors)

    def __getattr__(self, name: str) -> Any:
        """For endpoints of plugins, which may use anything that a reactor has."""
        return getattr(self._reactor, name)

    def lead_to(self, factories: list[IProtocolFactory]) -> None:
        """The factories of all doors, in the order in which their ports were opened; none where they stay."""
        if not factories:
            return
        for door, factory in zip(self._doors, factories, strict=True):
            door.lead_to(factory)

    def listenTCP(self, port: int, factory: IProtocolFactory, **options: Any) -> IListeningPort:
        """As the reactor's."""
        opened: IListeningPort = self._reactor.listenTCP(port, self._door(factory), **options)
        return opened

    def listenSSL(self, port: int, factory: IProtocolFactory, contextFactory: Any, **options: Any) -> IListeningPort:
        """As the reactor's."""
        return self.listenTCP(port, TLSMemoryBIOFactory(contextFactory, False, factory), **options)

    def listenUNIX(self, address: str, factory: IProtocolFactory, **options: Any) -> IListeningPort:
        """As the reactor's."""
        opened: IListeningPort = self._reactor.listenUNIX(address, self._door(factory), **options)
        return opened

    def adoptStreamPort(self, fileDescriptor: int, addressFamily: int, factory: IProtocolFactory) -> IListeningPort:
        """As the reactor's."""
        opened: IListeningPort = self._adopting.adoptStreamPort(fileDescriptor, addressFamily, self._door(factory))
        return opened

    def _door(self, factory: IProtocolFactory) -> Door:
        self._doors.append(Door(factory))
        return self._doors[-1]


class Taken:
    """Takes the factories that endpoints would listen with, in their order; no port is opened."""

    def __init__(self) -> None:
        self.factories: list[IProtocolFactory] = []

    def listenTCP(self, port: int, factory: IProtocolFactory, **options: Any) -> IListeningPort:
        """Takes the factory."""
        self.factories.append(factory)
        return _NOWHERE

    def listenSSL(self, port: int, factory: IProtocolFactory, contextFactory: Any, **options: Any) -> IListeningPort:
        """Takes the factory, with TLS."""
        return self.listenTCP(port, TLSMemoryBIOFactory(contextFactory, False, factory))

    def listenUNIX(self, address: str, factory: IProtocolFactory, **options: Any) -> IListeningPort:
        """Takes the factory."""
        return self.listenTCP(0, factory)


@implementer(IListeningPort)
class _Nowhere:
    """A port that is none."""

    def startListening(self) -> None:
        """It does not."""

    def stopListening(self) -> None:
        """It never did."""

    def getHost(self) -> IAddress:
        """No address at all."""
        return IPv4Address("TCP", "0.0.0.0", 0)  # noqa: S104 - it is a placeholder


_NOWHERE = _Nowhere()
