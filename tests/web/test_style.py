"""The pages' colours can be read by everyone, in both schemes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import pypihub.web

_SHEET = (Path(pypihub.web.__file__).parent / "static" / "style.css").read_text()
_PAIRS = (
    *[(ink, ground) for ink in ("text", "quiet", "link", "good", "warn", "bad") for ground in ("ground", "raised")],
    *[(name, f"{name}-ground") for name in ("good", "warn", "bad")],
    ("on-accent", "accent"),
)


def _colours() -> dict[str, dict[str, str]]:
    light, dark = (
        dict(re.findall(r"--([a-z-]+): #([0-9a-f]{6});", block))
        for block in re.findall(r":root {.*?}", _SHEET, re.DOTALL)
    )
    return {"light": light, "dark": light | dark}


def _luminance(colour: str) -> float:
    """WCAG's relative luminance: https://www.w3.org/TR/WCAG22/#dfn-relative-luminance"""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), _PAIRS)
def test_text_has_a_contrast_of_four_and_a_half(scheme: str, ink: str, ground: str) -> None:
    colours = _colours()[scheme]
    darker, lighter = sorted((_luminance(colours[ink]), _luminance(colours[ground])))
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5


def test_the_sheet_loads_nothing() -> None:
    assert not re.search(r"url\(|@import|https?:", _SHEET)
