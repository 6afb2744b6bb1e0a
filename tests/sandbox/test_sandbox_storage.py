"""Asset downloads: the REST API's redirects, and storage that believes signatures and nothing else."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from pypihub.sandbox.contents import byte_range
from pypihub.sandbox.world import Asset, Refusal

BYTES = {"Accept": "application/octet-stream"}


def add_asset(box: Any, content: bytes | Path = b"0123456789", **repository: Any) -> Asset:
    """An asset of `octo/hello`."""
    asset: Asset = box.world.add_repository("octo/hello", **repository).add_release("v1").add_asset("a.whl", content)
    return asset


def rest_url(box: Any, asset: Asset) -> str:
    return f"{box.sandbox.api_url}/repos/octo/hello/releases/assets/{asset.database_id}"


async def signed_url(box: Any, asset: Asset) -> str:
    """A fresh storage address, as GraphQL gives it."""
    answer = await box.ask("query($id: ID!) { node(id: $id) { ... on ReleaseAsset { url } } }", id=asset.id)
    url: str = answer["data"]["node"]["url"]
    return url


@pytest_twisted.ensureDeferred
async def test_storage_gives_the_bytes(box: Any) -> None:
    asset = add_asset(box)
    url = await signed_url(box, asset)
    answer = await box.get(url)
    assert (answer.code, answer.body) == (200, b"0123456789")
    assert answer.headers["content-length"] == "10"
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-disposition"] == "attachment; filename=a.whl"
    assert answer.headers["content-type"] == "application/octet-stream"
    assert asset.download_count == 1
    head = await box.request("HEAD", url)
    assert (head.code, head.body, head.headers["content-length"]) == (200, b"", "10")
    assert head.headers["etag"] == answer.headers["etag"]
    assert (await box.request("PUT", url)).code == 405


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("bytes=2-4", (206, b"234", "bytes 2-4/10")),
        ("bytes=7-", (206, b"789", "bytes 7-9/10")),
        ("bytes=-3", (206, b"789", "bytes 7-9/10")),
        ("bytes=5-99", (206, b"56789", "bytes 5-9/10")),
        ("bytes=10-", (416, b"", "bytes */10")),
        ("bytes=0-1,3-4", (200, b"0123456789", None)),
    ],
)
@pytest.mark.parametrize("on_disk", [False, True])
@pytest_twisted.ensureDeferred
async def test_ranges(box: Any, tmp_path: Path, wanted: str, expected: Any, on_disk: bool) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    url = await signed_url(box, add_asset(box, tmp_path / "a" if on_disk else b"0123456789"))
    answer = await box.get(url, headers={"Range": wanted})
    assert (answer.code, answer.body, answer.headers.get("content-range")) == expected


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("bytes=-", None),
        ("items=0-1", None),
        ("bytes=3-2", None),
        ("bytes=-0", range(10, 10)),
        ("bytes=-99", range(10)),
        ("bytes=9-9", range(9, 10)),
    ],
)
def test_range_headers(wanted: str, expected: range | None) -> None:
    assert byte_range(wanted, 10) == expected


@pytest_twisted.ensureDeferred
async def test_a_range_of_another_version_is_the_whole(box: Any) -> None:
    url = await signed_url(box, add_asset(box))
    etag = (await box.get(url)).headers["etag"]
    assert (await box.get(url, headers={"Range": "bytes=8-", "If-Range": etag})).body == b"89"
    assert (await box.get(url, headers={"Range": "bytes=8-", "If-Range": '"other"'})).code == 200


@pytest_twisted.ensureDeferred
async def test_large_files_come_from_disk(box: Any, tmp_path: Path) -> None:
    content = bytes(range(256)) * 4096
    (tmp_path / "large").write_bytes(content)
    answer = await box.get(await signed_url(box, add_asset(box, tmp_path / "large")))
    assert answer.body == content


@pytest_twisted.ensureDeferred
async def test_signed_urls_expire(make_box: Callable[..., Awaitable[Any]]) -> None:
    box = await make_box(url_lifetime=60)
    url = await signed_url(box, add_asset(box))
    box.clock.advance(59.9)
    assert (await box.get(url)).code == 200
    box.clock.advance(0.1)
    answer = await box.get(url)
    assert answer.code == 403
    assert b"<Code>AuthenticationFailed</Code>" in answer.body
    assert answer.headers["content-type"] == "application/xml"


@pytest_twisted.ensureDeferred
async def test_no_other_signature_will_do(box: Any) -> None:
    asset = add_asset(box)
    other = asset.release.add_asset("b.whl", b"other")
    url = await signed_url(box, asset)
    changed = [
        url.partition("?")[0],
        url.replace("se=2026", "se=2027"),
        url.replace(str(asset.database_id), str(other.database_id)),
        url[:-1],
    ]
    assert [(await box.get(one)).code for one in changed] == [403] * 4


@pytest_twisted.ensureDeferred
async def test_storage_takes_no_authorization_beside_the_signature(box: Any) -> None:
    answer = await box.get(await signed_url(box, add_asset(box)), token=box.token)
    assert answer.code == 400
    assert b"Only one auth mechanism allowed" in answer.body


@pytest_twisted.ensureDeferred
async def test_a_removed_asset_is_gone_from_storage(box: Any) -> None:
    asset = add_asset(box)
    url = await signed_url(box, asset)
    asset.release.remove_asset("a.whl")
    assert (await box.get(url)).code == 404


@pytest_twisted.ensureDeferred
async def test_rest_redirects_to_storage(box: Any) -> None:
    asset = add_asset(box)
    answer = await box.get(rest_url(box, asset), token=box.token, headers=BYTES)
    assert answer.code == 302
    assert answer.headers["location"].startswith(box.sandbox.storage_url)
    assert answer.headers["x-ratelimit-resource"] == "core"
    assert (await box.get(answer.headers["location"])).body == b"0123456789"


@pytest_twisted.ensureDeferred
async def test_rest_may_stream(make_box: Callable[..., Awaitable[Any]]) -> None:
    box = await make_box(stream_assets=True)
    answer = await box.get(rest_url(box, add_asset(box)), token=box.token, headers={**BYTES, "Range": "bytes=0-1"})
    assert (answer.code, answer.body) == (206, b"01")


@pytest_twisted.ensureDeferred
async def test_rest_describes_an_asset(box: Any) -> None:
    asset = add_asset(box)
    described = (await box.get(rest_url(box, asset), token=box.token)).json()
    assert described["node_id"] == asset.id
    assert described["url"] == rest_url(box, asset)
    assert (described["state"], described["size"], described["digest"]) == ("uploaded", 10, asset.digest)
    empty = asset.release.add_asset("empty.whl", b"")
    assert (await box.get(rest_url(box, empty), token=box.token)).json()["state"] == "starter"


@pytest_twisted.ensureDeferred
async def test_rest_hides_what_the_caller_may_not_see(box: Any) -> None:
    asset = add_asset(box, readers=["reader"])
    draft = asset.release.repository.add_release("v2", draft=True).add_asset("b.whl", b"b")
    reader, stranger = box.world.add_token("reader"), box.world.add_token("stranger")
    assert (await box.get(rest_url(box, asset), token=reader)).code == 200
    for url, token in (
        (rest_url(box, asset), stranger),
        (rest_url(box, asset), None),
        (rest_url(box, draft), reader),
        (rest_url(box, asset).replace("assets/", "assets/x"), reader),
        (rest_url(box, asset).replace("hello", "other"), reader),
        (f"{box.sandbox.api_url}/other", reader),
    ):
        answer = await box.get(url, token=token)
        assert (answer.code, answer.json()["message"]) == (404, "Not Found")
    assert (await box.get(rest_url(box, draft), token=box.token)).code == 200
    bad = await box.get(rest_url(box, asset), token="ghp_bad")
    assert (bad.code, bad.json()["message"]) == (401, "Bad credentials")


@pytest_twisted.ensureDeferred
async def test_rest_takes_a_token_as_a_basic_password(box: Any) -> None:
    asset = add_asset(box)
    for password, code in ((box.token, 200), ("ghp_bad", 401)):
        pair = f"x-access-token:{password}".encode()
        headers = {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
        assert (await box.get(rest_url(box, asset), headers=headers)).code == code
    assert box.sandbox.calls[-1].headers["authorization"] == "basic …"
    assert (await box.get(rest_url(box, asset), headers={"Authorization": "Basic ü"})).code == 401


@pytest_twisted.ensureDeferred
async def test_rest_sends_callers_on_from_a_former_name(box: Any) -> None:
    asset = add_asset(box)
    box.world.rename_repository("octo/hello", "renamed")
    answer = await box.get(rest_url(box, asset), token=box.token)
    assert answer.code == 301
    assert (await box.get(answer.headers["location"], token=box.token)).json()["node_id"] == asset.id


@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        (Refusal.SAML, 403),
        (Refusal.IP_ALLOW_LIST, 403),
        (Refusal.MISSING_PERMISSION, 403),
        (Refusal.INSUFFICIENT_SCOPES, 404),
    ],
)
@pytest_twisted.ensureDeferred
async def test_rest_refuses_tokens_too(box: Any, refusal: Refusal, code: int) -> None:
    asset = add_asset(box)
    token = box.world.add_token("octo", refuse=refusal)
    answer = await box.get(rest_url(box, asset), token=token)
    assert answer.code == code
    assert ("x-github-sso" in answer.headers) is (refusal is Refusal.SAML)


@pytest_twisted.ensureDeferred
async def test_rest_counts_its_own_quota(make_box: Callable[..., Awaitable[Any]]) -> None:
    box = await make_box(quota=1)
    url = rest_url(box, add_asset(box))
    assert (await box.get(url, token=box.token)).code == 200
    answer = await box.get(url, token=box.token)
    assert (answer.code, answer.headers["x-ratelimit-remaining"]) == (403, "0")
    assert "API rate limit exceeded" in answer.json()["message"]


@pytest.mark.parametrize(("private", "code"), [(False, 302), (True, 404)])
@pytest_twisted.ensureDeferred
async def test_web_pages_know_no_tokens(box: Any, private: bool, code: int) -> None:
    add_asset(box, private=private)
    answer = await box.get(f"{box.sandbox.api_url}/download/octo/hello/v1/a.whl", token=box.token)
    assert answer.code == code
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
