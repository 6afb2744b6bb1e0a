"""`pypihub check`: walks the way of a request, and tells of each step whether it works and what helps."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NoReturn

from pypihub.commands.check_github import (
    ask_api,
    count_points,
    find_the_token,
    look_up_host,
    read_configuration,
    see_what_token_may,
    shake_hands_with_api,
)
from pypihub.commands.check_project import (
    admit_owner,
    begin_download,
    count_assets,
    find_repository,
    judge_files,
    list_projects,
    read_metadata,
    read_releases,
)
from pypihub.commands.running import run_in_reactor
from pypihub.commands.scene import Scene
from pypihub.commands.steps import Step, walk
from pypihub.commands.telling import TellJSON, TellText
from pypihub.errors import CommandError, NotFoundError
from pypihub.index.names import normalize_project, parse_owner

_TO_GITHUB: tuple[Step[Scene], ...] = (
    Step("configuration", "Reading the configuration", read_configuration),
    Step("token", "Looking for a token", find_the_token, ("configuration",)),
    Step("DNS", "Looking up GitHub's address", look_up_host, ("configuration",)),
    Step("TLS", "Connecting to GitHub", shake_hands_with_api, ("DNS",)),
    Step("API", "Asking GitHub", ask_api, ("token", "TLS")),
    Step("access", "Asking GitHub", see_what_token_may, ("API",)),
    Step("points", "Asking GitHub", count_points, ("access",)),
    Step("owner", "Reading the configuration", admit_owner, ("configuration",)),
)
_OF_OWNER: tuple[Step[Scene], ...] = (
    Step("projects", "Looking through the owner's repositories", list_projects, ("points", "owner")),
)
_OF_PROJECT: tuple[Step[Scene], ...] = (
    Step("repository", "Applying the rules", find_repository, ("configuration",)),
    Step("releases", "Reading the releases", read_releases, ("points", "owner", "repository")),
    Step("assets", "Counting", count_assets, ("releases",)),
    Step("files", "Reading the files' names", judge_files, ("releases", "assets")),
    Step("download", "Fetching a file's first byte", begin_download, ("files",)),
    Step("METADATA", "Reading METADATA", read_metadata, ("download",)),
)


def run_check(file: Path | None, owner: str, project: str | None, *, as_json: bool) -> NoReturn:
    """Checks the owner, or one project of theirs, and ends the process: status 0 where all is well.

    Raises CommandError for a name that can be none.
    """
    login = parse_owner(owner)
    if login is None:
        raise CommandError(f"{owner[:50]!r} is no GitHub user or organization.")
    try:
        name = normalize_project(project) if project is not None else None
    except NotFoundError:
        raise CommandError(f"{(project or '')[:50]!r} is no project's name.") from None
    tell = TellJSON(sys.stdout, login, name) if as_json else TellText(sys.stdout)

    async def check(reactor: Any) -> None:
        scene = Scene(reactor, file, login, name)
        try:
            is_well = await walk((*_TO_GITHUB, *(_OF_PROJECT if name else _OF_OWNER)), scene, reactor, tell)
        finally:
            await scene.close()
        tell.end(is_well=is_well)
        if not is_well:
            raise SystemExit(1)

    run_in_reactor(check)
