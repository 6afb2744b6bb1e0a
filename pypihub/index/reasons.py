"""Why a release's asset is no file of a project, in words for whoever misses it there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from packaging.utils import NormalizedName

from pypihub.index.model import Asset, Listing, Release, project_of
from pypihub.index.names import SUFFIXES, FileNames, read_filename, read_version
from pypihub.lines import one_line

_LONGEST_VERSION = 100


@dataclass(frozen=True, slots=True)
class Judged:
    """An asset of a release; `reason` tells why the project's page does not have it, None where it has."""

    release: Release
    asset: Asset
    reason: str | None


def judged(listing: Listing, name: NormalizedName) -> Iterator[Judged]:
    """Every asset of the listing, in its order; what counts is what the index shows."""
    shown = {file.asset_id for file in project_of(listing, name).files}
    names = FileNames(name)
    for release in listing.releases:
        for asset in release.assets:
            yield Judged(release, asset, None if asset.id in shown else _why_not(release, asset, names))


def _why_not(release: Release, asset: Asset, names: FileNames) -> str:
    """What keeps an asset from being shown that is not."""
    if release.is_draft:
        return "its release is a draft: publish that on GitHub"
    if not asset.size:
        return "it is empty, its upload failed: delete it and upload it again"
    if names.version(asset.name) is None:
        return _no_file_of(asset.name, names.project)
    return "another release has a file of this name that was uploaded later"


def _no_file_of(filename: str, project: NormalizedName) -> str:
    """Why a name is none of the project's files."""
    suffix = next((suffix for suffix in SUFFIXES if filename.lower().endswith(suffix)), None)
    if suffix is None:
        return f"it is neither a wheel nor an sdist ({', '.join(SUFFIXES)})"
    if not filename.endswith(suffix):
        return f"its name should end in {suffix}, in lower case"
    content = read_filename(filename)
    if content is None:
        former = _before_github(filename, suffix)
        if former is not None:
            return f"GitHub changed its name, which was {former} perhaps: upload it again, with a + as %2B"
        return "its name is no wheel's" if suffix == ".whl" else "its name is no sdist's (NAME-VERSION)"
    if content[0] != project:
        return f"it is a file of {one_line(content[0])}"
    return "its name is not spelled as that of a file of the project, or has too many tags"


def _before_github(filename: str, suffix: str) -> str | None:
    """The name that GitHub may have turned into this one: in place of a + in the version it writes a dot."""
    name, _, rest = filename.removesuffix(suffix).partition("-")
    version, hyphen, tags = rest.partition("-")
    if len(version) > _LONGEST_VERSION or read_version(version) is not None:
        return None
    for place in range(len(version) - 1, 0, -1):  # the right one first: what is before it is the longer version
        former = f"{version[:place]}+{version[place + 1 :]}"
        if version[place] == "." and read_version(former) is not None:
            return f"{name}-{former}{hyphen}{tags}{suffix}"
    return None
