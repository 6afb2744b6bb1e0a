"""nginx and Caddy as their pages configure them, in front of a hub, with real clients before them."""

from __future__ import annotations

import base64
import os
import re
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
import uv as uv_package
from pytest_twisted import ensureDeferred
from support.fronts import Caddy, Front, Nginx, replaced
from support.gallery import hang
from support.hub import Hub
from support.internet import Internet
from support.process import BIN, Process
from support.prose import ROOT, Block, missing, read_blocks
from support.tools import Tools
from support.walk import Walk
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.threads import deferToThread

from pypihub.sandbox.samples import sample_wheel
from pypihub.sandbox.server import Sandbox

HUB = "hub.example.com"
HERE = "127.0.0.2"
"""Where clients come from; the front itself is 127.0.0.1."""
LARGE = 3 * 1024 * 1024
FRONTS = [pytest.param(front, marks=front.needed, id=front.__name__.lower()) for front in (Nginx, Caddy)]


@dataclass(frozen=True)
class Page:
    """A page's blocks, up to the front's configuration and from there on."""

    before: list[Block]
    configuration: str
    after: list[Block]

    @classmethod
    def of(cls, front: type[Front]) -> Page:
        blocks = list(read_blocks(ROOT / f"docs/howto/behind-{front.__name__.lower()}.md"))
        (place,) = (n for n, block in enumerate(blocks) if block.language in ("nginx", "caddyfile"))
        return cls(blocks[: place + 1], blocks[place].text, blocks[place + 1 :])

    def shown(self, command: str) -> str:
        """What the page says that a command prints, which no test runs."""
        (block,) = (block for block in self.after if block.mark == "not run" and command in block.text)
        assert block.output
        return block.output


