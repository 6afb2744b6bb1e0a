"""A small internet on loopback: GitHub and a hub by TLS under the names that the documentation has for them.

Clients reach it by a proxy. Names that are not served here lead to the real host, such as the package index.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Any

from support.certificates import write_authority_and_certificate
from support.tunnel import ConnectProxy
from twisted.internet.endpoints import (
    HostnameEndpoint,
    SSL4ServerEndpoint,
    TCP4ClientEndpoint,
    TCP4ServerEndpoint,
)
from twisted.internet.ssl import CertificateOptions, PrivateCertificate
from twisted.protocols.portforward import ProxyFactory

API, STORAGE, UPLOADS = "api.github.com", "release-assets.githubusercontent.com", "uploads.github.com"


class Internet:
    """`names` are served, each once it is known where; `environment` leads clients there.

    `authority` is the file of the authority that certifies them, `certificate` those of the certificate and its key.
    """

    def __init__(self, reactor: Any, folder: Path, names: list[str]) -> None:
        self._reactor = reactor
        self._folder = folder
        self.authority, crt, key = write_authority_and_certificate(folder, names)
        self.certificate = crt, key
        own = PrivateCertificate.loadPEM(key.read_bytes() + crt.read_bytes())
        # Without a protocol in common Twisted breaks off with the clients that offer some.
        self._tls = CertificateOptions(own.privateKey.original, own.original, acceptableProtocols=[b"http/1.1"])
        self._ports: list[Any] = []
        self._there: dict[str, Any] = {}

    async def start(self) -> None:
        known = Path(os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().openssl_cafile)
        trusted = known.read_bytes() if known.exists() else b""
        (self._folder / "trusted.pem").write_bytes(trusted + self.authority.read_bytes())
        proxy = ConnectProxy(b"HTTP/1.1 200 OK\r\n\r\n", self._reactor, self._way)
        port = await TCP4ServerEndpoint(self._reactor, 0, interface="127.0.0.1").listen(proxy)
        self._ports.append(port)
        self._address = f"http://127.0.0.1:{port.getHost().port}"

    async def serve(self, name: str, url: str) -> None:
        """What listens at `url`, a plain origin of loopback, is `https://NAME` from now on."""
        factory = ProxyFactory("127.0.0.1", int(url.rpartition(":")[2]))
        factory.noisy = False
        endpoint = SSL4ServerEndpoint(self._reactor, 0, self._tls, interface="127.0.0.1")
        port = await endpoint.listen(factory)
        self._ports.append(port)
        self.lead(name, TCP4ClientEndpoint(self._reactor, "127.0.0.1", port.getHost().port))

    def lead(self, name: str, endpoint: Any) -> None:
        """What this endpoint leads to, which speaks TLS itself, is `https://NAME` from now on."""
        self._there[name] = endpoint

    async def stop(self) -> None:
        for port in self._ports:
            await port.stopListening()

    @property
    def environment(self) -> dict[str, str]:
        trusted = str(self._folder / "trusted.pem")
        bundles = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT", "GIT_SSL_CAINFO")
        proxies = dict.fromkeys(("https_proxy", "HTTPS_PROXY"), self._address)
        aside = dict.fromkeys(("no_proxy", "NO_PROXY"), "127.0.0.1,localhost")
        return dict.fromkeys(bundles, trusted) | proxies | aside

    def _way(self, host: str, port: int) -> Any:
        if host in self._there:
            return self._there[host]
        return HostnameEndpoint(self._reactor, host, port)
