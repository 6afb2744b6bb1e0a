"""Logging in the foreground: one line an event on stdout, and one a request."""

from __future__ import annotations

from typing import IO

from twisted.logger import (
    FileLogObserver,
    FilteringLogObserver,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    formatEventAsClassicLogText,
    globalLogBeginner,
)

ACCESS = "pypihub.access"
_HERE = "\0"


def log_to(stream: IO[str]) -> None:
    """Writes to the stream what PyPIHub logs from now on, and what others warn of."""
    wanted = LogLevelFilterPredicate(defaultLogLevel=LogLevel.warn)
    wanted.setLogLevelForNamespace("pypihub", LogLevel.info)
    observer = FilteringLogObserver(FileLogObserver(stream, _lines), [wanted])
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False, discardBuffer=True)


def _lines(event: LogEvent) -> str | None:
    """The event's text; the requests of an event of the access log have a line each."""
    if event.get("log_namespace") != ACCESS:
        return formatEventAsClassicLogText(event)
    before, _, after = (formatEventAsClassicLogText({**event, "text": _HERE}) or _HERE).partition(_HERE)
    return before + event["text"].replace("\n", after + before) + after
