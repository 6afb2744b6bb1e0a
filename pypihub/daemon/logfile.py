"""The log in a file of its own, which is not to grow without end, and may be moved away."""

from __future__ import annotations

import signal
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from twisted.python.logfile import LogFile

from pypihub.config import Log
from pypihub.daemon.logs import Manner, log_to, log_together
from pypihub.errors import ConfigError

_MODE = 0o640
"""Who installs what is nothing for everyone on the machine."""


class OwnFile:
    """The file of `[log]`, as a stream for whole lines; raises ConfigError where it cannot be opened."""

    def __init__(self, log: Log, file: Path) -> None:
        try:
            self._file = LogFile(
                file.name, str(file.parent), rotateLength=log.max_size, defaultMode=_MODE, maxRotatedFiles=log.keep
            )
        except OSError as error:
            raise ConfigError(f"log.file: {file} cannot be written: {error.strerror}") from None

    def write(self, text: str) -> None:
        """Writes lines, into a new file where the old one is full."""
        with suppress(OSError):  # a full disk must not end what can do without
            self._file.write(text.encode(errors="backslashreplace"))

    def flush(self) -> None:
        """Nothing is held back."""

    def reopen(self) -> None:
        """Opens what has the file's name now; where that cannot be, the old one serves on."""
        old = self._file._file  # LogFile would have closed it by now
        try:
            self._file._openFile()
        except OSError:
            self._file._file = old
        else:
            old.close()


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
