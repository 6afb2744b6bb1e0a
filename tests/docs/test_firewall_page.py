"""The page about firewalls: an authority of one's own is trusted by the line that it has for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytest_twisted import ensureDeferred
from support.gallery import hang
from support.hub import Hub
from support.process import Process
from support.prose import ROOT, read_blocks
from support.tunnel import Ports


@ensureDeferred
async def test_who_opens_tls_on_the_way_is_trusted_by_its_authority(
    reactor: Any, hub: Hub, run: Callable[..., Process], tmp_path: Path
) -> None:
    (text,) = (block.text for block in read_blocks(ROOT / "docs/howto/behind-a-firewall.md") if "ca_file" in block.text)
    ports = Ports(reactor)
    url, authority = await ports.secure(hub.sandbox.api_url, tmp_path)
    proxy = await ports.proxy()
    authority.rename(tmp_path / "company-ca.pem")
    where = f'api_url = "{url}"\ngraphql_url = "{url}/graphql"\n'
    environment = {"https_proxy": f"http://{proxy.address}", "no_proxy": "", "PYPIHUB_TOKEN": hang(hub.world)}
    said = []
    for name, configuration in {"without.toml": "[github]\n", "with.toml": text}.items():
        (tmp_path / name).write_text(configuration + where)
        checked = run("pypihub", "check", "-c", name, "acme", "rocket-fuel", **environment)
        said.append((await checked.ends(), checked.out))
    await ports.close()
    (refused, why), (passed, told) = said
    assert (refused, passed) == (1, 0), told
    assert "✗ TLS" in why
    assert "github.ca_file" in why
    assert "✓ TLS" in told
    assert proxy.heads
