"""How connections to GitHub are made: by way of which proxy, and whose certificates are trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.x509 import Certificate
from OpenSSL import SSL, crypto
from twisted.internet._sslverify import IOpenSSLTrustRoot  # Twisted has no public way to trust two sources at once
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IProtocol, IStreamClientEndpoint
from twisted.internet.ssl import platformTrust
from twisted.web.client import URI, Agent, BrowserLikePolicyForHTTPS, HTTPConnectionPool
from twisted.web.error import SchemeNotSupported
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from pypihub.certificates import read_authorities
from pypihub.config import GitHub
from pypihub.github.proxies import Proxies
from pypihub.github.tunnels import Tunnel


def pooled_agent(
    reactor: Any, timeout: float, authorities: Sequence[Certificate] = (), proxies: Proxies | None = None
) -> tuple[Agent, HTTPConnectionPool]:
    """An agent that keeps up to ten idle connections to GitHub, and its pool to be closed at the end.

    `timeout` is in seconds, for a connection to be made. `authorities` are trusted beside the system's.
    """
    pool = HTTPConnectionPool(reactor)
    pool.maxPersistentPerHost = 10
    ways = _Ways(reactor, timeout, authorities, proxies or Proxies())
    return Agent.usingEndpointFactory(reactor, ways, pool=pool), pool


def configured_agent(github: GitHub, environment: Mapping[str, str], reactor: Any) -> tuple[Agent, HTTPConnectionPool]:
    """As `pooled_agent`, for the configured GitHub, by way of the environment's proxy.

    Raises ConfigError for a proxy that is none, and for authorities that are gone since the configuration was loaded.
    """
    return pooled_agent(reactor, github.timeout, _authorities(github), Proxies.of(environment))


def configured_way(github: GitHub, environment: Mapping[str, str], reactor: Any) -> IStreamClientEndpoint:
    """The way to the configured API that the agent's connections take; raises like `configured_agent`."""
    ways = _Ways(reactor, github.timeout, _authorities(github), Proxies.of(environment))
    return ways.endpointForURI(URI.fromBytes(github.api_url.encode()))


def _authorities(github: GitHub) -> Sequence[Certificate]:
    return read_authorities(github.ca_file, "github.ca_file") if github.ca_file is not None else ()


@implementer(IAgentEndpointFactory)
class _Ways:
    """The endpoint for each host; http, which only tests and closed networks have, goes directly."""

    def __init__(self, reactor: Any, timeout: float, authorities: Sequence[Certificate], proxies: Proxies) -> None:
        self._reactor = reactor
        self._timeout = timeout
        self._policy = BrowserLikePolicyForHTTPS(_Trust(authorities) if authorities else None)
        self._proxies = proxies

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """Twisted's: how to connect. Raises SchemeNotSupported."""
        host = uri.host.decode("ascii")
        if uri.scheme == b"http":
            return self._directly(host, uri.port)
        if uri.scheme != b"https":
            raise SchemeNotSupported(f"Unsupported scheme: {uri.scheme!r}")
        proxy = self._proxies.to(host, uri.port)
        way: IStreamClientEndpoint = (
            Tunnel(self._reactor, proxy, host, uri.port, self._timeout) if proxy else self._directly(host, uri.port)
        )
        return _Quiet(wrapClientTLS(self._policy.creatorForNetloc(uri.host, uri.port), way))

    def _directly(self, host: str, port: int) -> IStreamClientEndpoint:
        return _Quiet(HostnameEndpoint(self._reactor, host, port, timeout=self._timeout))


@implementer(IStreamClientEndpoint)
class _Quiet:
    """An endpoint that has Twisted log nothing of the beginning and the end of each connection."""

    def __init__(self, way: IStreamClientEndpoint) -> None:
        self._way = way

    def connect(self, protocolFactory: Any) -> Deferred[IProtocol]:
        """Twisted's: connects."""
        protocolFactory.noisy = False
        return self._way.connect(protocolFactory)


@implementer(IOpenSSLTrustRoot)
class _Trust:
    """The system's authorities, and others beside them."""

    def __init__(self, authorities: Sequence[Certificate]) -> None:
        self._authorities = [crypto.X509.from_cryptography(authority) for authority in authorities]

    def _addCACertsToContext(self, context: SSL.Context) -> None:
        """Twisted's: called for each connection."""
        platformTrust()._addCACertsToContext(context)
        store: Any = context.get_cert_store()
        for authority in self._authorities:
            store.add_cert(authority)
