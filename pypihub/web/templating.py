"""Pages for people: templates filled in, every value escaped, and the headers that keep such a page to itself."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pypihub.index.simple import Page, make_page

_HERE = Path(__file__).parent


class Templates:
    """The templates. With `remote_images` a page may show images of any https server, else its own."""

    def __init__(self, *, remote_images: bool) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters["day"] = _day
        images = "'self' https:" if remote_images else "'self'"
        self._headers = (
            (
                "Content-Security-Policy",
                f"default-src 'none'; style-src 'self'; img-src {images}; form-action 'self'; base-uri 'none';"
                " frame-ancestors 'none'",
            ),
            ("Referrer-Policy", "no-referrer"),
        )

    def page(self, template: str, **values: object) -> Page:
        """The page that the template makes of these values."""
        html = self._environment.get_template(template).render(values)
        return make_page(html.encode(), "text/html; charset=utf-8", self._headers)


def static_page(name: str, content_type: str) -> Page:
    """A file that the pages have in common."""
    return make_page((_HERE / "static" / name).read_bytes(), content_type)


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%b %Y}"
