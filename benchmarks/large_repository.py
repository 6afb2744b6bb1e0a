"""What a large repository costs: calls, seconds and memory for a listing of 1,000 releases with 10 assets each.

    python benchmarks/large_repository.py [--times 100] [--releases 1000] [--assets 10] [--ttl 1ms]

The page is asked for again and again, as HTML and as JSON in turn, and with so short a time to live read in full each
time from GitHub: the sandbox, in this process. `--ttl 30s` is PyPIHub's own default.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import treq
from load import Server, median
from twisted.internet.task import react

from pypihub.sandbox.server import Sandbox
from pypihub.sandbox.world import World


async def measure(reactor: Any, folder: Path, options: argparse.Namespace) -> None:
    world = World()
    repository = world.add_repository("octo/large")
    for number in range(options.releases):
        release = repository.add_release(f"v{number}")
        for build in range(options.assets):
            release.add_asset(f"large-{number}.0-{build}-py3-none-manylinux_2_17_x86_64.whl", b"x")
    token = world.add_token("octo")
    sandbox = Sandbox(reactor, world)
    await sandbox.start()
    config = folder / "hub.toml"
    config.write_text(
        f'[server]\nendpoint = "tcp:0:interface=127.0.0.1"\n[cache]\ndirectory = ""\nttl = "{options.ttl}"\n'
        f'[github]\napi_url = "{sandbox.api_url}"\ngraphql_url = "{sandbox.graphql_url}"\n'
    )
    hub = Server(reactor, "-m", "pypihub", "-c", str(config))
    url = f"http://127.0.0.1:{await hub.port()}/simple/large/"
    print(f"idle: {hub.rss_mb():.1f} MB")
    seconds, cpu, upstream = [], [], []
    for number in range(1, options.times + 1):
        calls, started, used = len(sandbox.calls), time.monotonic(), hub.cpu_seconds()
        form = ("text/html", "application/vnd.pypi.simple.v1+json")[number % 2]
        answer = await treq.get(url, auth=("octo", token), headers={"Accept": form}, persistent=False)
        body = await answer.content()
        seconds.append(time.monotonic() - started)
        cpu.append(hub.cpu_seconds() - used)
        upstream.append(len(sandbox.calls) - calls)
        if answer.code != 200 or body.count(b"-py3-none-") < options.releases * options.assets:
            raise SystemExit(f"answer {number} is not the whole page: {answer.code}")
        if number in (1, 10) or number == options.times:
            print(
                f"after {number:>4}: {sum(upstream)} calls, {median(upstream):.0f} each, {median(seconds):.3f} s"
                f" ({median(cpu):.3f} s of the daemon's CPU), {len(body) / 1e6:.1f} MB page,"
                f" RSS {hub.rss_mb():.1f} MB, peak {hub.peak_mb():.1f} MB",
                flush=True,
            )
    await hub.stop()
    await sandbox.stop()


async def main(reactor: Any, *arguments: str) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--releases", type=int, default=1000)
    parser.add_argument("--assets", type=int, default=10)
    parser.add_argument("--ttl", default="1ms", help="for which PyPIHub shows a listing without asking GitHub")
    with tempfile.TemporaryDirectory() as folder:
        await measure(reactor, Path(folder), parser.parse_args(arguments))


if __name__ == "__main__":
    react(main, sys.argv[1:])
