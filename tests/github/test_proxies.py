"""The environment's proxies, read as curl and pip read them."""

from __future__ import annotations

import pytest

from pypihub.errors import ConfigError
from pypihub.github.proxies import Proxies


@pytest.mark.parametrize(
    ("url", "host", "port", "authorization"),
    [
        ("http://proxy.corp:3128", "proxy.corp", 3128, None),
        ("http://proxy.corp:3128/", "proxy.corp", 3128, None),
        ("proxy.corp:3128", "proxy.corp", 3128, None),
        ("HTTP://proxy", "proxy", 1080, None),
        ("http://[::1]:8080", "::1", 8080, None),
        ("http://jane:s%3Acret%40@proxy:1", "proxy", 1, "Basic amFuZTpzOmNyZXRA"),
        ("http://jane@proxy:1", "proxy", 1, "Basic amFuZTo="),
    ],
)
def test_a_proxy_is_a_url(url: str, host: str, port: int, authorization: str | None) -> None:
    proxy = Proxies.of({"https_proxy": url}).to("api.github.com", 443)
    assert proxy is not None
    assert (proxy.host, proxy.port) == (host, port)
    assert (proxy.authorization and proxy.authorization.reveal()) == authorization


def test_lower_case_counts_first_and_an_empty_text_is_no_proxy() -> None:
    both = {"https_proxy": "http://lower:1", "HTTPS_PROXY": "http://upper:1"}
    assert Proxies.of(both).https == Proxies.of({"https_proxy": "http://lower:1"}).https
    assert Proxies.of({"HTTPS_PROXY": "http://upper:1"}).https is not None
    assert Proxies.of(both | {"https_proxy": ""}).https is None
    assert Proxies.of({"http_proxy": "http://proxy:1"}).https is None, "it is for http"


@pytest.mark.parametrize(
    "url",
    ["https://user:secret@proxy:1", "socks5://proxy:1", "http://user:secret@:1", "http://proxy:99999", "http://p:x"],
)
def test_what_is_no_such_proxy_is_told_without_its_password(url: str) -> None:
    with pytest.raises(ConfigError, match=r"^https_proxy \(environment\): should be http://HOST:PORT") as caught:
        Proxies.of({"https_proxy": url})
    assert "secret" not in caught.value.message


def test_a_password_never_shows() -> None:
    assert "amFuZ" not in repr(Proxies.of({"https_proxy": "http://jane:secret@proxy:1"}))
    assert "secret" not in repr(Proxies.of({"https_proxy": "http://jane:secret@proxy:1"}))


@pytest.mark.parametrize(
    ("without", "host", "is_direct"),
    [
        ("*", "api.github.com", True),
        ("github.com", "github.com", True),
        ("github.com", "api.github.com", True),
        (".github.com", "api.github.com", True),
        (".github.com", "github.com", True),
        ("*.github.com", "api.github.com", True),
        ("github.com", "notgithub.com", False),
        ("api.github.com", "github.com", False),
        ("GitHub.com", "API.github.COM.", True),
        ("example.com, github.com", "github.com", True),
        ("example.com github.com", "github.com", True),
        ("github.com:443", "github.com", True),
        ("github.com:8443", "github.com", False),
        ("", "github.com", False),
        (",", "github.com", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2", "10.1.2.3", False),
        ("10.1.2.3:443", "10.1.2.3", True),
        ("2.3", "10.1.2.3", False),
        ("::1", "::1", True),
        ("[::1]", "[::1]", True),
        ("fd00::/8", "fd12::1", True),
        ("fd00::/8", "fe80::1", False),
    ],
)
def test_hosts_that_are_reached_directly(without: str, host: str, is_direct: bool) -> None:
    proxies = Proxies.of({"https_proxy": "http://proxy:1", "NO_PROXY": without})
    assert (proxies.to(host, 443) is None) == is_direct
