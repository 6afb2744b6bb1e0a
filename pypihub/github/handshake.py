"""A TLS handshake by itself: whether one comes about with a host, and what its certificate says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import connectProtocol
from twisted.internet.interfaces import IHandshakeListener, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from pypihub.errors import UpstreamTimeoutError, UpstreamUnreachableError
from pypihub.github.broken import BROKEN, in_our_words


@dataclass(frozen=True, slots=True)
class Handshake:
    """The TLS version that was agreed on, who made the host's certificate, and until when that is good."""

    version: str
    issuer: str
    good_until: datetime


async def shake_hands(endpoint: IStreamClientEndpoint, reactor: IReactorTime, timeout: float) -> Handshake:
    """Connects by an endpoint with TLS, says nothing, and ends the connection.

    Raises UpstreamUnreachableError with the reason, and UpstreamTimeoutError after `timeout` seconds.
    """
    running = Deferred.fromCoroutine(_shake_hands(endpoint))
    timer = reactor.callLater(timeout, running.cancel)
    try:
        return await running
    except CancelledError:
        raise UpstreamTimeoutError(f"There was no TLS connection within {timeout:g} s.") from None
    except SSL.Error as error:
        why = ", ".join(reason for *_, reason in error.args[0]) if error.args else "the connection ended"
        raise UpstreamUnreachableError(f"TLS failed: {why}.") from None
    except VerificationError:
        raise UpstreamUnreachableError("TLS failed: the certificate is for another name.") from None
    except BROKEN as error:
        raise in_our_words(error) from None
    finally:
        if timer.active():
            timer.cancel()


async def _shake_hands(endpoint: IStreamClientEndpoint) -> Handshake:
    greeting = await connectProtocol(endpoint, _Greeting())
    try:
        return await greeting.done
    finally:
        greeting.end()


@implementer(IHandshakeListener)
class _Greeting(Protocol):
    """Waits for the end of the handshake, or of the connection."""

    def __init__(self) -> None:
        self.done: Deferred[Handshake] = Deferred()
        self._transport: Any = None

    def connectionMade(self) -> None:
        self._transport = self.transport

    def handshakeCompleted(self) -> None:
        """Twisted's: the certificate is checked by now."""
        certificate = self._transport.getPeerCertificate().to_cryptography()
        version = self._transport.getHandle().get_protocol_version_name()
        self.done.callback(Handshake(version, certificate.issuer.rfc4514_string(), certificate.not_valid_after_utc))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.done.called:
            self.done.errback(reason)

    def end(self) -> None:
        """Ends the connection at once."""
        self._transport.abortConnection()
