"""The site on a port: what comes before the routes, and the access log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IAddress
from twisted.web.http import Request as HTTPRequest
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request, Site

from pypihub.web.access import AccessLog
from pypihub.web.bodies import Body, StreamedRequest
from pypihub.web.connections import Connections
from pypihub.web.front import Front
from pypihub.web.responses import NOTHING_HERE, send_error
from pypihub.web.uploads import Uploads


class Entrance(Resource):
    """Turns away what the routes cannot read, and hides the Host header, on which nothing depends."""

    isLeaf = True

    def __init__(self, routes: IResource) -> None:
        super().__init__()
        self._routes = routes

    def render(self, request: Request) -> bytes | int:
        """The answer of the routes, or 404 for a path that is no path (RFC 9112, 3.2.1) or no UTF-8."""
        is_path = request.path.startswith(b"/") and not request.path.startswith(b"//")
        if not is_path or not _is_utf8(b"/".join(request.postpath or [])):
            return send_error(request, 404, NOTHING_HERE)
        request.requestHeaders.setRawHeaders(b"host", [b"pypihub"])
        return self._routes.render(request)


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


class HubRequest(StreamedRequest):
    """A request that the front may answer before the routes are asked, and whose body may be an upload."""

    def begin_body(self) -> Body:
        """An upload where it is one."""
        site = self._site()
        upload = site.uploads.begin(self.uri, self.requestHeaders) if self.method == b"POST" else None
        return upload or super().begin_body()

    def answer(self) -> None:
        """The front's answer, or that of the routes."""
        if not self._site().front.answer(self):
            super().answer()

    def _site(self) -> HubSite:
        site: HubSite = self.channel.site  # type: ignore[attr-defined]  # Twisted sets it
        return site


@dataclass(frozen=True)
class Inside:
    """What answers the requests of a site. Without an access log nothing is logged of them."""

    routes: IResource
    front: Front
    uploads: Uploads
    access: AccessLog | None


class HubSite(Site):
    """The index on a port, and on the connections that came by it. What answers them may change meanwhile."""

    noisy = False

    def __init__(self, inside: Inside) -> None:
        super().__init__(Entrance(inside.routes), requestFactory=HubRequest, timeout=60, parsePOSTFormSubmission=False)
        self.displayTracebacks = False
        self.connections = Connections(self.reactor)
        self._inside = inside

    @property
    def front(self) -> Front:
        """What is asked first."""
        return self._inside.front

    @property
    def uploads(self) -> Uploads:
        """What takes uploads in."""
        return self._inside.uploads

    def lead_to(self, inside: Inside) -> Deferred[Any]:
        """Has something else answer from now on, on old connections too; fires when all before that is answered."""
        before = self.connections.under_way()
        self._flush()
        self._inside, self.resource = inside, Entrance(inside.routes)
        return DeferredList([request.notifyFinish() for request in before], consumeErrors=True)

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Called by Twisted for each connection."""
        return self.connections.watch(super().buildProtocol(addr))

    def log(self, request: HTTPRequest) -> None:
        """Called by Twisted when a request is finished."""
        if self._inside.access is not None:
            self._inside.access.note(request)

    async def end(self, patience: float) -> None:
        """Waits for the answers under way, so many seconds; nothing may listen for the site any more."""
        await self.connections.drain(patience)
        self._flush()

    def _flush(self) -> None:
        if self._inside.access is not None:
            self._inside.access.flush()
