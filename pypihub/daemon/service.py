"""The service that a configuration makes: the rooms put together, and the ports that they are served on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.application.service import IService, MultiService, Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import SSL4ServerEndpoint, TCP4ServerEndpoint, TCP6ServerEndpoint, serverFromString
from twisted.internet.interfaces import IAddress, IListeningPort, IStreamServerEndpoint
from twisted.internet.ssl import Certificate, CertificateOptions, PrivateCertificate, TLSVersion
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import HTTPConnectionPool
from twisted.web.server import Site

from pypihub import __version__
from pypihub.catalog.catalog import Catalog
from pypihub.catalog.tokens import RefusedTokens, TokenHasher
from pypihub.config import TLS, Config, Server
from pypihub.errors import ConfigError
from pypihub.github.client import BACKOFF, Client
from pypihub.github.transport import Transport, pooled_agent
from pypihub.index.mapping import Mapping, Rule
from pypihub.index.names import Owner
from pypihub.web.site import make_site

_log = Logger("pypihub")


def make_service(config: Config, reactor: Any, *, backoff: Sequence[float] = BACKOFF) -> IService:
    """The whole daemon as a service. Nothing listens and nothing is asked until it is started.

    `backoff` are the pauses in seconds before GitHub is asked again.
    Raises ConfigError for an endpoint that Twisted does not know.
    """
    endpoints = make_endpoints(config.server, reactor)
    agent, pool = pooled_agent(reactor, config.github.timeout)
    client = Client(
        Transport(agent, reactor, config.github.timeout),
        reactor,
        api_url=config.github.api_url,
        graphql_url=config.github.graphql_url,
        backoff=backoff,
    )
    mapping = Mapping(Rule(rule.patt, rule.repl) for rule in config.github.replace)
    owners = [Owner(owner.lower()) for owner in config.github.owners]
    refused = RefusedTokens(TokenHasher(), reactor.seconds)
    site = make_site(Catalog(client, mapping, refused, owners))
    service = MultiService()
    _Connections(pool).setServiceParent(service)
    for endpoint in endpoints:
        Listener(endpoint, site).setServiceParent(service)
    return service


def make_endpoints(server: Server, reactor: Any) -> list[IStreamServerEndpoint]:
    """Where to listen; raises ConfigError for an endpoint that Twisted does not know."""
    if server.endpoint is not None:
        strings = [server.endpoint] if isinstance(server.endpoint, str) else server.endpoint
        return [_described(reactor, text) for text in strings]
    if server.tls is not None:
        return [SSL4ServerEndpoint(reactor, server.port, _context(server.tls), interface=server.host)]
    kind = TCP6ServerEndpoint if ":" in server.host else TCP4ServerEndpoint
    return [kind(reactor, server.port, interface=server.host)]


def _described(reactor: Any, text: str) -> IStreamServerEndpoint:
    try:
        endpoint: IStreamServerEndpoint = serverFromString(reactor, text)
    except Exception as error:  # each of Twisted's parsers has errors of its own
        raise ConfigError(
            f'server.endpoint: should be a Twisted server endpoint such as "tcp:3141", not "{text}": {error}'
        ) from None
    return endpoint


def _context(tls: TLS) -> CertificateOptions:
    """TLS 1.2 or later with the certificate, and the chain that follows it in the same file."""
    pem = tls.crt.read_bytes()
    end = b"-----END CERTIFICATE-----"
    first, *chain = [part + end for part in pem.split(end)[:-1]]
    certificate = PrivateCertificate.loadPEM(tls.key.read_bytes() + b"\n" + first)
    return CertificateOptions(
        privateKey=certificate.privateKey.original,
        certificate=certificate.original,
        extraCertChain=[Certificate.loadPEM(part).original for part in chain],
        raiseMinimumTo=TLSVersion.TLSv1_2,
    )


class Listener(Service):
    """Listens on one endpoint. A port that cannot be had is an error at once, while the daemon starts.

    `address` is where it listens, once it does.
    """

    def __init__(self, endpoint: IStreamServerEndpoint, site: Site) -> None:
        self._endpoint = endpoint
        self._site = site
        self._port: IListeningPort | None = None
        self.address: IAddress | None = None

    def privilegedStartService(self) -> None:
        """Listens before twistd gives up its privileges."""
        failures: list[Failure] = []
        self._endpoint.listen(self._site).addCallbacks(self._listens, failures.append)
        if failures:
            failures[0].raiseException()

    def startService(self) -> None:
        """Listens, if that is not done yet."""
        super().startService()
        if self._port is None:
            self.privilegedStartService()

    def stopService(self) -> Deferred[None]:
        """Listens no more."""
        super().stopService()
        port, self._port, self.address = self._port, None, None
        stopping = port.stopListening() if port is not None else None
        return succeed(None) if stopping is None else stopping

    def _listens(self, port: IListeningPort) -> None:
        self._port, self.address = port, port.getHost()
        _log.info("PyPIHub {version} listens on {address}", version=__version__, address=_readable(self.address))


class _Connections(Service):
    """Closes the idle connections to GitHub at the end."""

    def __init__(self, pool: HTTPConnectionPool) -> None:
        self._pool = pool

    def stopService(self) -> Any:
        super().stopService()
        return self._pool.closeCachedConnections()


def _readable(address: IAddress) -> str:
    host, number = getattr(address, "host", None), getattr(address, "port", None)
    return str(address) if host is None else f"[{host}]:{number}" if ":" in host else f"{host}:{number}"
