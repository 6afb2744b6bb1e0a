"""The documentation as its readers take it: files to write, commands to type, and the output that they should see.

A fence's language says what it is: `sh` is typed into a shell, a `text` right below is what it prints, in which `…`
stands for anything. A comment right above the fence says more:

    <!-- file: NAME -->             what to write into this file
    <!-- goes on: TEXT -->          it runs in a terminal of its own; go on when it has printed TEXT
    <!-- typed: WORD -->            it asks, and the secret of that name is typed
    <!-- fails -->                  it ends with another status than 0
    <!-- not run: REASON -->        no test runs it

Commands also stand in sentences and tables. Those that no block of any page runs are told in the page's source:

    <!-- not run, in sentences: REASON: `COMMAND`, … -->
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_FENCE = re.compile(
    r"(?:^<!-- (?P<mark>[a-z ]+)(?:: (?P<value>[^\n]*))? -->\n)?^(?P<ticks>```+)(?P<language>[^\n`]*)\n"
    r"(?P<text>.*?)^(?P=ticks)\n",
    re.MULTILINE | re.DOTALL,
)
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
"""What tells a terminal about colours and the cursor."""
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_IN_SENTENCES = re.compile(r"<!-- not run, in sentences: (.*?) -->", re.DOTALL)
_CODE = re.compile(r"`([^`]+)`")
_FORM = re.compile(r"\b[A-Z]{4,}\b|\|")
_NAME = re.compile(r"-{0,2}[a-z][a-z-]*|[0-9.]+")
_PROGRAMS = frozenset(
    {"curl", "devpi", "docker", "flit", "gh", "git", "hatch", "journalctl", "kubectl", "nginx", "openssl", "pdm", "pip"}
    | {"podman", "poetry", "pypihub", "python3", "sudo", "sysctl", "systemctl", "twine", "twistd", "uv"}
)
_MARKS = {"", "file", "goes on", "typed", "fails", "not run"}


@dataclass(frozen=True)
class Block:
    """A fenced block: the comment above it is `mark` and `value`, and `output` is what it should print, if told."""

    page: Path
    line: int
    language: str
    text: str
    mark: str = ""
    value: str = ""
    output: str | None = None

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def read_blocks(page: Path) -> Iterator[Block]:
    """The blocks of a page, without those that are the output of another."""
    prose = page.read_text()
    found = list(_FENCE.finditer(prose))
    shown = {number for number, match in enumerate(found) if number and _is_output(prose, found[number - 1], match)}
    for number, match in enumerate(found):
        if number in shown:
            continue
        output = found[number + 1]["text"] if number + 1 in shown else None
        line = prose.count("\n", 0, match.start("ticks")) + 1
        mark = match["mark"] or ""
        block = Block(page, line, match["language"].strip(), match["text"], mark, match["value"] or "", output)
        assert mark in _MARKS, f"{block}: what is {mark!r}?"
        yield block


def _is_output(prose: str, before: re.Match[str], match: re.Match[str]) -> bool:
    between = prose[before.end() : match.start()]
    return before["language"] == "sh" and match["language"] == "text" and not between.strip()


def named_commands(page: Path) -> Iterator[tuple[str, bool]]:
    """The commands in the sentences of a page, and whether it tells that they are not run.

    A subcommand or an option alone is a name. Where a word is all capitals, it is a form to be filled in.
    """
    text = _FENCE.sub("", page.read_text())
    told = {" ".join(command.split()) for note in _IN_SENTENCES.findall(text) for command in _CODE.findall(note)}
    for command in map(str.split, _CODE.findall(_COMMENT.sub("", text))):
        is_name = command[0] != "sudo" and all(_NAME.fullmatch(word) for word in command[1:2]) and len(command) < 3
        if command[0] in _PROGRAMS and not is_name and not any(_FORM.search(word) for word in command):
            yield " ".join(command), " ".join(command) in told


def missing(expected: str, printed: str) -> str | None:
    """The first expected line that is not in the output, after those before it; None where all are."""
    lines = iter(_CONTROL.sub("", printed).splitlines())
    for wanted in filter(str.strip, expected.splitlines()):
        pattern = ".*".join(re.escape(part) for part in wanted.strip().split("…"))
        if not any(re.fullmatch(pattern, line.strip()) for line in lines):
            return wanted
    return None
