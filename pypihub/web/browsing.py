"""Pages for people: an owner's projects, and a project."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

from markupsafe import Markup
from packaging.utils import NormalizedName

from pypihub import __version__
from pypihub.catalog.catalog import Catalog
from pypihub.catalog.snapshots import Snapshot
from pypihub.catalog.threads import Threads
from pypihub.index.about import About, about
from pypihub.index.installing import NO_SERVER, TOKEN, installing
from pypihub.index.model import Listing
from pypihub.index.overview import LONGEST_SEARCH, overview
from pypihub.index.readme import Readme
from pypihub.index.simple import Page
from pypihub.web.pages import Found, Pages, Told, Wish
from pypihub.web.readmes import Readmes
from pypihub.web.templating import Templates


@dataclass(frozen=True, slots=True)
class Sites:
    """Where pages lead: to this `server` as clients know it ("" where that is not known), and to `github`'s web site.

    Both are URLs without a slash at the end.
    """

    server: str
    github: str


class Browsing:
    """The pages; every method raises what the catalog raises.

    `is_below` tells whether the page's URL names the owner: `/<owner>/…`. Every link of a page is relative to it.
    """

    def __init__(
        self,
        catalog: Catalog,
        pages: Pages,
        readmes: Readmes,
        templates: Templates,
        threads: Threads,
        sites: Sites,
        *,
        images: bool,
    ) -> None:
        self._catalog = catalog
        self._pages = pages
        self._readmes = readmes
        self._templates = templates
        self._threads = threads
        self._sites = sites
        self._images = images

    async def owner(self, wish: Wish, search: str, page: int, *, is_below: bool) -> Found:
        """The owner's projects, at `/` or `/<owner>/`."""
        snapshot = await self._catalog.root(wish.credentials, fresh=wish.fresh)
        owner, search = wish.credentials.owner, search[:LONGEST_SEARCH]

        async def render() -> tuple[Page, bool]:
            view = await self._threads.do(snapshot.size, lambda: overview(owner, snapshot.content(), search, page))
            values = {"view": view, "projects": "project/" if is_below else f"{owner}/project/"}
            return self._render("owner.html", owner, "../" * is_below, "./", search, **values), False

        path = f"{'' if is_below else '/'}?q={search}&page={page}"
        return await self._pages.find(wish, path, None, snapshot, render)

    async def project(self, wish: Wish, name: NormalizedName, version: str | None, *, is_below: bool) -> Found:
        """A project in a version, or in its newest one, at `/project/<name>/` or `/<owner>/project/<name>/`."""
        snapshot = await self._catalog.snapshot(wish.credentials, name, fresh=wish.fresh)
        owner = wish.credentials.owner

        async def render() -> tuple[Page, bool]:
            told = await self._pages.tell(wish.credentials, name, snapshot, version, even_unread=True)
            view = await self._threads.do(snapshot.size, partial(_about, snapshot, told, self._sites.github))
            readme = await self._readme(view)
            is_taken = view.shown.version == view.current and not view.shown.yanked
            pinned = None if is_taken else view.shown.version
            values = {
                "view": view,
                "readme": readme,
                "unread": told.unread,
                "lines": installing(self._sites.server or NO_SERVER, owner, name, pinned),
                "variable": TOKEN,
                "has_server": bool(self._sites.server),
            }
            page = self._render("project.html", owner, "../../" + "../" * is_below, "../../", "", **values)
            return page, told.is_pending or readme is None

        path = f"{'' if is_below else '/'}project/{name}/{version or ''}"
        return await self._pages.find(wish, path, None, snapshot, render)

    def trouble(self, depth: int, code: int, message: str) -> Page:
        """What people see in place of a page that is `depth` folders below the server's root."""
        top = "../" * depth
        values = {"code": code, "phrase": HTTPStatus(code).phrase, "message": message}
        return self._render("trouble.html", "", top, top or "./", "", **values)

    async def _readme(self, view: About) -> Markup | None:
        """The README, empty where there is none; None while it is being rendered."""
        if not view.readme:
            return Markup()
        html = await self._readmes.html(Readme(view.readme, view.content_type, view.tree, self._images))
        return Markup(html) if html is not None else None  # noqa: S704 - it was cleaned when it was rendered

    def _render(self, template: str, owner: str, top: str, home: str, search: str, **values: Any) -> Page:
        """The page; `top` leads to the server's root, `home` to the owner's projects."""
        return self._templates.page(
            template, owner=owner, top=top, home=home, search=search, program=f"PyPIHub {__version__}", **values
        )


def _about(snapshot: Snapshot[Listing], told: Told, github: str) -> About:
    return about(snapshot.content(), told.project, told.version, told.metadata, github)
