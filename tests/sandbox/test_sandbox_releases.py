"""Releases and their assets through REST: what is taken, and the words for what is not."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted

from pypihub.sandbox.world import Release, Repository

RELEASES = "/repos/octo/hello/releases"
DRAFT_BY_TAG = '{ repository(owner: "octo", name: "hello") { release(tagName: "v1") { isDraft } } }'
ALREADY_EXISTS = [{"resource": "Release", "code": "already_exists", "field": "tag_name"}]


def add_release(box: Any, tag: str = "v1", **repository: Any) -> Release:
    """A release of `octo/hello`."""
    release: Release = box.world.add_repository("octo/hello", **repository).add_release(tag)
    return release


def path_of(release: Release) -> str:
    return f"{RELEASES}/{release.database_id}"


@pytest_twisted.ensureDeferred
async def test_a_repository_tells_what_the_caller_may_do(box: Any) -> None:
    box.world.add_repository("octo/hello", private=False, archived=True, readers=["reader"], writers=["writer"])
    shown = {}
    for login in ("octo", "writer", "reader"):
        described = (await box.rest("GET", "/repos/Octo/HELLO", token=box.world.add_token(login))).json()
        shown[login] = [name for name, allowed in described["permissions"].items() if allowed]
    assert shown == {
        "octo": ["admin", "maintain", "push", "triage", "pull"],
        "writer": ["push", "triage", "pull"],
        "reader": ["pull"],
    }
    assert (described["full_name"], described["archived"], described["private"]) == ("octo/hello", True, False)
    assert (described["default_branch"], described["visibility"]) == ("main", "public")
    assert "permissions" not in (await box.get(f"{box.sandbox.api_url}/repos/octo/hello")).json()


@pytest_twisted.ensureDeferred
async def test_a_release_is_created(box: Any) -> None:
    box.world.add_repository("octo/hello", writers=["writer"])
    sent = {"tag_name": "v1", "name": "One", "body": "news", "prerelease": True, "target_commitish": "main"}
    answer = await box.rest("POST", RELEASES, sent, token=box.world.add_token("writer"))
    created = answer.json()
    assert answer.code == 201
    assert answer.headers["location"] == created["url"]
    assert {key: created[key] for key in sent} == sent
    assert (created["draft"], created["immutable"], created["assets"]) == (False, False, [])
    assert created["author"]["login"] == "writer"
    assert created["published_at"] >= created["created_at"]
    assert created["html_url"] == "https://github.com/octo/hello/releases/tag/v1"
    assert created["upload_url"].startswith(f"{box.sandbox.uploads_url}{RELEASES}/{created['id']}/assets{{?")
    for path in (f"/{created['id']}", "/tags/v1"):
        assert (await box.rest("GET", f"{RELEASES}{path}")).json() == created
    assert box.sandbox.calls[0].variables == sent


@pytest_twisted.ensureDeferred
async def test_a_draft_is_published(box: Any) -> None:
    box.world.add_repository("octo/hello", readers=["reader"])
    reader = box.world.add_token("reader")
    draft = (await box.rest("POST", RELEASES, {"tag_name": "v1", "draft": True})).json()
    assert (draft["tag_name"], draft["draft"], draft["published_at"]) == ("v1", True, None)
    slug = draft["html_url"].rpartition("/")[2]
    assert slug.startswith("untagged-")
    assert (await box.rest("GET", f"{RELEASES}/tags/v1")).code == 404
    assert (await box.rest("GET", f"{RELEASES}/tags/{slug}")).json() == draft
    assert (await box.ask(DRAFT_BY_TAG))["data"]["repository"]["release"] == {"isDraft": True}
    assert (await box.ask(DRAFT_BY_TAG, token=reader))["data"]["repository"]["release"] is None
    path = f"{RELEASES}/{draft['id']}"
    assert (await box.rest("GET", path, token=reader)).code == 404
    published = await box.rest("PATCH", path, {"draft": False, "name": "One"})
    assert (published.code, published.json()["draft"], published.json()["name"]) == (200, False, "One")
    assert (await box.rest("GET", f"{RELEASES}/tags/v1", token=reader)).json() == published.json()
    assert (await box.rest("GET", f"{RELEASES}/tags/{slug}")).code == 404


@pytest_twisted.ensureDeferred
async def test_many_drafts_may_want_a_tag_and_one_gets_it(box: Any) -> None:
    box.world.add_repository("octo/hello")
    sent = {"tag_name": "v1", "draft": True}
    first, second = [(await box.rest("POST", RELEASES, sent)).json() for _ in range(2)]
    assert first["id"] != second["id"]
    assert (await box.rest("PATCH", f"{RELEASES}/{first['id']}", {"draft": False})).code == 200
    for call in (("PATCH", f"{RELEASES}/{second['id']}", {"draft": False}), ("POST", RELEASES, {"tag_name": "v1"})):
        refused = await box.rest(*call)
        assert (refused.code, refused.json()["message"]) == (422, "Validation Failed")
        assert (refused.json()["errors"], refused.json()["status"]) == (ALREADY_EXISTS, "422")
    assert (await box.rest("POST", RELEASES, sent)).code == 201
    moved = await box.rest("PATCH", f"{RELEASES}/{second['id']}", {"draft": False, "tag_name": "release/2"})
    assert moved.code == 200
    assert (await box.rest("GET", f"{RELEASES}/tags/release/2")).json() == moved.json()


@pytest.mark.parametrize(
    ("sent", "code", "complaint"),
    [
        ({}, 422, 'Invalid request.\n\n"tag_name" wasn\'t supplied.'),
        ({"tag_name": None}, 422, "Invalid request.\n\nFor 'properties/tag_name', nil is not a string."),
        (
            {"tag_name": "v1", "draft": "no"},
            422,
            "Invalid request.\n\nFor 'properties/draft', \"no\" is not a boolean.",
        ),
        ({"tag_name": "v1", "make_latest": "x"}, 422, None),
        (["v1"], 400, "Body should be a JSON object"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_is_not_understood(box: Any, sent: Any, code: int, complaint: str | None) -> None:
    box.world.add_repository("octo/hello")
    answer = await box.rest("POST", RELEASES, sent)
    assert answer.code == code
    assert complaint in (None, answer.json()["message"])
    broken = await box.request("POST", f"{box.sandbox.api_url}{RELEASES}", token=box.token, data=b"{")
    assert (broken.code, broken.json()["message"]) == (400, "Problems parsing JSON")


@pytest.mark.parametrize(
    ("sent", "fields"),
    [
        ({"tag_name": "v 1"}, ["tag_name", None]),
        ({"tag_name": ""}, ["tag_name", None]),
        ({"tag_name": "v1", "target_commitish": "nowhere"}, ["tag_name", None, "target_commitish"]),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_published_release_needs_a_tag_that_can_be(box: Any, sent: Any, fields: list[str | None]) -> None:
    repository = box.world.add_repository("octo/hello")
    answer = await box.rest("POST", RELEASES, sent)
    assert answer.code == 422
    assert [error.get("field") for error in answer.json()["errors"]] == fields
    assert not repository.releases
    assert (await box.rest("POST", RELEASES, {**sent, "draft": True})).code == 201


@pytest_twisted.ensureDeferred
async def test_which_release_is_the_latest(box: Any) -> None:
    repository: Repository = add_release(box).repository

    async def latest_after(method: str, path: str, **sent: Any) -> str:
        assert (await box.rest(method, path, sent)).code in (200, 201)
        assert repository.latest_release
        return repository.latest_release.tag_name

    assert await latest_after("POST", RELEASES, tag_name="v2", make_latest="false") == "v1"
    assert await latest_after("POST", RELEASES, tag_name="v3", prerelease=True) == "v1"
    assert await latest_after("POST", RELEASES, tag_name="v4") == "v4"
    assert await latest_after("PATCH", path_of(repository.releases["v1"]), make_latest="true") == "v1"
    assert await latest_after("PATCH", path_of(repository.releases["v2"]), name="Two") == "v1"
    assert await latest_after("PATCH", path_of(repository.releases["v2"]), make_latest="legacy") == "v4"


@pytest_twisted.ensureDeferred
async def test_lists_come_in_pages(box: Any) -> None:
    release = add_release(box, readers=["reader"])
    for number in range(3):
        release.add_asset(f"{number}.whl", b"x")
    release.repository.add_release("v2", draft=True)
    reader = box.world.add_token("reader")
    assert [one["tag_name"] for one in (await box.rest("GET", RELEASES)).json()] == ["v2", "v1"]
    assert [one["tag_name"] for one in (await box.rest("GET", RELEASES, token=reader)).json()] == ["v1"]
    first = await box.rest("GET", f"{path_of(release)}/assets?per_page=2", token=reader)
    assert [asset["name"] for asset in first.json()] == ["0.whl", "1.whl"]
    url = f"{box.sandbox.api_url}{path_of(release)}/assets?per_page=2&page="
    assert first.headers["link"] == f'<{url}2>; rel="next", <{url}2>; rel="last"'
    second = await box.get(f"{url}2", token=reader)
    assert [asset["name"] for asset in second.json()] == ["2.whl"]
    assert second.headers["link"] == f'<{url}1>; rel="prev", <{url}1>; rel="first"'
    assert "link" not in (await box.rest("GET", f"{path_of(release)}/assets")).headers


@pytest_twisted.ensureDeferred
async def test_deleting(box: Any) -> None:
    release = add_release(box)
    asset, other = release.add_asset("a.whl", b"a"), release.add_asset("b.whl", b"b")
    gone = await box.rest("DELETE", f"{RELEASES}/assets/{asset.database_id}")
    assert (gone.code, gone.body) == (204, b"")
    assert list(release.assets) == ["b.whl"]
    assert (await box.rest("DELETE", f"{RELEASES}/assets/{asset.database_id}")).code == 404
    assert (await box.rest("DELETE", path_of(release))).code == 204
    assert (box.world.node(release.id), box.world.node(other.id)) == (None, None)
    for method in ("DELETE", "PATCH", "GET"):
        assert (await box.rest(method, path_of(release), {} if method == "PATCH" else None)).code == 404


@pytest_twisted.ensureDeferred
async def test_an_asset_is_renamed(box: Any) -> None:
    release = add_release(box)
    asset = release.add_asset("a.whl", b"a")
    release.add_asset("b.whl", b"b")
    path = f"{RELEASES}/assets/{asset.database_id}"
    renamed = await box.rest("PATCH", path, {"name": "c 1.whl", "label": "C"})
    assert (renamed.code, renamed.json()["name"], renamed.json()["label"]) == (200, "c.1.whl", "C")
    assert (await box.rest("GET", path)).json() == renamed.json()
    taken = await box.rest("PATCH", path, {"name": "b.whl"})
    assert (taken.code, taken.json()["errors"]) == (
        422,
        [{"resource": "ReleaseAsset", "code": "already_exists", "field": "name"}],
    )
    assert (await box.rest("PATCH", path, {"name": "..."})).json()["errors"][0]["code"] == "invalid"
    assert (await box.rest("PATCH", path, {"name": 1})).code == 422
    assert (await box.rest("PATCH", f"{RELEASES}/assets/1", {"name": "x"})).code == 404


@pytest_twisted.ensureDeferred
async def test_a_write_by_a_former_name_is_sent_on(box: Any) -> None:
    add_release(box)
    box.world.rename_repository("octo/hello", "renamed")
    answer = await box.rest("POST", RELEASES, {"tag_name": "v2"})
    assert answer.code == 307
    again = await box.request("POST", answer.headers["location"], token=box.token, data=b'{"tag_name": "v2"}')
    assert again.code == 201
    listed = await box.rest("GET", f"{RELEASES}?per_page=1")
    assert (listed.code, listed.headers["location"].rpartition("/")[2]) == (301, "releases?per_page=1")
