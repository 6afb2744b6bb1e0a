"""Reading the configuration again while it is served, and certificates when their files change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from pypihub.config import Server, load_config
from pypihub.daemon.listening import in_force
from pypihub.daemon.serving import Serving, certificate_files
from pypihub.errors import ConfigError

_log = Logger("pypihub")

PAUSE = 5.0
"""Seconds between two looks at the certificates' files."""

_Stamp = list[tuple[int, int, int] | None]


class Reloads(Service):
    """Has the configuration in `file` (None: the defaults) served anew when it is told to.

    The files of certificates are looked at by itself: they are read again once they have changed, and changed no more.
    It `tells` of what takes a restart.
    """

    def __init__(self, file: Path | None, serving: Serving, reactor: Any, *, tells: bool) -> None:
        self._file = file
        self._serving = serving
        self._tells = tells
        self._is_reloading = self._is_due = False
        self._watching = LoopingCall(self._look)
        self._watching.clock = reactor
        self._read = self._seen = _stamp(serving.server)

    def startService(self) -> None:
        """Begins to watch."""
        super().startService()
        if certificate_files(self._serving.server):
            self._watching.start(PAUSE, now=False)

    def stopService(self) -> None:
        """Watches no more."""
        super().stopService()
        if self._watching.running:
            self._watching.stop()

    def reload(self) -> None:
        """Reads the file and serves it. Where it is no good, all stays as it was, and one line says why."""
        if self._is_reloading:
            self._is_due = True
            return
        self._is_reloading = True
        done = Deferred.fromCoroutine(self._reload())
        done.addErrback(lambda failure: _log.failure("The configuration stays as it was", failure))
        done.addBoth(self._reloaded)

    async def _reload(self) -> None:
        stamp = _stamp(self._serving.server)
        try:
            config = load_config(self._file)
            if self._tells:
                tell_of_restart(self._serving.server, config.server)
            await self._serving.reload(config)
        except ConfigError as error:
            tell_of_refusal(error)
            return
        self._read = stamp
        _log.info("The configuration was read again")

    def _reloaded(self, result: object) -> None:
        self._is_reloading = False
        if self._is_due and self.running:
            self._is_due = False
            self.reload()

    def _look(self) -> None:
        stamp = _stamp(self._serving.server)
        before, self._seen = self._seen, stamp
        if stamp == self._read or stamp != before:
            return
        self._read = stamp
        try:
            self._serving.renew_certificates()
        except ConfigError as error:
            _log.error("The certificates stay as they were: {message}", message=error.message)
        else:
            _log.info("The certificates were read again")


def tell_of_refusal(error: ConfigError) -> None:
    """The one line for a configuration that is no good."""
    _log.error("The configuration stays as it was: {message}", message=error.message)


def tell_of_restart(old: Server, new: Server) -> None:
    """A line that names what of a new `[server]` does not apply to ports that are open."""
    used = in_force(old, new)
    names = [field.name for field in msgspec.structs.fields(Server)]
    keys = [f"server.{name}" for name in names if getattr(used, name) != getattr(new, name)]
    if keys:
        _log.warn("Takes effect after a restart only: {keys}", keys=", ".join(keys))


def _stamp(server: Server) -> _Stamp:
    """Changes when one of the files does."""
    return [_stamp_of(file) for file in certificate_files(server)]


def _stamp_of(file: Path) -> tuple[int, int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
