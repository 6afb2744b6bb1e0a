"""A day of a daemon in fast motion: what operators do to it, and what befalls it, while clients ask without a pause.

    python benchmarks/day.py [--seconds 4] [--clients 20] [--workers 2]

PyPIHub is started by its first connection (systemd-socket-activate, from Debian's package systemd), serves HTTP on that
socket and HTTPS on a port of its own, and asks the sandbox in this script's process. Then, each for so many seconds:
the certificate is renewed, a bad configuration is to be read and then a good one, GitHub fails in several ways and
comes back, a worker is killed, and in the end the daemon is told to stop, while the clients go on. Every page is
checked for being whole and its caller's own.

Prints what was answered in each hour of the day. Ends with status 1 where a request failed that GitHub is not to blame
for. A connection that was closed between two requests, or with a worker that was killed, is not a failure: the client
asks again, as pip and uv do, and that has to succeed.
"""

from __future__ import annotations

import argparse
import gzip
import os
import re
import shutil
import signal
import ssl
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from certificate import write_certificate
from mixed import Case, Connection, Shelf, fill, seeded, some_case
from nginx import free_port
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.error import ConnectError, ConnectionDone, ConnectionLost
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.ssl import Certificate, optionsForClientTLS
from twisted.internet.task import deferLater, react
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure

from pypihub.github.breaker import LONGEST_PAUSE
from pypihub.sandbox.faults import CutBody, Drop, Fault, Hang, Html, Status
from pypihub.sandbox.server import Sandbox
from pypihub.sandbox.world import World

TROUBLE = frozenset({429, 502, 503, 504})
FAULTS: tuple[Fault, ...] = (Status(500), Drop(), Hang(), Html(502), CutBody(40))
PATIENCE = 30.0
"""Seconds in which an answer must come, and in which what is done to the daemon must show."""
TRIES = 4
"""Times that a client asks for the same thing where its connection is closed."""
KINDS = ("HTML", "JSON", "gzip", "304", "no-cache", "redirect", "metadata")
_ASSET = re.compile(rb"/asset/([A-Za-z0-9_=-]+)/")


@dataclass
class Day:
    """What was answered, by the hour: `is_ill` while GitHub is to blame, `is_ending` after the last order."""

    hour: str = ""
    is_ill: bool = False
    is_ending: bool = False
    counts: defaultdict[str, Counter[object]] = field(default_factory=lambda: defaultdict(Counter))
    failed: list[str] = field(default_factory=list)

    def note(self, case: Case, was_ill: bool, answer: tuple[int, bytes, bytes] | None) -> None:
        """An answer, or None where there was none after all tries; `was_ill` when it was asked for."""
        code, head, body = answer or (0, b"", b"")
        self.counts[self.hour][code or "none"] += 1
        if code in TROUBLE and (was_ill or self.is_ill):
            return
        if code not in case.good:
            self.failed.append(f"{self.hour}: {case.kind} {case.path}: {code or 'no answer'} {body[:100]!r}")
        elif code == 200 and case.ids is not None:
            page = gzip.decompress(body) if b"content-encoding: gzip" in head.lower() else body
            if frozenset(_ASSET.findall(page)) != case.ids:
                self.failed.append(f"{self.hour}: {case.kind} {case.path}: another page")

    def again(self) -> None:
        """A connection was closed, and its client asks again."""
        self.counts[self.hour]["again"] += 1

    def show(self) -> None:
        codes = sorted({code for counts in self.counts.values() for code in counts}, key=str)
        print(f"{'hour':<24}{'requests':>10}" + "".join(f"{code!s:>9}" for code in codes))
        for hour, counts in self.counts.items():
            asked = sum(count for code, count in counts.items() if code != "again")
            print(f"{hour:<24}{asked:>10}" + "".join(f"{counts[code] or '-':>9}" for code in codes))
        print(f"requests that failed and were not GitHub's fault: {len(self.failed)}", *self.failed[:10], sep="\n  ")


