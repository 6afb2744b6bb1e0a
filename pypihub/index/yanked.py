"""Yanked releases (PEP 592): the release's title tells, on GitHub's page and by `pypihub yank` alike.

A title that begins with `[yanked]`, in any case, yanks all files of the release; what follows is the reason.
https://packaging.python.org/specifications/simple-repository-api/#yanked
"""

from __future__ import annotations

from pypihub.lines import one_line

_MARK = "[yanked]"


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
