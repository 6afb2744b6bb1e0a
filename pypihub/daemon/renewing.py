"""Certificates are read again when their files change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from pypihub.daemon.serving import Serving, certificate_files
from pypihub.errors import ConfigError

_log = Logger("pypihub")

PAUSE = 5.0
"""Seconds between two looks at the files."""


class Renewals(Service):
    """Looks at the files of the certificates that are served; has them read once they have changed, and rest again."""

    def __init__(self, serving: Serving, reactor: Any) -> None:
        self._serving = serving
        self._watching = LoopingCall(self._look)
        self._watching.clock = reactor
        self._read = self._seen = self._stamps()

    def startService(self) -> None:
        """Begins to look, where there is anything to look at."""
        super().startService()
        if self._read:
            self._watching.start(PAUSE, now=False)

    def stopService(self) -> None:
        """Looks no more."""
        super().stopService()
        if self._watching.running:
            self._watching.stop()

    def _look(self) -> None:
        before, self._seen = self._seen, self._stamps()
        if self._seen == self._read or self._seen != before:  # a certificate and its key change one after the other
            return
        self._read = self._seen
        try:
            self._serving.renew_certificates()
        except ConfigError as error:
            _log.error("The certificates stay as they were: {message}", message=error.message)
        else:
            _log.info("The certificates were read again")

    def _stamps(self) -> list[tuple[int, int, int] | None]:
        return [_stamp(file) for file in certificate_files(self._serving.server)]


def _stamp(file: Path) -> tuple[int, int, int] | None:
    """Changes when the file does."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
