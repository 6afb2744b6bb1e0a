"""An owner's repositories through GraphQL, as a root page needs them: who sees which, in pages, and at what cost."""

from __future__ import annotations

from typing import Any

import pytest_twisted

OWNER = """
query($first: Int!, $after: String, $login: String = "octo") {
  repositoryOwner(login: $login) {
    repositories(first: $first, after: $after, ownerAffiliations: OWNER, orderBy: {field: NAME, direction: ASC}) {
      totalCount
      pageInfo { hasNextPage endCursor }
      nodes { name isArchived releases(first: 1) { nodes { isDraft releaseAssets(first: 100) { nodes { name } } } } }
    }
  }
  rateLimit { cost nodeCount }
}
"""


async def repositories(box: Any, first: int = 100, **how: Any) -> Any:
    answer = await box.ask(OWNER, first=first, **how)
    return answer["data"]["repositoryOwner"]["repositories"]


@pytest_twisted.ensureDeferred
async def test_private_repositories_are_listed_for_those_who_may_read_them(box: Any) -> None:
    box.world.add_organization("acme")
    box.world.add_repository("acme/open", private=False, archived=True)
    box.world.add_repository("acme/shared", readers=["reader"])
    box.world.add_repository("acme/written", writers=["writer"])
    box.world.add_repository("acme/hidden")
    box.world.add_repository("octo/elsewhere", readers=["acme", "reader", "writer"])

    async def names(login: str, **token: Any) -> list[str]:
        shown = await repositories(box, login="acme", token=box.world.add_token(login, **token))
        assert shown["totalCount"] == len(shown["nodes"])
        return [node["name"] for node in shown["nodes"]]

    assert await names("acme") == ["hidden", "open", "shared", "written"]
    assert await names("acme", scopes=["contents:read"]) == ["hidden", "open", "shared", "written"]
    assert await names("acme", scopes=["gist"]) == ["open"]
    assert await names("reader") == ["open", "shared"]
    assert await names("writer") == ["open", "written"]
    assert await names("stranger") == ["open"]


@pytest_twisted.ensureDeferred
async def test_what_a_listing_shows_of_a_repository(box: Any) -> None:
    release = box.world.add_repository("octo/hello", archived=True).add_release("v1")
    release.add_asset("a.whl", b"a")
    box.world.add_repository("octo/new", readers=["reader"]).add_release("v1", draft=True)
    hello, new = (await repositories(box))["nodes"]
    assert hello == {
        "name": "hello",
        "isArchived": True,
        "releases": {"nodes": [{"isDraft": False, "releaseAssets": {"nodes": [{"name": "a.whl"}]}}]},
    }
    assert new["releases"]["nodes"] == [{"isDraft": True, "releaseAssets": {"nodes": []}}]
    [shown] = (await repositories(box, token=box.world.add_token("reader")))["nodes"]
    assert (shown["name"], shown["releases"]["nodes"]) == ("new", [])


@pytest_twisted.ensureDeferred
async def test_an_owner_of_many_repositories_comes_in_pages(box: Any) -> None:
    for number in range(250):
        box.world.add_repository(f"octo/p{number:03}", private=number % 2 == 0)
    seen, after, more = [], None, True
    while more:
        page = await repositories(box, after=after)
        assert page["totalCount"] == 250
        seen += [node["name"] for node in page["nodes"]]
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    assert seen == [f"p{number:03}" for number in range(250)]


@pytest_twisted.ensureDeferred
async def test_a_listing_costs_what_github_charges(box: Any) -> None:
    box.world.add_repository("octo/hello")
    for first, cost, nodes in ((100, 2, 100 + 100 + 10_000), (10, 1, 10 + 10 + 1_000)):
        answer = await box.ask(OWNER, first=first)
        assert answer["data"]["rateLimit"] == {"cost": cost, "nodeCount": nodes}
    too_deep = OWNER.replace("releases(first: 1)", "releases(first: 100)")
    assert (await box.ask(too_deep, first=100))["errors"][0]["type"] == "MAX_NODE_LIMIT_EXCEEDED"
