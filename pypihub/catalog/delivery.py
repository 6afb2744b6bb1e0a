"""One upload on its way into a release: all of it arrives there, or nothing stays behind."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from enum import Enum

from pypihub.catalog.facts import asset_key
from pypihub.catalog.store import Store
from pypihub.config import Publish
from pypihub.errors import ForbiddenError, UploadRefusedError, UpstreamError
from pypihub.github.nodes import release_number
from pypihub.github.releases import NewAsset, Releases, RestAsset, RestRelease
from pypihub.github.rest import GoneError, TakenError
from pypihub.index.model import Asset, Listing, Release
from pypihub.index.placing import find_place, namesakes, release_tag
from pypihub.index.uploads import Upload

_MARK = re.compile(r"<!-- pypihub [0-9a-f]{32} -->")


class Published(Enum):
    """What came of an upload, in a sentence."""

    NEW = "The file is published."
    SAME = "The same file is here already."
    DRAFT = "The file is in a draft release: it can be installed once that is published on GitHub."


class Delivery:
    """One try to get an upload into a release; `undo` takes back what it wrote.

    `file` is the distribution file, `companions` are what goes beside it. `asset` is the file once it was put there.
    """

    def __init__(
        self,
        releases: Releases,
        store: Store,
        rules: Publish,
        upload: Upload,
        file: NewAsset,
        companions: Sequence[NewAsset],
    ) -> None:
        self._releases = releases
        self._store = store
        self._rules = rules
        self._upload = upload
        self._file = file
        self._companions = companions
        self._tag = release_tag(rules.tag, upload)
        self._mark: str | None = None  # of the release that was made for this
        self._release: RestRelease | None = None
        self._sent: list[tuple[NewAsset, int | None]] = []  # with the asset's number, once it is known
        self._is_publishing = False
        self.asset: RestAsset | None = None

    async def run(self, listing: Listing) -> Published:
        """Writes what the listing lacks.

        The companions go first, so that the file is never there without them. Those that are there stay as they are
        where the file is there too: they belong to the same bytes.

        Raises UploadRefusedError, ForbiddenError, and what `Releases` raises: after TakenError and GoneError another
        try with a new listing may do.
        """
        if listing.is_archived:
            raise ForbiddenError(f"{listing.name_with_owner} is archived on GitHub: nothing can be published in it.")
        home = await self._home(listing)
        place = home or find_place(listing, self._upload, self._tag)
        missing = [*self._companions, self._file]
        if home is not None:
            missing = [each for each in self._companions if each.name not in _names(home)]
            if not missing and (self._rules.draft or not home.is_draft):
                return Published.SAME
        release = await self._open(place)
        for each in missing:
            await self._send(release, each)
        if release.draft and (self._rules.draft or not _is_ours(release)):
            return Published.DRAFT  # one that somebody prepared is theirs to publish
        if release.draft:
            await self._publish(release)
        return Published.NEW if release.draft or self.asset is not None else Published.SAME

    async def undo(self) -> None:
        """Takes back what was written; what others brought meanwhile stays. It may be called again where it failed.

        A release that turns out to be published, though GitHub did not say so, stays with the file: all is there. (To
        delete an immutable one would spend its tag for ever.)
        """
        if self._release is None and self._mark is not None:
            self._release = await self._releases.marked(self._tag, self._mark)
        if self._release is None or not (self._sent or self._mark):
            return
        try:
            if self._is_publishing and not (await self._releases.get(self._release.id)).draft:
                return
            assets = await self._releases.assets(self._release.id)
        except GoneError:
            return
        own = [asset for asset in assets if self._is_own(asset)]
        if self._mark is not None and len(own) == len(assets):
            await self._releases.delete(self._release.id)
            return
        for asset in own:
            await self._releases.delete_asset(asset.id)

    async def _home(self, listing: Listing) -> Release | None:
        """The release that has the file already. Raises UploadRefusedError where any has another of this name."""
        found = namesakes(listing, self._file.name)
        for release, asset in found:
            digest = asset.digest or await self._computed(asset)
            if asset.size != self._file.size or digest not in (None, f"sha256:{self._file.sha256}"):
                raise UploadRefusedError(
                    f"File already exists: {self._file.name} is in {release.tag} with other content. "
                    "Publish it under a new version."
                )
            if digest is None:
                raise UploadRefusedError(
                    f"File already exists: {self._file.name} is in {release.tag}, and GitHub has no hash to compare."
                )
        return found[0][0] if found else None

    async def _computed(self, asset: Asset) -> str | None:
        """The digest of an asset that has none on GitHub, where it was computed here."""
        key = asset_key(asset.id, asset.name, None, asset.size, asset.created_at)
        known = (await self._store.hashes([key])).get(key)
        return f"sha256:{known}" if known else None

    async def _open(self, place: Release | None) -> RestRelease:
        """The release to write to: the place, or a new draft."""
        if place is not None:
            self._release = await self._releases.get(release_number(place.id))
            return self._release
        self._mark = f"<!-- pypihub {secrets.token_hex(16)} -->"
        version = self._upload.version
        title = f"{self._upload.name} {version}"
        self._release = release = await self._releases.create(
            self._tag, title, self._mark, prerelease=version.is_prerelease
        )
        # GitHub allows any number of drafts of one tag. Of those who make some at the same time the first goes on.
        for other in await self._releases.tagged(self._tag):
            if other.id != release.id and (not other.draft or other.id < release.id):
                raise TakenError(f"Another release has the tag {self._tag} already. Try again.")
        return release

    async def _send(self, release: RestRelease, new: NewAsset) -> None:
        self._sent.append((new, None))
        asset, is_new = await self._releases.upload(release, new)
        self._sent.pop()
        if not is_new:
            return  # somebody else put it there meanwhile
        self._sent.append((new, asset.id))
        if asset.name != new.name:
            raise UploadRefusedError(f"GitHub changes the file name {new.name} to {asset.name}.")
        if not new.is_same(asset):
            raise UpstreamError(f"GitHub did not keep {new.name} as it was sent. Try again.")
        if new is self._file:
            self.asset = asset

    async def _publish(self, release: RestRelease) -> None:
        self._is_publishing = True
        published = await self._releases.publish(release.id)
        if published.draft:
            raise UpstreamError("GitHub did not publish the release. Try again.")

    def _is_own(self, asset: RestAsset) -> bool:
        """Whether the asset was put there by this, as far as that is known."""
        return any(asset.id == number if number is not None else new.may_be(asset) for new, number in self._sent)


def _is_ours(release: RestRelease) -> bool:
    """Whether the draft was made here, be it by an upload that came to no end."""
    return _MARK.fullmatch(release.body or "") is not None


def _names(release: Release) -> set[str]:
    return {asset.name for asset in release.assets if asset.size}
