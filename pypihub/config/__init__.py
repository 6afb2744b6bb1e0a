"""The configuration: a TOML file becomes a frozen `Config`; every error names its key.

`etc/pypihub.toml` is the annotated example of every key.
"""

from pypihub.config.reading import load_config, parse_config
from pypihub.config.tables import (
    TLS,
    Cache,
    Config,
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
)
from pypihub.config.values import Bytes, Pattern, Seconds

__all__ = [
    "TLS",
    "Bytes",
    "Cache",
    "Config",
    "Downloads",
    "GitHub",
    "Limits",
    "Log",
    "MetadataConfig",
    "Metrics",
    "Pages",
    "Pattern",
    "Publish",
    "Replace",
    "Seconds",
    "Server",
    "load_config",
    "parse_config",
]
