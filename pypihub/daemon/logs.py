"""Logging in the foreground, one line an event; and logging for another process, or by way of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from select import PIPE_BUF
from typing import IO, Literal, Protocol

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

from pypihub.config import Log
from pypihub.web.access import Line

_LONGEST = 4 * 1024 * 1024  # more than a hundred requests with the longest words

ACCESS = "pypihub.access"
_HERE = "\0"


class Lines(Protocol):
    """What takes whole lines."""

    def write(self, text: str) -> object:
        """Takes them."""

    def flush(self) -> object:
        """Lets them go."""


def log_to(stream: Lines, log: Log = Log()) -> None:  # noqa: B008 - it is frozen
    """Writes to the stream what PyPIHub logs from now on, and what others warn of, as `log` wants it.

    Other processes may write there too.
    """
    form = _objects if log.format == "json" else _lines
    # What it is given writes and flushes, which is enough.
    _begin(FileLogObserver(_Shared(stream), form), log)  # type: ignore[arg-type]


def hand_over_to(stream: IO[str], log: Log = Log()) -> None:  # noqa: B008 - it is frozen
    """As `log_to`, for a process that reads the lines, and logs them where it logs itself; see `Received`."""

    @provider(ILogObserver)
    def observe(event: LogEvent) -> None:
        text = eventAsText(event, includeTimestamp=False, includeSystem=False)
        line = _Line(event["log_level"].name, event.get("log_namespace", ""), text)
        stream.write(msgspec.json.encode(line).decode() + "\n")
        stream.flush()

    _begin(observe, log)


def _begin(observer: ILogObserver, log: Log) -> None:
    level = LogLevel.lookupByName(log.level)
    wanted = LogLevelFilterPredicate(defaultLogLevel=max(level, LogLevel.warn, key=_SEVERITY.index))
    wanted.setLogLevelForNamespace("pypihub", level)
    observers = [FilteringLogObserver(observer, [wanted])]
    globalLogBeginner.beginLoggingTo(observers, redirectStandardIO=False, discardBuffer=True)


_SEVERITY = list(LogLevel.iterconstants())


def _lines(event: LogEvent) -> str | None:
    """The event's text; the requests of an event of the access log have a line each."""
    if event.get("log_namespace") != ACCESS:
        return formatEventAsClassicLogText(event)
    before, _, after = (formatEventAsClassicLogText({**event, "text": _HERE}) or _HERE).partition(_HERE)
    return before + event["text"].replace("\n", after + before) + after


def _objects(event: LogEvent) -> str:
    """The event as an object of JSON; requests are some already."""
    namespace = event.get("log_namespace", "")
    if namespace == ACCESS:
        return f"{event['text']}\n"
    text = eventAsText(event, includeTimestamp=False, includeSystem=False)
    told = _Told(datetime.fromtimestamp(event["log_time"], UTC), event["log_level"].name, namespace, text)
    return msgspec.json.encode(told).decode() + "\n"


class _Told(msgspec.Struct, frozen=True):
    time: datetime
    level: str
    logger: str
    message: str


class _Shared:
    """A stream for whole lines, written as many at a time as the system keeps together in a pipe."""

    def __init__(self, stream: Lines) -> None:
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


@dataclass(frozen=True)
class Manner:
    """How requests are logged here: the form of their lines, and what takes those.

    With `relays` the log of workers passes through this process, otherwise they write to its stdout.
    """

    form: Literal["text", "json"] = "text"
    write: Callable[[list[str]], object] = log_together
    relays: bool = False

    def log_access(self, lines: list[Line]) -> None:
        """Logs requests."""
        make = Line.json if self.form == "json" else Line.text
        self.write([make(line) for line in lines])


PLAIN = Manner()


class _Line(msgspec.Struct, frozen=True, array_like=True):
    """An event on its way: one line of JSON, also where the text is a traceback."""

    level: str
    namespace: str
    text: str


class Received:
    """What another process wrote: events that it handed over, and whatever else came out of it.

    `log_access` takes the requests. Lines of more than 4 MiB are taken in pieces.
    """

    def __init__(self, log_access: Callable[[list[str]], object] = log_apart) -> None:
        self._log_access = log_access
        self._rest = b""

    def write(self, data: bytes) -> None:
        """Logs the lines that are complete."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LONGEST:
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            self._log(line)

    def close(self) -> None:
        """Logs what was left over."""
        if self._rest:
            self._log(self._rest)
            self._rest = b""

    def _log(self, line: bytes) -> None:
        try:
            event = msgspec.json.decode(line, type=_Line)
            level = LogLevel.lookupByName(event.level)
        except (msgspec.DecodeError, ValueError):  # the interpreter's last words, or a library's
            event, level = _Line("warn", "pypihub", line.decode(errors="backslashreplace")), LogLevel.warn
        if event.namespace == ACCESS:
            self._log_access(event.text.split("\n"))
        else:
            Logger(event.namespace).emit(level, "{text}", text=event.text)
