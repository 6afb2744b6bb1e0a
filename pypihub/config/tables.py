"""The tables of the configuration and their defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from pypihub.config.values import Bytes, Pattern, Seconds


class Table(Struct, frozen=True, kw_only=True):
    """A table of the file; every key has a default, or the table may be left out."""


class TLS(Table, frozen=True, kw_only=True):
    """`[server.tls]`: PEM files, absolute once loaded; `crt` may hold the chain behind the certificate."""

    crt: Path
    key: Path


class Server(Table, frozen=True, kw_only=True):
    """`[server]`: where to listen, how many processes serve, and how long they finish what is under way.

    `endpoint` stands instead of host, port and tls. `url` is where clients find it, which pages tell people; an empty
    text where that is not known. `trusted_proxies` are addresses, networks, or "unix"; they are believed where they
    tell a client's address.
    """

    host: str = "0.0.0.0"  # noqa: S104 - an index is there for other machines; the README says how to narrow it
    port: Annotated[int, Meta(ge=1, le=65535)] = 3141
    endpoint: str | tuple[str, ...] | None = None
    tls: TLS | None = None
    workers: Annotated[int, Meta(ge=1, le=64)] = 1
    url: str = ""
    trusted_proxies: tuple[str, ...] = ()
    drain: Seconds = Seconds(30)


class Replace(Table, frozen=True, kw_only=True):
    """`[[github.replace]]`: a rule from project names to repository names."""

    patt: Pattern
    repl: str


class GitHub(Table, frozen=True, kw_only=True):
    """`[github]`: which GitHub, whose repositories, and how long to wait for an answer.

    `graphql_url` follows from `api_url` where the file does not give it. `ca_file` (PEM, absolute once loaded) holds
    authorities that are trusted beside the system's.
    """

    owners: tuple[str, ...] = ()
    api_url: str = "https://api.github.com"
    graphql_url: str = ""
    timeout: Seconds = Seconds(15)
    ca_file: Path | None = None
    replace: tuple[Replace, ...] = ()


class Cache(Table, frozen=True, kw_only=True):
    """`[cache]`: where facts about files are kept; None for the platform's folder, an empty text for memory alone.

    Listings and pages are shown for `ttl`, for `stale` more while GitHub has trouble, and take `memory` at most.
    """

    directory: str | None = None
    ttl: Seconds = Seconds(30)
    stale: Seconds = Seconds(3600)
    memory: Bytes = Bytes(256 * 1024 * 1024)


class MetadataConfig(Table, frozen=True, kw_only=True):
    """`[metadata]`: up to which size files without a digest of GitHub's are hashed."""

    hash_up_to: Bytes = Bytes(32 * 1024 * 1024)


class Downloads(Table, frozen=True, kw_only=True):
    """`[downloads]`: whether files come from GitHub's storage by a redirect, or through PyPIHub."""

    mode: Literal["redirect", "proxy"] = "redirect"


class Publish(Table, frozen=True, kw_only=True):
    """`[publish]`: how large an uploaded file may be, and the releases that are made for files.

    `tag` is a new release's tag, with the fields `{name}` and `{version}`; with `draft` new releases stay drafts.
    """

    max_size: Bytes = Bytes(2 * 1024**3)
    tag: str = "v{version}"
    draft: bool = False


class Pages(Table, frozen=True, kw_only=True):
    """`[pages]`: whether pages for people show images of READMEs that come from elsewhere."""

    remote_images: bool = False


class Limits(Table, frozen=True, kw_only=True):
    """`[limits]`: how much a stranger may ask for, and how long it may take.

    `header_size` (bytes, request line included) and `url_length` (bytes) are of a request. A connection without a
    request ends after `idle`, with a part of a head after `headers`, and with a body that stands still after `body`.
    Each process counts for itself.
    """

    header_size: Bytes = Bytes(16 * 1024)
    url_length: Annotated[int, Meta(ge=256, le=65536)] = 8192
    idle: Seconds = Seconds(60)
    headers: Seconds = Seconds(15)
    body: Seconds = Seconds(60)
    connections_per_address: Annotated[int, Meta(ge=1)] = 512
    in_flight: Annotated[int, Meta(ge=1)] = 1024
    failed_logins_per_minute: Annotated[int, Meta(ge=1)] = 120


class Log(Table, frozen=True, kw_only=True):
    """`[log]`: what is logged, whether each request is a line of it, and where it goes.

    Without `file` (absolute once loaded) it goes to stdout. At `max_size` bytes, unless that is 0, a new file is begun,
    and `keep` old ones stay.
    """

    access: bool = True
    format: Literal["text", "json"] = "text"
    level: Literal["debug", "info", "warn", "error"] = "info"
    file: Path | None = None
    max_size: Bytes = Bytes(64 * 1024**2)
    keep: Annotated[int, Meta(ge=1, le=1000)] = 5


class Metrics(Table, frozen=True, kw_only=True):
    """`[metrics]`: the endpoint where Prometheus collects them, None for no metrics."""

    endpoint: str | None = None


class Config(Table, frozen=True, kw_only=True):
    """All of the configuration; `load_config(None)` gives the defaults."""

    server: Server = Server()
    github: GitHub = GitHub()
    cache: Cache = Cache()
    metadata: MetadataConfig = MetadataConfig()
    downloads: Downloads = Downloads()
    publish: Publish = Publish()
    pages: Pages = Pages()
    limits: Limits = Limits()
    log: Log = Log()
    metrics: Metrics = Metrics()
