"""What a person sees of an owner's projects: those that a search finds, some at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pypihub.index.model import ListedProject
from pypihub.index.names import Owner

AT_ONCE = 100
"""Projects on one page."""
LONGEST_SEARCH = 100
"""Characters of a search; what is beyond is not looked for."""


@dataclass(frozen=True, slots=True)
class Overview:
    """One page of the projects that were found; pages are counted from 1, and `total` is all of the owner's."""

    owner: Owner
    search: str
    projects: Sequence[ListedProject]
    found: int
    total: int
    page: int
    pages: int


def overview(owner: Owner, projects: Sequence[ListedProject], search: str = "", page: int = 1) -> Overview:
    """The projects in which each word of the search stands; of a page that is not there, the nearest one."""
    search = search[:LONGEST_SEARCH].strip()
    words = _spelled_alike(search).split()
    found = [project for project in projects if all(word in _text(project) for word in words)] if words else projects
    pages = max(1, -(-len(found) // AT_ONCE))
    page = min(max(page, 1), pages)
    shown = found[(page - 1) * AT_ONCE : page * AT_ONCE]
    return Overview(owner, search, shown, len(found), len(projects), page, pages)


def _text(project: ListedProject) -> str:
    """What is searched."""
    return _spelled_alike(f"{project.name} {project.home.name} {project.home.description if project.is_alone else ''}")


def _spelled_alike(text: str) -> str:
    """As project names are compared, roughly: who looks for `My_Tool` finds `my-tool`."""
    return text.casefold().replace("_", "-").replace(".", "-")
