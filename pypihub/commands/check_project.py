"""The steps of `pypihub check` behind GitHub's door: the owner, the repository, its releases, their files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from packaging.utils import NormalizedName

from pypihub.catalog.roots import Roots
from pypihub.catalog.threads import Threads
from pypihub.catalog.wheels import read_out
from pypihub.commands.scene import Scene
from pypihub.commands.steps import Outcome, failed, left_out, passed
from pypihub.config import GitHub
from pypihub.errors import NotFoundError, PyPIHubError, UpstreamUnreachableError
from pypihub.index.mapping import Mapping as Rules
from pypihub.index.mapping import Rule
from pypihub.index.model import File, Listing, Project, project_of
from pypihub.index.reasons import Judged, judged
from pypihub.index.wheel import UnreadableWheelError
from pypihub.lines import one_line

_MOST_SHOWN = 30  # files of each sort
_MOST_PROJECTS = 1000
_NO_REPO = "The token has no scope repo, so it sees public repositories only: give it that."
_UNSEEN = (
    "Check the name and github.replace. The token must see the repository: a fine-grained one must name it, a classic"
    " one needs the scope repo, and single sign-on an authorization."
)


async def admit_owner(scene: Scene) -> Outcome:
    """Whether the configuration lets the owner be served."""
    owners = scene.config.github.owners
    if not owners:
        return passed(f"{scene.owner}; everyone is served")
    if scene.owner not in {owner.lower() for owner in owners}:
        return failed(f"{scene.owner} is not among github.owners: {', '.join(owners)}.", "Add it there.")
    return passed(f"{scene.owner} is among github.owners")


async def list_projects(scene: Scene) -> Outcome:
    """Which projects the token can install from the owner."""
    try:
        listed = await Roots(scene.github.client, _mapping(scene.config.github)).projects(scene.token, scene.owner)
    except NotFoundError as error:
        return failed(error.message, "Check how the owner is spelled.")
    names = [project.name for project in listed]
    if not names:
        return failed(
            f"{scene.owner} has no project that this token can install.",
            "Attach wheels or sdists to a published release. To learn why files do not count: pypihub check"
            f" {scene.owner} PROJECT. {_no_scope(scene)}".rstrip(),
        )
    more = [f"and {len(names) - _MOST_PROJECTS:,} more"] if len(names) > _MOST_PROJECTS else []
    return passed(f"{_counted(len(names), 'project')} can be installed", [*names[:_MOST_PROJECTS], *more])


async def find_repository(scene: Scene) -> Outcome:
    """Which repository the project's name leads to, and what each rule makes of the name."""
    project, github = _project(scene), scene.config.github
    mapping = _mapping(github)
    notes: list[str] = []
    before: str = project
    for number, (rule, after) in enumerate(zip(github.replace, mapping.steps(project), strict=False)):
        effect = f"{before} → {one_line(after)}" if after != before else "leaves it as it is"
        # As errors of the configuration call it.
        notes.append(
            f"github.replace[{number}], {one_line(rule.patt.regex.pattern)!r} → {one_line(rule.repl)!r}: {effect}"
        )
        before = after
    try:
        scene.repository = mapping.repository(scene.owner, project)
    except NotFoundError as error:
        return failed(error.message, "Correct github.replace.", notes)
    how = "by github.replace" if notes else "of the project's own name, for there is no rule"
    return passed(f"{project} is looked for in {scene.repository}, {how}", notes)


async def read_releases(scene: Scene) -> Outcome:
    """Whether the token sees the repository, and whether anything is published there."""
    try:
        scene.listing = listing = await scene.github.client.listing(scene.token, scene.repository)
    except NotFoundError as error:
        return failed(error.message, _no_scope(scene) or _UNSEEN)
    drafts = sum(release.is_draft for release in listing.releases)
    detail = f"{listing.name_with_owner} has {_counted(len(listing.releases), 'release')}"
    detail += f", {drafts} of them drafts" if drafts else ""
    detail += "; it is archived" if listing.is_archived else ""
    if len(listing.releases) == drafts:
        remedy = "Publish a draft." if drafts else "Make a release with the files, on GitHub or by uv publish."
        return failed(detail, remedy)
    return passed(detail)


async def count_assets(scene: Scene) -> Outcome:
    """Whether the published releases have assets."""
    published = [release for release in scene.listing.releases if not release.is_draft]
    assets = sum(len(release.assets) for release in published)
    detail = f"{_counted(assets, 'file')} in {_counted(len(published), 'published release')}"
    if not assets:
        return failed(detail, "Attach wheels and sdists; the archives of source code that GitHub adds do not count.")
    return passed(detail)


