"""The site on a port: what comes before the routes, and the access log."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IAddress
from twisted.python.failure import Failure
from twisted.web.http import _GenericHTTPChannelProtocol
from twisted.web.resource import IResource, Resource
from twisted.web.server import Site

from pypihub.errors import PyPIHubError
from pypihub.tally import VISIT, Tally, Visit
from pypihub.web.access import AccessLog
from pypihub.web.addresses import ClientAddress
from pypihub.web.bodies import Body
from pypihub.web.channel import HubChannel
from pypihub.web.connections import Connections, TurnedAway
from pypihub.web.front import Front
from pypihub.web.health import PATHS, Health, Phase
from pypihub.web.limits import Gate, whose
from pypihub.web.responses import NOTHING_HERE, send_error, send_failure
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

    def render(self, request: HubRequest) -> bytes | int:
        """The answer of the routes if the gate lets the request in.

        404 for a path that is no path (RFC 9112, 3.2.1) or no UTF-8.
        """
        is_path = request.path.startswith(b"/") and not request.path.startswith(b"//")
        if not is_path or not _is_utf8(b"/".join(request.postpath or [])):
            return send_error(request, 404, NOTHING_HERE)
        if request.path in PATHS:
            return self._health.render(request)
        try:
            request.enter()
        except PyPIHubError:
            return send_failure(request, Failure())
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

    _gate: Gate | None = None

    def begin_body(self) -> Body:
        """An upload where it is one."""
        self.tell_id()
        self._gate = self._site().gate
        self._gate.check(self)
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

    def enter(self) -> None:
        """Passes the gate. Raises what `Gate.enter` does."""
        self._gate = self._site().gate
        self._gate.enter(self)

    def setResponseCode(self, code: int, message: bytes | None = None) -> None:  # noqa: N802 - Twisted's name
        """Twisted's: what the answer will be. (The front tells it another way.)"""
        if code == 401 and self._gate is not None:
            self._gate.refused(self)
        super().setResponseCode(code, message)

    def _site(self) -> HubSite:
        site: HubSite = self.channel.site  # type: ignore[attr-defined]  # Twisted sets it
        return site


@dataclass(frozen=True)
class Inside:
    """What answers the requests of a site. Without an access log they are not logged, without a tally not counted."""

    routes: IResource
    front: Front
    gate: Gate
    uploads: Uploads
    health: Health
    client_address: ClientAddress
    access: AccessLog | None
    tally: Tally | None


def _entrance(inside: Inside) -> Entrance:
    return Entrance(inside.routes, inside.health)


class HubSite(Site):
    """The index on a port, and on the connections that came by it. What answers them may change meanwhile."""

    noisy = False

    def __init__(self, inside: Inside) -> None:
        super().__init__(_entrance(inside), requestFactory=HubRequest, parsePOSTFormSubmission=False)
        self.displayTracebacks = False
        self.connections = Connections(self.reactor)
        self.request_ids = request_ids()
        self._inside = inside
        self.timeOut = inside.gate.limits.idle

    @property
    def gate(self) -> Gate:
        """What lets requests in."""
        return self._inside.gate

    @property
    def front(self) -> Front:
        """What is asked first."""
        return self._inside.front

    @property
    def uploads(self) -> Uploads:
        """What takes uploads in."""
        return self._inside.uploads

    @property
    def client_address(self) -> ClientAddress:
        """What tells where requests come from."""
        return self._inside.client_address

    def lead_to(self, inside: Inside) -> Deferred[Any]:
        """Has something else answer from now on, on old connections too; fires when all before that is answered."""
        before = self.connections.under_way()
        self._flush()
        self._inside, self.resource = inside, _entrance(inside)
        self.timeOut = inside.gate.limits.idle
        return DeferredList([request.notifyFinish() for request in before], consumeErrors=True)

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Called by Twisted for each connection."""
        address = self.client_address.of_connection(addr)
        counted = whose(address) if address is not None else None
        if not self.connections.has_room(counted, self.gate.limits.connections_per_address):
            return TurnedAway()
        return self.connections.watch(super().buildProtocol(addr), counted)

    def protocol(self) -> Any:
        """Called by Twisted for a channel: its own, which turns to HTTP/2 where TLS agrees on that, around ours."""
        return _GenericHTTPChannelProtocol(HubChannel(self.gate.limits))

    def log(self, request: VisitedRequest) -> None:  # type: ignore[override]  # there are no others
        """Called by Twisted when a request is finished. Those about the health are so many that they are not logged."""
        inside = self._inside
        if inside.access is None and inside.tally is None:
            return
        route = route_of(request.path)
        if inside.tally is not None:
            inside.tally.answered(route, request.code, perf_counter() - request.began)
        if inside.access is not None and route != HEALTH:
            inside.access.note(request)

    async def end(self, patience: float) -> None:
        """Waits for the answers under way, so many seconds; nothing may listen for the site any more."""
        self._inside.health.phase = Phase.DRAINING
        await self.connections.drain(patience)
        self._flush()

    def _flush(self) -> None:
        if self._inside.access is not None:
            self._inside.access.flush()
