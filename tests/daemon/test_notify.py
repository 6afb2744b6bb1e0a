"""What the init system is told, by a real datagram socket: in this process, and of the commands as it runs them."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
import treq
from pytest_twisted import ensureDeferred
from support.init import Init
from support.process import BIN, Process
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock, deferLater
from twisted.web.client import Agent

from pypihub.config import Cache, Config, GitHub, Server
from pypihub.daemon.notify import Announced, InitSystem, watchdog_time
from pypihub.daemon.service import make_service
from pypihub.sandbox.faults import Held
from pypihub.sandbox.samples import sample_wheel
from pypihub.sandbox.server import Sandbox
from pypihub.sandbox.world import World

Run = Callable[..., Process]
WAYS = {"pypihub": ["-c"], "twistd": ["-n", "pypihub", "--config"]}


@pytest.fixture
def init(reactor: Any, tmp_path: Path) -> Iterator[Init]:
    init = Init(str(tmp_path / "notify"), reactor)
    yield init
    init.close()


def speaker(address: str) -> InitSystem:
    """What a daemon has that finds the address in its environment."""
    return InitSystem({"NOTIFY_SOCKET": address})


@pytest.mark.parametrize("address", ["@pypihub/{}", "{}/notify"])
def test_it_is_told_by_a_socket_at_a_path_or_of_an_abstract_name(reactor: Any, tmp_path: Path, address: str) -> None:
    init = Init(address.format(tmp_path), reactor)
    speaker(init.address).tell("READY=1", "STATUS=Löwe")
    assert init.told() == ["READY=1\nSTATUS=Löwe"]
    init.close()


@pytest.mark.parametrize(
    "address", [None, "", "@", "/nowhere/notify", "/" + "long" * 100, "vsock:2:1", "@pypihub/none"]
)
def test_an_init_system_that_is_not_there_is_no_trouble(address: str | None) -> None:
    InitSystem({} if address is None else {"NOTIFY_SOCKET": address}).tell("READY=1")


def test_an_init_system_that_does_not_read_is_not_waited_for(init: Init) -> None:
    said = speaker(init.address)
    for _ in range(10_000):
        said.tell("WATCHDOG=1")
    assert 0 < len(init.told()) < 10_000


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30),
        ({"WATCHDOG_USEC": "1500000", "WATCHDOG_PID": str(os.getpid())}, 1.5),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid() + 1)}, None),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": ""}, None),
        ({}, None),
        *(({"WATCHDOG_USEC": wrong}, None) for wrong in ("", "0", "-1", "1.5", "soon", "²", "9" * 5000)),
    ],
)
def test_the_watchdog_is_for_one_process(environment: dict[str, str], seconds: float | None) -> None:
    assert watchdog_time(environment) == seconds


Announce = Callable[..., Announced]


@pytest_twisted.async_yield_fixture
async def announce(reactor: Any, init: Init) -> AsyncIterator[Announce]:
    """Makes daemons in this process, each with a port of its own; they are stopped after the test."""
    made: list[Announced] = []

    def make(watchdog: float | None = None, clock: Any = reactor) -> Announced:
        config = Config(server=Server(endpoint="tcp:0:interface=127.0.0.1"), cache=Cache(directory=""), github=GitHub())
        made.append(Announced(make_service(config, reactor), speaker(init.address), watchdog, clock))
        return made[-1]

    yield make
    for daemon in made:
        if daemon.running:
            await maybeDeferred(daemon.stopService)


@ensureDeferred
async def test_it_is_told_once_the_daemon_answers_and_when_it_begins_to_stop(
    reactor: Any, init: Init, announce: Announce
) -> None:
    daemon = announce()
    daemon.privilegedStartService()
    assert init.told() == []
    daemon.startService()
    said = await init.is_told("READY=1")
    address = said.partition("STATUS=Listens on ")[2]
    response = await treq.client.HTTPClient(Agent(reactor)).get(f"http://{address}/")
    assert "PyPIHub" in await treq.text_content(response)
    stopping = daemon.stopService()
    assert init.words() == ["READY=1", "STOPPING=1"]
    await stopping


@ensureDeferred
async def test_a_reload_is_told_with_the_time_of_its_beginning(init: Init, announce: Announce) -> None:
    daemon = announce()
    daemon.startService()
    await init.is_told("READY=1")
    before = time.monotonic_ns() // 1000
    daemon.reloading()
    said = dict(line.split("=", 1) for line in (await init.is_told("RELOADING=1")).splitlines())
    assert before <= int(said["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    daemon.ready()
    assert init.words() == ["READY=1", "RELOADING=1", "READY=1"]


@ensureDeferred
async def test_the_reactor_feeds_the_watchdog_twice_in_its_time_until_all_has_stopped(
    init: Init, announce: Announce
) -> None:
    clock = Clock()
    daemon = announce(10.0, clock)
    daemon.startService()
    await init.is_told("READY=1")

    def fed() -> int:
        return init.told().count("WATCHDOG=1")

    assert fed() == 1
    clock.advance(4.9)
    assert fed() == 1
    clock.pump([0.1, *[5] * 5])
    assert fed() == 7
    stopping = daemon.stopService()
    clock.advance(5)
    assert fed() == 8
    await stopping
    assert not clock.getDelayedCalls()


class GitHubInABox:
    """A page that GitHub is asked for each time, and the configuration of a daemon that shows it."""

    def __init__(self, sandbox: Sandbox, file: Path) -> None:
        self.sandbox = sandbox
        self.file = file
        self.token = sandbox.world.add_token("octo")
        sandbox.world.add_repository("octo/demo").add_release("v1").add_asset(*sample_wheel("demo", "1.0"))

    def configure(self, workers: int = 1) -> str:
        self.file.write_text(
            f"[server]\nendpoint = 'tcp:0:interface=127.0.0.1'\nworkers = {workers}\n"
            "[cache]\ndirectory = ''\nttl = '1ms'\nstale = '1ms'\n"
            f"[github]\napi_url = '{self.sandbox.api_url}'\ngraphql_url = '{self.sandbox.graphql_url}'\n"
        )
        return str(self.file)

    async def page(self, reactor: Any, address: str) -> str:
        client = treq.client.HTTPClient(Agent(reactor))
        response = await client.get(f"http://{address}/simple/demo/", auth=("octo", self.token))
        assert response.code == 200
        text: str = await treq.text_content(response)
        return text


@pytest_twisted.async_yield_fixture
async def github(reactor: Any, tmp_path: Path) -> AsyncIterator[GitHubInABox]:
    sandbox = Sandbox(reactor, World())
    await sandbox.start()
    yield GitHubInABox(sandbox, tmp_path / "hub.toml")
    await sandbox.stop()


def under(init: Init, watchdog: float | None = None) -> list[str]:
    """The start of a command that an init system runs."""
    variables = {"NOTIFY_SOCKET": init.address, "LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "other"}
    if watchdog is not None:
        variables["WATCHDOG_USEC"] = str(int(watchdog * 1e6))
    return ["env", *(f"{name}={value}" for name, value in variables.items())]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("way", WAYS)
@ensureDeferred
async def test_it_follows_a_command_from_its_start_to_its_end(
    reactor: Any, init: Init, github: GitHubInABox, run: Run, way: str, workers: int
) -> None:
    watchdog = 2.0 if workers == 1 else 10.0  # a worker that is silent for so long is killed
    process = run(*under(init, watchdog), str(BIN / way), *WAYS[way], github.configure(workers))
    said = await init.is_told("READY=1")
    address = said.partition("isten on " if workers > 1 else "istens on ")[2]
    github.sandbox.faults.add(Held(may := Deferred()))
    page = Deferred.fromCoroutine(github.page(reactor, address))
    while not github.sandbox.calls:
        await deferLater(reactor, 0.01)
    process.signal("TERM")
    await init.is_told("STOPPING=1")
    assert not page.called
    await init.is_told("WATCHDOG=1", init.told().count("WATCHDOG=1") + 1)  # it is alive while it stops
    assert not page.called
    may.callback(None)
    assert "demo-1.0" in await page
    assert await process.ends() in (0, -signal.SIGTERM)  # twistd re-raises the signal
    assert [word for word in init.words() if word != "WATCHDOG=1"] == ["READY=1", "STOPPING=1"]


@ensureDeferred
async def test_a_command_that_cannot_listen_was_never_ready(init: Init, run: Run, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        file = tmp_path / "busy.toml"
        file.write_text(f'[server]\nhost = "127.0.0.1"\nport = {busy.getsockname()[1]}\n')
        process = run(*under(init), str(BIN / "pypihub"), "-c", str(file))
        assert await process.ends() == 1
    assert "READY=1" not in init.words()


async def worker(process: Process, number: int) -> int:
    return int(await process.says(f"Worker {number} is process "))


def is_halted(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


_ONE_WAITS = """
import os, signal, sys
if "worker" in sys.orig_argv:
    try:
        os.close(os.open("started", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        os.kill(os.getpid(), signal.SIGSTOP)
"""


@ensureDeferred
async def test_several_are_ready_when_the_last_of_them_is(
    reactor: Any, init: Init, github: GitHubInABox, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(_ONE_WAITS)  # by itself: a signal may come when it has started
    command = [*under(init), f"PYTHONPATH={tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"]
    process = run(*command, str(BIN / "pypihub"), "-c", github.configure(workers=2))
    pids = [await worker(process, number) for number in (1, 2)]
    while not (halted := [pid for pid in pids if is_halted(pid)]):
        await deferLater(reactor, 0.01)
    try:
        address = await process.says("listens on ")
        assert "demo-1.0" in await github.page(reactor, address)  # the other one serves
        assert init.told() == []
    finally:
        os.kill(halted[0], signal.SIGCONT)
    await init.is_told("READY=1")
    process.signal("TERM")
    assert await process.ends() == 0
    assert init.words() == ["READY=1", "STOPPING=1"]


@ensureDeferred
async def test_workers_do_not_speak_to_it(init: Init, github: GitHubInABox, run: Run) -> None:
    process = run(*under(init, 30.0), str(BIN / "pypihub"), "-c", github.configure(workers=2))
    environment = Path(f"/proc/{await worker(process, 1)}/environ")
    await init.is_told("READY=1")
    assert environment.read_bytes()
    for name in (b"NOTIFY_SOCKET", b"WATCHDOG_", b"LISTEN_"):
        assert name not in environment.read_bytes()
    process.signal("TERM")
    assert await process.ends() == 0


@ensureDeferred
async def test_with_a_watchdog_a_worker_that_hangs_is_replaced(
    reactor: Any, init: Init, github: GitHubInABox, run: Run
) -> None:
    process = run(*under(init, 8.0), str(BIN / "pypihub"), "-c", github.configure(workers=2))
    await init.is_told("READY=1")
    first = await worker(process, 1)
    os.kill(first, signal.SIGSTOP)
    await process.says("Worker 1 said nothing for 8 s and is killed")
    await process.says(f"Worker 1 (process {first}) was ended by signal 9; the next one starts now")
    assert "demo-1.0" in await github.page(reactor, await process.says("listens on "))
    process.signal("TERM")
    assert await process.ends() == 0
