"""How `pypihub check` tells of its steps: to people line by line, to machines as one JSON document."""

from __future__ import annotations

import json
from typing import TextIO

import click

from pypihub.commands.steps import Outcome

_MARKS = {True: "✓", False: "✗", None: "–"}
_COLOURS = {True: "green", False: "red", None: None}
_WIDEST = len("configuration")
_PLAIN = str.maketrans({"✓": "ok", "✗": "!!", "–": "--", "→": "->", "…": "..."})


class TellText:
    """Writes a line for each step as it ends, what belongs to it below; in ASCII where the stream wants that."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._encoding = stream.encoding or "ascii"
        self._is_plain = not _fits("".join(_MARKS.values()) + "→…", self._encoding)

    def __call__(self, name: str, outcome: Outcome) -> None:
        self._say(f"{_MARKS[outcome.ok]} {name:{_WIDEST}}  {outcome.detail}", _COLOURS[outcome.ok])
        for note in outcome.notes:
            self._say(f"    {note}")
        if outcome.remedy:
            self._say(f"  → {outcome.remedy}")

    def end(self, *, is_well: bool) -> None:
        """All was said."""

    def _say(self, line: str, colour: str | None = None) -> None:
        if self._is_plain:
            line = line.translate(_PLAIN)
        line = line.encode(self._encoding, "replace").decode(self._encoding)
        click.secho(line, self._stream, fg=colour)


class TellJSON:
    """Keeps the steps for a document with `owner`, `project`, `ok` and `steps`.

    A step has `name`, `ok` (null where it was left out), `detail`, `remedy` (null where there is none) and `notes`.
    """

    def __init__(self, stream: TextIO, owner: str, project: str | None) -> None:
        self._stream = stream
        self._about = {"owner": owner, "project": project}
        self._steps: list[dict[str, object]] = []

    def __call__(self, name: str, outcome: Outcome) -> None:
        step = {"name": name, "ok": outcome.ok, "detail": outcome.detail, "remedy": outcome.remedy or None}
        self._steps.append({**step, "notes": outcome.notes})

    def end(self, *, is_well: bool) -> None:
        """Writes the document."""
        click.echo(json.dumps({**self._about, "ok": is_well, "steps": self._steps}, indent=2), self._stream)


def _fits(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
