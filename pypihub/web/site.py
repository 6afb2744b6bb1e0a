"""The site on a port: what comes before the routes, and the access log."""

from __future__ import annotations

import re
from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.logger import Logger
from twisted.web.http import Request as HTTPRequest
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request, Site

from pypihub.catalog.catalog import Catalog
from pypihub.web.app import App
from pypihub.web.connections import Connections
from pypihub.web.responses import NOTHING_HERE, send_error

_access = Logger("pypihub.access")


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


class HubSite(Site):
    """A Site with one access log line for each request: no query, no header but the client's name."""

    noisy = False

    def __init__(self, resource: IResource) -> None:
        super().__init__(resource, timeout=60, parsePOSTFormSubmission=False)
        self.displayTracebacks = False
        self.connections = Connections(self.reactor)

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Called by Twisted for each connection."""
        return self.connections.watch(super().buildProtocol(addr))

    def log(self, request: HTTPRequest) -> None:
        """Called by Twisted when a request is finished."""
        path = request.path if request.path.startswith(b"/") else b"-"
        _access.info(
            '{client} "{method} {path}" {code} {size} "{agent}"',
            client=_client(request),
            method=_printable(request.method),
            path=_printable(path),
            code=request.code,
            size=request.sentLength,
            agent=_printable(request.requestHeaders.getRawHeaders(b"user-agent", [b"-"])[0].split(b" ")[0]),
        )


def make_site(catalog: Catalog, *, proxies: bool = False) -> HubSite:
    """The site that serves the catalog; `proxies` as for `App`."""
    return HubSite(Entrance(App(catalog, proxies=proxies).app.resource()))


def _client(request: HTTPRequest) -> str:
    address = request.getClientAddress()
    return getattr(address, "host", None) or "-"


# Somebody's token in the wrong place, such as the owner's.
_TOKEN = re.compile(rb"(gh[pousr]_|github_pat_)[A-Za-z0-9_]+")


def _printable(value: bytes) -> str:
    """The bytes as one word that cannot break a log line, without what looks like a token."""
    value = _TOKEN.sub(rb"\1...", value)
    return value[:500].decode("latin-1").encode("unicode_escape").decode().replace('"', "%22")
