"""The root page: every project that a caller can install from an owner, and what it costs to know."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from support.hub import Hub
from twisted.internet.defer import Deferred, gatherResults

from pypihub.sandbox.failures import Drop, GraphQLErrors, Html, NullNodes, PrimaryLimit, ResourceLimits, Status, TooSlow
from pypihub.sandbox.samples import sample_sdist, sample_wheel
from pypihub.sandbox.world import Refusal

JSON = "application/vnd.pypi.simple.v1+json"
MONO = [("^.*$", "mono")]


def publish(hub: Hub, repository: str, *filenames: str, **more: Any) -> Any:
    """A repository with one release that holds these files."""
    made = hub.world.add_repository(repository, **more)
    release = made.add_release("v1")
    for filename in filenames:
        release.add_asset(filename, b"x")
    return made


async def names(hub: Hub, path: str = "/simple/", **how: Any) -> list[str]:
    """The projects on the JSON page."""
    answer = await hub.get(path, headers={"Accept": JSON}, **how)
    assert answer.code == 200, answer.text
    return [project["name"] for project in json.loads(answer.body)["projects"]]


def points(hub: Hub) -> int:
    """What the root pages cost so far, by the token's owner."""
    now = hub.world.now()
    return hub.sandbox.quotas.spend("octo", "graphql", 0, now).used


@ensureDeferred
async def test_every_repository_with_files_of_its_project_is_listed(hub: Hub) -> None:
    publish(hub, "octo/wheel", *[sample_wheel("wheel", "1.0")[0]])
    publish(hub, "octo/sdist-only", *[sample_sdist("sdist-only", "1.0")[0]])
    publish(hub, "octo/Shouting", "shouting-1.0.tar.gz", private=False)
    publish(hub, "octo/archived", "archived-1.0.zip", archived=True)
    publish(hub, "octo/program", "program-1.0.exe", "SHA256SUMS")
    publish(hub, "octo/my_pkg", "my_pkg-1.0-py3-none-any.whl")
    publish(hub, "octo/other-names", "something-1.0.tar.gz")
    publish(hub, "other/elsewhere", "elsewhere-1.0.tar.gz", readers=["octo"])
    hub.world.add_repository("octo/empty")
    listed = await names(hub)
    assert listed == ["archived", "sdist-only", "shouting", "wheel"]
    for name in listed:
        assert (await hub.get(f"/simple/{name}/")).code == 200
    for name in ("my-pkg", "program", "other-names", "something", "elsewhere", "empty"):
        assert (await hub.get(f"/simple/{name}/")).code == 404


@ensureDeferred
async def test_both_forms_say_the_same_and_links_lead_to_the_projects(hub: Hub) -> None:
    publish(hub, "octo/demo", "demo-1.0.tar.gz")
    html = await hub.get("/octo/simple/", headers={"Accept": "text/html"})
    assert '<a href="demo/">demo</a>' in html.text
    assert await names(hub, "/octo/simple/", user="__token__") == ["demo"]
    assert hub.asked(operation="Owned") == 2


@ensureDeferred
async def test_everyone_sees_what_their_token_sees(hub: Hub) -> None:
    hub.world.add_organization("acme")
    publish(hub, "acme/hidden", "hidden-1.0.tar.gz")
    publish(hub, "acme/shared", "shared-1.0.tar.gz", readers=["friend"])
    publish(hub, "acme/open", "open-1.0.tar.gz", private=False)
    tokens = {login: hub.world.add_token(login) for login in ("acme", "friend", "stranger")}
    blind = hub.world.add_token("acme", scopes=["gist"])
    for _ in range(2):
        assert await names(hub, user="acme", token=tokens["acme"]) == ["hidden", "open", "shared"]
        assert await names(hub, user="acme", token=tokens["friend"]) == ["open", "shared"]
        assert await names(hub, "/ACME/simple/", token=tokens["stranger"]) == ["open"]
        assert await names(hub, user="acme", token=blind) == ["open"]


@ensureDeferred
async def test_drafts_and_failed_uploads_tell_of_nothing(hub: Hub) -> None:
    hub.world.add_repository("octo/draft").add_release("v1", draft=True).add_asset("draft-1.0.tar.gz", b"x")
    hub.world.add_repository("octo/failed").add_release("v1").add_asset("failed-1.0.tar.gz", b"")
    behind = publish(hub, "octo/behind", "behind-1.0.tar.gz")
    behind.add_release("v2", draft=True).add_asset("behind-2.0.tar.gz", b"x")
    assert await names(hub) == ["behind"]


@ensureDeferred
async def test_a_project_of_older_releases_is_found(hub: Hub) -> None:
    repository = publish(hub, "octo/demo", "demo-1.0.tar.gz")
    for number in range(250):
        repository.add_release(f"docs-{number}").add_asset("docs.pdf", b"x")
    assert await names(hub) == ["demo"]
    assert hub.asked() == 4


