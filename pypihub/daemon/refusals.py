"""Why a port cannot be had, in one line that names the key to change."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass

from twisted.internet.error import CannotListenError

from pypihub.errors import ConfigError

_TAKEN = errno.EADDRINUSE
_OF_PORT = frozenset({_TAKEN, errno.EACCES, errno.EPERM})


@dataclass(frozen=True, slots=True)
class Keys:
    """What names the place in the configuration, or on a command line: its address, and its port."""

    address: str
    port: str


class ListenError(ConfigError):
    """A place where nothing can be listened to; the text says where, why, and which key to change."""

    def __init__(self, error: Exception, keys: Keys) -> None:
        self._error = error
        number = _number(error)
        key = keys.port if number in _OF_PORT or isinstance(error, OverflowError) else keys.address
        advice = f"Choose another {key}, or end what uses it." if number == _TAKEN else f"Check {key}."
        super().__init__(f"cannot listen {_where(error)}: {_why(error, number)}. {advice}")

    def named(self, keys: Keys) -> ListenError:
        """The same where something else names the place."""
        return ListenError(self._error, keys)


def _number(error: Exception) -> int | None:
    cause = error.socketError if isinstance(error, CannotListenError) else error
    # Twisted has a text alone where another process holds the lock of a Unix socket.
    return _TAKEN if isinstance(cause, str) else getattr(cause, "errno", None)


def _why(error: Exception, number: int | None) -> str:
    cause = error.socketError if isinstance(error, CannotListenError) else error
    if isinstance(cause, str):
        return os.strerror(_TAKEN)
    return getattr(cause, "strerror", None) or str(cause).rstrip(".")


def _where(error: Exception) -> str:
    if isinstance(error, CannotListenError):
        if isinstance(error.port, int):
            return f"on {error.interface or '*'} port {error.port}"
        return f"on {os.fsdecode(error.port)}"
    lock = getattr(error, "filename2", None)  # of the Unix socket's, which Twisted makes first
    return f"on {os.fsdecode(lock).removesuffix('.lock')}" if lock else "there"
