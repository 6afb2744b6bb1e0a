"""Which form of a page a client gets, and whether it has it already.

PEP 691 content types by Accept's q-values (RFC 9110, 12.5.1) or `?format=`; If-None-Match (RFC 9110, 13.1.2).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from pypihub.errors import NotAcceptableError


class Format(Enum):
    """The forms of a Simple API page, the preferred first; the value is the Content-Type."""

    JSON = "application/vnd.pypi.simple.v1+json"
    HTML = "application/vnd.pypi.simple.v1+html"
    TEXT_HTML = "text/html"

    @property
    def content_type(self) -> str:
        """The value of the Content-Type header."""
        return "text/html; charset=utf-8" if self is Format.TEXT_HTML else self.value


_NAMES = {
    Format.JSON.value: Format.JSON,
    Format.HTML.value: Format.HTML,
    Format.TEXT_HTML.value: Format.TEXT_HTML,
    "application/vnd.pypi.simple.latest+json": Format.JSON,
    "application/vnd.pypi.simple.latest+html": Format.HTML,
}
# What a wildcard stands for, the preferred first. `*/*` is for tools that read anchors by a regex.
_WILDCARDS = {
    "*/*": (Format.TEXT_HTML, Format.HTML, Format.JSON),
    "application/*": (Format.JSON, Format.HTML),
    "text/*": (Format.TEXT_HTML,),
}
_QUALITY = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?", re.ASCII)
_OFFERED = ", ".join(form.value for form in Format)


@dataclass(frozen=True, slots=True)
class _Offer:
    """How much a client wants a form: by quality, then by how exactly it was named, then by our preference."""

    form: Format
    quality: float
    exact: int
    preference: int

    @property
    def rank(self) -> tuple[float, int, int]:
        return self.quality, self.exact, -self.preference


def choose_format(accept: str, wanted: str | None = None) -> Format:
    """The form for a request with this Accept header; `wanted` is the value of `?format=`, which wins.

    An empty or wholly malformed Accept counts as `*/*`. Raises NotAcceptableError where nothing fits.
    """
    if wanted is not None:
        form = _NAMES.get(wanted.replace(" ", "+"))  # a plus sign in a query reads as a space
        if form is None:
            raise NotAcceptableError(f"The format is not known; there are {_OFFERED}.")
        return form
    offers: dict[Format, _Offer] = {}
    for offer in _offers(list(_media_ranges(accept)) or [("*/*", 1.0)]):
        best = offers.get(offer.form)
        if best is None or (offer.exact, offer.quality) > (best.exact, best.quality):
            offers[offer.form] = offer  # the most exact range that fits decides a form's quality
    acceptable = [offer for offer in offers.values() if offer.quality > 0]
    if not acceptable:
        raise NotAcceptableError(f"The Accept header fits nothing that there is: {_OFFERED}.")
    return max(acceptable, key=lambda offer: offer.rank).form


def _offers(ranges: list[tuple[str, float]]) -> Iterator[_Offer]:
    in_order = list(Format)
    for name, quality in ranges:
        if name in _NAMES:
            form = _NAMES[name]
            yield _Offer(form, quality, 2, in_order.index(form))
        for preference, form in enumerate(_WILDCARDS.get(name, ())):
            yield _Offer(form, quality, 0 if name == "*/*" else 1, preference)


def _media_ranges(accept: str) -> Iterator[tuple[str, float]]:
    """The media ranges of an Accept header with their qualities; malformed ones are passed over."""
    for entry in accept.split(","):
        name, *parameters = (part.strip().lower() for part in entry.split(";"))
        if name.count("/") != 1:
            continue
        qualities = [value.strip() for key, _, value in (p.partition("=") for p in parameters) if key.strip() == "q"]
        if not qualities:
            yield name, 1.0
        elif _QUALITY.fullmatch(qualities[0]):
            yield name, float(qualities[0])


def accepts_gzip(accept_encoding: str) -> bool:
    """Tells whether an Accept-Encoding header (RFC 9110, 12.5.3) names gzip, or everything, as acceptable."""
    quality: dict[str, float] = {}
    for entry in accept_encoding.lower().split(","):
        name, _, parameter = (part.strip() for part in entry.partition(";"))
        value = parameter.removeprefix("q=").strip() if parameter.startswith("q=") else "1"
        quality[name] = float(value) if _QUALITY.fullmatch(value) else 0.0
    return quality.get("gzip", quality.get("*", 0.0)) > 0


_ENTITY_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


def matches_etag(if_none_match: str, etag: str) -> bool:
    """Tells whether an If-None-Match header (a list, `*`, weak tags) names `etag`, so that a 304 will do."""
    if if_none_match.strip() in ("*", etag):  # as most send it
        return True
    return any(match[1] == etag for match in _ENTITY_TAG.finditer(if_none_match))


def is_for_people(accept: str) -> bool:
    """Tells whether a client would rather have HTML than anything else, as browsers say: nobody else names it first."""
    ranges = dict(_media_ranges(accept))
    html = ranges.get("text/html", 0.0)
    return html > 0 and html == max(ranges.values())
