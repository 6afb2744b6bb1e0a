"""The baseline: a bare twisted.web Resource that answers everything with the bytes of a file.

python benchmarks/bare.py BODY-FILE CONTENT-TYPE
"""

from __future__ import annotations

import sys
from pathlib import Path

from twisted.internet import reactor
from twisted.web.resource import Resource
from twisted.web.server import Request, Site


class Ready(Resource):
    """Bytes that were made before."""

    isLeaf = True

    def __init__(self, body: bytes, content_type: str) -> None:
        super().__init__()
        self._body = body
        self._type = content_type

    def render_GET(self, request: Request) -> bytes:
        request.setHeader("Content-Type", self._type)
        request.setHeader("Content-Length", str(len(self._body)))
        request.setHeader("ETag", '"0123456789abcdef0123456789abcdef"')
        request.setHeader("Cache-Control", "private, max-age=0, must-revalidate")
        request.setHeader("Vary", "Accept")
        request.setHeader("X-Content-Type-Options", "nosniff")
        return self._body


class Silent(Site):
    """A Site without an access log."""

    def log(self, request: object) -> None:
        pass


port = reactor.listenTCP(0, Silent(Ready(Path(sys.argv[1]).read_bytes(), sys.argv[2])), interface="127.0.0.1")
print(f"listens on 127.0.0.1:{port.getHost().port}", flush=True)
reactor.run()
