"""The service that a configuration makes: the rooms put together, and the ports that they are served on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from platformdirs import user_cache_dir
from twisted.application.service import IService, MultiService, Service
from twisted.internet.defer import Deferred
from twisted.web.client import HTTPConnectionPool

from pypihub.catalog.catalog import Catalog
from pypihub.catalog.hashes import Hashes
from pypihub.catalog.knowledge import Knowledge
from pypihub.catalog.lookups import Lookups
from pypihub.catalog.shown import Shown
from pypihub.catalog.store import Store
from pypihub.catalog.successors import Successors
from pypihub.catalog.tokens import RefusedTokens, TokenHasher
from pypihub.catalog.wheels import Wheels
from pypihub.config import Config, load_config
from pypihub.daemon.listening import Listener, make_endpoints
from pypihub.daemon.ports import InheritedPorts
from pypihub.daemon.supervisor import make_supervisor
from pypihub.errors import ConfigError
from pypihub.github.client import BACKOFF, Client
from pypihub.github.transport import Transport, pooled_agent
from pypihub.index.mapping import Mapping, Rule
from pypihub.index.names import Owner
from pypihub.web.connections import Connections
from pypihub.web.site import make_site


def load_service(file: Path | None, reactor: Any, *, relays: bool = False) -> IService:
    """The daemon of a configuration file, or of the defaults; raises ConfigError, which names the file.

    With `relays` this process logs for its workers, if it has some; otherwise they write to its stdout themselves.
    """
    config = load_config(file)
    try:
        if file is not None and config.server.workers > 1:
            return make_supervisor(config.server, file, reactor, relays=relays)
        return make_service(config, reactor)
    except ConfigError as error:
        raise ConfigError(f"{file}: {error.message}" if file else error.message) from None


def make_service(
    config: Config, reactor: Any, *, backoff: Sequence[float] = BACKOFF, ports: InheritedPorts | None = None
) -> MultiService:
    """The daemon in this process as a service. Nothing listens, is asked or is opened until it is started.

    `backoff` are the pauses in seconds before GitHub is asked again. `ports` are those of a supervisor, which tells
    of them.
    Raises ConfigError for an endpoint that Twisted does not know.
    """
    endpoints = make_endpoints(config.server, ports or reactor)
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
    site = make_site(catalog, proxies=config.downloads.mode == "proxy")
    _Rooms(site.connections, knowledge, pool).setServiceParent(service)
    for endpoint in endpoints:
        Listener(endpoint, site, tells=ports is None).setServiceParent(service)
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


class _Rooms(Service):
    """Opens the store at the start (not before twistd has forked).

    In the end, while nothing listens any more, it waits for the answers under way, then ends the background.
    """

    def __init__(self, connections: Connections, knowledge: Knowledge, pool: HTTPConnectionPool) -> None:
        self._connections = connections
        self._knowledge = knowledge
        self._pool = pool

    def startService(self) -> None:
        super().startService()
        Deferred.fromCoroutine(self._knowledge.open())

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return Deferred.fromCoroutine(self._end())

    async def _end(self) -> None:
        await self._connections.drain()
        await self._knowledge.close()
        await self._pool.closeCachedConnections()
