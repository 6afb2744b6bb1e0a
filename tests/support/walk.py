"""Goes through the commands of a page as a reader does, in one terminal after the other."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from signal import SIGTERM
from typing import Any

from support.process import Process
from support.prose import Block, missing

_LONGEST = 240.0
"""Seconds that a command may take."""


class Walk:
    """A reader in a folder, who remembers from block to block where they are and what they exported.

    `secrets` are typed where a command asks for them. `going` is what they started in terminals of its own; `end` ends
    it.
    """

    def __init__(
        self, reactor: Any, folder: Path, environment: Mapping[str, str], secrets: Mapping[str, str] | None = None
    ) -> None:
        self._reactor = reactor
        self._environment = environment
        self._secrets = secrets or {}
        self._state = folder / ".walk"
        self._state.mkdir()
        self._folder = folder
        self.going: list[Process] = []

    async def go(self, blocks: Iterable[Block]) -> None:
        """Does what the blocks say; AssertionError where something else comes of it."""
        for block in blocks:
            if block.mark == "file":
                file = self._here() / block.value
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(block.text)
            elif block.language == "sh" and block.mark != "not run":
                await self._type(block)

    async def end(self) -> None:
        """Ends what goes on, and waits for it."""
        for process in self.going:
            if process.code is None:
                os.killpg(process.pid, SIGTERM)
        for process in self.going:
            await process.ends()

    async def _type(self, block: Block) -> None:
        process = Process(
            self._reactor,
            ["setsid", "bash", "-c", self._script(block)],
            cwd=self._folder,
            timeout=_LONGEST,
            environment=self._environment,
        )
        if block.mark == "goes on":
            self.going.append(process)
            await process.says(block.value)
        else:
            process.tells(self._secrets[block.value] + "\n" if block.mark == "typed" else "")
            await process.ends()
            assert bool(process.code) == (block.mark == "fails"), f"{block}: status {process.code}\n{process.out}"
        print(f"== {block}", block.text, "--", process.out, sep="\n")  # what `pytest -s` shows
        lost = missing(block.output or "", process.out)
        assert lost is None, f"{block}: {lost!r} is not in its place in\n{process.out}"

    def _script(self, block: Block) -> str:
        """What is typed, between what brings the terminal to where the last one was and what notes where it is."""
        state, folder = (shlex.quote(str(self._state / name)) for name in ("exported", "folder"))
        start = f"exec 2>&1; [ ! -e {state} ] || . {state}; cd {shlex.quote(str(self._here()))}; set -e\n"
        note = "" if block.mark == "goes on" else f"trap 'export -p > {state}; pwd > {folder}' EXIT\n"
        return start + note + block.text

    def _here(self) -> Path:
        noted = self._state / "folder"
        return Path(noted.read_text().rstrip("\n")) if noted.exists() else self._folder
