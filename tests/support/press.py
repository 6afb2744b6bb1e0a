"""Publishing built of its parts over a GitHub in a box, as one process has them; several may share the box."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from packaging.utils import canonicalize_name
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from pypihub.catalog.catalog import Catalog
from pypihub.catalog.delivery import Published
from pypihub.catalog.hashes import Hashes
from pypihub.catalog.knowledge import Knowledge
from pypihub.catalog.listings import Listings
from pypihub.catalog.lookups import Lookups
from pypihub.catalog.memory import Memory
from pypihub.catalog.publishing import CheckArchive, Publishing
from pypihub.catalog.roots import ListedProjects, Roots
from pypihub.catalog.shown import Shown
from pypihub.catalog.store import Store
from pypihub.catalog.successors import Successors
from pypihub.catalog.threads import Threads
from pypihub.catalog.tokens import RefusedTokens
from pypihub.catalog.wheels import Wheels
from pypihub.config import Publish
from pypihub.github.client import Client
from pypihub.github.connecting import pooled_agent
from pypihub.github.credentials import Credentials, Token
from pypihub.github.tokens import TokenHasher
from pypihub.github.transport import Transport
from pypihub.index.mapping import Mapping
from pypihub.index.model import Listing, Project
from pypihub.index.names import Owner
from pypihub.index.uploads import Companion, Received, Upload
from pypihub.index.wheel import Metadata
from pypihub.sandbox.records import Asset, Release, Repository
from pypihub.sandbox.samples import sample_sdist, sample_wheel
from pypihub.sandbox.server import Sandbox
from pypihub.sandbox.world import World

METADATA = b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"
WHEEL, SDIST = "demo-1.0-py3-none-any.whl", "demo-1.0.tar.gz"


def check_nothing(upload: Upload, file: BinaryIO) -> Metadata | None:
    """Finds every archive sound: other tests are about archives."""
    return Metadata(METADATA, hashlib.sha256(METADATA).hexdigest(), None) if upload.is_wheel else None


@dataclass
class Box:
    """A GitHub with the repository `octo/demo`, and the files that were given away."""

    reactor: Any
    sandbox: Sandbox
    world: World
    repository: Repository
    token: str
    presses: list[Press] = field(default_factory=list)
    files: list[BinaryIO] = field(default_factory=list)

    async def press(self, **options: Any) -> Press:
        """A process that publishes; the options are those of `Press`."""
        self.presses.append(Press(self, **options))
        await self.presses[-1].knowledge.open()
        return self.presses[-1]

    @property
    def releases(self) -> list[Release]:
        return list(self.repository.releases.values())

    @property
    def assets(self) -> list[Asset]:
        return [asset for release in self.releases for asset in release.assets.values()]

    def published(self) -> dict[str, list[str]]:
        """The names of the whole files in published releases, by tag."""
        return {
            release.tag_name: [asset.name for asset in release.assets.values() if asset.size]
            for release in self.releases
            if not release.is_draft
        }

    def calls(self) -> list[str]:
        """The writes that reached GitHub, in short."""
        return [f"{call.where} {call.method}" for call in self.sandbox.calls if call.where != "graphql"]

    async def stop(self) -> None:
        for press in self.presses:
            await press.stop()
        await self.sandbox.stop()


class Press:
    """One process that publishes; `rules` go into `[publish]`."""

    def __init__(
        self,
        box: Box,
        *,
        timeout: float = 60,
        backoff: Sequence[float] = (0.001, 0.002),
        owners: Sequence[str] = (),
        check: CheckArchive = check_nothing,
        **rules: Any,
    ) -> None:
        self.box, reactor = box, box.reactor
        agent, self.pool = pooled_agent(reactor, timeout)
        self.transport = Transport(agent, reactor, timeout)
        url = box.sandbox.api_url
        self.client = client = Client(
            self.transport, reactor, api_url=url, graphql_url=box.sandbox.graphql_url, backoff=backoff
        )
        hasher, threads = TokenHasher(), Threads(reactor)
        self.store = store = Store(None, reactor)
        lookups = Lookups(client.assets, hasher, reactor)
        hashes = Hashes(client, lookups, store, reactor.seconds, up_to=1000)
        wheels = Wheels(client, lookups, store, threads, reactor.seconds)
        mapping, memory = Mapping(), Memory[object, object](1_000_000)
        self.knowledge = Knowledge(store, lookups, wheels, hashes, Successors(store), Shown(hasher, memory))
        self.listings = Listings(client.listing, Listing, hasher, memory, reactor, ttl=600, stale=600)
        roots = Listings(Roots(client, mapping).projects, ListedProjects, hasher, memory, reactor, ttl=600, stale=600)
        self.catalog_repository = mapping.repository(Owner("octo"), canonicalize_name("demo"))
        refused = RefusedTokens(hasher, reactor.seconds)
        self.catalog = Catalog(
            client, mapping, refused, self.listings, roots, self.knowledge, threads, [Owner(owner) for owner in owners]
        )
        self.publishing = Publishing(
            self.catalog,
            client,
            mapping,
            store,
            Publish(**rules),
            check,
            reactor,
            pauses=backoff,
        )

    def publish(self, filename: str = WHEEL, content: bytes = b"a wheel", **how: Any) -> Deferred[Published]:
        """Publishes a file of these bytes; `name`, `version` and `token` may be others, and a `signature` beside it."""
        token = how.pop("token", self.box.token)
        received = self.received(filename, content, **how)
        return Deferred.fromCoroutine(self.publishing.publish(Credentials(Owner("octo"), Token(token)), received))

    def received(
        self,
        filename: str,
        content: bytes,
        *,
        name: str = "demo",
        version: str = "1.0",
        signature: bytes | None = None,
    ) -> Received:
        file = tempfile.TemporaryFile()  # noqa: SIM115  # it is given away
        file.write(content)
        self.box.files.append(file)
        filetype = "bdist_wheel" if filename.endswith(".whl") else "sdist"
        fields = {":action": "file_upload", "name": name, "version": version, "filetype": filetype}
        companions = (Companion("gpg_signature", f"{filename}.asc", signature),) if signature else ()
        return Received(
            {key: (value,) for key, value in fields.items()},
            filename,
            file,
            len(content),
            hashlib.sha256(content).hexdigest(),
            companions,
        )

    async def project(self, token: str | None = None) -> Project:
        """What the caller is shown of the project `demo`."""
        credentials = Credentials(Owner("octo"), Token(token or self.box.token))
        name = canonicalize_name("demo")
        snapshot = await self.catalog.snapshot(credentials, name)
        return (await self.catalog.project(credentials, name, snapshot))[0]

    async def idle(self) -> None:
        """Waits until nothing is under way."""
        while len(self.publishing):
            await deferLater(self.box.reactor, 0.001)

    async def stop(self) -> None:
        await self.publishing.stop()
        self.listings.stop()
        await self.knowledge.close()
        await self.pool.closeCachedConnections()


async def start_box(reactor: Any, **options: Any) -> Box:
    """A running box; the options are the sandbox's, or the repository's with `repository_` before them.

    Without `digest` GitHub knows no digests at all, in REST neither.
    """
    mark = "repository_"
    of_repository = {key.removeprefix(mark): options.pop(key) for key in list(options) if key.startswith(mark)}
    world = World(digests=options.get("digest", True))
    sandbox = Sandbox(reactor, world, **options)
    repository = world.add_repository("octo/demo", **of_repository)
    await sandbox.start()
    return Box(reactor, sandbox, world, repository, world.add_token("octo"))


__all__ = ["SDIST", "WHEEL", "Box", "Press", "sample_sdist", "sample_wheel", "start_box"]
