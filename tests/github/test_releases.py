"""Writing releases and assets: single calls against the sandbox, and where a token may go."""

from __future__ import annotations

import tempfile
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from support.press import Box, start_box
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from pypihub.errors import (
    ForbiddenError,
    RateLimitedError,
    UploadRefusedError,
    UpstreamError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
)
from pypihub.github import transport as transport_module
from pypihub.github.client import Client
from pypihub.github.connecting import pooled_agent
from pypihub.github.credentials import Token
from pypihub.github.nodes import release_number
from pypihub.github.releases import NewAsset, Releases, RestRelease
from pypihub.github.rest import GoneError, TakenError
from pypihub.github.transport import Transport
from pypihub.github.uploading import upload_address
from pypihub.sandbox.faults import CutUpload, Drop, Effect, Hang, Html, SecondaryLimit, Status
from pypihub.sandbox.world import Release

MARK = "<!-- a mark -->"


class Desk:
    """The releases of `octo/demo`, as one token writes them."""

    def __init__(self, box: Box, *, timeout: float, backoff: Sequence[float]) -> None:
        self.box = box
        agent, self.pool = pooled_agent(box.reactor, timeout)
        self.transport = Transport(agent, box.reactor, timeout)
        urls = {"api_url": box.sandbox.api_url, "graphql_url": box.sandbox.graphql_url}
        self.client = Client(self.transport, box.reactor, **urls, backoff=backoff)
        self.releases = self.as_token(box.token)

    def as_token(self, token: str, name: str = "octo/demo") -> Releases:
        return self.client.releases(Token(token), name)

    async def upload(self, release: Release, new: NewAsset) -> tuple[str, bool]:
        """The stored asset's name, and whether it is new."""
        asset, is_new = await self.releases.upload(await self.releases.get(release.database_id), new)
        assert new.is_same(asset)
        return asset.name, is_new

    def count(self, kind: str) -> int:
        return self.box.calls().count(kind)


def new_asset(name: str = "a.whl", content: bytes = b"abc", file: BinaryIO | None = None) -> NewAsset:
    return NewAsset(name, file or BytesIO(content), len(content), sha256(content).hexdigest())


@pytest_twisted.async_yield_fixture
async def make_desk(reactor: Any) -> AsyncIterator[Callable[..., Awaitable[Desk]]]:
    desks: list[Desk] = []

    async def make(*, timeout: float = 60, backoff: Sequence[float] = (0.001, 0.002), **options: Any) -> Desk:
        desks.append(Desk(await start_box(reactor, **options), timeout=timeout, backoff=backoff))
        return desks[-1]

    yield make
    for desk in desks:
        await desk.pool.closeCachedConnections()
        await desk.box.stop()


@pytest_twisted.async_yield_fixture
async def desk(make_desk: Callable[..., Awaitable[Desk]]) -> AsyncIterator[Desk]:
    yield await make_desk()


@pytest.fixture
def release(desk: Desk) -> Release:
    return desk.box.repository.add_release("v1.0", draft=True)


@ensureDeferred
async def test_a_release_is_made_filled_published_and_deleted(desk: Desk) -> None:
    made = await desk.releases.create("v1.0", "One", MARK, prerelease=True)
    [release] = desk.box.releases
    assert (made.id, made.tag_name, made.draft) == (release.database_id, "v1.0", True)
    assert release_number(release.id) == made.id
    assert (release.name, release.description, release.is_prerelease) == ("One", MARK, True)
    asset, is_new = await desk.releases.upload(made, new_asset("a-1.0+x.y.whl"))
    assert (asset.name, asset.size, asset.state, is_new) == ("a-1.0+x.y.whl", 3, "uploaded", True)
    assert [each.name for each in await desk.releases.assets(made.id)] == ["a-1.0+x.y.whl"]
    assert not (await desk.releases.publish(made.id)).draft
    assert (release.is_draft, release.description) == (False, "")
    await desk.releases.delete_asset(asset.id)
    await desk.releases.delete_asset(asset.id)
    assert release.assets == {}
    await desk.releases.delete(made.id)
    await desk.releases.delete(made.id)
    assert desk.box.releases == []


