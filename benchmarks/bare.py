"""The baseline: a bare twisted.web Resource that answers everything with the bytes and headers of a file.

python benchmarks/bare.py FILE          # status line, headers, an empty line, the body

It does what a page's answer needs: a request that has the entity tag already is answered with 304.
"""

from __future__ import annotations

import sys
from pathlib import Path

from twisted.internet import reactor
from twisted.web.resource import Resource
from twisted.web.server import Request, Site


class Ready(Resource):
    """An answer that was made before."""

    isLeaf = True

    def __init__(self, answer: bytes) -> None:
        super().__init__()
        head, _, self._body = answer.partition(b"\r\n\r\n")
        status, *lines = head.split(b"\r\n")
        self._code = int(status.split()[1])
        self._headers = [tuple(line.split(b": ", 1)) for line in lines]
        self._etag = dict(self._headers).get(b"ETag")

    def render_GET(self, request: Request) -> bytes:
        for name, value in self._headers:
            request.setHeader(name, value)
        if self._etag and request.getHeader(b"if-none-match") == self._etag:
            request.setResponseCode(304)
            return b""
        request.setResponseCode(self._code)
        return self._body


class Silent(Site):
    """A Site without an access log."""

    def log(self, request: object) -> None:
        pass


port = reactor.listenTCP(0, Silent(Ready(Path(sys.argv[1]).read_bytes())), interface="127.0.0.1")
print(f"listens on 127.0.0.1:{port.getHost().port}", flush=True)
reactor.run()
