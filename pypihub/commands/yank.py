"""`pypihub yank`: yanks the releases that hold a version, by their titles, or brings them back."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import click
from packaging.utils import NormalizedName
from packaging.version import Version

from pypihub.commands.running import github_of, progress, run_in_reactor
from pypihub.commands.token import find_token, github_host
from pypihub.config import Config, load_config
from pypihub.errors import CommandError, ForbiddenError, NotFoundError
from pypihub.github.credentials import Token
from pypihub.github.nodes import release_number
from pypihub.index.contents import contents, listed, releases_with
from pypihub.index.model import Listing, Release
from pypihub.index.names import Repository, is_repository_name, normalize_project, parse_owner, read_version
from pypihub.index.yanked import yanked_reason, yanked_title
from pypihub.lines import one_line


@dataclass(frozen=True, slots=True)
class Wish:
    """Which version is to be yanked, or with `undo` brought back; `project` tells which of a repository's several."""

    repository: Repository
    version: Version
    project: NormalizedName | None = None
    reason: str = ""
    undo: bool = False


def read_wish(repository: str, version: str, project: str | None, reason: str, *, undo: bool) -> Wish:
    """The wish that the words of a command line make; raises CommandError for a word that is not what it should be."""
    name = _project(project) if project is not None else None
    return Wish(_repository(repository), _version(version), name, reason, undo)


def run_yank(file: Path | None, wish: Wish) -> NoReturn:
    """Carries the wish out with the configuration in `file`, and ends the process; raises CommandError, ConfigError."""
    config = load_config(file)
    token = find_token(os.environ, github_host(config.github.api_url))
    run_in_reactor(partial(_yank, config, token, wish))


async def _yank(config: Config, token: Token, wish: Wish, reactor: Any) -> None:
    async with github_of(config, reactor) as github:
        with progress(reactor, f"Reading the releases of {wish.repository}"):
            listing = await github.listing(token, wish.repository)
        if listing.is_archived:  # GitHub would refuse, and a token for more would not help
            raise ForbiddenError(f"{listing.name_with_owner} is archived on GitHub: nothing can be changed in it.")
        releases = github.releases(token, listing.name_with_owner)
        told: list[str] = []
        try:
            for release in releases_with(listing, wish.version, wish.project):
                title = new_title(release, wish)
                if title is not None:
                    with progress(reactor, f"Changing the title of release {release.tag}"):
                        await releases.rename(release_number(release.id), title)
                told.append(f"{_describe(release, listing)} {_outcome(release, title)}")
        finally:  # of what was done, also where the rest failed; and when all is done, for nobody may read it
            for line in told:
                click.echo(line)


def new_title(release: Release, wish: Wish) -> str | None:
    """The title that the wish gives the release; None where it has been fulfilled already.

    What was yanked with a reason keeps it where the wish has none. Brought back, a release is called by its tag, as
    GitHub shows one without a title.
    """
    before = yanked_reason(release.title)
    if wish.undo:
        return None if before is False else release.tag
    title = yanked_title(wish.reason)
    is_done = before is not False and yanked_reason(title) in (True, before)
    return None if is_done else title


def _describe(release: Release, listing: Listing) -> str:
    """The release, and all that is yanked with it."""
    held = listed(f"{name} {version}" for name, version in contents(release))
    return f"Release {one_line(release.tag)} of {listing.name_with_owner} ({held})"


def _outcome(release: Release, title: str | None) -> str:
    before, after = yanked_reason(release.title), yanked_reason(release.title if title is None else title)
    if after is False:
        return "was not yanked." if title is None else "is yanked no more. Its title is its tag."
    done = "was yanked already" if title is None else "is yanked"
    former = one_line(release.title)
    lost = f' Its title was "{former}".' if before is False and former not in ("", release.tag) else ""
    because = f': "{after}".' if isinstance(after, str) else "."
    return done + because + lost


def _repository(text: str) -> Repository:
    login, _, name = text.partition("/")
    owner = parse_owner(login)
    if owner is None or not is_repository_name(name):
        raise CommandError(f"{text[:50]!r} is no repository: write it as OWNER/REPO.")
    return Repository(owner, name)


def _version(text: str) -> Version:
    version = read_version(text)
    if version is None:
        raise CommandError(f"{text[:50]!r} is no version: write it like 1.0 or 2.1rc1.")
    return version


def _project(text: str) -> NormalizedName:
    try:
        return normalize_project(text)
    except NotFoundError:
        raise CommandError(f"{text[:50]!r} is no project's name.") from None
