"""Commands as a user runs them: children of the test whose output is read while they run."""

from __future__ import annotations

import codecs
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from signal import Signals
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import ConnectError, ProcessDone
from twisted.internet.protocol import ProcessProtocol, Protocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

BIN = Path(sys.executable).parent
_LEFT_OUT = ("PYPIHUB", "GITHUB_TOKEN", "GH_", "VIRTUAL_ENV")


def free_port(host: str = "127.0.0.1") -> int:
    """A port of loopback for a command that will listen there.

    For a minute the system gives it to nobody who does not ask for this very port, such as another test meanwhile: a
    connection that was closed from there lingers.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listening:
        address = listening.getsockname()
        with socket.create_connection(address[:2]), listening.accept()[0]:
            pass  # the innermost is closed first, and has to linger
        return int(address[1])


async def takes_connections(reactor: Any, port: int, process: Process) -> None:
    """Waits until the process listens on this port of loopback."""
    for _ in range(3000):
        assert process.code is None, process.out + process.err
        try:
            probe = await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port), Protocol())
        except ConnectError:
            await deferLater(reactor, 0.02)
        else:
            probe.transport.loseConnection()
            return
    raise AssertionError("it does not listen")


class Process(ProcessProtocol):
    """A running command. `code` is its exit status once it ended, negative for a signal.

    It has no GitHub token of whoever runs the tests, and not their virtual environment; `environment` is added to what
    remains. `in_terminal` gives it a terminal of its own.
    """

    def __init__(
        self,
        reactor: Any,
        command: list[str],
        *,
        cwd: Path,
        timeout: float = 240,
        environment: Mapping[str, str] | None = None,
        in_terminal: bool = False,
    ) -> None:
        self.out = self.err = ""
        self.code: int | None = None
        decoder = codecs.getincrementaldecoder("utf-8")  # a piece of output may end within a character
        self._decoders = {"out": decoder(), "err": decoder()}
        self._waiting: list[tuple[str, str, Deferred[None]]] = []
        self._ended: list[Deferred[None]] = []
        self._timer = reactor.callLater(timeout, self.signal, "KILL")
        program = str(BIN / command[0]) if (BIN / command[0]).exists() else command[0]
        clean = {key: value for key, value in os.environ.items() if not key.startswith(_LEFT_OUT)}
        words = [program, *command[1:]]
        self._process = reactor.spawnProcess(
            self, program, words, {**clean, **(environment or {})}, str(cwd), usePTY=in_terminal
        )

    @property
    def pid(self) -> int:
        return int(self._process.pid)

    def signal(self, name: str) -> None:
        self._process.signalProcess(Signals[f"SIG{name}"])

    def tells(self, text: str) -> None:
        """Gives it this input, and no more."""
        self.types(text)
        self._process.closeStdin()

    def types(self, text: str) -> None:
        """Gives it this input, and maybe more later."""
        self._process.write(text.encode())

    def outReceived(self, data: bytes) -> None:
        self.out += self._decoders["out"].decode(data)
        self._look()

    def errReceived(self, data: bytes) -> None:
        self.err += self._decoders["err"].decode(data)
        self._look()

    def _look(self) -> None:
        """Tells those who wait for a text that is there by now."""
        waiting, self._waiting = self._waiting, []
        for stream, text, seen in waiting:
            if self._has_said(text, stream):
                seen.callback(None)
            else:
                self._waiting.append((stream, text, seen))

    def _has_said(self, text: str, stream: str) -> bool:
        """Whether the text is there, with all of its line: that may come in pieces."""
        _, said, rest = getattr(self, stream).partition(text)
        return bool(said) and (text.endswith("\n") or "\n" in rest or self.code is not None)

    def processEnded(self, reason: Failure) -> None:
        value = reason.value
        self.code = 0 if isinstance(value, ProcessDone) else -value.signal if value.signal else value.exitCode
        self._timer.cancel() if self._timer.active() else None
        for ended in self._ended:
            ended.callback(None)
        self._look()
        for _, text, seen in self._waiting:
            seen.errback(self._never_said(text))

    def _never_said(self, text: str) -> AssertionError:
        return AssertionError(f"it ended ({self.code}) without saying {text!r}: {self.out}{self.err}")

    async def says(self, text: str, stream: str = "out") -> str:
        """Waits until the text and its line stand in the output, or in `err`; what follows it on the line."""
        if not self._has_said(text, stream):
            if self.code is not None:
                raise self._never_said(text)
            seen: Deferred[None] = Deferred()
            self._waiting.append((stream, text, seen))
            await seen
        rest: str = getattr(self, stream).split(text, 1)[1]
        return rest.split("\n", 1)[0].strip()

    async def ends(self) -> int:
        """Waits for the end; the exit status."""
        if self.code is None:
            ended: Deferred[None] = Deferred()
            self._ended.append(ended)
            await ended
        assert self.code is not None
        return self.code
