"""pip, uv and curl over https, with a certificate of an authority of one's own."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
import uv as uv_package
from pytest_twisted import ensureDeferred
from support.certificates import write_authority_and_certificate
from support.hub import Hub

from pypihub.sandbox.samples import sample_wheel

Client = Callable[..., Any]


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    """The authority's certificate; beside it are the server's and its key."""
    return write_authority_and_certificate(tmp_path)[0]


@pytest_twisted.async_fixture
async def secure(make_hub: Client, ca: Path) -> Hub:
    """A hub by https that sends the files itself, with two projects, of which one needs the other."""
    hub: Hub = await make_hub(tls=(ca.with_name("tls.crt"), ca.with_name("tls.key")), mode="proxy")
    lib, app = hub.world.add_repository("octo/lib"), hub.world.add_repository("octo/app")
    lib.add_release("v2.0").add_asset(*sample_wheel("lib", "2.0"))
    app.add_release("v1.0").add_asset(*sample_wheel("app", "1.0", requires=["lib>=2"]))
    return hub


@pytest.fixture
def spoken(secure: Hub, monkeypatch: pytest.MonkeyPatch) -> set[bytes]:
    """The versions of HTTP that requests came by."""
    versions: set[bytes] = set()
    site = secure.services[0].serving.site
    log = site.log

    def note(request: Any) -> None:
        versions.add(request.clientproto)
        log(request)

    monkeypatch.setattr(site, "log", note)
    return versions


@ensureDeferred
async def test_pip_installs(secure: Hub, pip: Client, ca: Path, tmp_path: Path, spoken: set[bytes]) -> None:
    ended = await pip("install", "--target", "site", "app", index=secure.index_url(), PIP_CERT=str(ca))
    assert ended.code == 0, ended.text
    assert (tmp_path / "site/lib.py").exists()
    assert spoken == {b"HTTP/1.1"}


@ensureDeferred
async def test_pip_does_not_trust_it_without_being_told_to(secure: Hub, pip: Client, spoken: set[bytes]) -> None:
    ended = await pip("download", "app", index=secure.index_url())
    assert ended.code == 1
    assert "certificate verify failed" in ended.text.lower()
    assert spoken == set()


@ensureDeferred
async def test_uv_installs_by_http2(secure: Hub, uv: Client, ca: Path, tmp_path: Path, spoken: set[bytes]) -> None:
    ended = await uv("pip", "install", "--target", "site", "app", index=secure.index_url(), SSL_CERT_FILE=str(ca))
    assert ended.code == 0, ended.text
    assert (tmp_path / "site/lib.py").exists()
    assert spoken == {b"HTTP/2"}


@ensureDeferred
async def test_uv_publishes_by_http2(secure: Hub, run: Client, ca: Path, tmp_path: Path, spoken: set[bytes]) -> None:
    name, content = sample_wheel("lib", "3.0")
    (tmp_path / name).write_bytes(content)
    login = {"UV_PUBLISH_USERNAME": "octo", "UV_PUBLISH_PASSWORD": secure.token, "SSL_CERT_FILE": str(ca)}
    ended = await run(uv_package.find_uv_bin(), "publish", "--publish-url", f"{secure.url}/legacy/", name, **login)
    assert ended.code == 0, ended.text
    assert spoken == {b"HTTP/2"}
    assert name in (secure.world.find_repository("octo", "lib").find_release("v3.0").assets)


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
@pytest.mark.parametrize("way", ["--http1.1", "--http2"])
@ensureDeferred
async def test_curl_loads_a_file(secure: Hub, run: Client, ca: Path, spoken: set[bytes], way: str) -> None:
    (asset,) = secure.world.find_repository("octo", "lib").find_release("v2.0").assets.values()
    url = f"{secure.index_url(path='')}/asset/{asset.id}/{asset.name}"
    ended = await run(shutil.which("curl"), way, "--fail", "--silent", "--cacert", ca, "--output", "file", url)
    assert ended.code == 0, ended.text
    assert (ca.parent / "file").read_bytes() == asset.content
    assert spoken == {b"HTTP/2" if way == "--http2" else b"HTTP/1.1"}
