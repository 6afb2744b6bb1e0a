"""The rooms put together as a configuration wants them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from platformdirs import user_cache_dir

from pypihub.catalog.catalog import Catalog
from pypihub.catalog.hashes import Hashes
from pypihub.catalog.knowledge import Knowledge
from pypihub.catalog.listings import Listings
from pypihub.catalog.lookups import Lookups
from pypihub.catalog.memory import Memory
from pypihub.catalog.publishing import Publishing
from pypihub.catalog.roots import ListedProjects, Roots
from pypihub.catalog.shown import Shown
from pypihub.catalog.store import Store
from pypihub.catalog.successors import Successors
from pypihub.catalog.threads import Threads
from pypihub.catalog.tokens import RefusedTokens
from pypihub.catalog.wheels import Wheels
from pypihub.config import Config, Log
from pypihub.github.client import Client
from pypihub.github.configured import Configured, configured_client
from pypihub.github.tokens import TokenHasher
from pypihub.github.web import web_url
from pypihub.index.archives import check_archive
from pypihub.index.mapping import Mapping, Rule
from pypihub.index.model import Listing
from pypihub.index.names import Owner, Repository
from pypihub.tally import Tally
from pypihub.web.access import AccessLog, Line
from pypihub.web.addresses import ClientAddress
from pypihub.web.app import App
from pypihub.web.browsing import Browsing, Sites
from pypihub.web.front import Front
from pypihub.web.health import Health, Phase
from pypihub.web.limits import Gate
from pypihub.web.pages import Pages
from pypihub.web.readmes import Readmes
from pypihub.web.site import Inside
from pypihub.web.templating import Templates
from pypihub.web.uploads import Uploads


@dataclass(frozen=True)
class House:
    """All that runs, between `open` and `close`; `inside` is what answers requests."""

    inside: Inside
    memory: Memory[object, object]
    store: Store
    knowledge: Knowledge
    listings: Listings[Repository, Listing]
    roots: Listings[Owner, ListedProjects]
    pages: Pages
    readmes: Readmes
    publishing: Publishing
    github: Configured

    async def open(self) -> None:
        """Opens the store."""
        await self.knowledge.open()
        self.inside.health.phase = Phase.READY

    async def close(self) -> None:
        """Waits for uploads under way, ends the background and the connections to GitHub, closes the store."""
        await self.publishing.stop()  # where nobody waits for the answer any more
        self.listings.stop()
        self.roots.stop()
        self.pages.stop()
        self.readmes.stop()
        await self.knowledge.close()
        await self.github.close()


def build_house(
    config: Config, reactor: Any, backoff: Sequence[float], log_access: Callable[[list[Line]], object], tally: Tally
) -> House:
    """The house of a configuration and the environment's proxies; nothing is asked or opened yet.

    `backoff` is as for `Client`, `log_access` takes the lines of the access log, and the `tally` what is counted.
    Raises ConfigError like `configured_client`.
    """
    github = config.github
    reached = configured_client(github, os.environ, reactor, backoff=backoff, tally=tally)
    client = reached.client
    hasher = TokenHasher()
    memory: Memory[object, object] = Memory(config.cache.memory)
    store = Store(_store_file(config.cache.directory), reactor)
    threads = Threads(reactor)
    knowledge = _knowledge(config, client, hasher, memory, store, threads, reactor, tally)
    mapping = Mapping(Rule(rule.patt, rule.repl) for rule in github.replace)
    ttl, stale = config.cache.ttl, config.cache.stale
    listings = Listings(client.listing, Listing, hasher, memory, reactor, ttl=ttl, stale=stale, tally=tally)
    roots = Listings(
        Roots(client, mapping).projects,
        ListedProjects,
        hasher,
        memory,
        reactor,
        ttl=ttl,
        stale=stale,
        name="root",
        tally=tally,
    )
    owners = [Owner(owner.lower()) for owner in github.owners]
    refused = RefusedTokens(hasher, reactor.seconds)
    catalog = Catalog(client, mapping, refused, listings, roots, knowledge, threads, owners)
    publishing = Publishing(catalog, client, mapping, store, config.publish, check_archive, reactor, pauses=backoff)
    pages = Pages(catalog, hasher, memory, threads, reactor, lifetime=config.cache.ttl, tally=tally)
    front = Front(memory, hasher, refused, reactor.seconds, tally)
    readmes = Readmes(memory, reactor)
    browsing = _browsing(config, catalog, pages, readmes, threads)
    app = App(catalog, pages, browsing, front, reactor.seconds, proxies=config.downloads.mode == "proxy")
    uploads = Uploads(catalog.admit, publishing, max_size=config.publish.max_size)
    client_address = ClientAddress(config.server.trusted_proxies)
    gate = Gate(config.limits, client_address, reactor.seconds)
    access = AccessLog(log_access, reactor, client_address) if _logs_requests(config.log) else None
    counted = tally if config.metrics.endpoint is not None else None
    health = Health(reached.transport.breakers)
    inside = Inside(app.app.resource(), front, gate, uploads, health, client_address, access, counted)
    return House(inside, memory, store, knowledge, listings, roots, pages, readmes, publishing, reached)


def _logs_requests(log: Log) -> bool:
    """Requests are told of at level "info"."""
    return log.access and log.level in ("debug", "info")


def _browsing(config: Config, catalog: Catalog, pages: Pages, readmes: Readmes, threads: Threads) -> Browsing:
    images = config.pages.remote_images
    sites = Sites(server=config.server.url, github=web_url(config.github.api_url))
    return Browsing(catalog, pages, readmes, Templates(remote_images=images), threads, sites, images=images)


def _knowledge(
    config: Config,
    client: Client,
    hasher: TokenHasher,
    memory: Memory[object, object],
    store: Store,
    threads: Threads,
    reactor: Any,
    tally: Tally,
) -> Knowledge:
    lookups = Lookups(client.assets, hasher, reactor, tally=tally)
    wheels = Wheels(client, lookups, store, threads, reactor.seconds)
    hashes = Hashes(client, lookups, store, reactor.seconds, up_to=config.metadata.hash_up_to)
    return Knowledge(store, lookups, wheels, hashes, Successors(store), Shown(hasher, memory))


def _store_file(directory: str | None) -> Path | None:
    """Where facts are kept: the folder that systemd gives or the platform's own, unless there is another or none."""
    if directory is None:
        directory = os.environ.get("CACHE_DIRECTORY") or user_cache_dir("pypihub", appauthor=False)
    return Path(directory) / "facts.sqlite" if directory else None
