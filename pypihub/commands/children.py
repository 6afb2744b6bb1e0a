"""A child process that has this one's terminal, gets its signals, and whose status becomes this one's."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

_OF_TERMINALS = (signal.SIGINT, signal.SIGHUP)
_PASSED_ON = (*_OF_TERMINALS, signal.SIGTERM)
_ENDED_BY_SIGNAL = 128  # and its number: as shells have it


async def run_child(reactor: Any, program: str, command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Runs the command; its exit status, or 128 and the number of the signal that ended it."""
    child = _Child()
    with _taking(child.signal):
        sys.stdout.flush()
        reactor.spawnProcess(child, program, list(command), environment, childFDs={0: 0, 1: 1, 2: 2})
        return await child.ended


async def until_told_to_stop(reactor: Any) -> None:
    """Waits for one of the signals that end a process."""
    told: Deferred[None] = Deferred()

    def tell() -> None:
        if not told.called:
            told.callback(None)

    with _taking(lambda _: reactor.callFromThread(tell)):
        await told


class _Child(ProcessProtocol):
    """Passes signals on, those too that come before it runs."""

    def __init__(self) -> None:
        self.ended: Deferred[int] = Deferred()
        self._early: list[int] = []

    def signal(self, number: int) -> None:
        """Passes a signal on, unless the child has it from the terminal already."""
        if number in _OF_TERMINALS and _in_foreground():
            return
        if self.transport is None:
            self._early.append(number)
            return
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess(number)

    def connectionMade(self) -> None:
        for number in self._early:
            self.signal(number)

    def processEnded(self, reason: Failure) -> None:
        value: Any = reason.value  # ProcessDone or ProcessTerminated
        self.ended.callback(_ENDED_BY_SIGNAL + value.signal if value.signal else value.exitCode)


def _in_foreground() -> bool:
    """Whether a terminal's keys, and its end, are signals for this process and its children alike."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


@contextmanager
def _taking(take: Callable[[int], object]) -> Iterator[None]:
    """Meanwhile signals are taken so, and not by the reactor; those that nohup and the like ignore stay ignored."""
    taken = [number for number in _PASSED_ON if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, lambda number, _: take(number)) for number in taken}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
