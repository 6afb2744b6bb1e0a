"""What goes back to a client, before it meets a socket."""

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

JSON = "application/json; charset=utf-8"
HTML = "text/html; charset=utf-8"
XML = "application/xml"


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a file on disk, in bytes."""

    path: Path
    offset: int
    size: int


class Fate(Enum):
    """What becomes of an answer on its way out."""

    SENT = "sent"
    DROPPED = "dropped"
    HUNG = "hung"


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, headers and a body.

    `delay` is the seconds to wait before, and `until` fires before it comes; with `cut` only so many bytes of the body
    are sent and the connection ends.
    """

    status: int
    body: bytes | Part = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    until: Deferred[None] | None = None
    cut: int | None = None
    fate: Fate = Fate.SENT

    @property
    def size(self) -> int:
        """The length of the whole body in bytes."""
        return self.body.size if isinstance(self.body, Part) else len(self.body)

    def plus(self, headers: Mapping[str, str]) -> "Answer":
        """Return the answer with more headers."""
        return replace(self, headers={**self.headers, **headers})

    def instead(self, status: int, body: bytes, content_type: str, headers: Mapping[str, str]) -> "Answer":
        """Return another answer to the same request; what happens on its way stays."""
        return replace(self, status=status, body=body, headers={"content-type": content_type, **headers})


def json_body(payload: Any) -> bytes:
    """Write JSON as GitHub does: compact."""
    return json.dumps(payload, separators=(",", ":")).encode()


def json_answer(status: int, payload: Any, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an answer with a JSON body."""
    return Answer(status, json_body(payload), {"content-type": JSON, **(headers or {})})


def message(status: int, text: str, documentation: str = "https://docs.github.com/rest") -> Answer:
    """Return the form in which GitHub's API refuses a request."""
    return json_answer(status, {"message": text, "documentation_url": documentation, "status": str(status)})


def compressed(answer: Answer, accept_encoding: str) -> Answer:
    """Return the answer gzipped where the client takes that."""
    codings = [coding.partition(";") for coding in accept_encoding.lower().replace(" ", "").split(",")]
    willing = any(name == "gzip" and weight != "q=0" for name, _, weight in codings)
    if not willing or not answer.body or isinstance(answer.body, Part):
        return answer
    smaller = replace(answer, body=gzip.compress(answer.body, 1, mtime=0))
    return smaller.plus({"content-encoding": "gzip", "vary": "Accept-Encoding"})
