"""Logging in the foreground, one line an event on stdout; and logging for another process, or by way of it."""

from __future__ import annotations

from select import PIPE_BUF
from typing import IO, Any

import msgspec
from twisted.logger import (
    FileLogObserver,
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    Logger,
    LogLevel,
    LogLevelFilterPredicate,
    eventAsText,
    formatEventAsClassicLogText,
    globalLogBeginner,
)
from zope.interface import provider

_LONGEST = 4 * 1024 * 1024  # more than a hundred requests with the longest words

ACCESS = "pypihub.access"
_HERE = "\0"


def log_to(stream: IO[str]) -> None:
    """Writes to the stream what PyPIHub logs from now on, and what others warn of; so may other processes."""
    _begin(FileLogObserver(_Shared(stream), _lines))  # type: ignore[arg-type]  # it writes and flushes, which is enough


def hand_over_to(stream: IO[str]) -> None:
    """As `log_to`, for a process that reads the lines, and logs them where it logs itself; see `Received`."""

    @provider(ILogObserver)
    def observe(event: LogEvent) -> None:
        text = eventAsText(event, includeTimestamp=False, includeSystem=False)
        line = _Line(event["log_level"].name, event.get("log_namespace", ""), text)
        stream.write(msgspec.json.encode(line).decode() + "\n")
        stream.flush()

    _begin(observe)


def warn_on(stream: IO[str]) -> None:
    """Writes to the stream what PyPIHub and others warn of, and nothing else."""
    _begin(FileLogObserver(stream, formatEventAsClassicLogText), LogLevel.warn)


def _begin(observer: ILogObserver, level: Any = LogLevel.info) -> None:
    wanted = LogLevelFilterPredicate(defaultLogLevel=LogLevel.warn)
    wanted.setLogLevelForNamespace("pypihub", level)
    observers = [FilteringLogObserver(observer, [wanted])]
    globalLogBeginner.beginLoggingTo(observers, redirectStandardIO=False, discardBuffer=True)


def _lines(event: LogEvent) -> str | None:
    """The event's text; the requests of an event of the access log have a line each."""
    if event.get("log_namespace") != ACCESS:
        return formatEventAsClassicLogText(event)
    before, _, after = (formatEventAsClassicLogText({**event, "text": _HERE}) or _HERE).partition(_HERE)
    return before + event["text"].replace("\n", after + before) + after


class _Shared:
    """A stream for whole lines, written as many at a time as the system keeps together in a pipe."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        while len(text) > PIPE_BUF:
            end = text.rfind("\n", 0, PIPE_BUF) + 1 or text.find("\n") + 1 or len(text)
            self._stream.write(text[:end])
            self._stream.flush()
            text = text[end:]
        self._stream.write(text)

    def flush(self) -> None:
        self._stream.flush()


def log_together(lines: list[str]) -> None:
    """Requests as one event, which costs as much as an answer; what writes events here gives each its line."""
    Logger(ACCESS).info("{text}", text="\n".join(lines))


def log_apart(lines: list[str]) -> None:
    """Requests as an event each, for logs that are not ours."""
    log = Logger(ACCESS)
    for line in lines:
        log.info("{text}", text=line)


class _Line(msgspec.Struct, frozen=True, array_like=True):
    """An event on its way: one line of JSON, also where the text is a traceback."""

    level: str
    namespace: str
    text: str


class Received:
    """What another process wrote: events that it handed over, and whatever else came out of it.

    Lines of more than 4 MiB are taken in pieces.
    """

    def __init__(self) -> None:
        self._rest = b""

    def write(self, data: bytes) -> None:
        """Logs the lines that are complete."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LONGEST:
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            _log_again(line)

    def close(self) -> None:
        """Logs what was left over."""
        if self._rest:
            _log_again(self._rest)
            self._rest = b""


def _log_again(line: bytes) -> None:
    try:
        event = msgspec.json.decode(line, type=_Line)
        level = LogLevel.lookupByName(event.level)
    except (msgspec.DecodeError, ValueError):  # the interpreter's last words, or a library's
        event, level = _Line("warn", "pypihub", line.decode(errors="backslashreplace")), LogLevel.warn
    if event.namespace == ACCESS:
        log_apart(event.text.split("\n"))
    else:
        Logger(event.namespace).emit(level, "{text}", text=event.text)
