"""Roots: all projects that a token can install from an owner."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from pypihub.github.credentials import Token
from pypihub.github.survey import Sight
from pypihub.index.mapping import Mapping
from pypihub.index.model import ListedProject
from pypihub.index.names import Owner
from pypihub.index.projects import Projects

ListedProjects = tuple[ListedProject, ...]
"""An owner's projects, sorted by their names."""


class Surveyor(Protocol):
    """Shows the files of an owner's repositories, as `pypihub.github.client.Client` does."""

    def survey(self, token: Token, owner: Owner, sight: Sight) -> Awaitable[None]:
        """Shows `sight` the files of all repositories of the owner that the token may see."""


class Roots:
    """Finds out which projects there are; a project counts in the repository that the rules lead to."""

    def __init__(self, github: Surveyor, mapping: Mapping) -> None:
        self._github = github
        self._mapping = mapping

    async def projects(self, token: Token, owner: Owner) -> ListedProjects:
        """The owner's projects. Raises NotFoundError where GitHub has no such owner, and what `survey` raises."""
        projects = Projects(owner, self._mapping)
        await self._github.survey(token, owner, projects)
        return projects.listed()
