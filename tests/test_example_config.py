"""The annotated example of the configuration: it loads, and it names every key."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from pypihub.config import (
    Cache,
    Downloads,
    GitHub,
    Limits,
    Log,
    MetadataConfig,
    Metrics,
    Pages,
    Publish,
    Replace,
    Server,
    load_config,
    parse_config,
)
from pypihub.errors import ConfigError

EXAMPLE = Path(__file__).parent.parent / "etc" / "pypihub.toml"
SETTING = re.compile(r"^#?(\[+[a-z.]+\]+|[a-z_]+ = .*)$", re.MULTILINE)


def examples() -> list[tuple[str, str]]:
    """Every setting in the file, commented out or not, with the table that it stands in."""
    table, found = "", []
    for setting in SETTING.findall(EXAMPLE.read_text()):
        if setting.startswith("["):
            table = setting
        else:
            found.append((table, setting))
    return found


def test_it_loads_and_is_the_defaults() -> None:
    assert load_config(EXAMPLE) == load_config(None)


@pytest.mark.parametrize(
    ("table", "kind"),
    [
        ("[server]", Server),
        ("[github]", GitHub),
        ("[cache]", Cache),
        ("[metadata]", MetadataConfig),
        ("[downloads]", Downloads),
        ("[publish]", Publish),
        ("[pages]", Pages),
        ("[limits]", Limits),
        ("[log]", Log),
        ("[metrics]", Metrics),
    ],
)
def test_it_names_every_key(table: str, kind: type[msgspec.Struct]) -> None:
    shown = {setting.split(" = ")[0] for where, setting in examples() if where == table}
    tables = {"[server]": {"tls"}, "[github]": {"replace"}}.get(table, set())
    assert shown | tables == {field.name for field in msgspec.structs.fields(kind)}


@pytest.mark.parametrize(("table", "setting"), examples())
def test_every_example_in_it_is_one_that_loads(table: str, setting: str) -> None:
    if table == "[server.tls]":
        assert setting in ('crt = "tls.crt"', 'key = "tls.key"')
    elif setting.startswith("ca_file"):
        with pytest.raises(ConfigError, match=r"^github\.ca_file: .*company-ca\.pem: No such file"):
            parse_config(tomllib.loads(f"{table}\n{setting}"), EXAMPLE.parent)
    elif table == "[[github.replace]]":
        assert setting.split(" = ", maxsplit=1)[0] in {field.name for field in msgspec.structs.fields(Replace)}
    else:
        parse_config(tomllib.loads(f"{table}\n{setting}"), EXAMPLE.parent)
