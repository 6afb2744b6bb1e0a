"""Which projects a repository's files tell of."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypihub.config import Pattern
from pypihub.errors import NotFoundError, UpstreamError
from pypihub.index import projects as module
from pypihub.index.mapping import Mapping, Rule
from pypihub.index.model import Home, ListedProject
from pypihub.index.names import FileNames, Owner, normalize_project
from pypihub.index.projects import Projects

_ALL_IN_MONO = Rule(Pattern("^.*$"), "mono")


def _projects(repository: str, *filenames: str, rules: tuple[Rule, ...] = ()) -> list[str]:
    projects = Projects(Owner("octo"), Mapping(rules))
    projects.see(repository, filenames)
    return list(projects.names())


@pytest.mark.parametrize(
    "filename",
    ["my_pkg-1.0-py3-none-any.whl", "my-pkg-1.0.tar.gz", "my.pkg-1.0.zip", "My_Pkg-1.0.tar.gz", "my-pkg-1.0-1.tar.gz"],
)
def test_a_wheel_or_an_sdist_tells_of_the_repository_s_project(filename: str) -> None:
    assert _projects("My-Pkg", filename) == ["my-pkg"]


@pytest.mark.parametrize(
    "filename",
    [
        "other-1.0.tar.gz",
        "my_pkg-1.0-py3-none-any.whl.asc",
        "my_pkg-1.0.exe",
        "my-pkg.tar.gz",
        "my-pkg-latest.tar.gz",
        "my-pkg-vendor.zip",
        "my_pkg-1.0-py3.whl",
        "my_pkg-1.0-py3-none-any\n.whl",
        "-1.0.tar.gz",
        "1.0.tar.gz",
        "SHA256SUMS",
    ],
)
def test_other_files_tell_of_none(filename: str) -> None:
    assert _projects("my-pkg", filename) == []


def test_a_file_in_another_repository_than_its_project_s_does_not_count() -> None:
    assert _projects("my_pkg", "my_pkg-1.0-py3-none-any.whl") == []


def test_rules_gather_many_projects_in_one_repository() -> None:
    files = ("two-1.0.tar.gz", "one-1.0-py3-none-any.whl", "one-1.1-py3-none-any.whl", "three-3.zip")
    assert _projects("Mono", *files, rules=(_ALL_IN_MONO,)) == ["one", "three", "two"]
    assert _projects("other", *files, rules=(_ALL_IN_MONO,)) == []


def test_a_rule_that_leads_nowhere_hides_its_projects_alone() -> None:
    rules = (Rule(Pattern("^one$"), "a/b"), Rule(Pattern("^two$"), "mono"))
    assert _projects("mono", "one-1.0.tar.gz", "two-1.0.tar.gz", rules=rules) == ["two"]


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (("my-pkg-1.0-1.tar.gz",), ["my-pkg-1-0"]),
        (("my-pkg-1.0-1.tar.gz", "my_pkg-1.0-py3-none-any.whl"), ["my-pkg"]),
        (("my_pkg-1.0-py3-none-any.whl", "my-pkg-1.0-1.tar.gz"), ["my-pkg"]),
        (("my-pkg-1.0-1.tar.gz", "my-pkg-0.9.tar.gz"), ["my-pkg"]),
        (("pkg-2-1.0.tar.gz",), ["pkg-2"]),
        (("pkg-2-1.tar.gz",), ["pkg-2"]),
        (("pkg-2-1.tar.gz", "pkg-1.tar.gz"), ["pkg"]),
        (("pkg-1.tar.gz", "pkg-2-x-1.tar.gz"), ["pkg", "pkg-2-x"]),
    ],
)
def test_of_several_readings_of_an_sdist_one_counts(files: tuple[str, ...], names: list[str]) -> None:
    assert _projects("mono", *files, rules=(_ALL_IN_MONO,)) == names


def test_without_rules_a_repository_is_settled_by_its_own_project() -> None:
    projects = Projects(Owner("octo"), Mapping())
    assert not projects.is_settled("Demo")
    projects.see("Demo", ["demo-1.0.tar.gz"])
    assert projects.is_settled("Demo")
    assert projects.is_settled("My.Pkg"), "no project leads to this name"


def test_with_rules_it_may_always_hold_another_one() -> None:
    projects = Projects(Owner("octo"), Mapping([_ALL_IN_MONO]))
    projects.see("mono", ["one-1.0.tar.gz", "mono-1.0.tar.gz"])
    assert not projects.is_settled("mono")


def test_the_projects_of_an_owner_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PROJECTS", 2)
    with pytest.raises(UpstreamError, match="more projects"):
        _projects("mono", "a-1.zip", "b-1.zip", "c-1.zip", rules=(_ALL_IN_MONO,))


_WORDS = st.lists(
    st.sampled_from(["a", "b2", "1", "1.0", "v1", "rc", "+x", "post", "_", "2.0a1"]), min_size=1, max_size=7
)


@given(_WORDS, st.sampled_from([".tar.gz", ".zip", ".whl", "-py3-none-any.whl"]))
def test_a_project_is_listed_where_a_page_shows_the_file(words: list[str], end: str) -> None:
    """Whatever a file is called: it names one of the projects that show it, if there is any."""
    filename = "-".join(words) + end
    showing = set()
    for count in range(1, len(words) + 1):
        with suppress(NotFoundError):
            name = normalize_project("-".join(words[:count]))
            if FileNames(name).version(filename) is not None:
                showing.add(name)
    listed = _projects("mono", filename, rules=(_ALL_IN_MONO,))
    assert set(listed) <= showing
    assert len(listed) == min(len(showing), 1)


def _listed(*seen: tuple[str, str, bool], rules: tuple[Rule, ...] = ()) -> list[ListedProject]:
    """What is listed of a repository `Mono` whose releases hold a file each: its name, the day of May, yanked."""
    projects = Projects(Owner("octo"), Mapping(rules))
    projects.meet(Home("Mono", "All of it", True, False))
    for filename, day, is_yanked in seen:
        projects.see("Mono", [filename], datetime(2026, 5, int(day), tzinfo=UTC), is_yanked=is_yanked)
    return list(projects.listed())


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        ([("1.9", False), ("1.10", False), ("1.2", False)], ("1.10", 2, False)),
        ([("1.0", False), ("2.0rc1", False)], ("1.0", 1, False)),
        ([("1.0", False), ("2.0", True)], ("1.0", 1, False)),
        ([("1.0rc1", False), ("2.0", True)], ("1.0rc1", 1, False)),
        ([("1.0", True), ("2.0", True)], ("2.0", 2, True)),
        ([("1.0", False), ("1.0.0", False)], ("1.0", 1, False)),
    ],
)
def test_the_newest_version_is_the_one_that_would_be_installed(
    versions: list[tuple[str, bool]], expected: tuple[str, int, bool]
) -> None:
    seen = [(f"mono-{version}.tar.gz", str(day), is_yanked) for day, (version, is_yanked) in enumerate(versions, 1)]
    (listed,) = _listed(*seen)
    version, day, is_yanked = expected
    assert (listed.version, listed.is_yanked) == (version, is_yanked)
    assert listed.published_at == datetime(2026, 5, day, tzinfo=UTC)
    assert (listed.home.name, listed.is_alone) == ("Mono", True)


def test_projects_that_share_a_repository_have_a_version_each() -> None:
    one, two = _listed(("one-1.0.tar.gz", "1", False), ("two-2.0.tar.gz", "2", False), rules=(_ALL_IN_MONO,))
    assert [(each.name, each.version, each.is_alone) for each in (one, two)] == [
        ("one", "1.0", False),
        ("two", "2.0", False),
    ]
