"""The service that a configuration makes: the rooms put together, and the ports that they are served on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from OpenSSL import SSL, crypto
from platformdirs import user_cache_dir
from twisted.application.service import IService, MultiService, Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import SSL4ServerEndpoint, TCP4ServerEndpoint, TCP6ServerEndpoint, serverFromString
from twisted.internet.interfaces import IAddress, IListeningPort, IStreamServerEndpoint
from twisted.internet.ssl import CertificateOptions, TLSVersion
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import HTTPConnectionPool
from twisted.web.server import Site

from pypihub import __version__
from pypihub.catalog.catalog import Catalog
from pypihub.catalog.hashes import Hashes
from pypihub.catalog.knowledge import Knowledge
from pypihub.catalog.lookups import Lookups
from pypihub.catalog.shown import Shown
from pypihub.catalog.store import Store
from pypihub.catalog.successors import Successors
from pypihub.catalog.tokens import RefusedTokens
from pypihub.catalog.wheels import Wheels
from pypihub.config import TLS, Config, Server, load_config, read_certificates
from pypihub.errors import ConfigError
from pypihub.github.client import BACKOFF, Client
from pypihub.github.tokens import TokenHasher
from pypihub.github.transport import Transport, pooled_agent
from pypihub.index.mapping import Mapping, Rule
from pypihub.index.names import Owner
from pypihub.web.site import make_site

_log = Logger("pypihub")


def load_service(file: Path | None, reactor: Any) -> IService:
    """The daemon of a configuration file, or of the defaults; raises ConfigError, which names the file."""
    config = load_config(file)
    try:
        return make_service(config, reactor)
    except ConfigError as error:
        raise ConfigError(f"{file}: {error.message}" if file else error.message) from None


def make_service(config: Config, reactor: Any, *, backoff: Sequence[float] = BACKOFF) -> IService:
    """The whole daemon as a service. Nothing listens, is asked or is opened until it is started.

    `backoff` are the pauses in seconds before GitHub is asked again.
    Raises ConfigError for an endpoint that Twisted does not know.
    """
    endpoints = make_endpoints(config.server, reactor)
    agent, pool = pooled_agent(reactor, config.github.timeout)
    transport = Transport(agent, reactor, config.github.timeout)
    client = Client(
        transport,
        reactor,
        api_url=config.github.api_url,
        graphql_url=config.github.graphql_url,
        backoff=backoff,
    )
    catalog, knowledge = make_catalog(config, client, reactor)
    service = MultiService()
    _Rooms(knowledge, pool).setServiceParent(service)
    site = make_site(catalog)
    for endpoint in endpoints:
        Listener(endpoint, site).setServiceParent(service)
    return service


def make_catalog(config: Config, client: Client, reactor: Any) -> tuple[Catalog, Knowledge]:
    """The catalog of a configuration, and what it knows, which is to be opened and closed with it."""
    hasher = TokenHasher()
    store = Store(_store_file(config.cache.directory), reactor)
    lookups = Lookups(client.assets, hasher, reactor)
    knowledge = Knowledge(
        store,
        lookups,
        Wheels(client, lookups, store),
        Hashes(client, lookups, store, up_to=config.metadata.hash_up_to),
        Successors(client.listing, store),
        Shown(hasher, reactor.seconds),
    )
    mapping = Mapping(Rule(rule.patt, rule.repl) for rule in config.github.replace)
    owners = [Owner(owner.lower()) for owner in config.github.owners]
    refused = RefusedTokens(hasher, reactor.seconds)
    return Catalog(client, mapping, refused, lookups, knowledge, owners), knowledge


def _store_file(directory: str | None) -> Path | None:
    """Where facts are kept: the folder that systemd gives or the platform's own, unless there is another or none."""
    if directory is None:
        directory = os.environ.get("CACHE_DIRECTORY") or user_cache_dir("pypihub", appauthor=False)
    return Path(directory) / "facts.sqlite" if directory else None


def make_endpoints(server: Server, reactor: Any) -> list[IStreamServerEndpoint]:
    """Where to listen; raises ConfigError for an endpoint that Twisted does not know, or TLS that OpenSSL refuses."""
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
    certificates, key = read_certificates(tls)
    try:
        certificate, *chain = map(crypto.X509.from_cryptography, certificates)
        options = CertificateOptions(
            privateKey=crypto.PKey.from_cryptography_key(key),  # type: ignore[arg-type]  # TypeError for kinds without TLS
            certificate=certificate,
            extraCertChain=chain,
            raiseMinimumTo=TLSVersion.TLSv1_2,
        )
        options.getContext()  # OpenSSL says now what it would say at every connection
    except TypeError:
        raise ConfigError(f"server.tls.key: should be a key for TLS, and {tls.key} holds one of another kind") from None
    except (SSL.Error, crypto.Error) as error:
        why = ", ".join(reason for *_, reason in error.args[0])
        raise ConfigError(f"server.tls.crt: OpenSSL refuses {tls.crt} or its key: {why}") from None
    return options


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


class _Rooms(Service):
    """Opens the store at the start (not before twistd has forked); ends the background and the connections."""

    def __init__(self, knowledge: Knowledge, pool: HTTPConnectionPool) -> None:
        self._knowledge = knowledge
        self._pool = pool

    def startService(self) -> None:
        super().startService()
        Deferred.fromCoroutine(self._knowledge.open())

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return Deferred.fromCoroutine(self._end())

    async def _end(self) -> None:
        await self._knowledge.close()
        await self._pool.closeCachedConnections()


def _readable(address: IAddress) -> str:
    host, number = getattr(address, "host", None), getattr(address, "port", None)
    return str(address) if host is None else f"[{host}]:{number}" if ":" in host else f"{host}:{number}"