@ensureDeferred
async def test_all_pages_of_assets_are_read(desk: Desk, release: Release) -> None:
    for number in range(201):
        release.add_asset(f"{number}.txt", b"x")
    assert len(await desk.releases.assets(release.database_id)) == 201


@ensureDeferred
async def test_releases_are_found_by_tag_and_mark(desk: Desk) -> None:
    for number in range(150):
        desk.box.repository.add_release(f"v2.{number}")
    made = await desk.releases.create("v1.0", "One", MARK, prerelease=False)
    other = await desk.releases.create("v1.0", "One", "<!-- another -->", prerelease=False)
    assert {each.id for each in await desk.releases.tagged("v1.0")} == {made.id, other.id}
    found = await desk.releases.marked("v1.0", MARK)
    assert found is not None
    assert found.id == made.id
    assert await desk.releases.marked("v1.1", MARK) is None


@pytest.mark.parametrize("fault", [Status(503), Html(200), Drop()])
@pytest.mark.parametrize("effect", [Effect.DONE, Effect.NONE])
@ensureDeferred
async def test_a_release_is_made_once_though_the_answer_is_lost(desk: Desk, fault: Any, effect: Effect) -> None:
    desk.box.sandbox.faults.add(fault, where="rest", effect=effect)
    made = await desk.releases.create("v1.0", "One", MARK, prerelease=False)
    assert [release.database_id for release in desk.box.releases] == [made.id]


@pytest.mark.parametrize("fault", [Status(503), Html(200), Drop(), CutUpload(2)])
@pytest.mark.parametrize("effect", Effect)
@ensureDeferred
async def test_an_asset_is_there_once_though_the_answer_is_lost(
    desk: Desk, release: Release, fault: Any, effect: Effect
) -> None:
    desk.box.sandbox.faults.add(fault, where="uploads", effect=effect)
    assert await desk.upload(release, new_asset()) == ("a.whl", True)
    assert [(asset.name, asset.state) for asset in desk.box.assets] == [("a.whl", "uploaded")]
    is_there = effect is Effect.DONE and not isinstance(fault, CutUpload)
    assert desk.count("uploads POST") == (1 if is_there else 2), "what is there is not sent again"


@ensureDeferred
async def test_the_same_asset_is_not_new(desk: Desk, release: Release) -> None:
    release.add_asset("a.whl", b"abc")
    assert await desk.upload(release, new_asset()) == ("a.whl", False)
    assert desk.count("uploads POST") == 0


@ensureDeferred
async def test_one_that_came_since_the_release_was_read_is_not_new_either(desk: Desk, release: Release) -> None:
    before = await desk.releases.get(release.database_id)
    release.add_asset("a.whl", b"abc")
    assert (await desk.releases.upload(before, new_asset()))[1] is False
    with pytest.raises(UploadRefusedError, match=r"^File already exists: a\.whl, with other content, in v1\.0\."):
        await desk.releases.upload(before, new_asset(content=b"xyz"))
    assert release.assets["a.whl"].size == 3


@ensureDeferred
async def test_an_upload_that_others_have_under_way_is_waited_for_a_moment(
    make_desk: Callable[..., Awaitable[Desk]], tmp_path: Path
) -> None:
    desk = await make_desk(backoff=(0.001, 0.2))
    release = desk.box.repository.add_release("v1.0")
    asset = release.add_asset("a.whl", b"")
    uploading: Deferred[tuple[str, bool]] = Deferred.fromCoroutine(desk.upload(release, new_asset()))
    while not any(call.path.endswith("/assets") for call in desk.box.sandbox.calls):
        await deferLater(desk.box.reactor, 0.001)
    (tmp_path / "theirs").write_bytes(b"abc")
    asset.fill(tmp_path / "theirs", 3, sha256(b"abc").hexdigest())
    assert await uploading == ("a.whl", False)
    assert desk.box.assets == [asset]


