"""Metrics of several workers: each is asked by a byte, and answers on a pipe by its own as one block."""

from __future__ import annotations

import struct
from collections.abc import Callable

from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import Deferred
from twisted.internet.fdesc import setNonBlocking, writeToFD
from twisted.internet.interfaces import IReactorFDSet

PATIENCE = 2.0
"""Seconds that a worker is waited for."""

_LENGTH = struct.Struct("!I")


class Reporter(FileDescriptor):
    """A worker's end of the pipe: writes what `collect` gives when it is asked."""

    def __init__(self, descriptor: int, reactor: IReactorFDSet) -> None:
        super().__init__(reactor)
        self._descriptor = descriptor
        self.collect: Callable[[], bytes] | None = None
        self.connected = 1
        setNonBlocking(descriptor)

    def report(self) -> None:
        """Answers. While an answer is not taken there is no other one."""
        if self.collect is not None and not self.dataBuffer and not self._tempDataBuffer:
            text = self.collect()
            self.write(_LENGTH.pack(len(text)) + text)

    def fileno(self) -> int:
        """Twisted's."""
        return self._descriptor

    def writeSomeData(self, data: bytes) -> int | Exception:
        """Twisted's."""
        return writeToFD(self._descriptor, data)


class Reports:
    """The supervisor's end; `ask` sends the byte."""

    def __init__(self, ask: Callable[[], object]) -> None:
        self._ask = ask
        self._is_asked = False
        self._waiting: list[Deferred[bytes]] = []
        self._received = b""

    def next(self) -> Deferred[bytes]:
        """The worker's metrics; empty where it ends. Who waits no longer cancels it."""
        waiter: Deferred[bytes] = Deferred(self._waiting.remove)
        self._waiting.append(waiter)
        if not self._is_asked:
            self._is_asked = True
            self._ask()
        return waiter

    def write(self, data: bytes) -> None:
        """Takes some of an answer."""
        self._received += data
        if len(self._received) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._received)
            end = _LENGTH.size + length
            if len(self._received) >= end:
                text, self._received = self._received[_LENGTH.size : end], self._received[end:]
                self._is_asked = False
                self._tell(text)

    def close(self) -> None:
        """The worker has ended."""
        self._tell(b"")

    def _tell(self, text: bytes) -> None:
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.callback(text)
