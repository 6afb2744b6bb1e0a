"""The values that a configuration has and TOML does not: durations, sizes, regular expressions."""

from __future__ import annotations

import re
from typing import Any

import re2


class Seconds(float):
    """A duration in seconds, written as `"15s"`, `"500ms"`, `"2m"` or `"1h"`."""


class Bytes(int):
    """A number of bytes, written as `"512KiB"`, `"32MiB"` or `"2GiB"`."""


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


_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)", re.ASCII)
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
_LONGEST = 24 * 3600
_SIZE = re.compile(r"([0-9]{1,6})(KiB|MiB|GiB)", re.ASCII)
_ANY_SIZE = re.compile(r"[0-9]+(KiB|MiB|GiB)", re.ASCII)
_SIZE_UNITS = {"KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


def decode_value(kind: type[Any], value: object) -> Any:
    """msgspec's hook for the types that it does not know; raises ValueError or TypeError with what is expected."""
    if kind is Seconds:
        match = _DURATION.fullmatch(value) if isinstance(value, str) else None
        seconds = float(match[1]) * _UNITS[match[2]] if match else 0
        if not match:
            raise ValueError('Expected a duration such as "15s", "500ms" or "2m"')
        if not 0 < seconds <= _LONGEST:
            raise ValueError('Expected a duration of more than nothing, and of "24h" at most')
        return Seconds(seconds)
    if kind is Bytes:
        match = _SIZE.fullmatch(value) if isinstance(value, str) else None
        if not match:
            digits = " of up to six digits" if isinstance(value, str) and _ANY_SIZE.fullmatch(value) else ""
            raise ValueError(f'Expected a size{digits} such as "512KiB", "32MiB" or "2GiB"')
        return Bytes(int(match[1]) * _SIZE_UNITS[match[2]])
    if not isinstance(value, str):
        raise TypeError("Expected `str`")
    return kind(value)