@ensureDeferred
async def test_what_went_away_is_gone(desk: Desk, release: Release) -> None:
    before = await desk.releases.get(release.database_id)
    desk.box.repository.remove_release("v1.0")
    with pytest.raises(GoneError):
        await desk.releases.upload(before, new_asset())
    with pytest.raises(GoneError):
        await desk.releases.get(release.database_id)
    with pytest.raises(GoneError):
        await desk.releases.publish(release.database_id)


@ensureDeferred
async def test_a_tag_that_is_taken_is_told_apart(desk: Desk, release: Release) -> None:
    desk.box.repository.add_release("v2.0")
    release.tag_name = "v2.0"
    with pytest.raises(TakenError):
        await desk.releases.publish(release.database_id)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"message": "Validation Failed", "errors": ["Size is too big"]}', "Size is too big"),
        (b'{"message": "Reference is odd."}', "Reference is odd."),
        (b'{"message": "Validation Failed", "errors": [{"code": "invalid", "field": "name"}]}', "name is invalid"),
    ],
)
@ensureDeferred
async def test_what_github_does_not_take_is_told_in_its_words(desk: Desk, body: bytes, told: str) -> None:
    desk.box.sandbox.faults.add(Status(422, body), where="rest", effect=Effect.NONE)
    with pytest.raises(UploadRefusedError, match=f"^GitHub does not take this: {told}$"):
        await desk.releases.create("v1.0", "One", MARK, prerelease=False)
    assert desk.count("rest POST") == 1


@pytest.mark.parametrize(("login", "scopes"), [("octo", ["contents:read"]), ("stranger", ["repo"])])
@ensureDeferred
async def test_a_reader_is_told_what_is_needed_and_tries_once(
    make_desk: Callable[..., Awaitable[Desk]], login: str, scopes: list[str]
) -> None:
    desk = await make_desk(repository_private=False)
    reader = desk.as_token(desk.box.world.add_token(login, scopes=scopes))
    release = await reader.get(desk.box.repository.add_release("v1.0").database_id)
    with pytest.raises(ForbiddenError, match="Contents: write"):
        await reader.upload(release, new_asset())
    with pytest.raises(ForbiddenError, match="Contents: write"):
        await reader.create("v2.0", "Two", MARK, prerelease=False)
    assert (desk.count("uploads POST"), desk.count("rest POST")) == (1, 1)


@ensureDeferred
async def test_a_limit_is_remembered_and_nothing_more_is_sent(desk: Desk, release: Release) -> None:
    before = await desk.releases.get(release.database_id)
    desk.box.sandbox.faults.add(SecondaryLimit(retry_after=60), where="uploads", effect=Effect.NONE)
    for _ in range(2):
        with pytest.raises(RateLimitedError):
            await desk.releases.upload(before, new_asset())
    with pytest.raises(RateLimitedError):
        await desk.releases.get(release.database_id)
    assert desk.count("uploads POST") == 1


