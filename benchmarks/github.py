"""GitHub for a benchmark: the sandbox in a process of its own, so that its work is nobody else's.

    python benchmarks/github.py FOLDER LATENCY PORT

FOLDER holds wheels: each project is a private repository of `octo`. LATENCY is in seconds, before every answer.
PORT of loopback tells how many calls there were so far, as JSON: by place, and those of GraphQL by operation too.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from pypihub.sandbox.fill import fill_flat
from pypihub.sandbox.server import Sandbox
from pypihub.sandbox.world import World

OWNER = "octo"
TOKENS = ("ghp_first", "ghp_second")
"""Two of the owner's: what PyPIHub keeps for the one is not the other's."""


class Calls(Resource):
    """How many calls the sandbox had, by place and by operation."""

    isLeaf = True

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__()
        self._sandbox = sandbox

    def render_GET(self, request: Request) -> bytes:
        counts = Counter(call.where for call in self._sandbox.calls)
        counts.update(call.operation for call in self._sandbox.calls if call.operation)
        return json.dumps(counts).encode()


async def main(reactor: Any, folder: str, latency: str, port: str) -> None:
    world = World()
    fill_flat(world, Path(folder), OWNER)
    for token in TOKENS:
        world.add_token(OWNER, token)
    sandbox = Sandbox(reactor, world, latency=float(latency))
    await sandbox.start()
    site = Site(Calls(sandbox))
    site.noisy = False
    reactor.listenTCP(int(port), site, interface="127.0.0.1")
    print(f"GitHub listens on {sandbox.api_url.removeprefix('http://')}", flush=True)
    await Deferred()  # until a signal


if __name__ == "__main__":
    react(main, sys.argv[1:])
