"""A listener's factory that knows its open connections, so that they can be ended with it."""

from twisted.internet.defer import Deferred, succeed
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.web import http
from twisted.web.resource import Resource
from twisted.web.server import Request, Site


class QuietSite(Site):
    """A site without an access log."""

    noisy = False

    def log(self, request: http.Request) -> None:
        """Write nothing."""


class Connected(WrappingFactory[ProtocolWrapper]):
    """Serves a resource over HTTP and can end every connection still open.

    The resource comes after the factory, because what it is made of knows the port.
    """

    noisy = False

    def __init__(self, request_factory: type[Request] = Request) -> None:
        self._site = QuietSite(Resource(), request_factory, parsePOSTFormSubmission=False)
        super().__init__(self._site)
        self._emptied: list[Deferred[None]] = []

    def serve(self, resource: Resource) -> None:
        """Serve a resource from now on; until then there is nothing."""
        self._site.resource = resource

    def unregisterProtocol(self, p: ProtocolWrapper) -> None:
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
