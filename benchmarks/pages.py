"""How fast pages are: PyPIHub against a bare twisted.web Resource with the same bytes, interleaved in one run.

    python benchmarks/pages.py [--rounds 5] [--requests 400] [--files 300]

The figure is requests a CPU-second of the server process (user and system), which neighbours on the machine
disturb least; the ratio is the median of the rounds' ratios. GitHub is the sandbox, in the load's own process.
"""

from __future__ import annotations

import argparse
import base64
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import treq
from load import Server, Target, median, request
from twisted.internet.task import react

from pypihub.sandbox.server import Sandbox
from pypihub.sandbox.world import World

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "text/html"


def fill(world: World, files: int) -> None:
    """A small project with two files, and a large one with ten files in each release."""
    small = world.add_repository("octo/small").add_release("v1")
    small.add_asset("small-1.0-py3-none-any.whl", b"x")
    small.add_asset("small-1.0.tar.gz", b"x")
    large = world.add_repository("octo/large")
    for number in range(files // 10):
        release = large.add_release(f"v{number}")
        for build in range(10):
            release.add_asset(f"large-{number}.0-{build}-py3-none-manylinux_2_17_x86_64.whl", b"x")


async def compare(reactor: Any, folder: Path, options: argparse.Namespace) -> None:
    world = World()
    fill(world, options.files)
    token = world.add_token("octo")
    sandbox = Sandbox(reactor, world)
    await sandbox.start()
    config = folder / "hub.toml"
    config.write_text(
        f'[server]\nendpoint = "tcp:0:interface=127.0.0.1"\n'
        f'[github]\napi_url = "{sandbox.api_url}"\ngraphql_url = "{sandbox.graphql_url}"\n'
    )
    hub = Server(reactor, "-m", "pypihub", "-c", str(config))
    port = await hub.port()
    print(f"{'page':<24}{'bytes':>9}{'bare':>10}{'PyPIHub':>10}{'ratio':>8}{'calls a request':>17}")
    for project in ("small", "large"):
        for accept in (HTML, JSON):
            target = Target(project, hub, port, _request(f"/simple/{project}/", accept, token))
            await _compare_one(reactor, sandbox, target, accept, token, folder, options)
    await hub.stop()
    await sandbox.stop()


async def _compare_one(
    reactor: Any, sandbox: Sandbox, hub: Target, accept: str, token: str, folder: Path, options: argparse.Namespace
) -> None:
    answer = await treq.get(
        f"http://127.0.0.1:{hub.port}/simple/{hub.name}/",
        auth=("octo", token),
        headers={"Accept": accept},
        persistent=False,
    )
    body = await answer.content()
    (file := folder / "body").write_bytes(body)
    content_type = answer.headers.getRawHeaders("content-type")[0]
    server = Server(reactor, str(Path(__file__).with_name("bare.py")), str(file), content_type)
    bare = Target("bare", server, await server.port(), hub.request)
    for target in (bare, hub):
        await target.requests_a_cpu_second(reactor, options.requests // 4)  # warm up
    calls = len(sandbox.calls)
    rounds = [
        (
            await bare.requests_a_cpu_second(reactor, options.requests * 10),
            await hub.requests_a_cpu_second(reactor, options.requests),
        )
        for _ in range(options.rounds)
    ]
    calls = len(sandbox.calls) - calls
    ratio = median(mine / theirs for theirs, mine in rounds)
    print(
        f"{hub.name + ' ' + ('JSON' if accept == JSON else 'HTML'):<24}{len(body):>9}"
        f"{median(r[0] for r in rounds):>10.0f}{median(r[1] for r in rounds):>10.0f}{ratio:>8.3f}"
        f"{calls / (options.rounds * options.requests):>17.2f}",
        flush=True,
    )
    await server.stop()


def _request(path: str, accept: str, token: str) -> bytes:
    credentials = base64.b64encode(f"octo:{token}".encode()).decode()
    return request(path, Accept=accept, Authorization=f"Basic {credentials}")


async def main(reactor: Any, *arguments: str) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=400, help="a round")
    parser.add_argument("--files", type=int, default=300, help="of the large page")
    with tempfile.TemporaryDirectory() as folder:
        await compare(reactor, Path(folder), parser.parse_args(arguments))


def run(arguments: Sequence[str]) -> None:
    react(main, arguments)


if __name__ == "__main__":
    import sys

    run(sys.argv[1:])
