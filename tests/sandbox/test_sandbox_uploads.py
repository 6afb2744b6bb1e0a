"""Uploads: what becomes an asset, what GitHub does not take, and what is left of an upload that goes wrong."""

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import Awaitable, Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
import treq
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater
from twisted.web.client import Agent, FileBodyProducer, HTTPConnectionPool
from twisted.web.iweb import UNKNOWN_LENGTH

from pypihub.sandbox.publishing import RejectedError, start_asset
from pypihub.sandbox.world import Refusal, Release, World

LISTING = """
{ repository(owner: "octo", name: "hello") { releases(first: 1) { nodes {
    releaseAssets(first: 10) { nodes { name size digest contentType downloadUrl uploadedBy { login } } } } } } }
"""
NAME_TAKEN = [{"resource": "ReleaseAsset", "code": "already_exists", "field": "name"}]


@pytest.fixture
def release(box: Any) -> Release:
    """A draft of `octo/hello`."""
    draft: Release = box.world.add_repository("octo/hello", writers=["writer"]).add_release("v1", draft=True)
    return draft


async def listed(box: Any) -> Any:
    """The assets of the release, as GraphQL shows them."""
    answer = await box.ask(LISTING)
    return answer["data"]["repository"]["releases"]["nodes"][0]["releaseAssets"]["nodes"]


async def delete(box: Any, release: Release, name: str) -> None:
    number = release.assets[name].database_id
    assert (await box.rest("DELETE", f"/repos/octo/hello/releases/assets/{number}")).code == 204


@pytest_twisted.ensureDeferred
async def test_an_upload_becomes_an_asset(box: Any, release: Release) -> None:
    token = box.world.add_token("writer")
    answer = await box.upload(release, "a-1+x.whl", b"abc", token=token, kind="application/zip; x=y", label="A file")
    asset = answer.json()
    assert (answer.code, asset["name"], asset["label"], asset["state"]) == (201, "a-1+x.whl", "A file", "uploaded")
    assert (asset["size"], asset["content_type"]) == (3, "application/zip; x=y")
    assert asset["digest"] == f"sha256:{hashlib.sha256(b'abc').hexdigest()}"
    assert asset["uploader"]["login"] == "writer"
    slug = release.url.rpartition("/")[2]
    assert asset["browser_download_url"] == f"{box.sandbox.api_url}/download/octo/hello/{slug}/a-1+x.whl"
    found = await box.get(asset["url"], token=token)
    assert found.json() == asset
    moved = await box.get(asset["url"], token=token, headers={"Accept": "application/octet-stream"})
    assert (await box.get(moved.headers["location"])).body == b"abc"
    [shown] = await listed(box)
    assert (shown["name"], shown["size"], shown["digest"]) == ("a-1+x.whl", 3, asset["digest"])
    assert (shown["contentType"], shown["uploadedBy"]) == ("application/zip; x=y", {"login": "writer"})


@pytest_twisted.ensureDeferred
async def test_a_call_is_recorded_without_the_token(box: Any, release: Release) -> None:
    await box.upload(release, "a.whl", b"abc")
    call = box.sandbox.calls[-1]
    assert (call.where, call.method, call.login, call.status) == ("uploads", "POST", "octo", 201)
    assert (call.path, call.variables) == (
        f"/repos/octo/hello/releases/{release.database_id}/assets",
        {"name": "a.whl"},
    )
    assert call.headers["authorization"] == "bearer …"
    assert box.token not in repr(call)


@pytest.mark.parametrize(
    ("sent", "stored"),
    [("a-1!2.0 x.whl", "a-1.2.0.x.whl"), ("~a(b):c.whl~", "a.b.c.whl"), ("fake.   file.txt", "fake.file.txt")],
)
@pytest_twisted.ensureDeferred
async def test_github_renames_files(box: Any, release: Release, sent: str, stored: str) -> None:
    assert (await box.upload(release, sent, b"a")).json()["name"] == stored
    again = await box.upload(release, stored, b"a")
    assert (again.code, again.json()["errors"]) == (422, NAME_TAKEN)


@pytest_twisted.ensureDeferred
async def test_a_plus_counts_only_when_it_is_escaped(box: Any, release: Release) -> None:
    url = f"{box.sandbox.uploads_url}/repos/octo/hello/releases/{release.database_id}/assets"
    for query, stored in (("a+b", "a.b"), ("a%2Bb", "a+b")):
        answer = await box.request(
            "POST", f"{url}?name={query}", token=box.token, data=b"a", headers={"Content-Type": "a/b"}
        )
        assert answer.json()["name"] == stored


