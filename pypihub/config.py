"""The configuration: a TOML file becomes a frozen `Config`; every error names its key.

`etc/pypihub.toml` is the annotated example of every key.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

import msgspec
import re2
from msgspec import Meta, Struct

from pypihub.certificates import read_certificates
from pypihub.errors import ConfigError


class Seconds(float):
    """A duration in seconds, written as `"15s"`, `"500ms"`, `"2m"` or `"1h"`."""


class Pattern:
    """A regular expression in RE2's syntax, compiled.

    Raises ValueError with RE2's own words for what it does not accept.
    """

    def __init__(self, text: str) -> None:
        options = re2.Options()
        options.log_errors = False  # RE2 would write to stderr itself
        try:
            self.regex = re2.compile(text, options=options)
        except re2.error as error:
            detail = error.args[0].decode(errors="replace")
            raise ValueError(f"Expected a regular expression (RE2): {detail}") from None


class Bytes(int):
    """A number of bytes, written as `"512KiB"`, `"32MiB"` or `"2GiB"`."""


class _Table(Struct, frozen=True, kw_only=True):
    """A table of the file."""


class TLS(_Table, frozen=True, kw_only=True):
    """`[server.tls]`: PEM files, absolute once loaded; `crt` may hold the chain behind the certificate."""

    crt: Path
    key: Path


class Server(_Table, frozen=True, kw_only=True):
    """`[server]`: where to listen, and how many processes serve. `endpoint` stands instead of host, port and tls."""

    host: str = "0.0.0.0"  # noqa: S104 - an index is there for other machines; the README says how to narrow it
    port: Annotated[int, Meta(ge=1, le=65535)] = 3141
    endpoint: str | tuple[str, ...] | None = None
    tls: TLS | None = None
    workers: Annotated[int, Meta(ge=1, le=64)] = 1


class Replace(_Table, frozen=True, kw_only=True):
    """`[[github.replace]]`: a rule from project names to repository names."""

    patt: Pattern
    repl: str


class GitHub(_Table, frozen=True, kw_only=True):
    """`[github]`: which GitHub, whose repositories, and how long to wait for an answer.

    `graphql_url` follows from `api_url` where the file does not give it.
    """

    owners: tuple[str, ...] = ()
    api_url: str = "https://api.github.com"
    graphql_url: str = ""
    timeout: Seconds = Seconds(15)
    replace: tuple[Replace, ...] = ()


class Cache(_Table, frozen=True, kw_only=True):
    """`[cache]`: where facts about files are kept; None for the platform's folder, an empty text for memory alone.

    Listings and pages are shown for `ttl`, for `stale` more while GitHub has trouble, and take `memory` at most.
    """

    directory: str | None = None
    ttl: Seconds = Seconds(30)
    stale: Seconds = Seconds(3600)
    memory: Bytes = Bytes(256 * 1024 * 1024)


class MetadataConfig(_Table, frozen=True, kw_only=True):
    """`[metadata]`: up to which size files without a digest of GitHub's are hashed."""

    hash_up_to: Bytes = Bytes(32 * 1024 * 1024)


class Downloads(_Table, frozen=True, kw_only=True):
    """`[downloads]`: whether files come from GitHub's storage by a redirect, or through PyPIHub."""

    mode: Literal["redirect", "proxy"] = "redirect"


class Log(_Table, frozen=True, kw_only=True):
    """`[log]`: whether each request is a line in the log."""

    access: bool = True


class Config(_Table, frozen=True, kw_only=True):
    """All of the configuration; `load_config(None)` gives the defaults."""

    server: Server = Server()
    github: GitHub = GitHub()
    cache: Cache = Cache()
    metadata: MetadataConfig = MetadataConfig()
    downloads: Downloads = Downloads()
    log: Log = Log()


def load_config(file: Path | None) -> Config:
    """The configuration in `file`; without one, the defaults.

    Raises ConfigError with one line that names the file, the key and what it should be.
    """
    if file is None:
        return parse_config({}, Path())
    try:
        with file.open("rb") as stream:
            raw = tomllib.load(stream)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # also of its encoding, its longest numbers and its deepest nesting
        raise ConfigError(f"{file}: is not TOML that can be read: {error}") from None
    try:
        return parse_config(raw, file.absolute().parent)
    except ConfigError as error:
        raise ConfigError(f"{file}: {error.message}") from None


def parse_config(raw: dict[str, Any], folder: Path) -> Config:
    """The configuration in a parsed TOML document whose relative paths are relative to `folder`.

    Raises ConfigError with one line that names the key and what it should be.
    """
    _refuse_unknown_keys(raw, Config, "")
    try:
        config = msgspec.convert(raw, Config, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise ConfigError(_reworded(str(error))) from None
    return msgspec.structs.replace(
        config,
        server=_checked_server(config.server, raw, folder),
        github=_checked_github(config.github),
        cache=_placed(config.cache, folder),
    )


def _refuse_unknown_keys(table: dict[str, Any], kind: type[Struct], path: str) -> None:
    """Walks the document beside its type; what is no table is left to the conversion's own check."""
    fields = {field.name: field.type for field in msgspec.structs.fields(kind)}
    for key, value in table.items():
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=1)
            hint = f"did you mean {path}{near[0]}?" if near else f"known here: {', '.join(fields)}"
            raise ConfigError(f"{path}{key}: unknown key; {hint}")
        table_types = [t for t in (fields[key], *get_args(fields[key])) if _is_table(t)]
        for table_type in table_types:
            for number, entry in enumerate(value if isinstance(value, list) else [value]):
                if isinstance(entry, dict):
                    where = f"{path}{key}[{number}]." if isinstance(value, list) else f"{path}{key}."
                    _refuse_unknown_keys(entry, table_type, where)


