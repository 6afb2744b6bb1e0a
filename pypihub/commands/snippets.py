"""`pypihub config`: what a tool's configuration needs, ready to be pasted, with the token left in the environment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from pypihub.commands.environment import ANY_USER, NAME, PYPI
from pypihub.config.checks import is_index
from pypihub.errors import CommandError
from pypihub.index.names import Owner, parse_owner

_VARIABLE = "PYPIHUB_TOKEN"


@dataclass(frozen=True, slots=True)
class Place:
    """An owner's index: `url` is the server's, without a slash at the end."""

    url: str
    owner: Owner

    @property
    def index(self) -> str:
        """The index's URL, without credentials."""
        return f"{self.url}/{self.owner}/simple/"

    def with_login(self, password: str) -> str:
        """The index's URL with a password that may be a variable."""
        scheme, _, rest = self.index.partition("://")
        return f"{scheme}://{ANY_USER}:{password}@{rest}"

    @property
    def host(self) -> str:
        """The server's name alone, as netrc wants it."""
        return urlsplit(self.url).hostname or ""


def snippet(tool: str, owner: str, url: str) -> str:
    """The snippet for a tool of `TOOLS`; raises CommandError for what is no owner or no server's URL."""
    login = parse_owner(owner)
    if login is None:
        raise CommandError(f"{owner[:50]!r} is no GitHub user or organization.")
    return TOOLS[tool](Place(_checked(url), login))


def _pip(place: Place) -> str:
    return f"""\
# pip.conf: in ~/.config/pip/, or in the folder of a virtual environment.
# The token is in ~/.netrc: pypihub config netrc {place.owner}
# Or without this file, from the environment:
#   export PIP_INDEX_URL={place.with_login(f"${_VARIABLE}")}
[global]
index-url = {place.index}
# With care, for pip treats all indexes alike and takes the higher version wherever it is:
#extra-index-url = {PYPI}
"""


def _uv(place: Place) -> str:
    return f"""\
# pyproject.toml. The credentials come from the environment:
#   export UV_INDEX_{NAME.upper()}_USERNAME={ANY_USER}
#   export UV_INDEX_{NAME.upper()}_PASSWORD=${_VARIABLE}
[[tool.uv.index]]
name = "{NAME}"
url = "{place.index}"
publish-url = "{place.url}/{place.owner}/legacy/"
explicit = true
authenticate = "always"

# The projects that come from there, and from nowhere else. It holds for what the project itself depends on.
[tool.uv.sources]
# my-tool = {{ index = "{NAME}" }}
"""


def _poetry(place: Place) -> str:
    return f"""\
# pyproject.toml. The credentials come from the environment:
#   export POETRY_HTTP_BASIC_{NAME.upper()}_USERNAME={ANY_USER}
#   export POETRY_HTTP_BASIC_{NAME.upper()}_PASSWORD=${_VARIABLE}
# The projects that come from there: poetry add --source {NAME} my-tool
[[tool.poetry.source]]
name = "{NAME}"
url = "{place.index}"
priority = "explicit"
"""


def _pdm(place: Place) -> str:
    return f"""\
# pyproject.toml. pdm takes the token from the environment: export {_VARIABLE}
[[tool.pdm.source]]
name = "{NAME}"
url = "{place.with_login(f"${{{_VARIABLE}}}")}"
# The projects that come from there, and from nowhere else:
include_packages = ["my-tool"]
"""


def _netrc(place: Place) -> str:
    return f"""\
# ~/.netrc, which nobody else may read: chmod 600 ~/.netrc
machine {place.host}
login {ANY_USER}
password TOKEN
"""


def _actions(place: Place) -> str:
    return f"""\
# A workflow, in .github/workflows. HUB_TOKEN is a secret of the repository or the organization; github.token in its
# place reads the workflow's own repository only.
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - run: pip install my-tool
        env:
          PIP_INDEX_URL: {place.with_login("${{ secrets.HUB_TOKEN }}")}
"""


TOOLS: dict[str, Callable[[Place], str]] = {
    "pip": _pip,
    "uv": _uv,
    "poetry": _poetry,
    "pdm": _pdm,
    "netrc": _netrc,
    "actions": _actions,
}


def _checked(url: str) -> str:
    url = url.rstrip("/")
    try:
        parts = urlsplit(url)
        is_sound = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        is_sound = False
    if not is_sound or not url.isascii() or not url.isprintable() or any(mark in url for mark in " @?#\"'\\"):
        raise CommandError("--url should be the server's, such as https://hub.example.org, without credentials.")
    if is_index(url):
        raise CommandError("--url should be the server's, without /OWNER/simple/ at its end.")
    return url