@pytest_twisted.ensureDeferred
async def test_a_taken_name(box: Any, release: Release) -> None:
    first = await box.upload(release, "a.whl", b"first")
    answer = await box.upload(release, "a.whl", b"second")
    refused = answer.json()
    assert (answer.code, refused["message"], refused["errors"]) == (422, "Validation Failed", NAME_TAKEN)
    assert (refused["request_id"], refused["documentation_url"]) == (
        answer.headers["x-github-request-id"],
        "https://docs.github.com/rest",
    )
    assert [asset["digest"] for asset in await listed(box)] == [first.json()["digest"]]
    await delete(box, release, "a.whl")
    assert (await box.upload(release, "a.whl", b"second")).code == 201


@pytest.mark.parametrize(
    ("name", "content", "kind", "code", "said"),
    [
        ("", b"x", "a/b", 400, "Invalid name for request"),
        ("a.whl", b"x", None, 400, "Invalid Content-Type: ''"),
        ("a.whl", b"", "a/b", 422, "size must be greater than or equal to 1"),
        ("...", b"x", "a/b", 422, "Validation Failed"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_misshapen_uploads(
    box: Any, release: Release, name: str, content: bytes, kind: str | None, code: int, said: str
) -> None:
    answer = await box.upload(release, name, content, kind=kind)
    assert (answer.code, said in answer.body.decode()) == (code, True), answer
    assert not release.assets


@pytest_twisted.ensureDeferred
async def test_an_upload_without_a_length(box: Any, release: Release) -> None:
    body = FileBodyProducer(BytesIO(b"abc"))
    body.length = UNKNOWN_LENGTH  # so that it goes in chunks
    answer = await box.upload(release, "a.whl", body)
    assert (answer.code, answer.json()) == (
        400,
        {"message": "Bad Content-Length: ", "request_id": answer.headers["x-github-request-id"]},
    )


def test_a_file_has_less_than_two_gibibytes() -> None:
    release = World().add_repository("octo/hello").add_release("v1")
    uploader = release.author
    with pytest.raises(RejectedError) as caught:
        start_asset(release, "a.whl", 2 * 1024**3, uploader, "a/b", "")
    assert caught.value.errors[0]["field"] == "size"
    assert start_asset(release, "a.whl", 2 * 1024**3 - 1, uploader, "a/b", "").state == "starter"


@pytest_twisted.ensureDeferred
async def test_a_connection_takes_one_upload_after_the_other(box: Any, release: Release, reactor: Any) -> None:
    pool = HTTPConnectionPool(reactor)
    client = treq.client.HTTPClient(Agent(reactor, pool=pool))
    url = f"{box.sandbox.uploads_url}/repos/octo/hello/releases/{release.database_id}/assets"
    headers = {"Authorization": f"bearer {box.token}", "User-Agent": "tests", "Content-Type": "a/b"}
    for name in ("a.whl", "b.whl"):
        response = await client.post(url, params={"name": name}, headers=headers, data=name.encode())
        assert (response.code, (await response.json())["size"]) == (201, 5)
        assert box.sandbox.connections == 1
    await pool.closeCachedConnections()


@pytest_twisted.ensureDeferred
async def test_a_release_holds_a_thousand_assets(box: Any, release: Release) -> None:
    for number in range(1000):
        release.add_asset(f"{number}.whl", b"x")
    answer = await box.upload(release, "one-more.whl", b"x")
    [error] = answer.json()["errors"]
    assert (answer.code, error["field"]) == (422, "file_count")
    assert error["message"] == "file_count limited to 1000 assets per release"


@pytest_twisted.ensureDeferred
async def test_who_may_not_upload(box: Any, release: Release) -> None:
    stranger = await box.upload(release, "a.whl", b"x", token=box.world.add_token("stranger"))
    assert (stranger.code, stranger.json()["message"]) == (404, "Not Found")
    reading = await box.upload(release, "a.whl", b"x", token=box.world.add_token("octo", scopes=["contents:read"]))
    assert (reading.code, reading.json()["message"]) == (403, "Resource not accessible by personal access token")
    assert (await box.upload(release, "a.whl", b"x", token="ghp_bad")).code == 401
    saml = await box.upload(release, "a.whl", b"x", token=box.world.add_token("octo", refuse=Refusal.SAML))
    assert (saml.code, "x-github-sso" in saml.headers) == (403, True)
    url = f"{box.sandbox.uploads_url}/repos/octo/hello/releases/{release.database_id}/assets?name=a.whl"
    how = {"token": box.token, "data": b"x", "headers": {"Content-Type": "a/b"}}
    assert (await box.request("POST", url.replace(str(release.database_id), "1"), **how)).code == 404
    assert (await box.request("PUT", url, **how)).code == 404
    assert not release.assets


@pytest_twisted.ensureDeferred
async def test_archived_and_immutable(box: Any, release: Release) -> None:
    release.publish()
    release.repository.is_archived = True
    archived = await box.upload(release, "a.whl", b"x")
    assert (archived.code, archived.json()["message"]) == (403, "Repository was archived so is read-only.")
    release.repository.is_archived, release.immutable = False, True
    fixed = await box.upload(release, "a.whl", b"x")
    assert (fixed.code, fixed.json()["message"]) == (422, "Cannot upload assets to an immutable release.")
    assert "errors" not in fixed.json()


@pytest_twisted.ensureDeferred
async def test_a_large_file_goes_to_the_disk(box: Any, release: Release, tmp_path: Path) -> None:
    file = tmp_path / "large"
    with file.open("wb") as writer:
        for number in range(32):
            writer.write(bytes([number]) * 2**20)
    with file.open("rb") as reader:
        expected = hashlib.file_digest(reader, "sha256").hexdigest()
    tracemalloc.start()
    try:
        answer = await box.upload(release, "large.whl", file.open("rb"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (answer.json()["size"], answer.json()["digest"]) == (32 * 2**20, f"sha256:{expected}")
    assert peak < 8 * 2**20, f"{peak} bytes for the client and the server"
    content = release.assets["large.whl"].content
    assert isinstance(content, Path)
    await delete(box, release, "large.whl")
    assert not content.exists()


@pytest_twisted.ensureDeferred
async def test_the_files_of_a_release_go_with_it(box: Any, release: Release) -> None:
    await box.upload(release, "a.whl", b"x")
    content = release.assets["a.whl"].content
    assert isinstance(content, Path)
    assert (await box.rest("DELETE", f"/repos/octo/hello/releases/{release.database_id}")).code == 204
    assert not content.exists()


@pytest_twisted.ensureDeferred
async def test_the_disk_is_cleared_with_the_world(box: Any, release: Release) -> None:
    await box.upload(release, "a.whl", b"x")
    content = release.assets["a.whl"].content
    assert isinstance(content, Path)
    shelf, box.world.shelf = box.world.shelf, None
    assert content.exists()
    del shelf
    assert not content.parent.exists()


async def send_half(reactor: Any, box: Any, release: Release, size: int = 100_000) -> Protocol:
    """An upload of which only a half is sent so far."""
    host, _, port = box.sandbox.uploads_url.removeprefix("http://").partition(":")
    sender = await connectProtocol(HostnameEndpoint(reactor, host, int(port)), Protocol())
    head = (
        f"POST /repos/octo/hello/releases/{release.database_id}/assets?name=a.whl HTTP/1.1\r\n"
        f"Host: {host}\r\nUser-Agent: tests\r\nAuthorization: bearer {box.token}\r\n"
        f"Content-Type: a/b\r\nContent-Length: {size}\r\n\r\n"
    )
    sender.transport.write(head.encode() + bytes(size // 2))
    while not release.assets:
        await deferLater(reactor, 0)
    return sender


@pytest_twisted.ensureDeferred
async def test_an_upload_that_is_cut_leaves_an_empty_asset(box: Any, release: Release, reactor: Any) -> None:
    sender = await send_half(reactor, box, release)
    assert (await box.upload(release, "a.whl", b"x")).json()["errors"] == NAME_TAKEN  # while it is under way, too
    before = len(box.sandbox.calls)
    sender.transport.abortConnection()
    while len(box.sandbox.calls) == before:
        await deferLater(reactor, 0)
    assert (box.sandbox.calls[-1].where, box.sandbox.calls[-1].login, box.sandbox.calls[-1].status) == (
        "uploads",
        "octo",
        0,
    )
    [left] = await listed(box)
    assert (left["name"], left["size"], left["digest"]) == ("a.whl", 0, None)
    path = f"/repos/octo/hello/releases/assets/{release.assets['a.whl'].database_id}"
    assert (await box.rest("GET", path)).json()["state"] == "starter"
    assert (await box.upload(release, "a.whl", b"x")).json()["errors"] == NAME_TAKEN
    await delete(box, release, "a.whl")
    assert (await box.upload(release, "a.whl", b"x")).json()["state"] == "uploaded"
    content = release.assets["a.whl"].content
    assert isinstance(content, Path)
    assert list(content.parent.iterdir()) == [content]  # nothing is left of what was cut


@pytest_twisted.ensureDeferred
async def test_an_asset_that_is_deleted_under_way_stays_away(box: Any, release: Release, reactor: Any) -> None:
    sender = await send_half(reactor, box, release)
    await delete(box, release, "a.whl")
    before = len(box.sandbox.calls)
    sender.transport.write(bytes(50_000))
    while len(box.sandbox.calls) == before:
        await deferLater(reactor, 0)
    assert box.sandbox.calls[-1].status == 404
    assert not release.assets
    sender.transport.abortConnection()


@pytest_twisted.ensureDeferred
async def test_the_server_may_stop_in_the_middle(make_box: Callable[..., Awaitable[Any]], reactor: Any) -> None:
    box = await make_box()
    release = box.world.add_repository("octo/hello").add_release("v1")
    await send_half(reactor, box, release)
    await box.sandbox.stop()
    assert release.assets["a.whl"].state == "starter"