class Client:
    """Asks one thing after the other on a connection that it keeps, until nobody listens any more."""

    def __init__(
        self, reactor: Any, endpoint: Callable[[], Any], shelves: list[Shelf], day: Day, random: Random
    ) -> None:
        self._reactor = reactor
        self._endpoint = endpoint
        self._shelves = shelves
        self._day = day
        self._random = random
        self._connection: Connection | None = None

    async def run(self) -> None:
        while True:
            case = self._case()
            was_ill = self._day.is_ill
            try:
                answer = await self._ask(case)
            except ConnectError:
                if not self._day.is_ending:
                    self._day.failed.append(f"{self._day.hour}: no connection")
                return
            self._day.note(case, was_ill, answer)
            await deferLater(self._reactor, self._random.uniform(0, 0.02))

    def _case(self) -> Case:
        while True:
            case = some_case(self._random, self._random.choice(self._shelves), None)
            if case.kind in KINDS:
                return case

    async def _ask(self, case: Case) -> tuple[int, bytes, bytes] | None:
        for _ in range(TRIES):
            connection = await self._connected()
            timer = self._reactor.callLater(PATIENCE, connection.close)
            answer = await connection.ask(case)
            if not timer.active():
                return None
            timer.cancel()
            if answer is not None:
                if b"\r\nconnection: close" in answer[1].lower():
                    connection.is_open = False
                return answer
            self._day.again()
        return None

    async def _connected(self) -> Connection:
        """The connection; where it is closed, a new one. A listener that is shut down may still reset one at once."""
        for left in reversed(range(TRIES)):
            if self._connection is not None and self._connection.is_open:
                return self._connection
            try:
                self._connection = await connectProtocol(self._endpoint(), Connection())
            except (ConnectionDone, ConnectionLost):
                if not left:
                    raise
        raise ConnectionLost


class Daemon(ProcessProtocol):
    """PyPIHub behind the program that starts it at the first connection."""

    def __init__(self, reactor: Any, port: int, config: Path) -> None:
        self._reactor = reactor
        self._ended: Deferred[int] = Deferred()
        self.said = ""
        program = shutil.which("systemd-socket-activate")
        if program is None:
            raise SystemExit("systemd-socket-activate is missing: apt-get install systemd")
        served = [sys.executable, "-m", "pypihub", "-c", str(config)]
        command = [program, "-l", f"127.0.0.1:{port}", "--fdname=pypihub", *served]
        self._process = reactor.spawnProcess(self, program, command, os.environ)

    def outReceived(self, data: bytes) -> None:
        self.said += data.decode(errors="replace")

    errReceived = outReceived

    def processEnded(self, reason: Failure) -> None:
        self._ended.callback(reason.value.exitCode if reason.value.exitCode is not None else -1)

    async def says(self, text: str, times: int = 1) -> None:
        """Waits until it has said this so many times."""
        await until(
            self._reactor, lambda: self.said.count(text) >= times, f"it never said {text!r}:\n{self.said[-2000:]}"
        )

    def signal(self, name: str) -> None:
        self._process.signalProcess(name)

    def worker(self) -> int:
        """The process of its newest worker."""
        return int(re.findall(r"Worker \d+ is process (\d+)", self.said)[-1])

    async def ends(self) -> int:
        return await self._ended


async def until(reactor: Any, is_so: Callable[[], bool], otherwise: str) -> None:
    """Waits, not for ever."""
    for _ in range(int(PATIENCE / 0.05)):
        if is_so():
            return
        await deferLater(reactor, 0.05)
    raise SystemExit(otherwise)


