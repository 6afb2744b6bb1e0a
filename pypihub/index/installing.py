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
        "uv": (_exported("UV_INDEX_HUB"), f"uv add --index hub={url} {wanted}"),
        "poetry": (
            f"poetry source add --priority=explicit hub {url}",
            _exported("POETRY_HTTP_BASIC_HUB"),
            f"poetry add --source hub {wanted}",
        ),
        "pdm": (
            "cat >> pyproject.toml <<'END'",
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
