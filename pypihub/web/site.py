"""The site on a port: what comes before the routes, and the access log."""

from __future__ import annotations

from time import perf_counter
from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request, Site

from pypihub.tally import VISIT, Tally, Visit
from pypihub.web.access import AccessLog
from pypihub.web.addresses import ClientAddress
from pypihub.web.bodies import Body
from pypihub.web.connections import Connections
from pypihub.web.front import Front
from pypihub.web.health import PATHS, Health
from pypihub.web.responses import NOTHING_HERE, send_error
from pypihub.web.routes import HEALTH, route_of
from pypihub.web.uploads import Uploads
from pypihub.web.visits import VisitedRequest, request_ids


class Entrance(Resource):
    """Turns away what the routes cannot read, and hides the Host header, on which nothing depends.

    It answers for the health itself.
    """

    isLeaf = True

    def __init__(self, routes: IResource, health: Health) -> None:
        super().__init__()
        self._routes = routes
        self._health = health

    def render(self, request: Request) -> bytes | int:
        """The answer of the routes, or 404 for a path that is no path (RFC 9112, 3.2.1) or no UTF-8."""
        is_path = request.path.startswith(b"/") and not request.path.startswith(b"//")
        if not is_path or not _is_utf8(b"/".join(request.postpath or [])):
            return send_error(request, 404, NOTHING_HERE)
        if request.path in PATHS:
            return self._health.render(request)
        request.requestHeaders.setRawHeaders(b"host", [b"pypihub"])
        return self._routes.render(request)


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


class HubRequest(VisitedRequest):
    """A request that the front may answer before the routes are asked, and whose body may be an upload."""

    def begin_body(self) -> Body:
        """An upload where it is one."""
        self.tell_id()
        upload = self._site().uploads.begin(self.uri, self.requestHeaders) if self.method == b"POST" else None
        if upload is None:
            return super().begin_body()
        self.owner = upload.owner
        return upload

    def answer(self) -> None:
        """The front's answer, or that of the routes."""
        if self._site().front.answer(self):
            return
        self.tell_id()
        self.visit = Visit()
        token = VISIT.set(self.visit)
        try:
            super().answer()
        finally:
            VISIT.reset(token)

    def _site(self) -> HubSite:
        site: HubSite = self.channel.site  # type: ignore[attr-defined]  # Twisted sets it
        return site


class HubSite(Site):
    """The index on a port. Without an access log nothing is logged of a request, without a tally none is counted."""

    noisy = False

    def __init__(
        self,
        routes: IResource,
        front: Front,
        uploads: Uploads,
        health: Health,
        client_address: ClientAddress,
        access: AccessLog | None,
        tally: Tally | None,
    ) -> None:
        entrance = Entrance(routes, health)
        super().__init__(entrance, requestFactory=HubRequest, timeout=60, parsePOSTFormSubmission=False)
        self.displayTracebacks = False
        self.front = front
        self.uploads = uploads
        self.client_address = client_address
        self._access = access
        self._tally = tally
        self.connections = Connections(self.reactor)
        self.request_ids = request_ids()

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Called by Twisted for each connection."""
        return self.connections.watch(super().buildProtocol(addr))

    def log(self, request: VisitedRequest) -> None:  # type: ignore[override]  # there are no others
        """Called by Twisted when a request is finished. Those about the health are so many that they are not logged."""
        if self._access is None and self._tally is None:
            return
        route = route_of(request.path)
        if self._tally is not None:
            self._tally.answered(route, request.code, perf_counter() - request.began)
        if self._access is not None and route != HEALTH:
            self._access.note(request)

    async def end(self) -> None:
        """Waits for the answers under way; nothing may listen for the site any more."""
        await self.connections.drain()
        if self._access is not None:
            self._access.flush()