def _is_table(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, _Table)


_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)", re.ASCII)
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
_LONGEST = 24 * 3600
_SIZE = re.compile(r"([0-9]{1,6})(KiB|MiB|GiB)", re.ASCII)
_SIZE_UNITS = {"KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


def _decode(kind: type[Any], value: object) -> Any:
    """msgspec's hook for the types that it does not know."""
    if kind is Seconds:
        match = _DURATION.fullmatch(value) if isinstance(value, str) else None
        seconds = float(match[1]) * _UNITS[match[2]] if match else 0
        if not 0 < seconds <= _LONGEST:
            raise ValueError('Expected a duration such as "15s", "500ms" or "2m"')
        return Seconds(seconds)
    if kind is Bytes:
        match = _SIZE.fullmatch(value) if isinstance(value, str) else None
        if not match:
            raise ValueError('Expected a size such as "512KiB", "32MiB" or "2GiB"')
        return Bytes(int(match[1]) * _SIZE_UNITS[match[2]])
    if not isinstance(value, str):
        raise TypeError("Expected `str`")
    return kind(value)


_WORDS = {
    "str": "a text", "int": "a whole number", "float": "a number", "bool": "true or false",
    "array": "a list", "object": "a table",
}  # fmt: skip


def _reworded(problem: str) -> str:
    """msgspec's ``Expected `int`, got `str` - at `$.server.port` `` with the key first and TOML's words."""
    text, _, where = problem.partition(" - at `$")
    where = where.rstrip("`").lstrip(".")
    if match := re.fullmatch(r"Object missing required field `(\w+)`", text):
        return f"{where}.{match[1]}: is missing, it should be a text"
    if match := re.fullmatch(r"Invalid enum value (.+)", text):
        return f"{where}: should be {_choices(where)}, not {match[1]}"
    text = re.sub(r"`([^`]*)`", lambda types: _in_words(types[1]), text)
    return f"{where}: {text[:1].lower()}{text[1:]}"


def _choices(where: str) -> str:
    """The values that the key of a table may have."""
    kind: Any = Config
    for key in where.split("."):
        kind = next(field.type for field in msgspec.structs.fields(kind) if field.name == key)
    return " or ".join(f'"{value}"' for value in get_args(kind))


def _in_words(types: str) -> str:
    return " or ".join(_WORDS.get(name, name) for name in types.split(" | ") if name != "null")


def _checked_server(server: Server, raw: dict[str, Any], folder: Path) -> Server:
    given = raw.get("server", {})
    if server.endpoint is not None:
        for key in ("host", "port", "tls"):
            if key in given:
                raise ConfigError(f"server.endpoint: stands instead of server.{key}; give one of them")
        if not server.endpoint:
            raise ConfigError('server.endpoint: should be an endpoint such as "tcp:3141", or a list of them')
        for text in [server.endpoint] if isinstance(server.endpoint, str) else server.endpoint:
            _check_endpoint(text)
    if server.tls is None:
        return server
    tls = TLS(crt=folder / server.tls.crt, key=folder / server.tls.key)
    read_certificates(tls.crt, tls.key)  # so that a mistake shows at the start and not at the first connection
    return msgspec.structs.replace(server, tls=tls)


_TLS_ENDPOINT = re.compile(r"(?:haproxy:)?tls:(?:path=)?((?:\\.|[^:\\])*)", re.DOTALL)


def _check_endpoint(text: str) -> None:
    """Twisted's `tls:FOLDER` listens without any certificate too, and then refuses every connection."""
    if match := _TLS_ENDPOINT.match(text):
        folder = re.sub(r"\\(.)", r"\1", match[1])
        if not any(Path(folder).rglob("*.pem")):
            raise ConfigError(f'server.endpoint: should name a folder that holds certificates (*.pem), not "{folder}"')


def _placed(cache: Cache, folder: Path) -> Cache:
    """A relative folder is relative to the file's, as the certificate is."""
    return msgspec.structs.replace(cache, directory=str(folder / cache.directory)) if cache.directory else cache


def _checked_github(github: GitHub) -> GitHub:
    for number, owner in enumerate(github.owners):
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}", owner):
            raise ConfigError(f"github.owners[{number}]: should be a GitHub user or organization, without a slash")
    api_url = github.api_url.rstrip("/")
    _check_url("github.api_url", api_url)
    graphql_url = github.graphql_url or _graphql_url(api_url)
    _check_url("github.graphql_url", graphql_url)
    return msgspec.structs.replace(github, api_url=api_url, graphql_url=graphql_url)


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
