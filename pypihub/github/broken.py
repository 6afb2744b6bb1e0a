"""What Twisted raises for connections that cannot be made or break, and what that is in the domain's words."""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.internet.error import (
    ConnectError,
    ConnectingCancelledError,
    ConnectionClosed,
    DNSLookupError,
)
from twisted.internet.error import TimeoutError as ConnectTimeoutError
from twisted.web._newclient import RequestGenerationFailed, RequestNotSent
from twisted.web.client import (
    RequestTransmissionFailed,
    ResponseFailed,
    ResponseNeverReceived,
)

from pypihub.errors import UpstreamError, UpstreamTimeoutError, UpstreamUnreachableError

BROKEN = (
    ConnectError,
    ConnectingCancelledError,
    ConnectionClosed,
    DNSLookupError,
    RequestGenerationFailed,
    RequestNotSent,
    RequestTransmissionFailed,
    ResponseFailed,
    ResponseNeverReceived,
)


def in_our_words(error: BaseException) -> UpstreamError:
    """The error that one of BROKEN stands for."""
    reason = _innermost(error)
    if isinstance(reason, ConnectTimeoutError):
        return UpstreamTimeoutError("GitHub took no connection in time.")
    why = " ".join(str(reason).split())[:200] or type(reason).__name__
    return UpstreamUnreachableError(f"The connection to GitHub failed: {why}")


def is_cancelled(error: BaseException) -> bool:
    """Whether it came about because somebody did not want to wait any more."""
    if isinstance(error, CancelledError | ConnectingCancelledError):
        return True
    return any(is_cancelled(reason.value) for reason in getattr(error, "reasons", ()))


def _innermost(error: BaseException) -> BaseException:
    """The reason of the reasons."""
    while reasons := getattr(error, "reasons", None):
        error = reasons[0].value
    return error
