"""Which release a file goes to, and what stands in its way there: decided on the listing alone."""

from __future__ import annotations

from packaging.version import Version

from pypihub.index.model import Asset, Listing, Release
from pypihub.index.names import FileNames
from pypihub.index.uploads import Upload


def release_tag(template: str, upload: Upload) -> str:
    """The tag of a new release for the upload: `{name}` is the normalized name, `{version}` PEP 440's normal form."""
    return template.replace("{name}", upload.name).replace("{version}", str(upload.version))


def namesakes(listing: Listing, filename: str) -> list[tuple[Release, Asset]]:
    """The files of this name in all releases, published ones first; an empty asset is none."""
    found = [
        (release, asset)
        for release in listing.releases
        for asset in release.assets
        if asset.name == filename and asset.size
    ]
    return sorted(found, key=lambda each: each[0].is_draft)


def find_place(listing: Listing, upload: Upload, tag: str) -> Release | None:
    """The release that the upload belongs into; None where one has to be made.

    That is the release which holds files of its project and version, else the one with this tag. Of several those
    that are published come first, then the one with the tag, and then the oldest: so two who make drafts at the same
    time agree on one of them.
    """
    names = FileNames(upload.name)
    oldest_first = listing.releases[::-1]
    holders = [release for release in oldest_first if _holds(release, names, upload.version)]
    places = holders or [release for release in oldest_first if release.tag == tag]
    return min(places, key=lambda release: (release.is_draft, release.tag != tag), default=None)


def _holds(release: Release, names: FileNames, version: Version) -> bool:
    return any(asset.size and names.version(asset.name) == version for asset in release.assets)
