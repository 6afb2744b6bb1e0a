"""GitHub behind a proxy, and with a certificate of one's own authority: over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from support.tunnel import Ports
from twisted.internet.task import deferLater

from pypihub.config import GitHub, Seconds
from pypihub.errors import UpstreamError, UpstreamUnreachableError
from pypihub.github.client import Client
from pypihub.github.connecting import configured_agent
from pypihub.github.credentials import Token
from pypihub.github.transport import Transport
from pypihub.index.names import Owner, Repository
from pypihub.sandbox.server import Sandbox
from pypihub.sandbox.world import World

DEMO = Repository(Owner("octo"), "demo")


class Behind:
    """A sandbox with the repository octo/demo, by https."""

    def __init__(self, sandbox: Sandbox, ports: Ports, url: str, ca_file: Path) -> None:
        self.sandbox = sandbox
        self.ports = ports
        self.url = url
        self.ca_file = ca_file
        self.token = sandbox.world.add_token("octo")
        sandbox.world.add_repository("octo/demo").add_release("v1").add_asset("demo-1.0.tar.gz", b"x")

    @asynccontextmanager
    async def client(self, *, trusts: bool = True, timeout: float = 60, **environment: str) -> AsyncIterator[Client]:
        github = GitHub(api_url=self.url, ca_file=self.ca_file if trusts else None, timeout=Seconds(timeout))
        agent, pool = configured_agent(github, environment, self.ports.reactor)
        transport = Transport(agent, self.ports.reactor, github.timeout)
        yield Client(transport, self.ports.reactor, api_url=self.url, graphql_url=f"{self.url}/graphql", backoff=())
        await pool.closeCachedConnections()

    async def releases(self, client: Client) -> list[str]:
        listing = await client.listing(Token(self.token), DEMO)
        return [asset.name for release in listing.releases for asset in release.assets]


@pytest_twisted.async_yield_fixture
async def behind(reactor: Any, tmp_path: Path) -> AsyncIterator[Behind]:
    sandbox, ports = Sandbox(reactor, World()), Ports(reactor)
    await sandbox.start()
    url, ca_file = await ports.secure(sandbox.api_url, tmp_path)
    yield Behind(sandbox, ports, url, ca_file)
    await ports.close()
    await sandbox.stop()
    await deferLater(reactor, 0.02)  # connections of the test's own that end with it


@ensureDeferred
async def test_an_authority_of_one_s_own_is_trusted_where_it_is_configured(behind: Behind) -> None:
    async with behind.client() as client:
        assert await behind.releases(client) == ["demo-1.0.tar.gz"]
    async with behind.client(trusts=False) as client:
        with pytest.raises(UpstreamUnreachableError, match="certificate verify failed"):
            await behind.releases(client)


@pytest.mark.parametrize("login", ["", "jane:s%3Acret@"])
@ensureDeferred
async def test_a_proxy_leads_there_and_sees_nothing_of_what_passes(behind: Behind, login: str) -> None:
    proxy = await behind.ports.proxy()
    async with behind.client(https_proxy=f"http://{login}{proxy.address}") as client:
        for _ in range(2):
            assert await behind.releases(client) == ["demo-1.0.tar.gz"]
    there = behind.url.removeprefix("https://")
    authorization = "Proxy-Authorization: Basic amFuZTpzOmNyZXQ=\r\n" if login else ""
    assert proxy.heads == [f"CONNECT {there} HTTP/1.1\r\nHost: {there}\r\n{authorization}\r\n".encode()]
    assert proxy.passed.startswith(b"\x16\x03"), "TLS"
    for secret in (behind.token.encode(), b"bearer", b"octo"):
        assert secret not in proxy.passed + b"".join(proxy.heads)


@ensureDeferred
async def test_hosts_of_no_proxy_are_reached_directly(behind: Behind) -> None:
    proxy = await behind.ports.proxy()
    async with behind.client(https_proxy=f"http://{proxy.address}", no_proxy="localhost") as client:
        assert await behind.releases(client) == ["demo-1.0.tar.gz"]
    assert proxy.heads == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            b"HTTP/1.1 407 Log In\r\nContent-Length: 6\r\n\r\nsecret",
            "it answers with status 407",
        ),
        (b"HTTP/1.1 301 Moved\r\nLocation: https://elsewhere\r\n\r\n", "it answers with status 301"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "its answer is no HTTP"),
        (b"HTTP/1.1 200" + b" " * 100_000, "its answer has no end"),
        (b"", "it ended the connection"),
    ],
    ids=["407", "301", "ssh", "endless", "closed"],
)
@ensureDeferred
async def test_a_proxy_that_opens_no_way_is_named_as_the_reason(behind: Behind, answer: bytes, said: str) -> None:
    proxy = await behind.ports.proxy()
    proxy.answer = answer.replace(b"HTTP/1.1 200 ", b"HTTP/1.0 200 ")  # the helper would take it for an open way
    async with behind.client(https_proxy=f"http://jane:pass@{proxy.address}") as client:
        with pytest.raises(UpstreamUnreachableError) as caught:
            await behind.releases(client)
    assert caught.value.message == f"The connection to GitHub failed: the proxy opens no way, {said}"
    assert behind.sandbox.calls == []


@ensureDeferred
async def test_a_proxy_that_says_nothing_is_not_waited_for_any_longer_than_github(behind: Behind) -> None:
    proxy = await behind.ports.proxy(answer=None)
    async with behind.client(https_proxy=f"http://{proxy.address}", timeout=0.2) as client:
        with pytest.raises(UpstreamError, match=r"no answer within 0\.2 s|did not answer within 0\.2 s"):
            await behind.releases(client)
    for _ in range(1000):
        if proxy.open == 0:
            break
        await deferLater(behind.ports.reactor, 0.001)
    assert proxy.open == 0, "the connection is left open"


@ensureDeferred
async def test_a_proxy_that_is_not_there_is_an_unreachable_github(behind: Behind) -> None:
    proxy = await behind.ports.proxy()
    await behind.ports.close()
    behind.ports._ports.clear()
    async with behind.client(https_proxy=f"http://{proxy.address}") as client:
        with pytest.raises(UpstreamUnreachableError):
            await behind.releases(client)