class Life:
    """The daemon's day, hour by hour."""

    def __init__(self, reactor: Any, folder: Path, options: argparse.Namespace) -> None:
        self._reactor = reactor
        self._folder = folder
        self._seconds: float = options.seconds
        self._clients: int = options.clients
        self._workers: int = options.workers
        self._day = Day()
        world = World()
        self._shelves = fill(world)
        self._sandbox = Sandbox(reactor, world)
        self._port, self._secure = free_port(), free_port()
        self._file, self._authority = folder / "hub.toml", folder / "ca.crt"
        self._running: list[Deferred[None]] = []
        self._daemon = Daemon(reactor, self._port, self._file)

    async def live(self) -> None:
        """The day; SystemExit where anything went wrong that GitHub is not to blame for."""
        await self._sandbox.start()
        serial = write_certificate(self._folder, self._authority)
        self._configure("2s")
        await self._daemon.says("Listening on")
        await self._start()
        await self._renew_certificate(serial)
        await self._reload()
        await self._fail()
        if self._workers > 1:
            await self._kill_a_worker()
        status = await self._stop()
        await self._sandbox.stop()
        self._day.show()
        print(f"the daemon ended with status {status}")
        if self._day.failed or status or "Traceback" in self._daemon.said:
            print("\n".join(line for line in self._daemon.said.splitlines() if "pypihub.access" not in line))
            raise SystemExit(1)

    def _configure(self, ttl: str) -> None:
        folder = self._folder
        secure = f"ssl:{self._secure}:interface=127.0.0.1:privateKey={folder}/tls.key:certKey={folder}/tls.crt"
        self._file.write_text(
            f'[server]\nendpoint = ["systemd:domain=INET:name=pypihub", "{secure}"]\nworkers = {self._workers}\n'
            f'[cache]\ndirectory = "{folder}/cache"\nttl = "{ttl}"\n[github]\ntimeout = "2s"\n'
            f'api_url = "{self._sandbox.api_url}"\ngraphql_url = "{self._sandbox.graphql_url}"\n'
        )

    def _begin(self, hour: str) -> None:
        self._day.hour = hour
        print(f"{hour} …", flush=True)

    async def _go_on(self) -> None:
        await deferLater(self._reactor, self._seconds)

    async def _start(self) -> None:
        self._begin("start by a connection")
        trusted = Certificate.loadPEM(self._authority.read_text())

        def plain() -> Any:
            return TCP4ClientEndpoint(self._reactor, "127.0.0.1", self._port)

        def by_tls() -> Any:
            context = optionsForClientTLS("localhost", trustRoot=trusted)
            return wrapClientTLS(context, HostnameEndpoint(self._reactor, "127.0.0.1", self._secure))

        for number in range(self._clients):
            endpoint = plain if number < self._clients / 2 else by_tls
            if number and endpoint is by_tls:
                await self._daemon.says("listens on", 2)
            client = Client(self._reactor, endpoint, self._shelves, self._day, seeded(number))
            self._running.append(Deferred.fromCoroutine(client.run()))
        await self._go_on()

    async def _renew_certificate(self, serial: int) -> None:
        self._begin("certificate renewed")
        renewed = write_certificate(self._folder, self._authority, renew=True)
        for _ in range(int(2 * PATIENCE)):
            if await deferToThread(serial_at, self._secure) == renewed != serial:
                return await self._go_on()
            await deferLater(self._reactor, 0.5)
        raise SystemExit("the old certificate is still served")

    async def _reload(self) -> None:
        self._begin("bad configuration")
        self._file.write_text("[server]\nworker = 2\n")
        self._daemon.signal("HUP")
        await self._daemon.says("stays as it was")
        await self._go_on()
        self._begin("good configuration")
        self._configure("1s")
        self._daemon.signal("HUP")
        await self._daemon.says("was read again")
        await self._go_on()

    async def _fail(self) -> None:
        self._begin("GitHub fails")
        self._day.is_ill = True
        for fault in FAULTS:
            for where in ("graphql", "rest", "storage"):
                self._sandbox.faults.add(fault, where=where, times=None)
            await self._go_on()
            self._sandbox.faults.clear()
            self._sandbox.calls.clear()
        self._begin("GitHub comes back")
        await deferLater(self._reactor, LONGEST_PAUSE + 2)  # for so long GitHub may be left in peace
        self._day.is_ill = False
        await self._go_on()

    async def _kill_a_worker(self) -> None:
        self._begin("worker killed")
        started = self._daemon.said.count(" is process ")
        os.kill(self._daemon.worker(), signal.SIGKILL)
        await self._daemon.says(" is process ", started + 1)
        await self._go_on()

    async def _stop(self) -> int:
        self._begin("stop")
        self._day.is_ending = True
        self._daemon.signal("TERM")
        for succeeded, value in await DeferredList(self._running):
            if not succeeded:
                self._day.failed.append(f"a client ended: {value.getErrorMessage()}")
        return await self._daemon.ends()


def serial_at(port: int) -> int:
    """The serial number of the certificate that a server shows."""
    pem = ssl.get_server_certificate(("127.0.0.1", port), timeout=PATIENCE)
    return int(Certificate.loadPEM(pem).serialNumber())


async def main(reactor: Any, *arguments: str) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    with tempfile.TemporaryDirectory() as folder:
        await Life(reactor, Path(folder), parser.parse_args(arguments)).live()


if __name__ == "__main__":
    react(main, sys.argv[1:])
