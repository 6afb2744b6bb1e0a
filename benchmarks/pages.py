"""How fast warm answers are: PyPIHub against a bare twisted.web Resource with the same bytes, interleaved in one run.

    python benchmarks/pages.py [--rounds 5] [--requests 4000] [--files 300]

The figure is requests a CPU-second of the server process (user and system), which neighbours on the machine
disturb least; the ratio is the median of the rounds' ratios. GitHub is the sandbox, in the load's own process. Two
PyPIHubs run: one with its access log, into a file, and one without.
"""

from __future__ import annotations

import argparse
import base64
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from load import Server, Target, exchange, median, request
from twisted.internet.task import react

from pypihub.sandbox.server import Sandbox
from pypihub.sandbox.world import World

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "text/html"


@dataclass(frozen=True)
class Case:
    """A request that is measured."""

    name: str
    path: str
    accept: str = HTML
    is_known: bool = False  # by the client, which sends If-None-Match
    goals: tuple[float, float] | None = (1.0, 0.9)  # without and with the log


def fill(world: World, files: int) -> str:
    """A small project with two files, and a large one with ten files in each release; the path of a file."""
    small = world.add_repository("octo/small").add_release("v1")
    asset = small.add_asset("small-1.0-py3-none-any.whl", b"x")
    small.add_asset("small-1.0.tar.gz", b"x")
    large = world.add_repository("octo/large")
    for number in range(files // 10):
        release = large.add_release(f"v{number}")
        for build in range(10):
            release.add_asset(f"large-{number}.0-{build}-py3-none-manylinux_2_17_x86_64.whl", b"x")
    return f"/asset/{asset.id}/{asset.name}"


def start(reactor: Any, folder: Path, sandbox: Sandbox, *, access: bool) -> Server:
    """A PyPIHub in front of the sandbox."""
    config = folder / f"hub-{access}.toml"
    config.write_text(
        f'[server]\nendpoint = "tcp:0:interface=127.0.0.1"\n[log]\naccess = {str(access).lower()}\n'
        f'[cache]\ndirectory = ""\nttl = "10m"\n'
        f'[github]\napi_url = "{sandbox.api_url}"\ngraphql_url = "{sandbox.graphql_url}"\n'
    )
    return Server(reactor, "-m", "pypihub", "-c", str(config))


async def compare(reactor: Any, folder: Path, options: argparse.Namespace) -> None:
    world = World()
    asset = fill(world, options.files)
    token = world.add_token("octo")
    sandbox = Sandbox(reactor, world)
    await sandbox.start()
    hubs = {access: start(reactor, folder, sandbox, access=access) for access in (False, True)}
    ports = {access: await hub.port() for access, hub in hubs.items()}
    cases = [
        Case("small HTML", "/simple/small/"),
        Case("small JSON", "/simple/small/", JSON),
        Case("large HTML", "/simple/large/"),
        Case("large JSON", "/simple/large/", JSON),
        Case("large HTML, 304", "/simple/large/", is_known=True),
        Case("large JSON, 304", "/simple/large/", JSON, is_known=True),
        Case("redirect", asset, goals=(0.5, 0.5)),
    ]
    titles = ("bare", 9), ("no log", 9), ("ratio", 7), ("log", 9), ("ratio", 7), ("goals", 12), ("calls", 7)
    print(f"{'answer':<18}{'bytes':>8}" + "".join(f"{title:>{width}}" for title, width in titles))
    for case in cases:
        await _compare_one(reactor, sandbox, hubs, ports, case, token, folder, options)
    for hub in hubs.values():
        await hub.stop()
    await sandbox.stop()


async def _compare_one(
    reactor: Any,
    sandbox: Sandbox,
    hubs: dict[bool, Server],
    ports: dict[bool, int],
    case: Case,
    token: str,
    folder: Path,
    options: argparse.Namespace,
) -> None:
    credentials = base64.b64encode(f"octo:{token}".encode()).decode()
    headers = {"Accept": case.accept, "Authorization": f"Basic {credentials}"}
    for port in ports.values():  # read twice: what is found out of the files comes to the page
        answer = await exchange(reactor, port, request(case.path, **headers))
    (file := folder / "answer").write_bytes(_without(answer, b"Server", b"Date"))
    server = Server(reactor, str(Path(__file__).with_name("bare.py")), str(file))
    status = answer.split(b" ", 2)[1]
    if case.is_known:
        etag = answer.split(b"ETag: ")[1].split(b"\r\n")[0]
        headers["If-None-Match"] = etag.decode()
        status = b"304"
    wire = request(case.path, **headers)
    targets = {
        "bare": Target("bare", server, await server.port(), wire, status),
        "quiet": Target("quiet", hubs[False], ports[False], wire, status),
        "logging": Target("logging", hubs[True], ports[True], wire, status),
    }
    for target in targets.values():
        await target.requests_a_cpu_second(reactor, options.requests // 4)  # warm up
    calls = len(sandbox.calls)
    rounds = [
        {name: await target.requests_a_cpu_second(reactor, options.requests) for name, target in targets.items()}
        for _ in range(options.rounds)
    ]
    figures = {name: median(each[name] for each in rounds) for name in targets}
    ratios = {name: median(each[name] / each["bare"] for each in rounds) for name in targets}
    size = 0 if case.is_known else len(answer.partition(b"\r\n\r\n")[2])
    goals = " / ".join(f"{goal:.2f}" for goal in case.goals or ())
    print(
        f"{case.name:<18}{size:>8}{figures['bare']:>9.0f}"
        f"{figures['quiet']:>9.0f}{ratios['quiet']:>7.2f}{figures['logging']:>9.0f}{ratios['logging']:>7.2f}"
        f"{goals:>12}{len(sandbox.calls) - calls:>7}",
        flush=True,
    )
    await server.stop()


def _without(answer: bytes, *names: bytes) -> bytes:
    head, end, body = answer.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.startswith(tuple(name + b":" for name in names))]
    return b"\r\n".join(lines) + end + body


async def main(reactor: Any, *arguments: str) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=4000, help="a round")
    parser.add_argument("--files", type=int, default=300, help="of the large page")
    with tempfile.TemporaryDirectory() as folder:
        await compare(reactor, Path(folder), parser.parse_args(arguments))


def run(arguments: Sequence[str]) -> None:
    react(main, arguments)


if __name__ == "__main__":
    import sys

    run(sys.argv[1:])
