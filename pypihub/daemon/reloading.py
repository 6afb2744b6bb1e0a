"""Reading the configuration again while it is served."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from pypihub.config import Config, Server
from pypihub.daemon.listening import in_force
from pypihub.daemon.notify import Announced
from pypihub.errors import ConfigError

_log = Logger("pypihub")


class Reloads:
    """Reloads one after the other; who started this process is told, and one line is logged.

    `reload` raises ConfigError for a configuration that is no good, and then leaves all as it was. Unless it
    `tells`, for its starter does for all, a line is logged of what failed alone.
    """

    def __init__(
        self, reload: Callable[[], Coroutine[Any, Any, None]], announced: Announced, *, tells: bool = True
    ) -> None:
        self._reload = reload
        self._tells = tells
        self._announced = announced
        self._is_reloading = self._is_due = False

    def begin(self) -> None:
        """Reloads, once more where one is under way: that one may have read the file already."""
        if self._is_reloading:
            self._is_due = True
            return
        self._is_reloading = True
        self._announced.reloading()
        Deferred.fromCoroutine(self._reload()).addCallbacks(self._done, _failed).addBoth(self._over)

    def _done(self, result: None) -> None:
        if self._tells:
            _log.info("The configuration was read again")

    def _over(self, result: object) -> None:
        self._is_reloading = False
        if not self._announced.running:  # it is being stopped
            return
        self._announced.ready()
        if self._is_due:
            self._is_due = False
            self.begin()


def tell_of_restart(started: Config, server: Server, new: Config) -> None:
    """A line that names what of a new configuration does not apply.

    That is what ports cannot have that are open, `server` being in force for them, and what the process was `started`
    with of `[log]` and `[metrics]`.
    """
    tables: list[tuple[str, Struct, Struct]] = [
        ("server", in_force(server, new.server), new.server),
        ("log", msgspec.structs.replace(started.log, access=new.log.access), new.log),
        ("metrics", started.metrics, new.metrics),
    ]
    keys = [
        f"{table}.{field.name}"
        for table, used, wanted in tables
        for field in msgspec.structs.fields(used)
        if getattr(used, field.name) != getattr(wanted, field.name)
    ]
    if keys:
        _log.warn("Takes effect after a restart only: {keys}", keys=", ".join(keys))


def _failed(failure: Any) -> None:
    if failure.check(ConfigError):
        _log.error("The configuration stays as it was: {message}", message=failure.value.message)
    else:
        _log.failure("The configuration stays as it was", failure)
