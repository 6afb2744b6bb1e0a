"""Yanked releases (PEP 592): the release's title tells, on GitHub's page and by `pypihub yank` alike.

A title that begins with `[yanked]`, in any case, yanks all files of the release; what follows is the reason.
https://packaging.python.org/specifications/simple-repository-api/#yanked
"""

from __future__ import annotations

_MARK = "[yanked]"
_LONGEST = 300  # characters; a reason stands beside each file of its release in every page


def yanked_reason(title: str) -> str | bool:
    """Whether a release of this title is yanked: False, True, or the reason where the title gives one.

    The reason is one line of up to 300 printable characters, whatever the title holds.
    """
    start = title.lstrip()
    if start[: len(_MARK)].lower() != _MARK:
        return False
    return one_line(start[len(_MARK) :]) or True


def yanked_title(reason: str = "") -> str:
    """The title that yanks a release for this reason."""
    return f"{_MARK} {one_line(reason)}".rstrip()


def one_line(text: str) -> str:
    """Text of others for one line: without control characters, which terminals obey, in up to 300 characters."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.split())[:_LONGEST].rstrip()
