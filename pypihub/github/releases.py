"""Writing releases and their assets: what was asked for is done once, also where GitHub's answers get lost.

https://docs.github.com/en/rest/releases/releases and https://docs.github.com/en/rest/releases/assets
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import BinaryIO, TypeVar

from msgspec import Struct
from msgspec.structs import force_setattr
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from pypihub.errors import ForbiddenError, PyPIHubError, UploadRefusedError, UpstreamError
from pypihub.github.decoding import Moment, Number, in_utc
from pypihub.github.patience import Patience
from pypihub.github.rest import NO_WRITE_ACCESS, GoneError, Rest, TakenError
from pypihub.github.uploading import FileBody, upload_address

T = TypeVar("T")

_PAGE = 100
_MOST_PAGES_OF_RELEASES = 3
"""Enough for what was made a moment ago: the newest come first."""
_MOST_PAGES_OF_ASSETS = 10
"""A release has up to 1,000 assets."""


class RestAsset(Struct, frozen=True):
    """An asset as REST tells of it; `state` is `starter` where an upload did not end, or has not yet."""

    id: Number
    node_id: str
    name: str
    size: Number
    state: str
    created_at: Moment
    digest: str | None = None

    def __post_init__(self) -> None:
        """Called by msgspec, for which a time that is none makes the answer unreadable."""
        force_setattr(self, "created_at", in_utc(self.created_at))

    @property
    def is_whole(self) -> bool:
        """Whether its bytes are there."""
        return self.state == "uploaded" and self.size > 0


class RestRelease(Struct, frozen=True):
    """A release as REST tells of it; of its assets it may not tell all."""

    id: Number
    tag_name: str
    draft: bool
    upload_url: str
    body: str | None = None
    assets: tuple[RestAsset, ...] = ()


@dataclass(frozen=True, slots=True)
class NewAsset:
    """What is to become an asset: `size` bytes in `file`, whose SHA-256 is `sha256` in hex."""

    name: str
    file: BinaryIO = field(repr=False)
    size: int
    sha256: str

    def is_same(self, asset: RestAsset) -> bool:
        """Whether the asset has this name and these bytes, as far as GitHub tells."""
        has_bytes = asset.is_whole and asset.size == self.size and asset.digest in (None, f"sha256:{self.sha256}")
        return asset.name == self.name and has_bytes

    def may_be(self, asset: RestAsset) -> bool:
        """Whether the asset may be what an upload of this came to, whose answer nobody has."""
        return self.is_same(asset) or (asset.name == self.name and not asset.is_whole)


class Releases:
    """The releases of one repository, for one token. `api_url` decides where uploads may go.

    Every method raises what `Rest` raises. After a write that raised UpstreamError nobody knows what became of it.
    """

    def __init__(self, rest: Rest, api_url: str, patience: Patience, reactor: IReactorTime) -> None:
        self._rest = rest
        self._api_url = api_url
        self._patiently = patience
        self._reactor = reactor

    async def get(self, number: int) -> RestRelease:
        """The release."""
        return await self._patiently(partial(self._rest.get, f"/releases/{number}", RestRelease))

    async def tagged(self, tag: str) -> list[RestRelease]:
        """The newest releases that have the tag, or are drafts that are to get it."""
        path = f"/releases?per_page={_PAGE}&page="
        return [each for each in await self._pages(path, RestRelease, _MOST_PAGES_OF_RELEASES) if each.tag_name == tag]

    async def assets(self, number: int) -> list[RestAsset]:
        """All assets of the release."""
        return await self._pages(f"/releases/{number}/assets?per_page={_PAGE}&page=", RestAsset, _MOST_PAGES_OF_ASSETS)

    async def create(self, tag: str, title: str, mark: str, *, prerelease: bool) -> RestRelease:
        """A new draft. The `mark`, which must be its own, is its text: so it is found when the answer was lost."""
        sent = {"tag_name": tag, "name": title, "body": mark, "draft": True, "prerelease": prerelease}

        async def write() -> RestRelease:
            try:
                return await self._rest.write("POST", "/releases", sent, RestRelease)
            except GoneError:  # the repository was there a moment ago
                raise ForbiddenError(f"GitHub refuses to make a release. {NO_WRITE_ACCESS}") from None

        return await self._surely(write, lambda: self.marked(tag, mark))

    async def marked(self, tag: str, mark: str) -> RestRelease | None:
        """The release that `create` made with this mark."""
        return next((release for release in await self.tagged(tag) if release.body == mark), None)

    async def publish(self, number: int) -> RestRelease:
        """Publishes a draft, without its text; raises TakenError where another release has its tag."""
        sent = {"draft": False, "body": ""}

        async def look() -> RestRelease | None:
            release = await self.get(number)
            return None if release.draft else release

        return await self._surely(lambda: self._rest.write("PATCH", f"/releases/{number}", sent, RestRelease), look)

    async def rename(self, number: int, title: str) -> RestRelease:
        """Gives the release another title. GitHub lets immutable ones have it, too."""

        async def write() -> RestRelease:
            try:
                return await self._rest.write("PATCH", f"/releases/{number}", {"name": title}, RestRelease)
            except GoneError:  # the release was there a moment ago
                raise ForbiddenError(f"GitHub refuses to change a release. {NO_WRITE_ACCESS}") from None

        return await self._patiently(write)

    async def delete(self, number: int) -> None:
        """Deletes the release with all its assets; it may be gone already."""
        await self._patiently(partial(self._rest.delete, f"/releases/{number}"))

    async def delete_asset(self, number: int) -> None:
        """Deletes the asset; it may be gone already."""
        await self._patiently(partial(self._rest.delete, f"/releases/assets/{number}"))

    async def upload(self, release: RestRelease, new: NewAsset) -> tuple[RestAsset, bool]:
        """The asset with these bytes, and whether it is new. One of this name that never got its bytes is replaced.

        GitHub's answer is for the caller to compare. Raises UploadRefusedError where another asset has the name,
        GoneError where the release went away.
        """
        address = upload_address(release.upload_url, new.name, self._api_url)
        there = await self._settled(release, new) if _named(release.assets, new.name) else None
        if there is not None:
            return there, False
        is_lost = False  # whether an asset that is there may be this call's
        for pause in (*self._patiently.pauses, None):
            try:
                return await self._sent(address, new), True
            except GoneError as error:
                trouble: PyPIHubError = error
                await self._refuse_reader(release, new)
            except TakenError:
                trouble = UploadRefusedError(f"File already exists: GitHub says so of {new.name} and shows none.")
            except UpstreamError as error:
                trouble, is_lost = error, True
                if pause is not None:
                    await self._patiently.rest(pause, error)
            there = await self._settled(release, new)
            if there is not None:
                return there, is_lost
        raise trouble

    async def _sent(self, address: str, new: NewAsset) -> RestAsset:
        """GitHub's answer to one upload."""
        body = FileBody(new.file, self._reactor)
        try:
            return await self._rest.upload(address, body, new.size, RestAsset)
        finally:
            body.end()

    async def _settled(self, release: RestRelease, new: NewAsset) -> RestAsset | None:
        """The asset that has the name and the bytes; None where the name is free, for a stuck one has to go."""
        there = _named(await self.assets(release.id), new.name)
        if there is not None and not there.is_whole:  # somebody may be uploading it at this moment
            await deferLater(self._reactor, max(self._patiently.pauses, default=0))
            there = _named(await self.assets(release.id), new.name)
        if there is None:
            return None
        if there.is_whole and not new.is_same(there):
            raise UploadRefusedError(f"File already exists: {new.name}, with other content, in {release.tag_name}.")
        if there.is_whole:
            return there
        await self.delete_asset(there.id)
        return None

    async def _refuse_reader(self, release: RestRelease, new: NewAsset) -> None:
        """Raises the error of an upload that got a 404, unless somebody else took the asset away to replace it."""
        if _named(await self.assets(release.id), new.name) is None:
            raise ForbiddenError(f"GitHub refuses to take a file for {release.tag_name}. {NO_WRITE_ACCESS}") from None

    async def _surely(self, write: Callable[[], Awaitable[T]], look: Callable[[], Awaitable[T | None]]) -> T:
        """What `write` gives. Where the answer is lost, `look` tells what it came to before it is tried again."""
        for pause in (*self._patiently.pauses, None):
            try:
                return await write()
            except GoneError:
                raise
            except UpstreamError as error:
                trouble = error
                if pause is not None:
                    await self._patiently.rest(pause, error)
            there = await look()
            if there is not None:
                return there
        raise trouble

    async def _pages(self, path: str, kind: type[T], most: int) -> list[T]:
        """What is on the pages of a list, up to so many of them."""
        found: list[T] = []
        for number in range(1, most + 1):
            page = await self._patiently(partial(self._rest.get, f"{path}{number}", list[kind]))  # type: ignore[valid-type]  # mypy knows no such parameter
            found += page
            if len(page) < _PAGE:
                break
        return found


def _named(assets: Iterable[RestAsset], name: str) -> RestAsset | None:
    return next((asset for asset in assets if asset.name == name), None)