@pytest_twisted.async_yield_fixture
async def stand(reactor: Any, internet: Internet, tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """Starts a front under the hub's name: `await stand(Nginx, configuration)`."""
    fronts: list[Front] = []

    async def start(kind: type[Front], configuration: str) -> Front:
        front = kind(reactor, tmp_path / kind.__name__, internet.certificate)
        fronts.append(front)
        await front.start(configuration)
        internet.lead(HUB, TCP4ClientEndpoint(reactor, "127.0.0.1", front.port, bindAddress=(HERE, 0)))
        return front

    yield start
    for front in fronts:
        await front.stop()


@pytest_twisted.async_fixture
async def proxying(make_hub: Callable[..., Any]) -> Hub:
    """A hub that believes the front, and sends files itself."""
    hub: Hub = await make_hub(mode="proxy", server={"trusted_proxies": ("127.0.0.1",), "url": f"https://{HUB}"})
    hub.token = hang(hub.world)
    return hub


@pytest.fixture
def wheels(desk: Path) -> Callable[..., dict[str, bytes]]:
    """Writes wheels of rocket-fuel into `dist`, each larger than 3 MiB: `wheels("2.2.0")`."""

    def write(*versions: str) -> dict[str, bytes]:
        (dist := desk / "dist").mkdir()
        made = dict(
            sample_wheel("rocket-fuel", version, extra_files={"padding": os.urandom(LARGE)}) for version in versions
        )
        for name, content in made.items():
            assert len(content) > LARGE
            (dist / name).write_bytes(content)
        return made

    return write


@pytest.fixture
def uv(reactor: Any, internet: Internet, desk: Path) -> Callable[..., Any]:
    """Runs uv at the desk, with a token in its environment: `await uv(token, "publish", …)`."""

    async def run(token: str, *arguments: str) -> Process:
        settings = {
            "UV_CACHE_DIR": str(desk / "cache"),
            "UV_NO_CONFIG": "1",
            "UV_PUBLISH_URL": f"https://{HUB}/acme/legacy/",
            "UV_PUBLISH_USERNAME": "__token__",
            "UV_PUBLISH_PASSWORD": token,
            "UV_DEFAULT_INDEX": f"https://__token__:{token}@{HUB}/acme/simple/",
            "UV_HTTP_RETRIES": "0",
        }
        command = [uv_package.find_uv_bin(), *arguments]
        process = Process(reactor, command, cwd=desk, environment=internet.environment | settings)
        await process.ends()
        return process

    return run


def towards(hub: Hub, configuration: str) -> str:
    """The configuration, which leads to this hub."""
    return replaced(configuration, ("127.0.0.1:3141", hub.url.removeprefix("http://")))


async def assert_tells_no_token(front: Front, *tokens: str) -> None:
    await front.stop()  # it writes its lines after the answers
    log = front.logged()
    assert "/legacy/" in log
    assert HERE in log
    for token in tokens:
        for user in ("acme", "__token__", token):
            assert base64.b64encode(f"{user}:{token}".encode()).decode().rstrip("=")[:-1] not in log
        assert token not in log


@pytest.mark.parametrize("kind", FRONTS)
@ensureDeferred
async def test_the_page_s_commands_do_what_it_says(
    kind: type[Front],
    stand: Callable[..., Any],
    reader: Callable[..., Walk],
    github: Sandbox,
    secrets: dict[str, str],
    tools: Tools,
    wheels: Callable[..., dict[str, bytes]],
) -> None:
    page, token = Page.of(kind), secrets["a token"]
    hang(github.world)
    made = wheels("2.2.0")
    commands = {"pypihub": BIN / "pypihub", "twine": tools.command("twine")}
    walk = reader(commands, PYPIHUB_TOKEN=token)
    await walk.go(page.before)
    front = await stand(kind, page.configuration)
    await walk.go(page.after)
    (daemon,) = walk.going
    await daemon.says('"POST /legacy/" 200 ')  # it is written a moment later
    expected = page.shown("journalctl").replace("203.0.113.7", HERE)
    assert missing(expected, daemon.out) is None, daemon.out
    await assert_tells_no_token(front, token)
    release = github.world.find_repository("acme", "rocket-fuel").find_release("v2.2.0")
    ((name, asset),) = release.assets.items()
    assert asset.content.read_bytes() == made[name]  # so large, it is a file


@pytest.mark.parametrize("kind", FRONTS)
@ensureDeferred
async def test_uv_publishes_and_installs_what_passes_through(
    kind: type[Front],
    stand: Callable[..., Any],
    uv: Callable[..., Any],
    proxying: Hub,
    desk: Path,
    wheels: Callable[..., dict[str, bytes]],
    log_lines: list[str],
) -> None:
    front = await stand(kind, towards(proxying, Page.of(kind).configuration))
    wheels("2.2.0", "2.3.0+cu12.1")
    published = await uv(proxying.token, "publish")
    assert published.code == 0, published.err
    for version in ("2.2.0", "2.3.0+cu12.1"):
        installed = await uv(proxying.token, "pip", "install", "--target", version, f"rocket-fuel=={version}")
        assert installed.code == 0, installed.err
        padding = desk / version / "padding"
        assert padding.stat().st_size == LARGE
    sent = [line for line in log_lines if re.match(rf'{HERE} "GET /acme/asset/[^"]*\.whl" 200 3[0-9]{{6}} ', line)]
    assert len(sent) == 2
    await assert_tells_no_token(front, proxying.token)


@pytest.mark.parametrize("kind", FRONTS)
@ensureDeferred
async def test_a_wrong_token_is_told_so_in_spite_of_a_large_file(
    kind: type[Front],
    stand: Callable[..., Any],
    uv: Callable[..., Any],
    proxying: Hub,
    wheels: Callable[..., dict[str, bytes]],
) -> None:
    front = await stand(kind, towards(proxying, Page.of(kind).configuration))
    wheels("2.2.0")
    refused = await uv(wrong := f"ghp_{'0' * 36}", "publish")
    assert refused.code != 0
    assert "401" in refused.err, refused.err
    await assert_tells_no_token(front, wrong)


@Nginx.needed
@ensureDeferred
async def test_an_upload_is_refused_before_its_body_comes(
    stand: Callable[..., Any], internet: Internet, proxying: Hub
) -> None:
    front = await stand(Nginx, towards(proxying, Page.of(Nginx).configuration))
    head = [
        "POST /legacy/ HTTP/1.1",
        f"Host: {HUB}",
        "Content-Type: multipart/form-data; boundary=x",
        f"Content-Length: {LARGE}",
    ]
    answer = await deferToThread(ask, front.port, internet.authority, "\r\n".join([*head, "", "--x\r\n"]).encode())
    assert answer.startswith(b"HTTP/1.1 401 ")


def ask(port: int, authority: Path, request: bytes) -> bytes:
    """Sends a part of a request, and waits for what comes of it."""
    trusting = ssl.create_default_context(cafile=authority)
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        trusting.wrap_socket(plain, server_hostname=HUB) as secure,
    ):
        secure.sendall(request)
        return secure.recv(4096)


