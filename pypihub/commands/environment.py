"""The environment variables by which pip, uv, poetry and pdm find an index, and nothing of it in an argument list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from pypihub.github.credentials import Token
from pypihub.index.names import Owner

PYPI = "https://pypi.org/simple/"
ANY_USER = "__token__"  # the owner is in the path
NAME = "hub"
"""What uv and poetry call the index by."""


@dataclass(frozen=True, slots=True)
class Index:
    """An owner's index on a server at `url` (which has no slash at the end), and the token to read it with."""

    url: str
    owner: Owner
    token: Token

    def with_credentials(self) -> str:
        """Its URL with the token in it."""
        scheme, _, rest = self.url.partition("://")
        return f"{scheme}://{ANY_USER}:{quote(self.token.reveal(), safe='')}@{rest}/{self.owner}/simple/"


def variables(index: Index, before: Mapping[str, str], *, with_pypi: bool) -> dict[str, str]:
    """What is to be set beside the variables `before`, so that tools install from the index on this machine.

    With `with_pypi` the indexes that were there before, or PyPI, stay beside it. uv looks there only for what this
    index does not have; pip treats all alike.
    """
    url = index.with_credentials()
    password = index.token.reveal()
    return {
        "PYPIHUB_INDEX_URL": url,
        **(_beside_others(url, before) if with_pypi else _alone(url)),
        f"UV_INDEX_{NAME.upper()}_USERNAME": ANY_USER,
        f"UV_INDEX_{NAME.upper()}_PASSWORD": password,
        f"POETRY_HTTP_BASIC_{NAME.upper()}_USERNAME": ANY_USER,
        f"POETRY_HTTP_BASIC_{NAME.upper()}_PASSWORD": password,
        **_without_proxy(before),
    }


def _beside_others(url: str, before: Mapping[str, str]) -> dict[str, str]:
    others = [*(before.get("PIP_INDEX_URL", "").split() or [PYPI]), *before.get("PIP_EXTRA_INDEX_URL", "").split()]
    return {
        "PIP_INDEX_URL": url,
        "PIP_EXTRA_INDEX_URL": " ".join(others),
        "UV_INDEX": " ".join([f"{NAME}={url}", *before.get("UV_INDEX", "").split()]),
    }


def _alone(url: str) -> dict[str, str]:
    return {
        "PIP_INDEX_URL": url,
        "PIP_EXTRA_INDEX_URL": url,  # in place of those in pip's configuration; pip passes over an empty text
        "UV_DEFAULT_INDEX": f"{NAME}={url}",
        "UV_INDEX": "",
        "UV_EXTRA_INDEX_URL": "",
        "PDM_PYPI_URL": url,
    }


def _without_proxy(before: Mapping[str, str]) -> dict[str, str]:
    """This machine is not to be reached through a proxy."""
    there = "".join(before.get("no_proxy", before.get("NO_PROXY", "")).split())
    value = f"{there},127.0.0.1" if there else "127.0.0.1"
    return {"no_proxy": value, "NO_PROXY": value}
