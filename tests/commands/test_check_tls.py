"""`pypihub check` at a GitHub by https: certificates, proxies, and what takes a connection and says nothing."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest_twisted
from pytest_twisted import ensureDeferred
from support.checks import Found, publish
from support.hub import Hub
from support.tunnel import Ports

Check = Callable[..., Any]


@pytest_twisted.async_yield_fixture
async def ports(reactor: Any) -> AsyncIterator[Ports]:
    ports = Ports(reactor)
    yield ports
    await ports.close()


async def checked(run: Any, hub: Hub, folder: Path, url: str, more: str = "", **environment: str) -> Found:
    """What `pypihub check octo app` finds at the URL."""
    (folder / "hub.toml").write_text(f'[github]\napi_url = "{url}"\n{more}\n')
    proxies = {"https_proxy": "", "no_proxy": "", **environment}
    process = run("pypihub", "check", "octo", "app", "-c", "hub.toml", "--json", PYPIHUB_TOKEN=hub.token, **proxies)
    await process.ends()
    assert "s3cret" not in process.out + process.err
    return Found(process)


@ensureDeferred
async def test_a_certificate_that_is_trusted_is_described(hub: Hub, run: Any, ports: Ports, tmp_path: Path) -> None:
    publish(hub)
    url, ca_file = await ports.secure(hub.sandbox.api_url, tmp_path)
    found = await checked(run, hub, tmp_path, url, f'ca_file = "{ca_file}"')
    assert (found.with_(False), found.with_(None)) == ([], [])
    detail = found.step["TLS"]["detail"]
    assert detail.startswith("TLSv1.3 with localhost, certificate by CN=localhost, good until 20")


@ensureDeferred
async def test_a_certificate_that_is_not_fails_there(hub: Hub, run: Any, ports: Ports, tmp_path: Path) -> None:
    url, _ = await ports.secure(hub.sandbox.api_url, tmp_path)
    found = await checked(run, hub, tmp_path, url)
    assert found.with_(False) == ["TLS"]
    assert "certificate verify failed" in found.step["TLS"]["detail"]
    assert "github.ca_file" in found.step["TLS"]["remedy"]
    assert found.step["API"]["detail"] == "needs TLS"


@ensureDeferred
async def test_a_certificate_of_another_name_fails_there(hub: Hub, run: Any, ports: Ports, tmp_path: Path) -> None:
    url, ca_file = await ports.secure(hub.sandbox.api_url, tmp_path, interface="127.0.0.2")
    found = await checked(run, hub, tmp_path, url.replace("localhost", "127.0.0.2"), f'ca_file = "{ca_file}"')
    assert found.with_(False) == ["TLS"]
    assert found.step["TLS"]["detail"] == "TLS failed: the certificate is for another name."


@ensureDeferred
async def test_the_proxy_is_on_the_way(hub: Hub, run: Any, ports: Ports, tmp_path: Path) -> None:
    publish(hub)
    url, ca_file = await ports.secure(hub.sandbox.api_url, tmp_path)
    proxy = await ports.proxy()
    by = {"https_proxy": f"http://jane:s3cret@{proxy.address}"}
    found = await checked(run, hub, tmp_path, url, f'ca_file = "{ca_file}"', **by)
    assert found.with_(False) == []
    assert found.step["DNS"]["detail"] == "the proxy to localhost, 127.0.0.1 is 127.0.0.1"
    assert proxy.heads
    proxy.answer = b"HTTP/1.1 407 Log in\r\nContent-Length: 0\r\n\r\n"
    found = await checked(run, hub, tmp_path, url, **by)
    assert found.with_(False) == ["TLS"]
    assert "status 407" in found.step["TLS"]["detail"]
    found = await checked(run, hub, tmp_path, url, https_proxy="socks5://s3cret")
    assert found.with_(False) == ["configuration"]


@ensureDeferred
async def test_what_says_nothing_is_waited_for_as_long_as_configured(hub: Hub, run: Any, tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        found = await checked(run, hub, tmp_path, url, 'timeout = "300ms"')
    assert found.with_(False) == ["TLS"]
    assert found.step["TLS"]["detail"] == "There was no TLS connection within 0.3 s."


@ensureDeferred
async def test_what_ends_the_connection_fails_there(hub: Hub, run: Any, tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{closed.getsockname()[1]}"
        found = await checked(run, hub, tmp_path, url)
    assert found.with_(False) == ["TLS"]
    assert found.step["TLS"]["detail"].startswith("The connection to GitHub failed: Connection was refused")
    found = await checked(run, hub, tmp_path, hub.sandbox.api_url.replace("http", "https"), 'timeout = "2s"')
    assert found.with_(False) == ["TLS"]
