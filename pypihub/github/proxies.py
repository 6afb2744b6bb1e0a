"""Which proxy leads to a host, as the environment says it: `https_proxy` and `no_proxy`, read as curl and pip do.

https://curl.se/docs/manpage.html#ENVIRONMENT
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from urllib.parse import unquote, urlsplit

from pypihub.errors import ConfigError
from pypihub.github.credentials import Secret

_USUAL_PORT = 1080  # curl's, where the URL has none


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that is asked by HTTP, and what it wants in Proxy-Authorization, if anything."""

    host: str
    port: int
    authorization: Secret | None = None


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxy for https, if there is one, and the hosts that are reached without it."""

    https: Proxy | None = None
    except_for: tuple[str, ...] = field(default=())

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Proxies:
        """What the environment says; lower case counts first, and an empty text is no proxy. Raises ConfigError."""
        url = environment.get("https_proxy", environment.get("HTTPS_PROXY", "")).strip()
        without = environment.get("no_proxy", environment.get("NO_PROXY", ""))
        return cls(_read(url) if url else None, tuple(re.split(r"[\s,]+", without.strip().lower())))

    def to(self, host: str, port: int) -> Proxy | None:
        """The proxy that leads to a host by https; None for one that is reached directly."""
        host = host.lower().strip("[]").rstrip(".")
        if self.https is None or any(_is_meant(entry, host, port) for entry in self.except_for):
            return None
        return self.https


def _read(url: str) -> Proxy:
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port or _USUAL_PORT
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme.lower() != "http" or not parts.hostname or not parts.hostname.isascii():
        # Not what it is: there may be a password in it.
        raise ConfigError("https_proxy (environment): should be http://HOST:PORT, maybe with USER:PASSWORD@")
    if parts.username is None:
        return Proxy(parts.hostname, port)
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return Proxy(parts.hostname, port, Secret("Basic " + b64encode(login.encode()).decode()))


def _is_meant(entry: str, host: str, port: int) -> bool:
    """Whether an entry of `no_proxy` means the host: `*`, an address or network, or a name and all below it."""
    if entry == "*":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        name, _, number = entry.partition(":")
        name = name.removeprefix("*").strip(".")
        return bool(name) and (host == name or host.endswith(f".{name}")) and number in ("", str(port))
    try:
        return address in ip_network(entry.strip("[]"), strict=False)
    except ValueError:  # a name; or with a port
        return entry in (f"{host}:{port}", f"[{host}]:{port}")
