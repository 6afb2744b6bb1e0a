"""GraphQL as a client of GitHub meets it: listings, pages, nodes, and who sees what."""

from __future__ import annotations

import gzip
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import pytest_twisted

from pypihub.sandbox.answers import Answer, compressed

RELEASES = """
query Releases($name: String!, $first: Int, $last: Int, $after: String, $before: String) {
  repository(owner: "octo", name: $name) {
    nameWithOwner
    releases(first: $first, last: $last, after: $after, before: $before,
             orderBy: {field: CREATED_AT, direction: DESC}) {
      totalCount
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      edges { cursor }
      nodes { tagName }
    }
  }
}
"""


def tags(answer: Any) -> list[str]:
    """The tags of a page of releases."""
    return [node["tagName"] for node in answer["data"]["repository"]["releases"]["nodes"]]


def page_info(answer: Any) -> Any:
    return answer["data"]["repository"]["releases"]["pageInfo"]


@pytest_twisted.ensureDeferred
async def test_a_listing_tells_what_the_world_holds(box: Any) -> None:
    release = box.world.add_repository("octo/hello").add_release("v1", name="One")
    release.add_asset("hello.whl", b"abc", content_type="application/zip")
    query = """
    { repository(owner: "Octo", name: "HELLO") {
        nameWithOwner databaseId isPrivate isArchived visibility viewerPermission owner { login __typename }
        latestRelease { tagName }
        release(tagName: "v1") {
          name isLatest isDraft isPrerelease immutable createdAt publishedAt shortDescriptionHTML
          releaseAssets(first: 1, name: "hello.whl") { totalCount nodes {
            id name size digest contentType createdAt url downloadUrl uploadedBy { login } release { tagName }
        } } } }
      rateLimit { cost nodeCount limit } viewer { login } }
    """
    answer = await box.ask(query)
    repository = answer["data"]["repository"]
    asset = repository.pop("release")["releaseAssets"]["nodes"][0]
    assert repository == {
        "nameWithOwner": "octo/hello",
        "databaseId": release.repository.database_id,
        "isPrivate": True,
        "isArchived": False,
        "visibility": "PRIVATE",
        "viewerPermission": "ADMIN",
        "owner": {"login": "octo", "__typename": "User"},
        "latestRelease": {"tagName": "v1"},
    }
    url = asset.pop("url")
    assert url.startswith(box.sandbox.storage_url)
    assert asset == {
        "id": release.assets["hello.whl"].id,
        "name": "hello.whl",
        "size": 3,
        "digest": "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "contentType": "application/zip",
        "createdAt": "2025-07-01T00:00:03Z",
        "downloadUrl": f"{box.sandbox.api_url}/download/octo/hello/v1/hello.whl",
        "uploadedBy": {"login": "octo"},
        "release": {"tagName": "v1"},
    }
    assert answer["data"]["rateLimit"] == {"cost": 1, "nodeCount": 1, "limit": 5000}
    assert answer["data"]["viewer"] == {"login": "octo"}


@pytest_twisted.ensureDeferred
async def test_pages_follow_one_another(box: Any) -> None:
    repository = box.world.add_repository("octo/hello")
    for number in range(5):
        repository.add_release(f"v{number}")
    first = await box.ask(RELEASES, name="hello", first=2)
    assert tags(first) == ["v4", "v3"]
    assert page_info(first)["hasNextPage"]
    assert not page_info(first)["hasPreviousPage"]
    second = await box.ask(RELEASES, name="hello", first=2, after=page_info(first)["endCursor"])
    third = await box.ask(RELEASES, name="hello", first=2, after=page_info(second)["endCursor"])
    assert (tags(second), tags(third)) == (["v2", "v1"], ["v0"])
    assert not page_info(third)["hasNextPage"]
    back = await box.ask(RELEASES, name="hello", last=2, before=page_info(third)["startCursor"])
    assert tags(back) == ["v2", "v1"]
    cursors = [edge["cursor"] for edge in back["data"]["repository"]["releases"]["edges"]]
    assert cursors == [page_info(back)["startCursor"], page_info(back)["endCursor"]]


