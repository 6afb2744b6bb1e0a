"""The tables of the reference, row by row."""

from __future__ import annotations

import re
from collections.abc import Iterator

from support.prose import ROOT

REFERENCE = ROOT / "docs" / "reference"
_RULE = set("|-")


def rows(page: str, *header: str) -> list[dict[str, str]]:
    """The rows of all tables of a page whose heads begin with these words; an empty first cell is that above it."""
    found: list[dict[str, str]] = []
    head: list[str] | None = None
    for line in (REFERENCE / page).read_text().splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if not line.startswith("|"):
            head = None
        elif head is None:
            head = cells
        elif tuple(head[: len(header)]) == header and not set(line) <= _RULE:
            cells[0] = cells[0] or found[-1][head[0]]
            found.append(dict(zip(head, cells, strict=True)))
    assert found, f"{page} has no table of {header}"
    return found


def code(cell: str) -> list[str]:
    """What stands as code in a cell, or in other text."""
    return re.findall(r"`([^`]+)`", cell)


def sections(page: str) -> Iterator[tuple[str, str]]:
    """The headings of a page, and what stands below each."""
    parts = re.split(r"^## (.+)$", (REFERENCE / page).read_text(), flags=re.MULTILINE)
    return zip(parts[1::2], parts[2::2], strict=True)
