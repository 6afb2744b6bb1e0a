"""What a configuration's values must be beside their types: endpoints, certificates, URLs, owners."""

from __future__ import annotations

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from hyperlink import EncodedURL

from pypihub.certificates import read_authorities, read_certificates
from pypihub.config.endpoints import check_endpoint
from pypihub.config.tables import TLS, Cache, GitHub, Limits, Log, Publish, Server
from pypihub.errors import ConfigError

_URL = re.compile(r"https?://[\w.~:/\[\]-]+", re.ASCII)  # it stands in lines for a shell


def checked_server(server: Server, raw: dict[str, Any], folder: Path) -> Server:
    given = raw.get("server", {})
    if server.url:
        _check_url("server.url", server.url)
        if not _URL.fullmatch(server.url):
            raise ConfigError("server.url: should be a URL of letters, digits and .~:/[]-_")
        server = msgspec.structs.replace(server, url=server.url.rstrip("/"))
        if is_index(server.url):
            raise ConfigError("server.url: should be the server's, without /OWNER/simple/ at its end")
    if server.endpoint is not None:
        for key in ("host", "port", "tls"):
            if key in given:
                raise ConfigError(f"server.endpoint: stands instead of server.{key}; give one of them")
        if not server.endpoint:
            raise ConfigError('server.endpoint: should be an endpoint such as "tcp:3141", or a list of them')
        for text in [server.endpoint] if isinstance(server.endpoint, str) else server.endpoint:
            check_endpoint(text)
    if server.host.startswith("["):
        raise ConfigError('server.host: should be an address without brackets, such as "::1"')
    for number, proxy in enumerate(server.trusted_proxies):
        _check_proxy(f"server.trusted_proxies[{number}]", proxy)
    if server.tls is None:
        return server
    tls = TLS(crt=folder / server.tls.crt, key=folder / server.tls.key)
    read_certificates(tls.crt, tls.key)  # so that a mistake shows at the start and not at the first connection
    return msgspec.structs.replace(server, tls=tls)


def is_index(url: str) -> bool:
    """Whether a server's URL is that of an index, or of uploads: what is below the server is put behind it."""
    return urlsplit(url).path.rstrip("/").endswith(("/simple", "/legacy"))


def _check_proxy(key: str, proxy: str) -> None:
    try:
        if proxy != "unix":
            ip_network(proxy)
    except ValueError as error:
        raise ConfigError(f'{key}: should be an address, a network such as "10.0.0.0/8", or "unix": {error}') from None


def placed(cache: Cache, folder: Path) -> Cache:
    """A relative folder is relative to the file's, as the certificate is."""
    return msgspec.structs.replace(cache, directory=str(folder / cache.directory)) if cache.directory else cache


def placed_log(log: Log, folder: Path) -> Log:
    """As `placed`."""
    return msgspec.structs.replace(log, file=folder / log.file) if log.file is not None else log


def checked_github(github: GitHub, folder: Path) -> GitHub:
    for number, owner in enumerate(github.owners):
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}", owner):
            raise ConfigError(f"github.owners[{number}]: should be a GitHub user or organization, without a slash")
    api_url = github.api_url.rstrip("/")
    _check_url("github.api_url", api_url)
    _check_is_api(api_url)
    graphql_url = github.graphql_url or _graphql_url(api_url)
    _check_url("github.graphql_url", graphql_url)
    for key, url in (("api_url", api_url), ("graphql_url", graphql_url)):
        _check_host(f"github.{key}", url)
    ca_file = folder / github.ca_file if github.ca_file is not None else None
    if ca_file is not None:
        read_authorities(ca_file, "github.ca_file")
    return msgspec.structs.replace(github, api_url=api_url, graphql_url=graphql_url, ca_file=ca_file)


def _check_host(key: str, url: str) -> None:
    """Raises ConfigError for a host that treq cannot ask: with an underscore, or an address of IPv6."""
    try:
        EncodedURL.from_text(url).to_uri()
    except ValueError:
        raise ConfigError(
            f"{key}: should have a host that is a name by the rules of IDNA, or an IPv4 address"
        ) from None


def _check_is_api(api_url: str) -> None:
    """Raises ConfigError for GitHub's own pages for people, which are no API; of other servers nobody knows."""
    host = (urlsplit(api_url).hostname or "").removeprefix("www.")
    if host == "github.com" or re.fullmatch(r"[^.]+\.ghe\.com", host):
        raise ConfigError(f"github.api_url: should be https://api.{host}, for https://{host} has pages for people")


def _graphql_url(api_url: str) -> str:
    """GitHub Enterprise Server has REST at /api/v3 and GraphQL beside it, the others GraphQL below REST."""
    return api_url.removesuffix("/v3") + "/graphql" if api_url.endswith("/api/v3") else api_url + "/graphql"


def _check_url(key: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        sound = False
    if not sound or not url.isascii() or not url.isprintable() or " " in url or parts.username is not None:
        raise ConfigError(f"{key}: should be a URL such as https://HOST/path, without credentials")
    if "?" in url or "#" in url:
        raise ConfigError(f"{key}: should be a URL without ? and #")


def checked_limits(limits: Limits) -> Limits:
    """Raises ConfigError for heads so small that no client could ask, and for URLs that would not fit into them."""
    if not 1024 <= limits.header_size <= 1024 * 1024:
        raise ConfigError('limits.header_size: should be a size from "1KiB" to "1MiB"')
    if limits.url_length >= limits.header_size:
        raise ConfigError("limits.url_length: should be less than limits.header_size, of which the URL is a part")
    return limits


_FIELD = re.compile(r"\{(name|version)\}")


def checked_publish(publish: Publish) -> Publish:
    """Raises ConfigError for a tag that is the same for all versions, or is none that git takes."""
    tag = _FIELD.sub("1", publish.tag)
    if (
        "{version}" not in publish.tag
        or "{" in tag
        or "}" in tag
        or not re.fullmatch(r"[A-Za-z0-9][\w./+-]*", tag, re.ASCII)
    ):
        raise ConfigError('publish.tag: should be a tag with {version} and maybe {name} in it, such as "v{version}"')
    return publish
