"""Put a world on the network: the API on one port of the loopback interface, storage and uploads on two others."""

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.interfaces import IListeningPort, IReactorTCP, IReactorTime
from twisted.web.resource import Resource

from pypihub.sandbox.connected import Connected
from pypihub.sandbox.endpoint import Call, Endpoint, Premises
from pypihub.sandbox.faults import Faults
from pypihub.sandbox.graphql import GraphQL
from pypihub.sandbox.links import Links
from pypihub.sandbox.quotas import Quotas
from pypihub.sandbox.receiving import ReceivingRequest
from pypihub.sandbox.rest import Rest
from pypihub.sandbox.schema import github_schema
from pypihub.sandbox.storage import Storage
from pypihub.sandbox.uploads import Uploads
from pypihub.sandbox.world import World

__all__ = ["Call", "Sandbox"]

_LOOPBACK = "127.0.0.1"
_BACKLOG = 1024


class Sandbox:
    """A GitHub in a box: GraphQL and REST on one origin, the assets' bytes on another, uploads on a third.

    :param digest: False leaves ``ReleaseAsset.digest`` and ``Release.immutable`` out of the schema (older servers).
    :param latency: seconds before every answer, of storage and uploads too.
    :param url_lifetime: for how many seconds a signed storage address is good.
    :param web_urls: GraphQL gives the address of a web page as an asset's `url`, not of the storage.
    :param stream_assets: REST answers an asset download with the bytes, not with a redirect.
    :param known_as: the origins that it gives out in place of its own, in the order API, storage, uploads, where
        clients know it by other names.
    :param quota: points an hour for each user, refused beyond; None counts and refuses nothing.

    `faults` plans failures, `calls` records what was asked, the latest last, and `quotas` counts what it cost. The
    addresses are known once started.
    """

    api_url: str
    graphql_url: str
    storage_url: str
    uploads_url: str

    def __init__(
        self,
        reactor: IReactorTCP,
        world: World,
        *,
        digest: bool = True,
        latency: float = 0.0,
        url_lifetime: float = 300.0,
        web_urls: bool = False,
        stream_assets: bool = False,
        known_as: tuple[str, str, str] | None = None,
        quota: int | None = None,
    ) -> None:
        self.world = world
        self.faults = Faults()
        self.calls: list[Call] = []
        self._reactor = reactor
        self._schema = github_schema(digest=digest)
        self._latency = latency
        self._url_lifetime = url_lifetime
        self._web_urls = web_urls
        self._stream_assets = stream_assets
        self._known_as = known_as
        self.quotas = Quotas(quota)
        self._listening: list[tuple[IListeningPort, Connected]] = []

    def start(self) -> Deferred[None]:
        """Listen on free ports of the loopback interface; fires when all do."""
        return Deferred.fromCoroutine(self._start())

    def stop(self) -> Deferred[None]:
        """Stop listening and end every connection still open; fires when all are gone."""
        return Deferred.fromCoroutine(self._stop())

    @property
    def connections(self) -> int:
        """How many connections are open now, to all three origins."""
        return sum(len(factory.protocols) for _, factory in self._listening)

    async def _start(self) -> None:
        api, storage, uploads = Connected(), Connected(), Connected(ReceivingRequest)
        self.api_url, self.storage_url, self.uploads_url = [await self._listen(one) for one in (api, storage, uploads)]
        self.graphql_url = f"{self.api_url}/graphql"
        links = Links(
            *(self._known_as or (self.api_url, self.storage_url, self.uploads_url)),
            now=self.world.now,
            lifetime=self._url_lifetime,
            web_urls=self._web_urls,
        )
        premises = Premises(
            reactor=IReactorTime(self._reactor),
            world=self.world,
            links=links,
            faults=self.faults,
            quotas=self.quotas,
            calls=self.calls,
            latency=self._latency,
        )
        host = _Host(Rest(premises, stream=self._stream_assets))
        host.putChild(b"graphql", GraphQL(premises, self._schema))
        api.serve(host)
        storage.serve(_Host(Storage(premises)))
        uploads.serve(Uploads(premises))

    async def _stop(self) -> None:
        listening, self._listening = self._listening, []
        for port, _ in listening:
            await maybeDeferred(port.stopListening)
        for _, factory in listening:
            await factory.end_connections()

    async def _listen(self, factory: Connected) -> str:
        """Listen on a free port; return its origin."""
        endpoint = TCP4ServerEndpoint(self._reactor, 0, _BACKLOG, _LOOPBACK)
        port = await endpoint.listen(factory)
        self._listening.append((port, factory))
        address = port.getHost()
        if not isinstance(address, IPv4Address):
            raise TypeError(f"listening on {address}, not on an IPv4 address")
        return f"http://{_LOOPBACK}:{address.port}"


class _Host(Resource):
    """The root of an origin: whatever is not one of its children goes to the endpoint `otherwise`."""

    def __init__(self, otherwise: Endpoint) -> None:
        super().__init__()
        self._otherwise = otherwise

    def getChild(self, path: bytes, request: object) -> Endpoint:
        """Return the endpoint for all other paths."""
        return self._otherwise
