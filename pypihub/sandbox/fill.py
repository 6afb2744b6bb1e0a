"""Fill a world from folders of files on disk; the files are served from where they lie."""

from collections.abc import Iterator
from pathlib import Path

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    NormalizedName,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from pypihub.sandbox.world import Repository, World


def fill_tree(world: World, folder: Path, *, private: bool = True) -> list[Repository]:
    """Add what lies in a tree ``OWNER/REPOSITORY/TAG/FILES``; releases are created in the order of their versions.

    :raises ValueError: when a repository has one of the releases already, perhaps of a folder in another case.
    :returns: the repositories of the tree, by name.
    """
    filled = []
    for owner in _visible(folder):
        for home in _visible(owner):
            repository = _repository(world, owner.name, home.name, private)
            for tag in sorted(_visible(home), key=lambda tag: _tag_order(tag.name)):
                release = repository.add_release(tag.name)
                for file in _visible(tag):
                    release.add_asset(file.name, file)
            filled.append(repository)
    return filled


def fill_flat(world: World, folder: Path, owner: str, *, private: bool = True) -> list[Repository]:
    """Add a flat folder of wheels and sdists: a repository per project, a release ``v{version}`` per version.

    Whatever is not a wheel or an sdist is left out.

    :returns: the repositories of the projects, by name.
    """
    projects: dict[NormalizedName, dict[Version, list[Path]]] = {}
    for file in _visible(folder):
        parsed = parse_distribution(file.name)
        if parsed:
            project, version = parsed
            projects.setdefault(project, {}).setdefault(version, []).append(file)
    filled = []
    for project, versions in sorted(projects.items()):
        repository = _repository(world, owner, project, private)
        for version, files in sorted(versions.items()):
            release = repository.add_release(f"v{version}", prerelease=version.is_prerelease)
            for file in files:
                release.add_asset(file.name, file)
        filled.append(repository)
    return filled


def _repository(world: World, owner: str, name: str, private: bool) -> Repository:
    """Return the repository of that name, made when there is none."""
    known = world.find_repository(owner, name, follow_renames=False)
    return known or world.add_repository(f"{owner}/{name}", private=private)


def _visible(folder: Path) -> Iterator[Path]:
    """Return what a folder holds, by name, without hidden entries; nothing for a plain file."""
    if not folder.is_dir():
        return iter(())
    return iter(sorted(entry for entry in folder.iterdir() if not entry.name.startswith(".")))


def parse_distribution(name: str) -> tuple[NormalizedName, Version] | None:
    """Return the project and the version of a wheel or an sdist; None for another file."""
    try:
        if name.endswith(".whl"):
            return parse_wheel_filename(name)[:2]
        return parse_sdist_filename(name)
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        return None


def _tag_order(tag: str) -> tuple[bool, Version, str]:
    """Sort tags that are versions by version, after those that are not."""
    try:
        return True, Version(tag), tag
    except InvalidVersion:
        return False, Version("0"), tag
