"""The routes: each handler reads the request, asks the catalog, and hands the answer to `responses`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from klein import Klein
from twisted.python.failure import Failure

from pypihub import __version__
from pypihub.catalog.catalog import Catalog
from pypihub.errors import NotFoundError, UploadRefusedError
from pypihub.github.credentials import Credentials
from pypihub.index.names import normalize_project, parse_owner
from pypihub.index.negotiate import Format, accepts_gzip, choose_format, is_for_people
from pypihub.web.auth import read_credentials
from pypihub.web.browsing import Browsing
from pypihub.web.front import Front
from pypihub.web.pages import Found, Pages, Wish
from pypihub.web.ready import Encoding
from pypihub.web.responses import (
    NOTHING_HERE,
    canonical_redirect,
    file_redirect,
    send_failure,
    send_file_head,
    send_metadata,
    send_page,
    send_ready,
    send_static,
    send_text,
)
from pypihub.web.streams import send_download
from pypihub.web.templating import static_page
from pypihub.web.uploads import Intake
from pypihub.web.visits import VisitedRequest

_ABOUT = f"PyPIHub {__version__}: the wheels and sdists in GitHub releases as a Python package index, at /simple/."
_ABOUT_UPLOADS = "Packages are published here: POST a wheel or an sdist with twine, uv, poetry, pdm, hatch or flit."
_SENDABLE = re.compile(rb"[\x20-\x7e]{1,200}")
_PAGE = re.compile(r"[0-9]{1,4}", re.ASCII)
METADATA = ".metadata"
"""What a wheel's URL ends with where its METADATA is meant (PEP 658)."""


