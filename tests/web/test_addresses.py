"""Whose address a request has, with and without proxies that are trusted to tell it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress
from twisted.web.http import Request
from twisted.web.test.requesthelper import DummyChannel

from pypihub.web.addresses import ClientAddress

PROXY = IPv4Address("TCP", "10.0.0.1", 5)
PROXIES = ("10.0.0.0/8", "2001:db8::/32", "127.0.0.1")


def client_address(peer: IAddress, *forwarded: bytes, proxies: tuple[str, ...] = PROXIES) -> str:
    channel = DummyChannel()
    channel.transport = DummyChannel.TCP(peer)
    request = Request(channel, False)
    for value in forwarded:
        request.requestHeaders.addRawHeader(b"X-Forwarded-For", value)
    return ClientAddress(proxies)(request)


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ((), "10.0.0.1"),
        ((b"192.0.2.1",), "192.0.2.1"),
        ((b"192.0.2.1:4711",), "192.0.2.1"),
        ((b"[2001:db9::1]:4711",), "2001:db9::1"),
        ((b"2001:DB9:0::1",), "2001:db9::1"),
        ((b"::ffff:192.0.2.1",), "192.0.2.1"),
        ((b"192.0.2.66, 192.0.2.1",), "192.0.2.1"),  # the first is what the client itself sent
        ((b"192.0.2.66", b"192.0.2.1"), "192.0.2.1"),
        ((b"192.0.2.66, 192.0.2.1, 10.1.2.3 , 2001:db8::7",), "192.0.2.1"),
        ((b"10.9.9.9, 10.1.2.3",), "10.9.9.9"),
        ((b"192.0.2.66, unknown",), "10.0.0.1"),
        ((b"192.0.2.66, ",), "10.0.0.1"),
        ((b'fe80::1%" 200',), "10.0.0.1"),
        ((b"192.0.2.66, 10.1.2.3, evil\x00",), "10.0.0.1"),
        ((b"192.0.2.66, evil, 10.1.2.3",), "10.1.2.3"),
        ((b"192.0.2.66," + b"10.1.2.3," * 100 + b"10.1.2.3",), "10.1.2.3"),
    ],
)
def test_the_last_address_that_no_trusted_proxy_has_is_the_clients(forwarded: tuple[bytes, ...], address: str) -> None:
    assert client_address(PROXY, *forwarded) == address


@pytest.mark.parametrize("proxies", [(), ("192.0.2.0/24",), ("unix",)])
def test_nobody_else_is_believed(proxies: tuple[str, ...]) -> None:
    assert client_address(PROXY, b"192.0.2.1", proxies=proxies) == "10.0.0.1"


def test_an_ipv4_address_is_trusted_on_a_socket_of_ipv6_too() -> None:
    assert client_address(IPv6Address("TCP", "::ffff:10.0.0.1", 5), b"192.0.2.1") == "192.0.2.1"
    assert client_address(IPv6Address("TCP", "::ffff:192.0.2.9", 5), b"192.0.2.1") == "192.0.2.9"


def test_a_unix_socket_is_trusted_where_that_is_said() -> None:
    assert client_address(UNIXAddress(b"/run/hub"), b"192.0.2.1", proxies=("unix",)) == "192.0.2.1"
    assert client_address(UNIXAddress(b"/run/hub"), b"192.0.2.1", proxies=("10.0.0.0/8",)) == "unix"


@given(forwarded=st.lists(st.binary(max_size=60), max_size=3))
def test_whatever_stands_in_the_header_an_address_comes_out(forwarded: list[bytes]) -> None:
    clean = [value.replace(b"\r", b"").replace(b"\n", b"") for value in forwarded]
    address = client_address(PROXY, *clean)
    assert address.isprintable()
    assert " " not in address
