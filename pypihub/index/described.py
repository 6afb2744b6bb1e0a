"""What METADATA says of a version, as texts: https://packaging.python.org/specifications/core-metadata/"""

from __future__ import annotations

import re
from collections.abc import Sequence
from email.message import Message

from pypihub.index.headers import LongHeadersError, only, read_body, read_headers

# How old tools wrote a text of several lines into a header (PEP 314; PEP 345 has the bar).
_FOLD = re.compile(r"\r?\n(?: {7}\|| {8}|\t)?")


class Described:
    """METADATA, read leniently: nothing is said where there is none, or where its headers are longer than real ones."""

    def __init__(self, metadata: bytes | None) -> None:
        self._metadata = metadata or b""
        try:
            self._headers = read_headers(self._metadata)
        except LongHeadersError:
            self._headers = Message()

    def one(self, name: str) -> str | None:
        """The value of a header in one line; None without one, and for the word with which old tools say so."""
        value = " ".join(only(self._headers, name).split())
        return value if value not in ("", "UNKNOWN") else None

    def text(self, name: str) -> str | None:
        """The value of a header that may have several lines."""
        value = _FOLD.sub("\n", only(self._headers, name))
        return value if value not in ("", "UNKNOWN") else None

    def all(self, name: str) -> Sequence[str] | None:
        """The values of a header that may be there several times; None without one."""
        return [" ".join(str(value).split()) for value in self._headers.get_all(name, [])] or None

    @property
    def description(self) -> str | None:
        """The body of METADATA, or the header in which it was before there were bodies."""
        return read_body(self._metadata).strip() or self.text("Description")

    @property
    def project_urls(self) -> dict[str, str]:
        """The URLs by their labels."""
        parts = (value.partition(",") for value in self.all("Project-URL") or ())
        return {label.strip(): url.strip() for label, _, url in parts}