class App:
    """The index over HTTP, for one catalog; the front is told what may be answered again.

    `seconds` is the reactor's clock. `proxies` sends files' bytes in place of redirects.
    """

    app = Klein()
    app.url_map.strict_slashes = False  # Klein's own redirect would name this host and port
    app.url_map.merge_slashes = False

    def __init__(
        self,
        catalog: Catalog,
        pages: Pages,
        browsing: Browsing,
        front: Front,
        seconds: Callable[[], float],
        *,
        proxies: bool,
    ) -> None:
        self._catalog = catalog
        self._pages = pages
        self._browsing = browsing
        self._front = front
        self._seconds = seconds
        self._proxies = proxies
        self._style = static_page("style.css", "text/css; charset=utf-8")
        self._icon = static_page("icon.svg", "image/svg+xml")

    @app.route("/", methods=["GET"])
    async def home(self, request: VisitedRequest) -> bytes:
        """What this is; in a browser, all projects of the owner."""
        request.setHeader("Vary", "Accept")
        return await self._overview(request, None) if _is_for_people(request) else send_text(request, _ABOUT)

    @app.route("/<owner>/", methods=["GET"])
    async def owner(self, request: VisitedRequest, owner: str) -> bytes:
        """In a browser, all projects of the owner."""
        if not _is_for_people(request) or parse_owner(owner) is None:
            raise NotFoundError(NOTHING_HERE)
        return await self._overview(request, owner)

    @app.route("/project/<project>/", methods=["GET"])
    @app.route("/<owner>/project/<project>/", methods=["GET"])
    async def about(self, request: VisitedRequest, project: str, owner: str | None = None) -> bytes:
        """A project, for people."""
        if (owner, project) == (None, "simple") and not _is_for_people(request):
            return await self.root(request, "project")  # tools mean the index of an owner of that name
        wish = self._wish(request, owner)
        name = normalize_project(project)
        slash = request.path.endswith(b"/")
        if name != project or not slash:
            return canonical_redirect(request, f"{'../' if slash else ''}{name}/")
        version = _argument(request, "version") or None
        return self._send(request, wish, await self._browsing.project(wish, name, version, is_below=owner is not None))

    @app.route("/static/style.css", methods=["GET"])
    def style(self, request: VisitedRequest) -> bytes:
        """The style sheet of the pages for people."""
        return send_static(request, self._style)

    @app.route("/static/icon.svg", methods=["GET"])
    def icon(self, request: VisitedRequest) -> bytes:
        """Their icon."""
        return send_static(request, self._icon)

    @app.route("/simple/", methods=["GET"])
    @app.route("/<owner>/simple/", methods=["GET"])
    async def root(self, request: VisitedRequest, owner: str | None = None) -> bytes:
        """All projects of the owner."""
        wish = self._wish(request, owner)
        if not request.path.endswith(b"/"):
            return canonical_redirect(request, "simple/")
        return self._send(request, wish, await self._pages.root(wish, _format(request)))

    @app.route("/legacy/", methods=["GET"])
    @app.route("/<owner>/legacy/", methods=["GET"])
    def about_uploads(self, request: VisitedRequest, owner: str | None = None) -> bytes:
        """What the URL is for."""
        return send_text(request, _ABOUT_UPLOADS)

    @app.route("/legacy/", methods=["POST"])
    @app.route("/<owner>/legacy/", methods=["POST"])
    @app.route("/simple/", methods=["POST"])  # where some point their tools
    @app.route("/<owner>/simple/", methods=["POST"])
    async def upload(self, request: VisitedRequest, owner: str | None = None) -> bytes:
        """A file to publish. Whoever sends it was asked for credentials before its bytes were taken in."""
        if not isinstance(request.body, Intake):
            self._catalog.admit(_credentials(request, owner))
            raise UploadRefusedError("The request has no body: an upload is a form with a file.")
        published = await request.body.publish()
        return send_text(request, published.value)

    @app.route("/simple/<project>/", methods=["GET"])
    @app.route("/<owner>/simple/<project>/", methods=["GET"])
    @app.route("/legacy/+simple/<project>/", methods=["GET"])  # where hatch looks for what is published already
    @app.route("/<owner>/legacy/+simple/<project>/", methods=["GET"])
    async def project(self, request: VisitedRequest, project: str, owner: str | None = None) -> bytes:
        """The files of a project."""
        wish = self._wish(request, owner)
        name = normalize_project(project)
        slash = request.path.endswith(b"/")
        if name != project or not slash:
            return canonical_redirect(request, f"{'../' if slash else ''}{name}/")
        return self._send(request, wish, await self._pages.project(wish, name, _format(request)))

    @app.route("/pypi/<project>/json", methods=["GET"])
    @app.route("/<owner>/pypi/<project>/json", methods=["GET"])
    @app.route("/pypi/<project>/<version>/json", methods=["GET"])
    @app.route("/<owner>/pypi/<project>/<version>/json", methods=["GET"])
    async def legacy(
        self, request: VisitedRequest, project: str, version: str | None = None, owner: str | None = None
    ) -> bytes:
        """A project, or a version of it, in the legacy JSON API."""
        wish = self._wish(request, owner)
        name = normalize_project(project)
        slash = request.path.endswith(b"/")
        if name != project or slash:
            parts = [name, "json"] if version is None else [name, quote(version, safe=""), "json"]
            return canonical_redirect(request, "../" * (len(parts) - 1 + slash) + "/".join(parts))
        return self._send(request, wish, await self._pages.legacy(wish, name, version))

    @app.route("/asset/<asset_id>/<filename>", methods=["GET"])
    @app.route("/<owner>/asset/<asset_id>/<filename>", methods=["GET"])
    async def asset(self, request: VisitedRequest, asset_id: str, filename: str, owner: str | None = None) -> bytes:
        """A file: GET leads to its bytes or sends them, HEAD tells of them; a wheel's METADATA stands beside it."""
        credentials = _credentials(request, owner)
        if filename.endswith(METADATA):
            content = await self._catalog.metadata(credentials, asset_id, filename.removesuffix(METADATA))
            return send_metadata(request, content)
        if request.method == b"HEAD":
            return send_file_head(request, await self._catalog.size(credentials, asset_id, filename))
        if self._proxies:
            download = await self._catalog.download(credentials, asset_id, filename, _wanted(request))
            return await send_download(request, download)
        url, until = await self._catalog.download_url(credentials, asset_id, filename)
        ready = file_redirect(url.reveal(), until)
        self._front.remember(request, credentials, ready)
        return send_ready(request, ready)

    async def _overview(self, request: VisitedRequest, owner: str | None) -> bytes:
        wish = self._wish(request, owner)
        if not request.path.endswith(b"/"):
            return canonical_redirect(request, f"{owner}/")
        search, page = _argument(request, "q"), _argument(request, "page")
        number = int(page) if _PAGE.fullmatch(page) else 1
        found = await self._browsing.owner(wish, search, number, is_below=owner is not None)
        return self._send(request, wish, found)

    def _wish(self, request: VisitedRequest, owner: str | None) -> Wish:
        """What the request says of any page; raises the error for a caller who is turned away."""
        credentials = _credentials(request, owner)
        self._catalog.admit(credentials)
        encoding: Encoding = "gzip" if accepts_gzip(_header(request, "accept-encoding")) else "identity"
        fresh = "no-cache" in _header(request, "cache-control").lower()
        return Wish(credentials, encoding, fresh, for_people=_is_for_people(request))

    def _send(self, request: VisitedRequest, wish: Wish, found: Found) -> bytes:
        self._front.remember(request, wish.credentials, found.key)
        return send_ready(request, found.ready, age=found.snapshot.age(self._seconds()))

    @app.handle_errors(Exception)  # type: ignore[arg-type]  # Klein's type for it wants any IRequest
    def failed(self, request: VisitedRequest, failure: Failure) -> Any:
        """Every error of every handler: a line of text, and around it a page in a browser."""
        line = send_failure(request, failure)
        if not _is_for_people(request):
            return line
        return send_page(request, self._browsing.trouble(request.path.count(b"/") - 1, request.code, line.decode()))


def _credentials(request: VisitedRequest, owner: str | None) -> Credentials:
    values = request.requestHeaders.getRawHeaders(b"authorization", [None])
    credentials = read_credentials(values[0], owner)
    request.owner = credentials.owner
    return credentials


def _header(request: VisitedRequest, name: str) -> str:
    """All values of a header, as the list that they are (RFC 9110, 5.3)."""
    return b",".join(request.requestHeaders.getRawHeaders(name.encode(), [])).decode("latin-1")


def _wanted(request: VisitedRequest) -> dict[str, str]:
    """Which part of a file is wanted; a header that could not be sent on is left out."""
    found = {name: request.requestHeaders.getRawHeaders(name, [b""])[-1] for name in (b"range", b"if-range")}
    return {name.decode(): value.decode() for name, value in found.items() if _SENDABLE.fullmatch(value)}


def _format(request: VisitedRequest) -> Format:
    wanted = request.args.get(b"format", [None])[0]
    return choose_format(_header(request, "accept"), wanted.decode("latin-1") if wanted is not None else None)


def _is_for_people(request: VisitedRequest) -> bool:
    return is_for_people(_header(request, "accept"))


def _argument(request: VisitedRequest, name: str) -> str:
    """A value of the URL's query, empty without one."""
    return str(request.args.get(name.encode(), [b""])[0].decode(errors="replace"))
