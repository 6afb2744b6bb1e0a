"""From TOML to a frozen `Config`; every error names its key."""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import Any, get_args

import msgspec
from msgspec import Struct

from pypihub.config.checks import checked_github, checked_limits, checked_publish, checked_server, placed, placed_log
from pypihub.config.tables import Config, Table
from pypihub.config.values import decode_value
from pypihub.errors import ConfigError


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
        config = msgspec.convert(raw, Config, dec_hook=decode_value)
    except msgspec.ValidationError as error:
        raise ConfigError(_reworded(str(error))) from None
    return msgspec.structs.replace(
        config,
        server=checked_server(config.server, raw, folder),
        github=checked_github(config.github, folder),
        cache=placed(config.cache, folder),
        publish=checked_publish(config.publish),
        limits=checked_limits(config.limits),
        log=placed_log(config.log, folder),
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
    return isinstance(kind, type) and issubclass(kind, Table)


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
