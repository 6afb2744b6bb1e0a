"""Where a request comes from, also where proxies that are trusted stand between."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from twisted.web.http import Request

UNIX = "unix"
"""Stands for whoever connects through a Unix socket, in what is trusted and as an address."""
UNKNOWN = "-"
MOST_PROXIES = 20
"""Addresses of X-Forwarded-For that are looked at, from its end."""

_MOST_KNOWN = 1000
_FORWARDED = b"x-forwarded-for"


class ClientAddress:
    """Tells the addresses of clients. `proxies` are the addresses and networks that are trusted to tell them, and UNIX.

    Each of X-Forwarded-For's addresses was told by the one behind it, so they count from the end, as long as those
    who told them are trusted.
    """

    def __init__(self, proxies: Iterable[str] = ()) -> None:
        trusted = set(proxies)
        self._trusts_anyone = bool(trusted)
        self._trusts_unix = UNIX in trusted
        self._networks = [ip_network(proxy) for proxy in trusted - {UNIX}]
        self._is_trusted = lru_cache(maxsize=_MOST_KNOWN)(self._look_up)

    def __call__(self, request: Request) -> str:
        """The client's address, without a port: the one farthest away that can be believed."""
        address = _peer(request.client)
        if not self._trusts_anyone or not request.requestHeaders.hasHeader(_FORWARDED):
            return address
        told = b",".join(request.requestHeaders.getRawHeaders(_FORWARDED, ())).rsplit(b",", MOST_PROXIES)
        for value in reversed(told[-MOST_PROXIES:]):
            if not self._is_trusted(address):
                break
            farther = _read(value)
            if farther is None:  # what stands before it is just what somebody wrote
                break
            address = farther
        return address

    def of_connection(self, client: Any) -> str | None:
        """The address of a connection's client; None where a proxy that is trusted connects, or a Unix socket."""
        address = _peer(client)
        return None if address in (UNIX, UNKNOWN) or self._is_trusted(address) else address

    def _look_up(self, address: str) -> bool:
        if address == UNIX:
            return self._trusts_unix
        if address == UNKNOWN:
            return False
        ip = ip_address(address)
        return any(ip in network for network in self._networks)


def _peer(client: Any) -> str:
    host: str | None = getattr(client, "host", None)
    if host is None:
        return UNIX if hasattr(client, "name") else UNKNOWN
    return host if ":" not in host else _plain(ip_address(host))


def _plain(address: IPv4Address | IPv6Address) -> str:
    """One spelling for each address; an IPv4 address is one also on a socket of IPv6."""
    return str(getattr(address, "ipv4_mapped", None) or address)


def _read(value: bytes) -> str | None:
    """An address as proxies write it, maybe with a port."""
    text = value.strip().decode("latin-1")
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return _plain(ip_address(text)) if "%" not in text else None  # a zone may be any text
    except ValueError:
        return None