@pytest.mark.parametrize("kind", FRONTS)
@ensureDeferred
async def test_what_one_token_was_answered_is_not_another_s(
    kind: type[Front], stand: Callable[..., Any], uv: Callable[..., Any], proxying: Hub
) -> None:
    await stand(kind, towards(proxying, Page.of(kind).configuration))
    stranger = proxying.world.add_token("stranger")
    for token, code in ((proxying.token, 0), (stranger, 1), (proxying.token, 0)):
        installed = await uv(token, "pip", "install", "--no-cache", "--target", "site", "--reinstall", "rocket-fuel")
        assert installed.code == code, installed.err


@pytest.mark.parametrize("kind", FRONTS)
@ensureDeferred
async def test_addresses_that_clients_write_themselves_are_not_believed(
    kind: type[Front],
    stand: Callable[..., Any],
    run: Callable[..., Process],
    internet: Internet,
    proxying: Hub,
    log_lines: list[str],
) -> None:
    await stand(kind, towards(proxying, Page.of(kind).configuration))
    headers = ["-H", "X-Forwarded-For: 198.51.100.1", "-H", "Forwarded: for=198.51.100.1"]
    asked = run("curl", "-s", *headers, f"https://{HUB}/simple/", **internet.environment)
    assert await asked.ends() == 0
    (line,) = (line for line in log_lines if '"GET /simple/" 401' in line)
    assert line.startswith(f'{HERE} "GET')


@Nginx.needed
@ensureDeferred
async def test_without_its_line_nginx_takes_no_file_of_the_usual_size(
    stand: Callable[..., Any],
    uv: Callable[..., Any],
    proxying: Hub,
    wheels: Callable[..., dict[str, bytes]],
) -> None:
    line = "        client_max_body_size 0;          # PyPIHub has publish.max_size for it\n"
    await stand(Nginx, replaced(towards(proxying, Page.of(Nginx).configuration), (line, "")))
    wheels("2.2.0")
    refused = await uv(proxying.token, "publish")
    assert refused.code != 0
    assert "413" in refused.err, refused.err


@pytest.mark.parametrize("kind", FRONTS)
@ensureDeferred
async def test_it_serves_below_a_path(
    kind: type[Front], stand: Callable[..., Any], uv: Callable[..., Any], proxying: Hub
) -> None:
    configuration = towards(proxying, Page.of(kind).configuration)
    if kind is Nginx:
        configuration = replaced(
            configuration, ("location / {", "location /packages/ {"), ("http://pypihub; ", "http://pypihub/;")
        )
    else:
        configuration = replaced(
            configuration,
            ("	reverse_proxy", "handle_path /packages/* {\n	reverse_proxy"),
            ("	log {", "}\n	log {"),
        )
    await stand(kind, configuration)
    arguments = ["--default-index", f"https://acme:{proxying.token}@{HUB}/packages/acme/simple", "Rocket_Fuel"]
    installed = await uv(proxying.token, "pip", "install", "--target", "site", *arguments)
    assert installed.code == 0, installed.err
