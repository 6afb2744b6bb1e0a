"""The log of several processes: on one stream, and by way of another process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from pytest_twisted import ensureDeferred
from support.daemons import GitHub, Run, serve
from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from pypihub.daemon.logs import Received

# Logs on stdout in the way that is named: many requests as one event, and a failure. It begins when stdin ends.
_WRITER = """
import sys
from twisted.logger import Logger
from pypihub.daemon import logs
getattr(logs, sys.argv[1])(sys.stdout)
mark, lines = sys.argv[2], int(sys.argv[3])
print("ready", file=sys.stderr, flush=True)
sys.stdin.read()
for _ in range(10):
    Logger("pypihub.access").info("{text}", text="\\n".join(mark * 83 for _ in range(lines)))
try:
    raise ValueError(mark)
except ValueError:
    Logger("pypihub").failure("It {went} wrong", went="{went}")
print("no event")
"""


def test_lines_of_two_processes_on_one_pipe_stay_whole() -> None:
    reading, writing = os.pipe()
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, "log_to", mark, "5000"],
            stdin=subprocess.PIPE, stdout=writing, stderr=subprocess.PIPE,
        )
        for mark in "ab"
    ]  # fmt: skip
    os.close(writing)
    for process in writers:
        assert process.stderr is not None
        assert process.stderr.readline() == b"ready\n"
    for process in writers:
        assert process.stdin is not None
        process.stdin.close()
    with open(reading, "rb") as stream:
        lines = stream.read().decode().splitlines()
    for process in writers:
        assert process.stderr is not None
        process.stderr.close()
        assert process.wait() == 0
    requests = [line.partition("[pypihub.access#info] ")[2] for line in lines if "access" in line]
    assert requests.count("a" * 83) == requests.count("b" * 83) == len(requests) // 2 == 50_000


@pytest.fixture
def events() -> Iterator[list[LogEvent]]:
    """What is logged during the test."""
    logged: list[LogEvent] = []
    globalLogPublisher.addObserver(logged.append)
    yield logged
    globalLogPublisher.removeObserver(logged.append)


def said(events: list[LogEvent]) -> list[tuple[str, str, str]]:
    return [(event["log_level"].name, event["log_namespace"], formatEvent(event)) for event in events]


def test_what_is_handed_over_is_logged_as_it_was(events: list[LogEvent]) -> None:
    command = [sys.executable, "-c", _WRITER, "hand_over_to", "a", "100"]
    out = subprocess.run(command, check=True, capture_output=True, input=b"").stdout
    received = Received()
    for start in range(0, len(out), 1000):
        received.write(out[start : start + 1000])
    received.close()
    *requests, failure, other = said(events)
    assert requests == [("info", "pypihub.access", "a" * 83)] * 1000
    assert failure[:2] == ("critical", "pypihub")
    assert failure[2].startswith("It {went} wrong\nTraceback")
    assert failure[2].rstrip().endswith("ValueError: a")
    assert other == ("warn", "pypihub", "no event")


@pytest.mark.parametrize("odd", [b"[1, 2]", b'["loud", "pypihub", "x"]', b"\xff{", b"null", b'["info"]'])
def test_what_is_no_event_is_logged_as_a_warning(events: list[LogEvent], odd: bytes) -> None:
    Received().write(odd + b"\n")
    assert said(events) == [("warn", "pypihub", odd.decode(errors="backslashreplace"))]


def test_a_line_without_end_takes_no_memory_without_end(events: list[LogEvent]) -> None:
    received = Received()
    for _ in range(100):
        received.write(b"x" * 65536)
    received.close()
    assert sum(len(text) for _, _, text in said(events)) == 100 * 65536
    assert len(events) > 1


@pytest.mark.parametrize("way", ["twistd", "twist"])
@ensureDeferred
async def test_twistds_log_tells_nothing_of_connections_to_github(github: GitHub, run: Run, way: str) -> None:
    daemon = await serve(github, run, way, workers=1)
    await daemon.ask()
    daemon.process.signal("TERM")
    assert await daemon.ends() == 0
    assert github.sandbox.calls
    assert "HTTP11" not in daemon.process.out
