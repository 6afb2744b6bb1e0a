"""The daemon behind a proxy that wants a password, in front of a GitHub with a certificate of one's own authority."""

from __future__ import annotations

from pathlib import Path

from pytest_twisted import ensureDeferred
from support.daemons import Daemon, GitHub, Run
from support.tunnel import Ports
from twisted.internet.endpoints import clientFromString


@ensureDeferred
async def test_it_asks_github_by_way_of_the_proxy_and_tells_nobody_the_password(
    github: GitHub, run: Run, tmp_path: Path
) -> None:
    ports = Ports(github.reactor)
    url, ca_file = await ports.secure(github.sandbox.api_url, tmp_path)
    proxy = await ports.proxy()
    file = github.configure(workers=1, github=f'ca_file = "{ca_file.name}"')
    Path(file).write_text(Path(file).read_text().replace(github.sandbox.api_url, url))
    environment = {"https_proxy": f"http://jane:s3cret@{proxy.address}", "no_proxy": ""}
    process = run("pypihub", "-c", file, **environment)
    address = await process.says("listens on ")
    daemon = Daemon(github, process, clientFromString(github.reactor, f"tcp:{address}"))
    assert b"demo-1.0" in await daemon.ask()
    assert proxy.heads[0].startswith(b"CONNECT localhost:")
    proxy.answer = b"HTTP/1.1 407 Log in\r\nContent-Length: 0\r\n\r\n"
    process.signal("HUP")
    await process.says("The configuration was read again")
    answer = await (await daemon.begin("/simple/other/")).answer
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"the proxy opens no way, it answers with status 407" in answer
    process.signal("TERM")
    assert await daemon.ends() == 0
    for secret in ("s3cret", "amFuZTpzM2NyZXQ", github.token):
        assert secret not in process.out + process.err + answer.decode()
    await ports.close()
