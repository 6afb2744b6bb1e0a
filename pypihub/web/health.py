"""How PyPIHub is, for whoever starts it and whoever sends it requests: no credentials, no call to GitHub, no log line.

`/healthz` tells that it is alive. `/readyz` tells whether it takes requests, and how GitHub was when it was asked last.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

import msgspec
from twisted.web.server import Request

from pypihub.github.breaker import Breaker
from pypihub.web.responses import send_body, send_error, send_text

PATHS = frozenset({b"/healthz", b"/readyz"})


class Phase(Enum):
    """Where in its life PyPIHub is."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"


class Health:
    """Answers for the `phase` that it is in.

    `breakers`, of GitHub's hosts, tell which of them fails. PyPIHub is ready all the same: it shows what it has.
    """

    def __init__(self, breakers: Mapping[str, Breaker]) -> None:
        self.phase = Phase.STARTING
        self._breakers = breakers

    def render(self, request: Request) -> bytes:
        """The answer to a request for one of `PATHS`."""
        if request.method not in (b"GET", b"HEAD"):
            request.setHeader("Allow", "GET, HEAD")
            return send_error(request, 405, "This URL does not take the method.")
        request.setHeader("Cache-Control", "no-store")
        if request.path == b"/healthz":
            return send_text(request, "ok")
        request.setResponseCode(200 if self.phase is Phase.READY else 503)
        hosts = {host: "failing" if breaker.is_open else "ok" for host, breaker in self._breakers.items()}
        told = {"status": self.phase.value, "github": hosts}
        return send_body(request, msgspec.json.encode(told) + b"\n", "application/json")
