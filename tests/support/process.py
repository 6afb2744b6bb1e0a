"""Commands as a user runs them: children of the test whose output is read while they run."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from signal import Signals
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

BIN = Path(sys.executable).parent


class Process(ProcessProtocol):
    """A running command. `code` is its exit status once it ended, negative for a signal."""

    def __init__(self, reactor: Any, command: list[str], *, cwd: Path, timeout: float = 60) -> None:
        self.out = self.err = ""
        self.code: int | None = None
        self._waiting: list[tuple[str, Deferred[None]]] = []
        self._ended: list[Deferred[None]] = []
        self._timer = reactor.callLater(timeout, self.signal, "KILL")
        program = str(BIN / command[0]) if (BIN / command[0]).exists() else command[0]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYPIHUB")}
        self._process = reactor.spawnProcess(self, program, [program, *command[1:]], environment, str(cwd))

    def signal(self, name: str) -> None:
        self._process.signalProcess(Signals[f"SIG{name}"])

    def outReceived(self, data: bytes) -> None:
        self.out += data.decode()
        waiting, self._waiting = self._waiting, []
        for text, seen in waiting:
            if text in self.out:
                seen.callback(None)
            else:
                self._waiting.append((text, seen))

    def errReceived(self, data: bytes) -> None:
        self.err += data.decode()

    def processEnded(self, reason: Failure) -> None:
        value = reason.value
        self.code = 0 if isinstance(value, ProcessDone) else -value.signal if value.signal else value.exitCode
        self._timer.cancel() if self._timer.active() else None
        for ended in self._ended:
            ended.callback(None)
        for text, seen in self._waiting:
            seen.errback(AssertionError(f"it ended ({self.code}) without saying {text!r}: {self.out}{self.err}"))

    async def says(self, text: str) -> str:
        """Waits until the text stands in the output; what follows it on its line."""
        if text not in self.out:
            seen: Deferred[None] = Deferred()
            self._waiting.append((text, seen))
            await seen
        return self.out.split(text, 1)[1].split("\n", 1)[0].strip()

    async def ends(self) -> int:
        """Waits for the end; the exit status."""
        if self.code is None:
            ended: Deferred[None] = Deferred()
            self._ended.append(ended)
            await ended
        assert self.code is not None
        return self.code
