"""Logging in the foreground: one line an event on stdout."""

from __future__ import annotations

from typing import IO

from twisted.logger import (
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogBeginner,
    textFileLogObserver,
)


def log_to(stream: IO[str]) -> None:
    """Writes to the stream what PyPIHub logs from now on, and what others warn of."""
    wanted = LogLevelFilterPredicate(defaultLogLevel=LogLevel.warn)
    wanted.setLogLevelForNamespace("pypihub", LogLevel.info)
    observer = FilteringLogObserver(textFileLogObserver(stream), [wanted])
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False, discardBuffer=True)
