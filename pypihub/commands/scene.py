"""What the steps of `pypihub check` have found out, each for those behind it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging.utils import NormalizedName

from pypihub.config import Config
from pypihub.errors import PyPIHubError
from pypihub.github.configured import Configured
from pypihub.github.credentials import Source, Token
from pypihub.github.decoding import ReleaseAsset
from pypihub.github.standing import Standing
from pypihub.index.model import Listing, Project
from pypihub.index.names import Owner, Repository


@dataclass
class Scene:
    """What is checked, and what is known of it: a step needs those before it that set what it uses."""

    reactor: Any
    file: Path | None
    owner: Owner
    project: NormalizedName | None
    refusal: PyPIHubError | None = None
    config: Config = field(init=False)
    github: Configured = field(init=False)
    token: Token = field(init=False)
    standing: Standing = field(init=False)
    repository: Repository = field(init=False)
    listing: Listing = field(init=False)
    shown: Project = field(init=False)
    asset: ReleaseAsset = field(init=False)
    source: Source = field(init=False)

    async def close(self) -> None:
        """Ends the connections to GitHub, if there are any."""
        if hasattr(self, "github"):
            await self.github.close()
