"""READMEs, each rendered once, by a process of its own that ends with it (`pypihub.index.readme` says why)."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.defer import TimeoutError as WaitedTooLongError
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IProcessTransport
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from pypihub.catalog.flights import Flights
from pypihub.catalog.memory import Memory
from pypihub.index.readme import LONGEST, LONGEST_HTML, Readme, plain

_log = Logger("pypihub")

PATIENCE = 3.0
"""Seconds that a page waits for its README."""
MOST_WAITING = 20
"""READMEs that are rendered, one after the other; a further one has to come again."""
_PROGRAM = (sys.executable, "-P", "-m", "pypihub.index.readme")
# What Python needs to find itself and PyPIHub, and nothing else of the daemon's environment.
_VARIABLES = ("PATH", "HOME", "PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE")


@dataclass(frozen=True, slots=True)
class _Key:
    """What the README is, to the letter: what is the same looks the same for everyone who has it."""

    digest: bytes


class Readmes:
    """READMEs as HTML; those rendered last are kept in `memory`."""

    def __init__(self, memory: Memory[object, object], reactor: Any) -> None:
        self._memory = memory
        self._reactor = reactor
        self._flights: Flights[_Key, str] = Flights()
        self._turn = DeferredLock()

    async def html(self, readme: Readme) -> str | None:
        """The README as HTML that is safe to show; None while it is being rendered.

        Raises StoppingError.
        """
        if len(readme.text) > LONGEST:
            return plain(readme)
        request = msgspec.json.encode(readme)
        key = _Key(sha256(request).digest())
        kept = self._memory.get(key)
        if isinstance(kept, str):
            return kept
        if key not in self._flights and len(self._flights) >= MOST_WAITING:
            return None
        self._fly(key, request, readme).addErrback(lambda _: None)  # it goes on where the page waits no longer
        waiter = self._fly(key, request, readme)
        waiter.addTimeout(PATIENCE, self._reactor)
        try:
            return await waiter
        except WaitedTooLongError:
            return None

    def stop(self) -> None:
        """Ends what is being rendered."""
        self._flights.stop()

    def _fly(self, key: _Key, request: bytes, readme: Readme) -> Deferred[str]:
        return self._flights.join(key, lambda: self._render(key, request, readme))

    async def _render(self, key: _Key, request: bytes, readme: Readme) -> str:
        async with self._turn:
            rendering = _Rendering(request)
            try:
                environment = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
                self._reactor.spawnProcess(rendering, _PROGRAM[0], _PROGRAM, environment)
                html = (await rendering.done).decode()
            except (_NotRenderedError, OSError) as error:
                _log.warn("A README is shown as plain text: {error}", error=error)
                html = plain(readme)
        self._memory.put(key, html, len(html))
        return html


class _NotRenderedError(Exception):
    """The process ended otherwise than with the README."""


class _Rendering(ProcessProtocol):
    """A process that renders; `done` is what it wrote. Whoever cancels that ends it."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._out = bytearray()
        self._error = b""
        self.done: Deferred[bytes] = Deferred(lambda _: self._kill())

    transport: IProcessTransport

    def connectionMade(self) -> None:
        self.transport.write(self._request)
        self.transport.closeStdin()

    def outReceived(self, data: bytes) -> None:
        self._out += data
        if len(self._out) > 2 * LONGEST_HTML:  # characters of several bytes
            self._kill()

    def errReceived(self, data: bytes) -> None:
        self._error = (self._error + data)[-1000:]

    def processEnded(self, reason: Failure) -> None:
        if self.done.called:
            return
        if getattr(reason.value, "exitCode", None) == 0 and self._out:
            self.done.callback(bytes(self._out))
        else:
            said = self._error.decode(errors="replace").strip().splitlines()
            self.done.errback(_NotRenderedError(said[-1] if said else f"{reason.value}"))

    def _kill(self) -> None:
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess("KILL")
