"""What the commands show in a terminal, with its colours. `--screenshots FOLDER` keeps a picture of it."""

from __future__ import annotations

import html
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pytest_twisted import ensureDeferred
from support.browser import Browser
from support.gallery import hang
from support.internet import Internet
from support.process import BIN, Process
from twisted.internet.threads import deferToThread

from pypihub.sandbox.server import Sandbox

_COLOURS = {"31": "#ff7b72", "32": "#3fb950"}
_PAGE = """<!doctype html><title>A terminal</title><style>
body { margin: 0; background: #0d1117; color: #e6edf3 }
pre { margin: 0; padding: 20px 24px; font: 15px/1.45 "DejaVu Sans Mono", monospace; width: max-content }
b { font-weight: normal; color: #79c0ff }
</style><pre>%s</pre>"""


def coloured(output: str) -> str:
    """A terminal's output as HTML."""
    text = html.escape(output.replace("\r", ""))
    text = re.sub(r"\x1b\[(3[12])m", lambda code: f'<span style="color: {_COLOURS[code[1]]}">', text)
    return text.replace("\x1b[0m", "</span>")


@ensureDeferred
async def test_the_check_and_an_installation_in_a_terminal(
    run: Callable[..., Process], github: Sandbox, internet: Internet, secrets: dict[str, str], tmp_path: Path,
    browser: Browser, keep: Callable[[Browser, str], None],
) -> None:  # fmt: skip
    hang(github.world)
    environment: dict[str, Any] = internet.environment | {"PYPIHUB_TOKEN": secrets["a token"], "LC_ALL": "C.UTF-8"}
    shown = ""
    quiet = {"UV_PYTHON": sys.executable, "UV_CACHE_DIR": str(tmp_path / "uv"), "UV_NO_PROGRESS": "1", "NO_COLOR": "1"}
    quiet |= {"PATH": f"{BIN}:{os.environ['PATH']}"}
    assert await run("uv", "venv", "--quiet", **quiet).ends() == 0
    quiet.pop("UV_PYTHON")
    for line in (
        "pypihub check acme billing-client",
        "pypihub run acme --no-pypi -- uv pip install billing-client",
    ):
        process = run(*line.split(), in_terminal=True, **environment | quiet)
        assert await process.ends() == 0, process.out
        shown += f"<b>$</b> {line}\n{coloured(process.out)}\n"
    assert shown.count('<span style="color: #3fb950">✓ ') == 14, "all ticks are green"
    assert "billing-client" in shown.splitlines()[-2], "the last line tells what is installed"
    assert "\x1b" not in shown

    def look() -> None:
        browser.driver.get("data:text/html;charset=utf-8," + quote(_PAGE % shown))
        size = browser.driver.execute_script(
            "return [...['Width', 'Height'].map(of => document.querySelector('pre')['offset' + of])]"
        )
        browser.show(width=size[0], height=size[1])
        keep(browser, "terminal")

    await deferToThread(look)
