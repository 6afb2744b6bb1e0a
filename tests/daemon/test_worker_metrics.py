"""The metrics of several workers, collected by the process that started them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import treq
from prometheus_client.parser import text_string_to_metric_families
from pytest_twisted import ensureDeferred
from support.daemons import halted
from support.process import Process
from twisted.internet.defer import Deferred
from twisted.web.client import Agent

from pypihub.daemon.reports import Reports

CONFIG = """
[server]
endpoint = "tcp:0:interface=127.0.0.1"
workers = 2
[cache]
directory = ""
[metrics]
endpoint = "tcp:0:interface=127.0.0.1"
"""


async def read(reactor: Any, url: str) -> str:
    response = await Agent(reactor).request(b"GET", url.encode())
    assert response.code == 200
    text: str = (await treq.content(response)).decode()
    return text


async def collect(reactor: Any, url: str) -> dict[str, dict[str, float]]:
    """The sum of each metric by worker."""
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(await read(reactor, url)):
        for sample in family.samples:
            of = found.setdefault(sample.name, {})
            of[sample.labels["worker"]] = of.get(sample.labels["worker"], 0) + sample.value
    return found


async def told_by(reactor: Any, url: str, up: dict[str, float]) -> dict[str, dict[str, float]]:
    """The same, once it was told by these workers: one that starts, or has no time, is left out after two seconds."""
    for _ in range(30):
        found = await collect(reactor, url)
        if found["pypihub_worker_up"] == up:
            return found
    raise AssertionError(found)


@ensureDeferred
async def test_each_worker_tells_its_own(reactor: Any, run: Callable[..., Process], tmp_path: Path) -> None:
    (tmp_path / "hub.toml").write_text(CONFIG)
    process = run("pypihub", "-c", "hub.toml")
    address = await process.says("listens on ")
    url = await process.says("Metrics are at ")
    pids = {number: int(await process.says(f"Worker {number} is process ")) for number in ("1", "2")}
    for _ in range(30):
        await read(reactor, f"http://{address}/")
    found = await told_by(reactor, url, {"1": 1, "2": 1})
    assert sum(found["pypihub_requests_total"].values()) == 30
    assert found["process_resident_memory_bytes"].keys() == {"1", "2"}

    with halted(pids["2"]):
        gathered = [Deferred.fromCoroutine(told_by(reactor, url, {"1": 1, "2": 0})) for _ in range(2)]
        for each in gathered:
            await each
    await told_by(reactor, url, {"1": 1, "2": 1})

    os.kill(pids["1"], signal.SIGKILL)
    await process.says("Worker 1 (process")
    await told_by(reactor, url, {"1": 1, "2": 1})
    process.signal("TERM")
    assert await process.ends() == 0
    assert "Traceback" not in process.out + process.err


def test_a_report_may_come_in_any_pieces() -> None:
    asked: list[None] = []
    reports = Reports(lambda: asked.append(None))
    told: list[bytes] = []
    for _ in range(2):
        reports.next().addCallback(told.append)
    for number in range(12):
        reports.write((b"\0\0\0\x08" + b"12345678")[number : number + 1])
    assert told == [b"12345678"] * 2
    assert len(asked) == 1
    reports.next().addCallback(told.append)
    reports.close()
    assert told[2:] == [b""]
    assert len(asked) == 2


def test_who_waits_no_longer_is_forgotten() -> None:
    reports = Reports(lambda: None)
    waiter = reports.next()
    waiter.addErrback(lambda _: None)
    waiter.cancel()
    reports.write(b"\0\0\0\x01x")