async def judge_files(scene: Scene) -> Outcome:
    """Which files count for the project, and why others do not; and which version installers take."""
    project = _project(scene)
    scene.shown = project_of(scene.listing, project)
    all_judged = list(judged(scene.listing, project))
    notes = tuple(_judgements(all_judged, {file.asset_id: file for file in scene.shown.files}))
    count = Counter(each.reason is None for each in all_judged)
    detail = f"{_counted(count[True], 'file')} of {project} counted, {count[False]} not"
    if not count[True]:
        return failed(detail, f"Attach a wheel or an sdist of {project}, named as its build tool names it.", notes)
    versions, taken = scene.shown.versions, _taken(scene.shown)
    detail += f"; {_counted(len(versions), 'version')}, the highest is {versions[-1]}"
    if not taken:
        return failed(*_none_is_taken(scene.listing, scene.shown, detail), notes)
    version = str(taken[-1].version)
    return passed(detail if version == versions[-1] else f"{detail}, installers take {version}", notes)


async def begin_download(scene: Scene) -> Outcome:
    """Whether a file's first byte can be had where GitHub's storage has it."""
    client, file = scene.github.client, _newest(scene.shown)
    (found,) = await client.assets(scene.token, [file.asset_id])
    if isinstance(found, PyPIHubError):
        raise found
    scene.asset = found
    scene.source = source = await client.source(scene.token, found)
    host = urlsplit(source.url.reveal()).hostname
    if source.token is not None and scene.config.downloads.mode == "redirect":
        return failed("This GitHub sends files itself, with no URL for them.", 'Set downloads.mode = "proxy".')
    try:
        download = await client.open(source, found.size, {"range": "bytes=0-0"})
    except UpstreamUnreachableError as error:
        return failed(error.message, f"Let this machine, and those that install, reach {host}.")
    download.close()
    return passed(f"{file.filename} can be had from {host}")


async def read_metadata(scene: Scene) -> Outcome:
    """Whether the wheel's METADATA can be read."""
    if not _newest(scene.shown).is_wheel:
        return left_out(f"{scene.asset.name} is an sdist: only wheels have it beside them")
    try:
        metadata = await read_out(scene.github.client, scene.source, scene.asset, Threads(scene.reactor))
    except UnreadableWheelError as error:
        return failed(
            error.message,
            "Build it again and upload it. GitHub makes dots of some characters in names, as of ! in an epoch: then"
            " the name tells another version than the wheel.",
        )
    wants = f", Requires-Python {metadata.requires_python}" if metadata.requires_python else ""
    return passed(f"of {scene.asset.name}{wants}")


def _taken(project: Project) -> list[File]:
    """The files that installers choose from: none that is yanked, and pre-releases where there is nothing else."""
    final = [file for file in project.files if not file.version.is_prerelease]
    return [file for file in final or project.files if file.yanked is False]


def _none_is_taken(listing: Listing, project: Project, detail: str) -> tuple[str, str]:
    """That installers find nothing, and what helps."""
    remedy = f"Bring one back: pypihub yank {listing.name_with_owner} VERSION --undo"
    if all(file.yanked is not False for file in project.files):
        return f"{detail}; every version is yanked, so installers take none that is not pinned.", f"{remedy}."
    return (
        f"{detail}; every version that is no pre-release is yanked, so installers take none.",
        f"{remedy}; or allow pre-releases (--pre).",
    )


def _judgements(all_judged: Sequence[Judged], shown: Mapping[str, File]) -> Iterator[str]:
    """A line for each file: first those that do not count, the newest releases' first."""
    for counts in (False, True):
        some = [each for each in all_judged if (each.reason is None) == counts]
        for each in some[:_MOST_SHOWN]:
            where = f"{one_line(each.asset.name)} ({one_line(each.release.tag)})"
            yield f"✓ {where}{_marks(shown[each.asset.id])}" if counts else f"– {where}: {each.reason}"
        if len(some) > _MOST_SHOWN:
            yield f"and {len(some) - _MOST_SHOWN:,} more that {'count' if counts else 'do not'}"


def _marks(file: File) -> str:
    """What keeps installers from a file that counts."""
    marks = ", pre-release" if file.version.is_prerelease else ""
    if file.yanked is False:
        return marks
    return f"{marks}, yanked: {file.yanked}" if isinstance(file.yanked, str) else f"{marks}, yanked"


def _newest(project: Project) -> File:
    """A file of the version that installers take, a wheel where there is one."""
    taken = _taken(project)
    files = [file for file in taken if file.version == taken[-1].version]
    return next((file for file in files if file.is_wheel), files[0])


def _mapping(github: GitHub) -> Rules:
    return Rules(Rule(rule.patt, rule.repl) for rule in github.replace)


def _project(scene: Scene) -> NormalizedName:
    if scene.project is None:
        raise ValueError("these steps are a project's")
    return scene.project


def _no_scope(scene: Scene) -> str:
    scopes = scene.standing.scopes
    return _NO_REPO if scopes is not None and "repo" not in scopes else ""


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
