"""The names that GitHub gives to files and takes for tags."""

import re
import unicodedata

# What git check-ref-format refuses.
_NO_TAG = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^[-/.]|/\.|\.lock(?=/|$)|[./]$|^@?$")


def stored_name(name: str) -> str:
    """Return the name that GitHub stores a file under.

    Letters lose their accents. What is neither a letter, a digit nor one of ``_-+@`` becomes a dot, and a run of such
    characters and dots becomes one dot; dots at the ends go.
    """
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", name) if not unicodedata.combining(letter))
    return re.sub(r"[^A-Za-z0-9_+@-]+", ".", plain).strip(".")


def is_tag(name: str) -> bool:
    """Whether git takes this as the name of a tag."""
    return _NO_TAG.search(name) is None
