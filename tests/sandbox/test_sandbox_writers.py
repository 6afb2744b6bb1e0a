"""Who may write through REST, where nobody may, and what GitHub tells the others."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted

from pypihub.sandbox.world import Refusal, Release

RELEASES = "/repos/octo/hello/releases"


def add_release(box: Any, tag: str = "v1", **repository: Any) -> Release:
    """A release of `octo/hello`."""
    release: Release = box.world.add_repository("octo/hello", **repository).add_release(tag)
    return release


def path_of(release: Release) -> str:
    return f"{RELEASES}/{release.database_id}"


@pytest.mark.parametrize(
    ("login", "scopes", "private", "code", "message"),
    [
        ("stranger", ["repo"], True, 404, "Not Found"),
        ("stranger", ["repo"], False, 404, "Not Found"),
        ("reader", ["repo"], True, 404, "Not Found"),
        ("octo", ["gist"], True, 404, "Not Found"),
        ("octo", ["gist"], False, 404, "Not Found"),
        ("octo", ["contents:read"], True, 403, "Resource not accessible by personal access token"),
        ("reader", ["contents:write"], True, 403, "Resource not accessible by personal access token"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_who_may_not_write(
    box: Any, login: str, scopes: list[str], private: bool, code: int, message: str
) -> None:
    release = add_release(box, private=private, readers=["reader"])
    asset = release.add_asset("a.whl", b"a")
    token = box.world.add_token(login, scopes=scopes)
    for method, path in (
        ("POST", RELEASES),
        ("PATCH", path_of(release)),
        ("DELETE", path_of(release)),
        ("PATCH", f"{RELEASES}/assets/{asset.database_id}"),
        ("DELETE", f"{RELEASES}/assets/{asset.database_id}"),
    ):
        answer = await box.rest(method, path, {"tag_name": "v2", "name": "x"}, token=token)
        assert (answer.code, answer.json()["message"], answer.json()["status"]) == (code, message, str(code))
        assert ("x-accepted-github-permissions" in answer.headers) is (code == 403)
    assert (list(release.repository.releases), list(release.assets)) == (["v1"], ["a.whl"])
    drafts = release.repository.add_release("v3", draft=True)
    assert (await box.rest("GET", path_of(drafts), token=token)).code == 404


@pytest_twisted.ensureDeferred
async def test_nobody_writes_without_a_token_and_a_fine_grained_one_may(box: Any) -> None:
    add_release(box, private=False)
    anonymous = await box.request("POST", f"{box.sandbox.api_url}{RELEASES}", data=b'{"tag_name": "v2"}')
    assert (anonymous.code, anonymous.json()["message"]) == (401, "Requires authentication")
    token = box.world.add_token("octo", scopes=["contents:write"])
    assert (await box.rest("POST", RELEASES, {"tag_name": "v2"}, token=token)).code == 201
    refused = box.world.add_token("octo", refuse=Refusal.SAML)
    assert (await box.rest("POST", RELEASES, {"tag_name": "v3"}, token=refused)).code == 403


@pytest_twisted.ensureDeferred
async def test_an_archive_is_read_only_and_keeps_its_drafts_to_itself(box: Any) -> None:
    release = add_release(box, archived=True)
    draft = release.repository.add_release("v2", draft=True)
    for method, path in (("POST", RELEASES), ("PATCH", path_of(release)), ("DELETE", path_of(release))):
        answer = await box.rest(method, path, {"tag_name": "v3"})
        assert (answer.code, answer.json()["message"]) == (403, "Repository was archived so is read-only.")
    assert (await box.rest("GET", path_of(release))).code == 200
    assert (await box.rest("GET", path_of(draft))).code == 404
    assert [one["tag_name"] for one in (await box.rest("GET", RELEASES)).json()] == ["v1"]


@pytest_twisted.ensureDeferred
async def test_what_is_immutable_stays(box: Any) -> None:
    release = box.world.add_repository("octo/hello", immutable_releases=True).add_release("v1", draft=True)
    asset = release.add_asset("a.whl", b"a")
    published = (await box.rest("PATCH", path_of(release), {"draft": False})).json()
    assert published["immutable"]
    path = f"{RELEASES}/assets/{asset.database_id}"
    kept = await box.rest("DELETE", path)
    assert (kept.code, kept.json()["errors"]) == (
        422,
        [{"resource": "ReleaseAsset", "code": "custom", "message": "Cannot delete asset from an immutable release"}],
    )
    for call in (
        (path, {"name": "b.whl"}),
        (path_of(release), {"tag_name": "v2"}),
        (path_of(release), {"draft": True}),
    ):
        assert (await box.rest("PATCH", *call)).code == 422
    edited = await box.rest("PATCH", path_of(release), {"body": "news", "prerelease": True})
    assert (edited.code, edited.json()["body"], edited.json()["immutable"]) == (200, "news", True)
    assert (await box.rest("DELETE", path_of(release))).code == 204
    spent = await box.rest("POST", RELEASES, {"tag_name": "v1"})
    assert (spent.code, spent.json()["errors"][0]["message"]) == (422, "tag_name was used by an immutable release")
