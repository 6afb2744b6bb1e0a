"""Ports that several processes accept connections from.

Twisted's endpoints listen by the reactor that they are given. Here are two things to give them in its place: one opens
ports and never accepts, so that other processes may, and one accepts what arrives at ports that were opened so.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterable
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress, IDelayedCall, IListeningPort, IProtocolFactory, IReadDescriptor
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from pypihub.errors import ConfigError

_log = Logger("pypihub")

# Another process was faster, the client has gone, or the port was shut down: there is nothing to accept, and nothing is
# wrong.
_NOBODY = frozenset({errno.EAGAIN, errno.ECONNABORTED, errno.EINVAL, errno.EPERM, errno.EPROTO})
_REST = 1.0  # seconds without accepting, while there is no descriptor or memory for a connection


class OpenedPorts:
    """Opens ports as the reactor does, and leaves it to other processes to accept from them."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._ports: list[Any] = []

    def descriptors(self) -> list[int]:
        """The listening sockets, in the order in which they were opened."""
        return [port.fileno() for port in self._ports]

    def listenTCP(self, port: int, factory: IProtocolFactory, **options: Any) -> IListeningPort:
        """As the reactor's."""
        return self._opened(self._reactor.listenTCP(port, factory, **options))

    def listenSSL(self, port: int, factory: IProtocolFactory, contextFactory: Any, **options: Any) -> IListeningPort:
        """As the reactor's; who accepts a connection speaks TLS on it."""
        return self.listenTCP(port, factory, **options)

    def listenUNIX(self, address: str, factory: IProtocolFactory, **options: Any) -> IListeningPort:
        """As the reactor's. The socket's file is this process's, which removes it in the end."""
        return self._opened(self._reactor.listenUNIX(address, factory, **options))

    def adoptStreamPort(self, fileDescriptor: int, addressFamily: int, factory: IProtocolFactory) -> IListeningPort:
        """As the reactor's, but of the family that the port has, and a socket's file stays as it is."""
        port = SharedPort(socket.socket(fileno=os.dup(fileDescriptor)), factory, self._reactor)
        self._ports.append(port)
        return port

    def _opened(self, port: Any) -> IListeningPort:
        port.stopReading()
        port._shouldShutdown = False  # Twisted would shut it down in the end, for those who still accept from it
        self._ports.append(port)
        opened: IListeningPort = port
        return opened


class InheritedPorts:
    """Accepts connections from sockets that another process opened for the same endpoints in the same order."""

    def __init__(self, reactor: Any, descriptors: Iterable[int]) -> None:
        self._reactor = reactor
        self._descriptors = iter(descriptors)

    def listenTCP(self, port: int, factory: IProtocolFactory, **options: Any) -> IListeningPort:
        """The next socket, whatever its address is; raises ConfigError where there is none left."""
        return self._next(factory)

    def listenSSL(self, port: int, factory: IProtocolFactory, contextFactory: Any, **options: Any) -> IListeningPort:
        """The next socket, with TLS."""
        return self._next(TLSMemoryBIOFactory(contextFactory, False, factory))

    def listenUNIX(self, address: str, factory: IProtocolFactory, **options: Any) -> IListeningPort:
        """The next socket."""
        return self._next(factory)

    def _next(self, factory: IProtocolFactory) -> IListeningPort:
        try:
            port = SharedPort(socket.socket(fileno=next(self._descriptors)), factory, self._reactor)
        except (StopIteration, OSError):
            raise ConfigError("server.endpoint: no socket was handed down for it; restart after a change") from None
        port.startListening()
        return port


@implementer(IListeningPort, IReadDescriptor)
class SharedPort:
    """A listening socket that other processes have too.

    Twisted's own ports would set the mode of a Unix socket's file and remove it, and would accept a hundred
    connections at once. This one accepts one at a time, so that those who are not busy get their share.
    """

    def __init__(self, listening: socket.socket, factory: IProtocolFactory, reactor: Any) -> None:
        self._socket = listening
        self._factory = factory
        self._reactor = reactor
        self._accepts = False
        self._resting: IDelayedCall | None = None

    def startListening(self) -> None:
        """Accepts connections from now on."""
        self._socket.setblocking(False)
        self._socket.set_inheritable(False)
        self._factory.doStart()
        self._accepts = True
        self._reactor.addReader(self)

    def stopListening(self) -> None:
        """Accepts no more, if it did; the others still may."""
        self._rest_no_more()
        if self._accepts:
            self._accepts = False
            self._reactor.removeReader(self)
            self._factory.doStop()
        self._socket.close()

    def getHost(self) -> IAddress:
        """Where the socket is bound."""
        name = self._socket.getsockname()
        if self._socket.family == socket.AF_UNIX:
            return UNIXAddress(name)
        kind = IPv6Address if self._socket.family == socket.AF_INET6 else IPv4Address
        return kind("TCP", *name)

    def fileno(self) -> int:
        """Twisted's, and for handing the socket on."""
        return self._socket.fileno()

    def doRead(self) -> None:
        """Twisted's: somebody connects, and each of the processes is told."""
        try:
            connection, _ = self._socket.accept()
        except OSError as error:
            if error.errno not in _NOBODY:
                self._rest(error)
            return
        with connection:
            connection.setblocking(False)
            try:
                # This duplicates the descriptor.
                self._reactor.adoptStreamConnection(connection.fileno(), connection.family, self._factory)
            except OSError as error:
                if error.errno != errno.ENOTCONN:  # the client has gone by now
                    self._rest(error)
            except Exception:  # it is the connection's trouble, and the reactor would drop the port for it
                _log.failure("A connection could not be made")

    def connectionLost(self, reason: Failure) -> None:
        """Twisted's: the reactor ends, or another process shut the port down."""
        self._rest_no_more()
        self._socket.close()

    def logPrefix(self) -> str:
        """Twisted's."""
        return type(self).__name__

    def _rest(self, error: OSError) -> None:
        _log.warn("A connection could not be accepted: {error}", error=error)
        self._reactor.removeReader(self)
        self._resting = self._reactor.callLater(_REST, self._reactor.addReader, self)

    def _rest_no_more(self) -> None:
        if self._resting is not None and self._resting.active():
            self._resting.cancel()