@pytest_twisted.ensureDeferred
async def test_a_cursor_holds_while_releases_come_and_go(box: Any) -> None:
    repository = box.world.add_repository("octo/hello")
    for number in range(4):
        repository.add_release(f"v{number}")
    first = await box.ask(RELEASES, name="hello", first=2)
    repository.add_release("v4")
    repository.remove_release("v2")
    second = await box.ask(RELEASES, name="hello", first=2, after=page_info(first)["endCursor"])
    assert tags(second) == ["v1", "v0"]


@pytest_twisted.ensureDeferred
async def test_an_empty_listing_has_no_cursors(box: Any) -> None:
    box.world.add_repository("octo/hello")
    answer = await box.ask(RELEASES, name="hello", first=100)
    assert page_info(answer) == {
        "hasNextPage": False,
        "hasPreviousPage": False,
        "startCursor": None,
        "endCursor": None,
    }


@pytest_twisted.ensureDeferred
async def test_drafts_are_for_those_who_may_push(box: Any) -> None:
    repository = box.world.add_repository("octo/hello", readers=["reader"])
    draft = repository.add_release("v1", draft=True)
    draft.add_asset("a.whl", b"a")
    reader = box.world.add_token("reader")
    assert tags(await box.ask(RELEASES, name="hello", first=1)) == ["v1"]
    assert tags(await box.ask(RELEASES, name="hello", first=1, token=reader)) == []
    query = "query($id: ID!) { node(id: $id) { __typename } }"
    for node_id, typename in ((draft.id, "Release"), (draft.assets["a.whl"].id, "ReleaseAsset")):
        assert (await box.ask(query, id=node_id))["data"]["node"] == {"__typename": typename}
        hidden = await box.ask(query, id=node_id, token=reader)
        assert hidden["errors"][0]["type"] == "NOT_FOUND"
    by_tag = '{ repository(owner: "octo", name: "hello") { release(tagName: "v1") { id } } }'
    assert await box.ask(by_tag, token=reader) == {"data": {"repository": {"release": None}}}


@pytest_twisted.ensureDeferred
async def test_former_names_resolve_unless_told_otherwise(box: Any) -> None:
    box.world.add_repository("octo/old")
    box.world.rename_repository("octo/old", "new")
    query = 'query($f: Boolean!) { repository(owner: "octo", name: "old", followRenames: $f) { nameWithOwner } }'
    assert (await box.ask(query, f=True))["data"]["repository"] == {"nameWithOwner": "octo/new"}
    assert (await box.ask(query, f=False))["data"]["repository"] is None


@pytest_twisted.ensureDeferred
async def test_nodes_fail_one_by_one(box: Any) -> None:
    release = box.world.add_repository("octo/hello").add_release("v1")
    query = "query($ids: [ID!]!) { nodes(ids: $ids) { id ... on Release { tagName } } }"
    answer = await box.ask(query, ids=[release.id, "RE_none", release.repository.id])
    assert answer["data"]["nodes"] == [{"id": release.id, "tagName": "v1"}, None, {"id": release.repository.id}]
    [error] = answer["errors"]
    assert (error["type"], error["path"]) == ("NOT_FOUND", ["nodes", 1])
    assert error["message"] == "Could not resolve to a node with the global id of 'RE_none'"
    assert (await box.ask(query, ids=["x"] * 101))["errors"][0]["type"] == "ARGUMENT_LIMIT"


