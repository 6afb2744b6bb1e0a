"""A server that is further away: passes what clients send on to a port of loopback, each piece after a while.

    python benchmarks/delay.py PORT SECONDS

A request without a body is one piece, so that each answer comes this much later; connecting takes no longer. A process
of its own. What comes back is passed on at once.
"""

from __future__ import annotations

import sys

from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure

PORT, SECONDS = int(sys.argv[1]), float(sys.argv[2])


class Back(Protocol):
    """The connection to the server."""

    def __init__(self, client: Front) -> None:
        self._client = client

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)

    def dataReceived(self, data: bytes) -> None:
        self._client.transport.write(data)

    def connectionLost(self, reason: Failure) -> None:
        self._client.transport.loseConnection()


class Front(Protocol):
    """A client's connection, with one of its own to the server."""

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        self._back = connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", PORT), Back(self))

    def dataReceived(self, data: bytes) -> None:
        reactor.callLater(SECONDS, self._back.addCallback, lambda back: self._pass(back, data))

    def _pass(self, back: Back, data: bytes) -> Back:
        back.transport.write(data)
        return back

    def connectionLost(self, reason: Failure) -> None:
        self._back.addCallback(lambda back: back.transport.loseConnection())


port = reactor.listenTCP(0, Factory.forProtocol(Front), backlog=1024, interface="127.0.0.1")
print(f"listens on 127.0.0.1:{port.getHost().port}", flush=True)
reactor.run()
