"""What is shown of a project."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from msgspec import structs
from packaging.version import Version

from pypihub.index import about as module
from pypihub.index.about import About, about, size_in_words
from pypihub.index.model import Asset, Listing, Release, project_of
from pypihub.index.names import normalize_project

_GITHUB = "https://github.com"


def _release(tag: str, *filenames: str, title: str = "", day: int = 1) -> Release:
    moment = datetime(2026, 5, day, tzinfo=UTC)
    assets = tuple(Asset(f"RA_{tag}_{name}", name, 2048, f"sha256:{'a' * 64}", moment) for name in filenames)
    return Release(f"RE_{tag}", False, moment, assets, tag, title)


_LISTING = Listing(
    "Octo/Demo",
    False,
    (
        _release("v2.0rc1", "demo-2.0rc1-py3-none-any.whl", day=4),
        _release("v1.1", "demo-1.1.tar.gz", title="[yanked] eats data", day=3),
        _release("rel/1.0", "demo-1.0-py3-none-any.whl", "demo-1.0.tar.gz", day=2),
    ),
    is_private=False,
)


def _about(version: str, metadata: str = "", listing: Listing = _LISTING) -> About:
    project = project_of(listing, normalize_project("demo"))
    return about(listing, project, Version(version), metadata.encode(), _GITHUB)


def test_the_version_s_files_and_all_versions_are_told() -> None:
    view = _about("1.0")
    assert [(file.filename, file.kind, file.size) for file in view.files] == [
        ("demo-1.0-py3-none-any.whl", "wheel", "2.0 KiB"),
        ("demo-1.0.tar.gz", "sdist", "2.0 KiB"),
    ]
    assert [(line.version, line.yanked, line.is_prerelease, line.is_shown) for line in view.versions] == [
        ("2.0rc1", False, True, False),
        ("1.1", "eats data", False, False),
        ("1.0", False, False, True),
    ]
    assert (view.current, view.shown.published_at) == ("1.0", datetime(2026, 5, 2, tzinfo=UTC))
    assert _about("1.1").shown.yanked == "eats data"


@pytest.mark.parametrize(
    ("filename", "requires_python", "shown"),
    [
        ("demo-1.0-cp311-cp311-manylinux_2_17_x86_64.whl", None, "cp311"),
        ("demo-1.0-cp311-cp311-manylinux_2_17_x86_64.whl", ">=3.9", "cp311, >=3.9"),
        ("demo-1.0-1-cp39-abi3-win_amd64.whl", ">=3.9", "cp39-abi3, >=3.9"),
        ("demo-1.0-py3-none-any.whl", None, "py3"),
        ("demo-1.0-py3-none-any.whl", ">=3.9", ">=3.9"),
        ("demo-1.0-py2.py3-none-any.whl", ">=3.9", ">=3.9"),
        ("demo-1.0.tar.gz", None, None),
    ],
)
def test_what_python_a_file_runs_with_is_told(filename: str, requires_python: str | None, shown: str | None) -> None:
    listing = replace(_LISTING, releases=(_release("v1", filename),))
    project = project_of(listing, normalize_project("demo"))
    (file,) = project.files
    project = replace(project, files=(structs.replace(file, requires_python=requires_python),))
    (line,) = about(listing, project, Version("1.0"), None, _GITHUB).files
    assert line.python == shown


def test_links_lead_to_the_repository_and_its_releases() -> None:
    view = _about("1.0")
    assert (view.repository, view.repository_url) == ("Octo/Demo", "https://github.com/Octo/Demo")
    assert view.shown.notes_url == "https://github.com/Octo/Demo/releases/tag/rel%2F1.0"
    assert view.tree == "https://github.com/Octo/Demo/blob/rel/1.0/"
    assert (view.is_private, view.is_archived) == (False, False)


def test_a_version_is_yanked_where_all_its_files_are() -> None:
    half = _release("again", "demo-1.1-py3-none-any.whl", day=5)
    view = _about("1.1", listing=replace(_LISTING, releases=(half, *_LISTING.releases)))
    assert (view.shown.yanked, [file.yanked for file in view.files]) == (False, [False, "eats data"])
    bare = structs.replace(_LISTING.releases[1], title="[yanked]")
    assert _about("1.1", listing=replace(_LISTING, releases=(bare,))).shown.yanked is True


def test_metadata_tells_more() -> None:
    view = _about(
        "1.0",
        "Summary: It is good\nRequires-Python: >=3.11\nLicense: MIT\n and more\nAuthor-email: A <a@b.example>\n"
        "Home-page: https://home.example\nProject-URL: Docs, https://docs.example\n"
        "Project-URL: Bad, javascript:alert(1)\nProject-URL: Worse, https:evil\nProject-URL: None\n"
        "Project-URL: Broken, https://[\n"
        "Description-Content-Type: text/markdown\n\n# Hello\n",
    )
    assert (view.summary, view.requires_python, view.license) == ("It is good", ">=3.11", "MIT")
    assert view.author == "A <a@b.example>"
    assert view.links == [("Homepage", "https://home.example"), ("Docs", "https://docs.example")]
    assert (view.readme, view.content_type) == ("# Hello", "text/markdown")


def test_what_it_requires_is_told_and_who_asks_for_it() -> None:
    view = _about(
        "1.0",
        "Requires-Dist: pytest (>=8); extra == 'test'\nRequires-Dist: iniconfig>=2\n"
        'Requires-Dist: tomli>=2; python_version < "3.11"\nRequires-Dist: wheel-of-mine @ https://e.example/a;b.whl\n'
        'Requires-Dist: colors[all]>=1; os_name == "nt" and extra == "cli"\n',
    )
    assert [(need.wanted, need.where) for need in view.needs] == [
        ("iniconfig>=2", ""),
        ("tomli>=2", 'python_version < "3.11"'),
        ("wheel-of-mine @ https://e.example/a;b.whl", ""),
        ("pytest (>=8)", "extra test"),
        ("colors[all]>=1", 'os_name == "nt" and extra cli'),
    ]
    assert view.needs_others
    alone = _about("1.0", "Requires-Dist: pytest; extra == 'test'\n")
    assert (len(alone.needs), alone.needs_others) == (1, False)
    assert (_about("1.0").needs, _about("1.0").needs_others) == ((), False)


def test_of_very_many_versions_files_and_links_some_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_VERSIONS", 2)
    monkeypatch.setattr(module, "MOST_FILES", 1)
    view = _about("1.0")
    assert (len(view.versions), view.more_versions) == (2, 1)
    assert (len(view.files), view.more_files) == (1, 1)
    assert view.shown.version == "1.0"
    links = "".join(f"Project-URL: {number}, https://e.example/{number}\n" for number in range(100))
    assert len(_about("1.0", links).links) == module.MOST_LINKS
    needs = "".join(f"Requires-Dist: n{number}\n" for number in range(100))
    assert (len(_about("1.0", needs).needs), _about("1.0", needs).more_needs) == (50, 50)


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (1, "1 bytes"),
        (1023, "1023 bytes"),
        (1024, "1.0 KiB"),
        (1024**2 - 1, "1.0 MiB"),
        (1536 * 1024, "1.5 MiB"),
        (2 * 1024**3, "2.0 GiB"),
    ],
)
def test_sizes_are_in_words(size: int, words: str) -> None:
    assert size_in_words(size) == words
