"""Text of others in one line, for errors, logs, pages and terminals."""

from __future__ import annotations

LONGEST = 300
"""Characters; what is shown stands beside other things."""


def printable(text: str) -> str:
    """The text in one line, without control characters, which terminals obey."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def one_line(text: str) -> str:
    """The text as `printable` has it, in up to 300 characters."""
    return printable(text)[:LONGEST].rstrip()