@pytest_twisted.ensureDeferred
async def test_an_owner_shows_the_repositories_that_the_caller_may_see(box: Any) -> None:
    box.world.add_organization("acme")
    box.world.add_repository("acme/hidden")
    box.world.add_repository("acme/open", private=False)
    box.world.add_repository("acme/shared", readers=["octo"])
    box.world.add_repository("acme/archived", private=False, archived=True)
    box.world.add_repository("octo/mine", writers=["acme"])
    query = """
    query($archived: Boolean, $privacy: RepositoryPrivacy, $affiliations: [RepositoryAffiliation] = [OWNER]) {
      repositoryOwner(login: "ACME") {
        __typename
        repository(name: "open") { name }
        repositories(first: 10, isArchived: $archived, privacy: $privacy, ownerAffiliations: $affiliations,
                     orderBy: {field: NAME, direction: ASC}) { nodes { name } } } }
    """

    async def names(**variables: Any) -> list[str]:
        answer = await box.ask(query, **variables)
        owner = answer["data"]["repositoryOwner"]
        assert (owner["__typename"], owner["repository"]) == ("Organization", {"name": "open"})
        return [node["name"] for node in owner["repositories"]["nodes"]]

    assert await names() == ["archived", "open", "shared"]
    assert await names(archived=False) == ["open", "shared"]
    assert await names(privacy="PRIVATE") == ["shared"]
    assert await names(affiliations=["OWNER", "COLLABORATOR"]) == ["archived", "mine", "open", "shared"]
    assert await box.ask('{ repositoryOwner(login: "nobody") { login } }') == {"data": {"repositoryOwner": None}}


@pytest_twisted.ensureDeferred
async def test_an_old_server_names_the_field_that_it_lacks(make_box: Callable[..., Awaitable[Any]]) -> None:
    box = await make_box(digest=False)
    box.world.add_repository("octo/hello").add_release("v1").add_asset("a.whl", b"a")
    answer = await box.ask(
        'query Old { repository(owner: "octo", name: "hello") { releases(first: 1) { nodes { ...R } } } }\n'
        "fragment R on Release { releaseAssets(first: 1) { nodes { digest } } }"
    )
    assert "data" not in answer
    [error] = answer["errors"]
    assert error == {
        "path": ["fragment R", "releaseAssets", "nodes", "digest"],
        "extensions": {"code": "undefinedField", "typeName": "ReleaseAsset", "fieldName": "digest"},
        "locations": [{"line": 2, "column": 59}],
        "message": "Field 'digest' doesn't exist on type 'ReleaseAsset'",
    }


@pytest_twisted.ensureDeferred
async def test_web_urls_do_not_lead_to_storage(make_box: Callable[..., Awaitable[Any]]) -> None:
    box = await make_box(web_urls=True)
    asset = box.world.add_repository("octo/hello").add_release("v 1").add_asset("a.whl", b"a")
    answer = await box.ask("query($id: ID!) { node(id: $id) { ... on ReleaseAsset { url } } }", id=asset.id)
    assert answer["data"]["node"]["url"] == f"{box.sandbox.api_url}/download/octo/hello/v%201/a.whl"


@pytest_twisted.ensureDeferred
async def test_calls_are_recorded_without_the_token(box: Any) -> None:
    box.world.add_repository("octo/hello")
    await box.ask(RELEASES, name="hello", first=1)
    [call] = box.sandbox.calls
    assert (call.where, call.method, call.path, call.status) == ("graphql", "POST", "/graphql", 200)
    assert (call.login, call.operation, call.variables) == ("octo", "Releases", {"name": "hello", "first": 1})
    assert call.headers["authorization"] == "bearer …"
    assert call.headers["user-agent"] == "tests"
    assert box.token not in repr(call)


@pytest.mark.parametrize(
    ("accepted", "zipped"), [("gzip", True), ("br, gzip;q=0.5", True), ("gzip;q=0", False), ("", False)]
)
def test_answers_are_gzipped_for_those_who_take_it(accepted: str, zipped: bool) -> None:
    plain = Answer(200, b"body", {"x": "y"})
    answer = compressed(plain, accepted)
    if not zipped:
        assert answer is plain
    else:
        assert gzip.decompress(answer.body) == b"body"
        assert answer.headers == {"x": "y", "content-encoding": "gzip", "vary": "Accept-Encoding"}
