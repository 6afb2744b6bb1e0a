"""A GitHub with any number of repositories, each with a project of its name, made up while they are asked for.

    python benchmarks/many.py FILES

Each project has FILES files, of as many versions: the newest is an sdist, so that no METADATA is read ahead, and all
others are wheels. It answers the query for listings and looks at no token: what it takes of the machine is little.
"""

from __future__ import annotations

import hashlib
import json
import sys

from twisted.internet import reactor
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from pypihub.sandbox.nodeids import node_id

CREATED = "2025-07-01T00:00:00Z"
NO_MORE = {"hasNextPage": False, "endCursor": None}


class Many(Resource):
    """Its names are `project-NUMBER`."""

    isLeaf = True

    def __init__(self, files: int) -> None:
        super().__init__()
        self._files = files

    def render_POST(self, request: Request) -> bytes:
        request.setHeader(b"Content-Type", b"application/json; charset=utf-8")
        variables = json.loads(request.content.read())["variables"]
        number = int(variables["name"].rpartition("-")[2])
        releases = [
            {
                "id": node_id("RE", number, version),
                "isDraft": False,
                "publishedAt": CREATED,
                "tagName": "v1",
                "name": "v1",
                "releaseAssets": {
                    "pageInfo": NO_MORE,
                    "nodes": [{"id": node_id("RA", number, version), **self._asset(number, version)}],
                },
            }
            for version in range(self._files, 0, -1)
        ]
        listing = {
            "nameWithOwner": f"{variables['owner']}/{variables['name']}",
            "isArchived": False,
            "isPrivate": True,
            "releases": {"totalCount": self._files, "pageInfo": NO_MORE, "nodes": releases},
        }
        return json.dumps({"data": {"repository": listing}}).encode()

    def _asset(self, number: int, version: int) -> dict[str, object]:
        digest = hashlib.sha256(f"{number} {version}".encode()).hexdigest()
        ending = ".tar.gz" if version == self._files else "-py3-none-any.whl"
        name = f"project_{number}-{version}.0{ending}"
        return {"name": name, "size": 10_000, "createdAt": CREATED, "digest": f"sha256:{digest}"}


class Silent(Site):
    """A Site without an access log."""

    def log(self, request: object) -> None:
        pass


port = reactor.listenTCP(0, Silent(Many(int(sys.argv[1])), timeout=None), interface="127.0.0.1")
print(f"listens on 127.0.0.1:{port.getHost().port}", flush=True)
reactor.run()
