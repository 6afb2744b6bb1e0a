"""Every page of the documentation: its commands are run, and give what the page says."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_twisted import ensureDeferred
from support.gallery import hang
from support.process import BIN
from support.prose import PAGES, ROOT, read_blocks
from support.tools import TOOLS, Tools
from support.walk import Walk

from pypihub.sandbox.server import Sandbox

FROM_NOTHING = {"README.md", "docs/tutorial.md"}
"""Their readers have nothing yet; those of the other pages have PyPIHub, uv, a token, and acme's packages."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
@ensureDeferred
async def test_the_commands_of_a_page_do_what_it_says(
    page: Path, reader: Callable[..., Walk], github: Sandbox, secrets: dict[str, str], tools: Tools
) -> None:
    blocks = list(read_blocks(page))
    assert all(block.value for block in blocks if block.mark == "not run"), "what is not run says why"
    if str(page.relative_to(ROOT)) in FROM_NOTHING:
        await reader().go(blocks)
    else:
        hang(github.world)
        commands = {name: BIN / name for name in ("pypihub", "twistd", "uv")}
        wanted = {tool for tool in TOOLS if any(re.search(rf"^{tool} ", block.text, re.MULTILINE) for block in blocks)}
        commands |= {tool: tools.command(tool) for tool in wanted}
        await reader(commands, PYPIHUB_TOKEN=secrets["a token"]).go(blocks)
