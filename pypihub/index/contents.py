"""What releases hold: which projects, in which versions; and which releases hold one version."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from packaging.utils import NormalizedName
from packaging.version import Version

from pypihub.errors import CommandError, NotFoundError
from pypihub.index.model import Listing, Release
from pypihub.index.names import FileNames, read_filename

Content = tuple[NormalizedName, Version]
"""A project, and the version of it that a file is of."""

_MOST_NAMED = 5


def contents(release: Release) -> tuple[Content, ...]:
    """The projects and versions whose files the release holds, each once, in order."""
    return tuple(sorted(_contents(release, read_filename)))


def releases_with(listing: Listing, version: Version, project: NormalizedName | None = None) -> tuple[Release, ...]:
    """The published releases that hold files of the version (of the project, where one is given), the newest first.

    Raises NotFoundError where there is none, CommandError where it is not clear whose version is meant: several
    projects have it, not all in the same releases.
    """
    read = partial(_content_of, project, FileNames(project)) if project else read_filename
    published = [(release, _contents(release, read)) for release in listing.releases if not release.is_draft]
    holders: dict[NormalizedName, list[Release]] = {}
    for release, held in published:
        for name in (name for name, number in held if number == version):
            holders.setdefault(name, []).append(release)
    whose = f"{project} in {listing.name_with_owner}" if project else listing.name_with_owner
    if not holders:
        there = sorted({number for _, held in published for _, number in held}, reverse=True)
        hint = f" It has {listed(there)}." if there else ""
        raise NotFoundError(f"No published release holds files of version {version} of {whose}.{hint}")
    first, *others = holders.values()
    if any(other != first for other in others):
        names = listed(sorted(holders))
        raise CommandError(
            f"Different releases of {whose} hold a version {version} of {names}: say which one with --project NAME."
        )
    return tuple(first)


def listed(words: Iterable[object]) -> str:
    """The first few of the words, and how many more there are."""
    texts = [str(word) for word in words]
    more = f" and {len(texts) - _MOST_NAMED} more" if len(texts) > _MOST_NAMED else ""
    return ", ".join(texts[:_MOST_NAMED]) + more


def _contents(release: Release, read: Callable[[str], Content | None]) -> set[Content]:
    return {content for asset in release.assets if asset.size and (content := read(asset.name))}


def _content_of(project: NormalizedName, names: FileNames, filename: str) -> Content | None:
    """An sdist's name read against a project's tells more than it does by itself."""
    version = names.version(filename)
    return None if version is None else (project, version)
