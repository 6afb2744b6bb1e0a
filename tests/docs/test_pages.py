"""Every page of the documentation: its commands are run, and give what the page says."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_twisted import ensureDeferred
from support.gallery import hang
from support.hub import Hub
from support.moving import SCENES, Stage
from support.process import BIN
from support.prose import PAGES, ROOT, read_blocks
from support.tools import TOOLS, Tools
from support.walk import Walk

FROM_NOTHING = {"README.md", "docs/tutorial.md"}
"""Their readers have nothing yet; those of the other pages have PyPIHub, uv, a token, and acme's packages."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
@ensureDeferred
async def test_the_commands_of_a_page_do_what_it_says(
    page: Path, reader: Callable[..., Walk], hub_by_name: Hub, tools: Tools, stage: Stage
) -> None:
    blocks, name = list(read_blocks(page)), str(page.relative_to(ROOT))
    assert all(block.value for block in blocks if block.mark == "not run"), "what is not run says why"
    if name in FROM_NOTHING:
        await reader().go(blocks)
    else:
        hang(hub_by_name.world)
        commands = {name: BIN / name for name in ("pypihub", "twistd", "uv")}
        wanted = {tool for tool in TOOLS if any(re.search(rf"^{tool} ", block.text, re.MULTILINE) for block in blocks)}
        commands |= {tool: tools.command(tool) for tool in wanted}
        if name in SCENES:
            await SCENES[name](stage)
        await reader(commands | stage.commands, PYPIHUB_TOKEN=hub_by_name.token).go(blocks)
