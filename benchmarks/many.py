"""A GitHub with any number of repositories, each with a project of its name, made up while they are asked for.

    python benchmarks/many.py FILES

Each project has FILES wheels, of as many versions. It answers PyPIHub's two queries, gives a wheel's bytes and looks at
no token: what it takes of the machine is little.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys

import msgspec
from twisted.internet import reactor
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from pypihub.sandbox.nodeids import node_id
from pypihub.sandbox.samples import sample_wheel

WHEEL = sample_wheel("sample", "1.0")[1]
CREATED = "2025-07-01T00:00:00Z"
NO_MORE = {"hasNextPage": False, "endCursor": None}


class Many(Resource):
    """Its names are `project-NUMBER`."""

    isLeaf = True

    def __init__(self, files: int) -> None:
        super().__init__()
        self._files = files

    def render_GET(self, request: Request) -> bytes:
        return WHEEL  # so small that PyPIHub reads it whole

    def render_POST(self, request: Request) -> bytes:
        request.setHeader(b"Content-Type", b"application/json; charset=utf-8")
        variables = json.loads(request.content.read())["variables"]
        if "ids" in variables:
            here = request.getHost().port
            return json.dumps({"data": {"nodes": [self._found(one, here) for one in variables["ids"]]}}).encode()
        number = int(variables["name"].rpartition("-")[2])
        releases = [
            {
                "id": node_id("RE", number, version),
                "isDraft": False,
                "publishedAt": CREATED,
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
            "releases": {"totalCount": self._files, "pageInfo": NO_MORE, "nodes": releases},
        }
        return json.dumps({"data": {"repository": listing}}).encode()

    def _asset(self, number: int, version: int) -> dict[str, object]:
        digest = hashlib.sha256(f"{number} {version}".encode()).hexdigest()
        name = f"project_{number}-{version}.0-py3-none-any.whl"
        return {"name": name, "size": len(WHEEL), "createdAt": CREATED, "digest": f"sha256:{digest}"}

    def _found(self, asset_id: str, port: int) -> dict[str, object]:
        _, number, version = msgspec.msgpack.decode(base64.urlsafe_b64decode(asset_id[3:] + "=="))
        return {
            "__typename": "ReleaseAsset",
            **self._asset(number, version),
            "url": f"http://127.0.0.1:{port}/storage/{number}/{version}?signature={'0' * 200}",
            "release": {"isDraft": False, "repository": {"nameWithOwner": f"octo/project-{number}"}},
        }


class Silent(Site):
    """A Site without an access log."""

    def log(self, request: object) -> None:
        pass


port = reactor.listenTCP(0, Silent(Many(int(sys.argv[1])), timeout=None), interface="127.0.0.1")
print(f"listens on 127.0.0.1:{port.getHost().port}", flush=True)
reactor.run()
