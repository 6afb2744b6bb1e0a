"""Every page of the documentation: its commands are run, and give what the page says."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_twisted import ensureDeferred
from support.gallery import hang
from support.moving import SCENES, Stage
from support.process import BIN
from support.prose import PAGES, ROOT, Block, named_commands, read_blocks
from support.tools import TOOLS, Tools
from support.walk import Walk

from pypihub.sandbox.server import Sandbox

FROM_NOTHING = {"README.md", "docs/tutorial.md"}
"""Their readers have nothing yet; those of the other pages have PyPIHub, uv, a token, and acme's packages."""
ELSEWHERE = {"docs/howto/behind-caddy.md", "docs/howto/behind-nginx.md"}
"""Tests of their own go through these, with what they are about in front of the hub."""
HERE = [page for page in PAGES if str(page.relative_to(ROOT)) not in ELSEWHERE]


def commands(page: Path) -> list[Block]:
    """The blocks of a page that are typed, or marked as not."""
    return [block for block in read_blocks(page) if block.language == "sh" or block.mark == "not run"]


def test_what_is_not_run_says_why() -> None:
    blocks = [block for page in PAGES for block in commands(page) if block.mark == "not run"]
    assert blocks
    assert all(len(block.value) > 10 for block in blocks), [str(block) for block in blocks]


def test_commands_in_sentences_are_run_in_a_block_or_marked_as_not() -> None:
    typed = " ".join(block.text for page in PAGES for block in commands(page) if block.mark != "not run").split()
    for page in PAGES:
        for command, is_marked in named_commands(page):
            is_run = f" {command} " in f" {' '.join(typed)} "
            assert is_run != is_marked, f"{page.relative_to(ROOT)}: {command}"


def test_commands_stand_where_they_are_run() -> None:
    for page in PAGES:
        for block in read_blocks(page):
            assert block.language not in ("", "bash", "shell", "console", "shell-session"), block
            assert block.language != "text" or block.mark == "file", f"{block} is the output of nothing"


@pytest.mark.parametrize(
    "page", [page for page in HERE if commands(page)], ids=lambda page: str(page.relative_to(ROOT))
)
@ensureDeferred
async def test_the_commands_of_a_page_do_what_it_says(
    page: Path, reader: Callable[..., Walk], github: Sandbox, secrets: dict[str, str], tools: Tools, stage: Stage
) -> None:
    blocks, name = list(read_blocks(page)), str(page.relative_to(ROOT))
    if name in FROM_NOTHING:
        await reader().go(blocks)
    else:
        hang(github.world)
        tools_here = {command: BIN / command for command in ("pypihub", "twistd", "uv")}
        wanted = {tool for tool in TOOLS if any(re.search(rf"^{tool} ", block.text, re.MULTILINE) for block in blocks)}
        tools_here |= {tool: tools.command(tool) for tool in wanted}
        if name in SCENES:
            await SCENES[name](stage)
        await reader(tools_here | stage.commands, PYPIHUB_TOKEN=secrets["a token"]).go(blocks)
