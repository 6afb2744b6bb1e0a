"""The log in a file of its own, which is not to grow without end, and may be moved away."""

from __future__ import annotations

import errno
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from pypihub.config import Log
from pypihub.daemon.logs import Manner, log_to, log_together
from pypihub.errors import ConfigError

_MODE = 0o640
"""Of a new file: who installs what is nothing for everyone on the machine."""


class OwnFile:
    """The file of `[log]`, as a stream for whole lines; raises ConfigError where it cannot be opened.

    Twisted's LogFile does not append, and closes the old file before it has a new one: others could not truncate it,
    and a full disk would end the log for good.
    """

    def __init__(self, log: Log, file: Path) -> None:
        self._path = file
        self._most = log.max_size
        self._keep = log.keep
        try:
            self._descriptor = self._open()
        except OSError as error:
            raise _unwritable(file, error) from None

    def write(self, text: str) -> None:
        """Writes lines, into a new file where the old one is full. What cannot be written is lost."""
        data = text.encode(errors="backslashreplace")
        size = os.fstat(self._descriptor).st_size
        if self._most and size and size + len(data) > self._most:
            with suppress(OSError):  # it rather grows than is lost
                self._rotate()
        with suppress(OSError):
            while data:
                data = data[os.write(self._descriptor, data) :]

    def flush(self) -> None:
        """Nothing is held back."""

    def reopen(self) -> None:
        """Opens what has the file's name now; where that cannot be, the old one serves on."""
        with suppress(OSError):
            descriptor, self._descriptor = self._descriptor, self._open()
            os.close(descriptor)

    def close(self) -> None:
        """Ends it."""
        os.close(self._descriptor)

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, _MODE)

    def _rotate(self) -> None:
        for number in range(self._keep - 1, 0, -1):
            with suppress(FileNotFoundError):
                self._older(number).replace(self._older(number + 1))
        with suppress(FileNotFoundError):
            self._path.replace(self._older(1))
        self.reopen()

    def _older(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


def check_file(log: Log) -> None:
    """Raises ConfigError where this user could not open the file of `[log]`, as `OwnFile` does; none is made."""
    if log.file is None:
        return
    reason = _hindrance(log.file.resolve())
    if reason is not None:
        raise _unwritable(log.file, OSError(reason, os.strerror(reason)))


def _hindrance(file: Path) -> int | None:
    """Why the file cannot be opened for writing, which is not tried: of a pipe that would end what reads from it."""
    if file.is_dir():
        return errno.EISDIR
    if file.exists():
        return None if os.access(file, os.W_OK) else errno.EACCES
    if not file.parent.is_dir():
        return errno.ENOTDIR if file.parent.exists() else errno.ENOENT
    return None if os.access(file.parent, os.W_OK | os.X_OK) else errno.EACCES


def _unwritable(file: Path, error: OSError) -> ConfigError:
    return ConfigError(f"log.file: {file} cannot be written: {error.strerror}")


def keep_log(log: Log, stdout: IO[str], reactor: Any) -> Manner:
    """Logs from now on as `log` wants it, and gives the manner; SIGUSR1 reopens a file, and never ends the process.

    Raises ConfigError for a file that cannot be opened.
    """
    if log.file is None:
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        log_to(stdout, log)
    else:
        file = OwnFile(log, log.file)
        signal.signal(signal.SIGUSR1, lambda *_: reactor.callFromThread(file.reopen))
        log_to(file, log)
    return Manner(log.format, log_together, relays=log.file is not None)
