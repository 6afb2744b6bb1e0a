"""What a search finds among an owner's projects, and how much of it stands on a page."""

from __future__ import annotations

import pytest

from pypihub.index.model import Home, ListedProject
from pypihub.index.names import Owner, normalize_project
from pypihub.index.overview import AT_ONCE, LONGEST_SEARCH, Overview, overview


def _project(name: str, description: str = "", repository: str = "", *, is_alone: bool = True) -> ListedProject:
    home = Home(repository or name, description, True, False)
    return ListedProject(normalize_project(name), home, is_alone, "1.0", None, False, False)


_SOME = (
    _project("my-tool", "Bends metal"),
    _project("other", "A TOOL for wood"),
    _project("one", "Everything", "Mono", is_alone=False),
    _project("two", "Everything", "Mono", is_alone=False),
)


def _found(search: str) -> list[str]:
    return [project.name for project in overview(Owner("octo"), _SOME, search).projects]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("", ["my-tool", "other", "one", "two"]),
        ("   ", ["my-tool", "other", "one", "two"]),
        ("tool", ["my-tool", "other"]),
        ("MY_TOOL", ["my-tool"]),
        ("my.t", ["my-tool"]),
        ("metal tool", ["my-tool"]),
        ("mono", ["one", "two"]),
        ("everything", []),
        ("nothing", []),
    ],
)
def test_every_word_is_looked_for_in_names_and_descriptions(search: str, found: list[str]) -> None:
    assert _found(search) == found


def _page(count: int, number: int) -> Overview:
    return overview(Owner("octo"), [_project(f"p{index}") for index in range(count)], "p", number)


@pytest.mark.parametrize(
    ("count", "number", "page", "pages", "shown"),
    [
        (0, 1, 1, 1, 0),
        (AT_ONCE, 1, 1, 1, AT_ONCE),
        (AT_ONCE + 1, 1, 1, 2, AT_ONCE),
        (AT_ONCE + 1, 2, 2, 2, 1),
        (AT_ONCE + 1, 9999, 2, 2, 1),
        (AT_ONCE + 1, 0, 1, 2, AT_ONCE),
    ],
)
def test_there_are_as_many_pages_as_needed(count: int, number: int, page: int, pages: int, shown: int) -> None:
    view = _page(count, number)
    assert (view.page, view.pages, len(view.projects)) == (page, pages, shown)
    assert (view.found, view.total) == (count, count)


def test_of_a_long_search_the_beginning_is_looked_for() -> None:
    assert overview(Owner("octo"), _SOME, "tool".ljust(LONGEST_SEARCH) + "never").found == 2