@ensureDeferred
async def test_an_upload_may_take_longer_than_other_calls(
    make_desk: Callable[..., Awaitable[Desk]], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = await make_desk(timeout=0.1)
    release = await desk.releases.get(desk.box.repository.add_release("v1.0").database_id)
    monkeypatch.setattr(transport_module, "SLOWEST", 10)
    desk.box.sandbox.faults.add(Hang(), where="uploads", times=None, effect=Effect.NONE)
    before = desk.box.reactor.seconds()
    with pytest.raises(UpstreamTimeoutError):
        await desk.releases.upload(release, new_asset(content=b"ab"))
    assert desk.box.reactor.seconds() - before > 3 * (0.1 + 0.2) - 0.01, "three tries, each with its allowance"


@ensureDeferred
async def test_the_trouble_of_uploads_leaves_the_api_alone(desk: Desk, release: Release) -> None:
    before = await desk.releases.get(release.database_id)
    desk.box.sandbox.faults.add(Status(503), where="uploads", times=None, effect=Effect.NONE)
    for _ in range(2):
        with pytest.raises((UpstreamError, UpstreamUnreachableError)):
            await desk.releases.upload(before, new_asset())
    assert desk.transport.uploads.is_open
    assert not desk.transport.api.is_open
    assert (await desk.releases.get(release.database_id)).id == release.database_id


@ensureDeferred
async def test_a_large_file_is_sent_as_fast_as_it_is_taken(desk: Desk, release: Release) -> None:
    content = bytes(1024 * 1024)
    with tempfile.TemporaryFile() as file:
        digest = sha256()
        for _ in range(64):
            file.write(content)
            digest.update(content)
        new = NewAsset("large.whl", file, 64 * len(content), digest.hexdigest())
        tracemalloc.start()
        assert await desk.upload(release, new) == ("large.whl", True)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert not file.closed
    assert most < 8 * 1024 * 1024, "both ends together"
    assert [call.headers["content-length"] for call in desk.box.sandbox.calls if call.where == "uploads"] == [
        "67108864"
    ]


class Hasty(Protocol):
    """Answers an upload before it has read it, and reads nothing more."""

    def __init__(self) -> None:
        self.lost: Deferred[object] = Deferred()

    def connectionLost(self, reason: Failure) -> None:
        self.lost.callback(None)

    def dataReceived(self, data: bytes) -> None:
        if self.factory.connections:
            return
        self.transport.pauseProducing()
        body = b'{"message": "Cannot upload assets to an immutable release."}'
        self.transport.write(b"HTTP/1.1 422 No\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        self.factory.connections.append(self)


@ensureDeferred
async def test_github_may_answer_before_it_has_read_all(desk: Desk, reactor: Any) -> None:
    factory = Factory.forProtocol(Hasty)
    factory.connections = []
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    release = RestRelease(1, "v1.0", True, f"http://127.0.0.1:{port.getHost().port}/assets{{?name,label}}")
    with tempfile.TemporaryFile() as file:
        file.write(bytes(20_000_000))
        with pytest.raises(UploadRefusedError, match="immutable"):
            await desk.releases.upload(release, NewAsset("a.whl", file, 20_000_000, "0" * 64))
    [connection] = factory.connections
    connection.transport.resumeProducing()
    await connection.lost.addTimeout(60, reactor)
    await port.stopListening()


@pytest.mark.parametrize(
    ("upload_url", "api_url", "address"),
    [
        ("https://uploads.github.com/repos/o/r/releases/1/assets{?name,label}", "https://api.github.com", True),
        ("https://uploads.acme.ghe.com/repos/o/r/releases/1/assets{?name,label}", "https://api.acme.ghe.com", True),
        ("https://git.acme.com/api/uploads/repos/o/r/releases/1/assets", "https://git.acme.com/api/v3", True),
        ("http://127.0.0.1:2/repos/o/r/releases/1/assets{?name}", "http://127.0.0.1:1", True),
        ("http://uploads.github.com/repos", "https://api.github.com", False),
        ("https://uploads.github.com:8443/repos", "https://api.github.com", False),
        ("https://uploads.github.com.evil.example/repos", "https://api.github.com", False),
        ("https://uploads.evil.example/repos", "https://api.github.com", False),
        ("https://uploads.git.acme.com/repos", "https://git.acme.com/api/v3", False),
        ("https://evil.example\\@uploads.github.com/repos", "https://api.github.com", False),
        ("https://me@uploads.github.com/repos", "https://api.github.com", False),
        ("https://uploads.github.com:port/repos", "https://api.github.com", False),
        ("https://uploads.github.com/repos?x=y", "https://api.github.com", False),
        ("https://uploads.github.com/re\r\npos", "https://api.github.com", False),
        ("", "https://api.github.com", False),
    ],
)
def test_the_token_goes_to_the_same_github_alone(upload_url: str, api_url: str, address: bool) -> None:
    if not address:
        with pytest.raises(UpstreamError, match="token is not sent"):
            upload_address(upload_url, "a-1+x.whl", api_url)
    else:
        assert upload_address(upload_url, "a-1+x.whl", api_url) == upload_url.partition("{")[0] + "?name=a-1%2Bx.whl"