@ensureDeferred
async def test_a_project_behind_a_thousand_other_files_is_found(hub: Hub) -> None:
    """In the newest release of all, in an older one, and in one far behind."""
    for name, before, after in (("one", 0, 0), ("two", 0, 3), ("three", 0, 120), ("four", 2, 0)):
        repository = hub.world.add_repository(f"octo/{name}")
        for number in range(before):
            repository.add_release(f"before-{number}")
        release = repository.add_release("v1")
        for number in range(250):
            release.add_asset(f"picture-{number}.png", b"x")
        release.add_asset(f"{name}-1.0.tar.gz", b"x")
        for number in range(after):
            repository.add_release(f"after-{number}")
    assert await names(hub) == ["four", "one", "three", "two"]


@ensureDeferred
async def test_a_repository_of_many_projects_lists_them_all(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(replace=MONO)
    repository = hub.world.add_repository("octo/mono")
    for number in range(130):
        release = repository.add_release(f"v{number}")
        release.add_asset(*sample_wheel(f"part-{number % 65}", f"1.{number}"))
        release.add_asset(*sample_sdist(f"source-{number % 65}", f"1.{number}"))
    publish(hub, "octo/part-0", "part_0-1.0-py3-none-any.whl")
    listed = await names(hub)
    expected = [f"{kind}-{number}" for kind in ("part", "source") for number in range(65)]
    assert listed == sorted(expected)
    assert len(listed) == len(set(listed))


@ensureDeferred
async def test_rules_lead_to_the_repository(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(replace=[("^octo-", ""), ("$", "-py")])
    publish(hub, "octo/Tools-py", "octo_tools-1.0-py3-none-any.whl", "tools-1.0.tar.gz", "tools-py-1.0.tar.gz")
    publish(hub, "octo/tools", "tools-1.0.tar.gz")
    assert await names(hub) == ["octo-tools", "tools"]


@ensureDeferred
async def test_an_owner_without_projects_has_an_empty_page_and_nobody_has_none(hub: Hub) -> None:
    hub.world.add_organization("acme")
    assert await names(hub) == []
    assert await names(hub, user="acme") == []
    for _ in range(2):
        answer = await hub.get("/nobody/simple/")
        assert (answer.code, "no user or organization nobody" in answer.text) == (404, True)


@ensureDeferred
async def test_five_hundred_repositories_cost_five_calls_and_ten_points(hub: Hub) -> None:
    for number in range(500):
        repository = hub.world.add_repository(f"octo/p{number:03}")
        for version in range(3):
            repository.add_release(f"v{version}").add_asset(f"p{number:03}-1.{version}-py3-none-any.whl", b"x")
    assert await names(hub) == [f"p{number:03}" for number in range(500)]
    assert (hub.asked(), points(hub)) == (5, 10)


@ensureDeferred
async def test_five_hundred_repositories_of_many_projects_stay_within_the_budget(make_hub: Callable[..., Any]) -> None:
    """With rules any release of any repository may hold a further project: they are read whole where that fits."""
    hub = await make_hub(replace=[("-[a-z]+$", "")])
    expected = []
    for number in range(500):
        repository = hub.world.add_repository(f"octo/p{number:03}")
        for version in range(10):
            name = f"p{number:03}-{'abcdefghij'[version]}"
            expected.append(name)
            repository.add_release(f"v{version}").add_asset(f"{name.replace('-', '_')}-1-py3-none-any.whl", b"x")
    assert await names(hub) == expected
    assert (hub.asked(), points(hub)) == (25, 70)


@ensureDeferred
async def test_what_is_beyond_the_budget_are_the_oldest_releases(
    make_hub: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pypihub.github.survey.MOST_CALLS", 12)
    monkeypatch.setattr("pypihub.github.survey.MOST_POINTS", 20)
    hub = await make_hub(replace=[("-[0-9]+$", "")])
    for letter in "abcdefghij":
        repository = hub.world.add_repository(f"octo/{letter}")
        for version in range(200):
            repository.add_release(f"v{version}").add_asset(f"{letter}_{version}-1-py3-none-any.whl", b"x")
    listed = await names(hub)
    assert {f"{letter}-{version}" for letter in "abcdefghij" for version in range(100, 200)} <= set(listed)
    assert "a-0" not in listed
    assert hub.asked() <= 12
    assert points(hub) <= 20


@ensureDeferred
async def test_more_repositories_than_can_be_read_are_the_newest(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pypihub.github.survey.MOST_PAGES", 2)
    for number in range(250):
        publish(hub, f"octo/p{number:03}", f"p{number:03}-1.0.tar.gz")
    assert await names(hub) == [f"p{number:03}" for number in range(50, 250)]


@ensureDeferred
async def test_pages_that_github_finds_too_large_are_asked_for_in_smaller_ones(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(replace=[("-[0-9]+$", "")])
    for number in range(60):
        repository = hub.world.add_repository(f"octo/p{number:02}")
        for version in range(8):
            repository.add_release(f"v{version}").add_asset(f"p{number:02}_{version}-1-py3-none-any.whl", b"x")
    expected = [f"p{number:02}-{version}" for number in range(60) for version in range(8)]
    for fault in (ResourceLimits(6000), ResourceLimits(3000, partial=False), TooSlow(9000)):
        hub.sandbox.faults.clear()
        hub.sandbox.faults.add(fault)
        assert await names(hub) == expected


@ensureDeferred
async def test_it_is_kept_and_renewed_like_a_project_s_page(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(ttl=30, stale=3600)
    publish(hub, "octo/demo", "demo-1.0.tar.gz")
    asked = [Deferred.fromCoroutine(hub.get(path)) for path in ("/simple/", "/simple/", "/octo/simple/")]
    first, *_ = await gatherResults(asked)
    assert hub.asked() == 1
    assert first.header("Cache-Control") == "private, max-age=0, must-revalidate"
    again = await hub.get("/simple/", headers={"If-None-Match": str(first.header("ETag"))})
    assert (again.code, again.body) == (304, b"")
    publish(hub, "octo/more", "more-1.0.tar.gz")
    assert await names(hub) == ["demo"]
    assert hub.asked() == 1


@ensureDeferred
async def test_a_project_is_there_at_once_for_who_asks_github(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(ttl=1e-6, stale=3600)
    publish(hub, "octo/demo", "demo-1.0.tar.gz")
    assert await names(hub) == ["demo"]
    publish(hub, "octo/more", "more-1.0.tar.gz")
    assert await names(hub) == ["demo", "more"]


@ensureDeferred
async def test_the_last_page_is_shown_while_github_has_trouble_and_never_after_a_refusal(
    make_hub: Callable[..., Any],
) -> None:
    hub = await make_hub(ttl=1e-6, stale=3600)
    publish(hub, "octo/demo", "demo-1.0.tar.gz")
    assert await names(hub) == ["demo"]
    hub.sandbox.faults.add(Html(502), times=3)
    stale = await hub.get("/simple/")
    assert (stale.code, stale.header("Warning")) == (200, '110 - "Response is Stale"')
    assert "demo" in stale.text
    hub.world.remove_token(hub.token)
    hub.sandbox.faults.clear()
    assert (await hub.get("/simple/demo/")).code == 401
    assert (await hub.get("/simple/")).code == 401


PARTIAL = GraphQLErrors(
    ({"type": "FORBIDDEN", "path": ["repositoryOwner", "repositories", "nodes", 1], "message": "SAML enforcement."},),
    {"repositoryOwner": {"login": "octo", "repositories": None}},
)
NOT_FOUND = GraphQLErrors(
    ({"type": "NOT_FOUND", "path": ["repositoryOwner", "repositories", "nodes", 1], "message": "Gone."},)
)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Html(502), 502),
        (Status(500), 502),
        (Drop(), 503),
        (NullNodes(), 502),
        (PrimaryLimit(), 429),
        (ResourceLimits(1, partial=False), 502),
        (PARTIAL, 403),
        (NOT_FOUND, 502),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("skip", [0, 1])
@ensureDeferred
async def test_trouble_is_no_shorter_list(make_hub: Callable[..., Any], fault: Any, code: int, skip: int) -> None:
    """Neither in the first call nor in one that completes what it found."""
    hub = await make_hub(replace=MONO)
    for number in ("", "2"):
        publish(hub, f"octo/mono{number}", "one-1.0.tar.gz").add_release("v2")
    hub.sandbox.faults.add(fault, times=3, skip=skip)
    answer = await hub.get("/simple/")
    assert answer.code == code, answer.text
    hub.sandbox.faults.clear()


@ensureDeferred
async def test_a_refusal_tells_how_to_mend_it(hub: Hub) -> None:
    refused = hub.world.add_token("octo", refuse=Refusal.SAML)
    answer = await hub.get("/simple/", token=refused)
    assert (answer.code, "https://" in answer.text) == (403, True)
    assert (await hub.get("/simple/", token="ghp_wrong")).code == 401
    assert (await hub.get("/simple/", user=None)).code == 401


@ensureDeferred
async def test_owners_that_are_not_served_are_not_asked_for(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(owners=("octo",))
    assert (await hub.get("/other/simple/")).code == 403
    assert hub.asked() == 0
