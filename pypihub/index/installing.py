"""The lines that install a project from here, for each of the usual tools.

The token is a variable of the shell, so that it stands neither in a page nor in the shell's history. No line has a tool
look for the project elsewhere, too, where somebody else may have one of its name.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from packaging.utils import NormalizedName

from pypihub.index.names import Owner

TOKEN = "PYPIHUB_TOKEN"  # noqa: S105 - the variable's name
"""The variable of the shell that the lines take the token from."""
NO_SERVER = "https://HOST"
"""Stands for a server whose own URL is not known."""
_APPEND = "cat >> pyproject.toml <<'END'"


@dataclass(frozen=True, slots=True)
class Installing:
    """How a tool installs a project: lines for a shell."""

    tool: str
    lines: str


def installing(server: str, owner: Owner, name: NormalizedName, version: str | None = None) -> tuple[Installing, ...]:
    """The lines for each tool; `server` is this server's URL as clients know it, without a slash at its end.

    A `version` is pinned.
    """
    url = f"{server}/{owner}/simple/"
    scheme, _, place = url.partition("://")
    with_token = f"{scheme}://__token__:${TOKEN}@{place}"
    with_late_token = f"{scheme}://__token__:${{{TOKEN}}}@{place}"
    wanted = shlex.quote(f"{name}=={version}") if version else name
    lines = {
        "pip": (f'PIP_INDEX_URL="{with_token}" pip install {wanted}',),
        "uv": (
            _exported("UV_INDEX_HUB"),
            # Once: uv refuses two indexes with one name. `uv add --index` alone would write one that is not explicit,
            # and without `--frozen` ask it for all names this once. It pins the name only where no variable has an
            # index.
            f"""grep -qs '^name = "hub"$' pyproject.toml || {_APPEND}""",
            "",
            "[[tool.uv.index]]",
            'name = "hub"',
            f'url = "{url}"',
            "explicit = true",
            "END",
            f"UV_INDEX= UV_DEFAULT_INDEX= uv add --frozen --index hub={url} {wanted}",
            "uv sync",
        ),
        "poetry": (
            f"poetry source add --priority=explicit hub {url}",
            _exported("POETRY_HTTP_BASIC_HUB"),
            f"poetry add --source hub {wanted}",
        ),
        "pdm": (
            _APPEND,
            "[[tool.pdm.source]]",
            'name = "hub"',
            f'url = "{with_late_token}"',
            f'include_packages = ["{name}"]',
            "END",
            f"pdm add {wanted}",
        ),
    }
    return tuple(Installing(tool, "\n".join(each)) for tool, each in lines.items())


def _exported(prefix: str) -> str:
    """The credentials in the variables of an index."""
    return f'export {prefix}_USERNAME=__token__ {prefix}_PASSWORD="${TOKEN}"'
