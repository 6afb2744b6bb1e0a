"""The whole daemon in front of a GitHub in a box, both on loopback, with a client for them."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any

import msgspec
import treq
from twisted.internet.defer import maybeDeferred
from twisted.web.client import Agent, HTTPConnectionPool
from twisted.web.http_headers import Headers

from pypihub.config import (
    Bytes,
    Cache,
    Config,
    Downloads,
    GitHub,
    Limits,
    Log,
    Metrics,
    Pages,
    Pattern,
    Publish,
    Replace,
    Seconds,
    Server,
)
from pypihub.daemon.logs import Manner
from pypihub.daemon.service import Listener, make_service
from pypihub.sandbox.server import Sandbox
from pypihub.sandbox.world import World


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, read whole."""

    code: int
    phrase: str
    headers: Headers
    body: bytes

    def header(self, name: str) -> str | None:
        values = self.headers.getRawHeaders(name)
        return ", ".join(values) if values else None

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Hub:
    """A running daemon and its sandbox; `token` is a token of the owner `octo`."""

    reactor: Any
    sandbox: Sandbox
    world: World
    token: str
    url: str = ""
    metrics_url: str = ""
    services: list[Any] = field(default_factory=list)
    pool: HTTPConnectionPool | None = None
    """Connections that stay, as real clients have them: the front answers on no others."""
    config: Config = field(default_factory=Config)

    def index_url(self, owner: str = "octo", token: str | None = None, path: str = "/simple/") -> str:
        """What a user gives to pip."""
        return self.url.replace("://", f"://{owner}:{token or self.token}@") + path

    async def request(
        self,
        method: str,
        path: str,
        *,
        user: str | None = "octo",
        token: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """A request with Basic credentials; without any where `user` is None."""
        wanted = dict(headers or {})
        if user is not None:
            wanted["Authorization"] = basic(user, self.token if token is None else token)
        sent = Headers({name: [value] for name, value in wanted.items()})
        response = await Agent(self.reactor, pool=self.pool).request(method.encode(), (self.url + path).encode(), sent)
        body = await treq.content(response)
        if isinstance(response.length, int) and not response.headers.hasHeader("Content-Length"):
            response.headers.setRawHeaders("Content-Length", [str(response.length)])  # Twisted keeps it to itself
        return Answer(response.code, response.phrase.decode("latin-1"), response.headers, body)

    async def get(self, path: str, **how: Any) -> Answer:
        return await self.request("GET", path, **how)

    async def head(self, path: str, **how: Any) -> Answer:
        return await self.request("HEAD", path, **how)

    def asked(self, where: str = "graphql", operation: str | None = None) -> int:
        """How many calls of a kind, or how many of a GraphQL operation, reached the sandbox."""
        calls = (call for call in self.sandbox.calls if call.where == where)
        return sum(operation in (None, call.operation) for call in calls)

    async def stop(self) -> None:
        if self.pool is not None:
            await self.pool.closeCachedConnections()
        for service in self.services:
            await maybeDeferred(service.stopService)
        await self.sandbox.stop()


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


async def start_hub(reactor: Any, **options: Any) -> Hub:
    """A hub on free ports.

    `drain` (in seconds), `owners`, `timeout`, `replace` (pairs), `mode` (of downloads), `max_size` (of uploads, in
    bytes), `cache` (a folder; memory without one), `ttl` and `stale` (of the cache, in seconds; without them every page
    is asked for anew) go into its configuration, as do the keys of `[server]`, `[log]` and `[limits]` in the
    dictionaries `server`, `log` and `limits`, and `remote_images` of `[pages]`. With `metrics` there is an endpoint for
    them, with `tls` (crt and key) it serves https. The rest goes to the Sandbox.
    """
    github = GitHub(**{key: options.pop(key) for key in ("owners", "timeout") if key in options})
    cache = str(options.pop("cache", ""))
    rules = tuple(Replace(patt=Pattern(patt), repl=repl) for patt, repl in options.pop("replace", ()))
    mode = options.pop("mode", "redirect")
    pages = Pages(remote_images=options.pop("remote_images", False))
    publish = Publish(max_size=Bytes(options.pop("max_size", Publish().max_size)))
    ttl, stale = options.pop("ttl", 1e-6), options.pop("stale", 1e-6)
    tls = options.pop("tls", None)
    endpoint = f"ssl:0:interface=127.0.0.1:certKey={tls[0]}:privateKey={tls[1]}" if tls else "tcp:0:interface=127.0.0.1"
    server = {"endpoint": endpoint, "drain": Seconds(options.pop("drain", 30))} | options.pop("server", {})
    limits = Limits(**options.pop("limits", {}))
    log = Log(**options.pop("log", {}))
    metrics = Metrics(endpoint="tcp:0:interface=127.0.0.1" if options.pop("metrics", False) else None)
    world = options.pop("world", None) or World()
    sandbox = Sandbox(reactor, world, **options)
    await sandbox.start()
    hub = Hub(reactor, sandbox, world, world.add_token("octo"))
    config = Config(
        cache=Cache(directory=cache, ttl=Seconds(ttl), stale=Seconds(stale)),
        downloads=Downloads(mode=mode),
        publish=publish,
        limits=limits,
        server=Server(**server),
        pages=pages,
        log=log,
        metrics=metrics,
        github=msgspec.structs.replace(github, api_url=sandbox.api_url, graphql_url=sandbox.graphql_url, replace=rules),
    )
    service = make_service(config, reactor, backoff=(0.001, 0.002), manner=Manner(log.format))
    service.privilegedStartService()
    service.startService()
    hub.config = config
    hub.services.append(service)
    port, *more = (each.address.port for each in service if isinstance(each, Listener))
    hub.url = f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}"
    hub.metrics_url = f"http://127.0.0.1:{more[0]}/metrics" if more else ""
    return hub
