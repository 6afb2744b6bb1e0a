"""A listener's factory that knows its open connections, so that they can be ended with it."""

from twisted.internet.defer import Deferred, succeed
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.web.http import Request
from twisted.web.resource import IResource
from twisted.web.server import Site


class QuietSite(Site):
    """A site without an access log."""

    noisy = False

    def log(self, request: Request) -> None:
        """Write nothing."""


class Connected(WrappingFactory[ProtocolWrapper]):
    """Serves a resource over HTTP and can end every connection still open."""

    noisy = False

    def __init__(self, resource: IResource) -> None:
        super().__init__(QuietSite(resource, parsePOSTFormSubmission=False))
        self._emptied: list[Deferred[None]] = []

    def unregisterProtocol(self, p: ProtocolWrapper) -> None:  # noqa: N802 (Twisted's name)
        """Forget a connection that ended, and tell those who wait for the last one."""
        super().unregisterProtocol(p)
        while self._emptied and not self.protocols:
            self._emptied.pop().callback(None)

    def end_connections(self) -> Deferred[None]:
        """Abort every open connection; fires when all are gone."""
        if not self.protocols:
            return succeed(None)
        gone: Deferred[None] = Deferred()
        self._emptied.append(gone)
        for protocol in list(self.protocols):
            protocol.abortConnection()
        return gone
