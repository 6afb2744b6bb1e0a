"""What PyPIHub relies on in GitHub: one suite for the sandbox and, where a token is given, for GitHub itself.

Set PYPIHUB_LIVE_TOKEN to run it against api.github.com (or PYPIHUB_LIVE_API_URL), read-only, on the public repository
PYPIHUB_LIVE_REPOSITORY: any whose newest hundred releases hold a wheel.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_twisted
import treq
from pytest_twisted import ensureDeferred
from twisted.internet.defer import maybeDeferred
from twisted.web.client import Agent

from pypihub.config import parse_config
from pypihub.errors import NotFoundError, PyPIHubError, TokenRefusedError
from pypihub.github.answers import UnknownFieldError
from pypihub.github.calls import Call
from pypihub.github.client import Client
from pypihub.github.connecting import pooled_agent
from pypihub.github.credentials import SignedURL, Token
from pypihub.github.decoding import ReleaseAsset
from pypihub.github.queries import ListingQuery, LookupQuery, PageSize
from pypihub.github.transport import Transport
from pypihub.index.model import Asset, Home, Listing
from pypihub.index.names import Owner, Repository
from pypihub.sandbox.samples import sample_sdist, sample_wheel
from pypihub.sandbox.server import Sandbox
from pypihub.sandbox.world import World

LIVE_TOKEN = os.environ.get("PYPIHUB_LIVE_TOKEN")
LIVE_API = os.environ.get("PYPIHUB_LIVE_API_URL", "https://api.github.com")
LIVE_REPOSITORY = os.environ.get("PYPIHUB_LIVE_REPOSITORY", "jupyter-server/jupyter_releaser")


@dataclass
class Upstream:
    """A GitHub, and a repository in it that has releases with wheels."""

    client: Client
    token: Token
    repository: Repository
    api_url: str

    async def listing(self) -> Listing:
        return await self.client.listing(self.token, self.repository)

    async def asset(self) -> tuple[Asset, ReleaseAsset]:
        """The newest wheel: as the listing shows it, and as a look-up by its id does."""
        releases = (await self.listing()).releases
        wheel = next(asset for release in releases for asset in release.assets if asset.name.endswith(".whl"))
        return wheel, await self.looked_up(wheel.id)

    async def looked_up(self, asset_id: str) -> ReleaseAsset:
        (answer,) = await self.client.assets(self.token, [asset_id])
        if isinstance(answer, PyPIHubError):
            raise answer
        return answer


@pytest.fixture(params=["sandbox", "github"])
def place(request: pytest.FixtureRequest) -> str:
    """Where the suite runs."""
    if request.param == "github" and not LIVE_TOKEN:
        pytest.skip("PYPIHUB_LIVE_TOKEN is not set, so GitHub itself is not asked")
    return str(request.param)


@pytest_twisted.async_yield_fixture
async def upstream(place: str, reactor: Any) -> AsyncIterator[Upstream]:
    sandbox: Sandbox | None = None
    token, repository, api_url = LIVE_TOKEN or "", LIVE_REPOSITORY, LIVE_API
    if place == "sandbox":
        sandbox, token, repository = await _sandbox(reactor)
        api_url = sandbox.api_url
    urls = parse_config({"github": {"api_url": api_url}}, Path()).github
    agent, pool = pooled_agent(reactor, 15)
    owner, _, name = repository.partition("/")
    client = Client(Transport(agent, reactor, 15), reactor, api_url=urls.api_url, graphql_url=urls.graphql_url)
    yield Upstream(client, Token(token), Repository(Owner(owner.lower()), name), api_url)
    await pool.closeCachedConnections()
    if sandbox is not None:
        await maybeDeferred(sandbox.stop)


async def _sandbox(reactor: Any) -> tuple[Sandbox, str, str]:
    world = World()
    repository = world.add_repository("octo/demo", private=False)
    for number in range(120):
        release = repository.add_release(f"v{number}")
        release.add_asset(*sample_wheel("demo", f"{number}.0"))
        release.add_asset(*sample_sdist("demo", f"{number}.0"))
    sandbox = Sandbox(reactor, world)
    await sandbox.start()
    return sandbox, world.add_token("reader"), "octo/demo"


@ensureDeferred
async def test_a_listing_holds_releases_with_their_assets(upstream: Upstream) -> None:
    listing = await upstream.listing()
    assert listing.name_with_owner.lower() == str(upstream.repository).lower()
    assets = [asset for release in listing.releases for asset in release.assets]
    assert assets
    for asset in assets:
        assert asset.id.startswith("RA_") or asset.id.isalnum()
        assert asset.size >= 0
        assert asset.digest is None or len(asset.digest) == len("sha256:") + 64
        assert asset.created_at.tzinfo is not None
    assert all(release.published_at for release in listing.releases if not release.is_draft)


@ensureDeferred
async def test_a_listing_can_be_read_from_both_ends(upstream: Upstream) -> None:
    async def ask(query: ListingQuery) -> tuple[list[str], int, ListingQuery | None]:
        page, following = await upstream.client._answer(upstream.token, Call.LISTING, query)
        return [part.release.id for part in page.parts], page.total, following

    listed = [release.id for release in (await upstream.listing()).releases]
    three, seven = PageSize(3, 1), PageSize(7, 1)
    first = ListingQuery(upstream.repository, size=three)
    newest, total, from_front = await ask(first)
    assert (newest, total) == (listed[:3], len(listed))
    assert from_front
    oldest, total, from_back = await ask(replace(first, backward=True))
    assert (oldest, total) == (listed[-3:], len(listed))
    assert from_back
    gap = replace(from_front, before=from_back.before)
    assert (await ask(gap))[0] == listed[3:6]
    assert (await ask(replace(gap, backward=True)))[0] == listed[-6:-3]
    _, _, after_seven = await ask(replace(first, size=seven))
    assert after_seven
    gap_of_three = replace(gap, before=after_seven.after)
    for query in (gap_of_three, replace(gap_of_three, backward=True)):
        assert await ask(query) == (listed[3:6], len(listed), None), "the page reaches the other's place"


class _Sight:
    """Sees the files of one repository; of the others it wants no more than their newest release."""

    def __init__(self, name: str) -> None:
        self.name = name.lower()
        self.seen: set[str] = set()
        self.home: Home | None = None

    def meet(self, home: Home) -> None:
        if home.name.lower() == self.name:
            self.home = home

    def see(self, repository: str, filenames: Iterable[str], published_at: datetime | None, *, is_yanked: bool) -> None:
        if repository.lower() == self.name:
            self.seen.update(filenames)

    def is_settled(self, repository: str) -> bool:
        return repository.lower() != self.name


@ensureDeferred
async def test_a_survey_of_the_owner_sees_the_same_files(upstream: Upstream) -> None:
    listing = await upstream.listing()
    releases = listing.releases
    sight = _Sight(upstream.repository.name)
    await upstream.client.survey(upstream.token, upstream.repository.owner, sight)
    assert sight.seen == {asset.name for each in releases if not each.is_draft for asset in each.assets if asset.size}
    assert sight.home is not None
    assert (sight.home.is_private, sight.home.is_archived) == (listing.is_private, listing.is_archived)


@ensureDeferred
async def test_a_login_that_is_nobody_s_is_not_found(upstream: Upstream) -> None:
    with pytest.raises(NotFoundError):
        await upstream.client.survey(upstream.token, Owner("there-is-no-such-login-pypihub"), _Sight("any"))


@ensureDeferred
async def test_owner_and_name_compare_case_insensitively(upstream: Upstream) -> None:
    other = Repository(Owner(upstream.repository.owner.upper()), upstream.repository.name.upper())
    listing = await upstream.client.listing(upstream.token, other)
    assert listing.name_with_owner.lower() == str(upstream.repository).lower()


@ensureDeferred
async def test_an_asset_can_be_looked_up_by_its_id(upstream: Upstream) -> None:
    listed, asset = await upstream.asset()
    assert (asset.name, asset.size, asset.is_draft) == (listed.name, listed.size, False)
    assert asset.name_with_owner.lower() == str(upstream.repository).lower()


@ensureDeferred
async def test_its_url_gives_its_bytes_without_the_token(upstream: Upstream, reactor: Any) -> None:
    listed, asset = await upstream.asset()
    url = (await upstream.client.source(upstream.token, asset)).url.reveal()
    assert urlsplit(url).netloc != urlsplit(upstream.api_url).netloc
    response = await treq.client.HTTPClient(Agent(reactor)).get(url)
    assert len(await response.content()) == listed.size


@ensureDeferred
async def test_rest_gives_a_url_too(upstream: Upstream, reactor: Any) -> None:
    listed, asset = await upstream.asset()
    web_page = SignedURL(f"{upstream.api_url}/somewhere/on/the/web")
    url = (await upstream.client.source(upstream.token, replace(asset, url=web_page))).url.reveal()
    response = await treq.client.HTTPClient(Agent(reactor)).get(url, headers={"Range": "bytes=0-9"})
    assert (response.code, len(await response.content())) == (206, 10)
    assert response.headers.getRawHeaders("content-range") == [f"bytes 0-9/{listed.size}"]


@ensureDeferred
async def test_what_is_not_there_is_not_found(upstream: Upstream) -> None:
    with pytest.raises(NotFoundError):
        await upstream.client.listing(upstream.token, replace(upstream.repository, name="there-is-no-such-thing"))
    with pytest.raises(NotFoundError):
        await upstream.looked_up("RA_kwDOAAAAAc4AAAAB")


@ensureDeferred
async def test_a_wrong_token_is_refused(upstream: Upstream) -> None:
    with pytest.raises(TokenRefusedError):
        await upstream.client.listing(Token("ghp_" + "0" * 36), upstream.repository)


@ensureDeferred
async def test_what_is_missing_among_others_is_missing_by_itself(upstream: Upstream) -> None:
    listed, _asset = await upstream.asset()
    missing, found = await upstream.client.assets(upstream.token, ["RA_kwDOAAAAAc4AAAAB", listed.id])
    assert isinstance(missing, NotFoundError)
    assert isinstance(found, ReleaseAsset)
    assert (found.id, found.name, found.digest) == (listed.id, listed.name, listed.digest)


@dataclass(frozen=True)
class _Unknown(LookupQuery):
    """Asks for a field that no schema has."""

    def document(self, *, digest: bool) -> str:
        return super().document(digest=digest).replace("__typename", "__typename thereIsNoSuchField")


@ensureDeferred
async def test_an_unknown_field_is_named(upstream: Upstream) -> None:
    with pytest.raises(UnknownFieldError) as caught:
        await upstream.client._answer(upstream.token, Call.LISTING, _Unknown(("RA_kwDOAAAAAc4AAAAB",)))
    assert caught.value.field == "thereIsNoSuchField"


@ensureDeferred
async def test_a_tokens_standing_is_told(upstream: Upstream) -> None:
    standing = await upstream.client.standing(upstream.token)
    assert standing.points is not None
    assert 0 < standing.points.remaining <= standing.points.limit
    assert standing.points.reset_at.tzinfo is not None
