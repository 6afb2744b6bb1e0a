"""A project's page, as clients read it from a running daemon."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin

import pytest
from pytest_twisted import ensureDeferred
from support.hub import Hub

from pypihub.sandbox.samples import sample_sdist, sample_wheel

JSON = "application/vnd.pypi.simple.v1+json"


def publish(hub: Hub, repository: str = "octo/demo", *, releases: int = 1, **more: Any) -> Any:
    """A repository whose releases hold a wheel and an sdist each."""
    made = hub.world.add_repository(repository, **more)
    for number in range(releases):
        release = made.add_release(f"v{number}")
        release.add_asset(*sample_wheel(made.name, f"1.{number}"))
        release.add_asset(*sample_sdist(made.name, f"1.{number}"))
    return made


async def page(hub: Hub, path: str = "/simple/demo/", **how: Any) -> dict[str, Any]:
    """The JSON page at a path."""
    answer = await hub.get(path, headers={"Accept": JSON}, **how)
    assert answer.code == 200, answer.text
    return json.loads(answer.body)  # type: ignore[no-any-return]


@ensureDeferred
async def test_a_page_shows_every_file_of_every_release(hub: Hub) -> None:
    publish(hub, releases=2)
    found = await page(hub)
    assert found["versions"] == ["1.0", "1.1"]
    assert [file["filename"] for file in found["files"]] == [
        "demo-1.0-py3-none-any.whl",
        "demo-1.0.tar.gz",
        "demo-1.1-py3-none-any.whl",
        "demo-1.1.tar.gz",
    ]
    assert hub.asked() == 1


@ensureDeferred
async def test_the_facts_of_a_file_are_github_s(hub: Hub) -> None:
    repository = publish(hub)
    (asset, _sdist) = repository.releases["v0"].assets.values()
    file = (await page(hub))["files"][0]
    assert file["hashes"] == {"sha256": asset.sha256}
    assert file["size"] == asset.size
    assert file["upload-time"].endswith("Z")
    assert urljoin("/simple/demo/", file["url"]) == f"/asset/{asset.id}/{asset.name}"


@ensureDeferred
async def test_html_for_a_browser_and_json_for_pip_say_the_same(hub: Hub) -> None:
    publish(hub)
    html = await hub.get("/simple/demo/", headers={"Accept": "text/html,*/*;q=0.8"})
    assert html.header("Content-Type") == "text/html; charset=utf-8"
    for file in (await page(hub))["files"]:
        assert f'{file["url"]}#sha256={file["hashes"]["sha256"]}"' in html.text


@ensureDeferred
async def test_the_owner_in_the_path_leaves_the_user_free(hub: Hub) -> None:
    publish(hub)
    for user in ("__token__", "x-access-token", "anyone", ""):
        assert (await page(hub, "/OCTO/simple/demo/", user=user))["name"] == "demo"


@ensureDeferred
async def test_more_than_a_hundred_releases_are_all_there(hub: Hub) -> None:
    repository = hub.world.add_repository("octo/many")
    for number in range(205):
        repository.add_release(f"v{number}").add_asset(f"many-{number}.tar.gz", b"x")
    assert len((await page(hub, "/simple/many/"))["files"]) == 205
    assert hub.asked(operation="Listing") == 3


@ensureDeferred
async def test_a_thousand_releases_of_ten_assets_are_ten_calls(hub: Hub) -> None:
    repository = hub.world.add_repository("octo/large")
    for number in range(1000):
        release = repository.add_release(f"v{number}")
        for build in range(10):
            release.add_asset(f"large-{number}-{build}-py3-none-any.whl", b"x")
    found = await page(hub, "/simple/large/")
    assert (len(found["files"]), len(found["versions"])) == (10_000, 1000)
    assert hub.asked(operation="Listing") == 10


@ensureDeferred
async def test_more_than_a_hundred_assets_of_a_release_are_all_there(hub: Hub) -> None:
    release = hub.world.add_repository("octo/wide").add_release("v1")
    for number in range(205):
        release.add_asset(f"wide-1.0-{number}-py3-none-any.whl", b"x")
    assert len((await page(hub, "/simple/wide/"))["files"]) == 205
    assert hub.asked() == 3


@ensureDeferred
async def test_what_is_no_file_of_the_project_is_left_out(hub: Hub) -> None:
    repository = hub.world.add_repository("octo/demo")
    release = repository.add_release("v1")
    for name in ("demo-1.0.tar.gz", "demo-1.0.tar.gz.asc", "demo-1.0.exe", "SHA256SUMS", "other-1.0.tar.gz"):
        release.add_asset(name, b"x")
    release.add_asset("demo-1.1.tar.gz", b"")
    repository.add_release("v2", draft=True).add_asset("demo-2.0.tar.gz", b"x")
    assert [file["filename"] for file in (await page(hub))["files"]] == ["demo-1.0.tar.gz"]


@ensureDeferred
async def test_one_repository_can_hold_many_projects(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(replace=[("^.*$", "mono")])
    release = hub.world.add_repository("octo/mono").add_release("v1")
    release.add_asset(*sample_wheel("one", "1.0"))
    release.add_asset(*sample_wheel("two", "2.0"))
    assert (await page(hub, "/simple/one/"))["versions"] == ["1.0"]
    assert (await page(hub, "/simple/two/"))["versions"] == ["2.0"]


@ensureDeferred
async def test_replace_rules_lead_to_the_repository(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(replace=[("^octo-", ""), ("$", "-py")])
    publish(hub, "octo/Tools-py").releases["v0"].add_asset("octo_tools-3.tar.gz", b"x")
    assert (await page(hub, "/simple/octo-tools/"))["versions"] == ["3"]


@ensureDeferred
async def test_rules_that_lead_nowhere_ask_nothing(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(replace=[("^demo$", "a/b")])
    assert (await hub.get("/simple/demo/")).code == 404
    assert hub.asked() == 0


@ensureDeferred
async def test_an_archived_repository_is_marked_in_both_forms(hub: Hub) -> None:
    hub.world.add_repository("octo/old", archived=True).add_release("v1").add_asset("old-1.tar.gz", b"x")
    assert (await page(hub, "/simple/old/"))["project-status"] == {"status": "archived"}
    html = await hub.get("/simple/old/")
    assert '<meta name="pypi:project-status" content="archived">' in html.text


@ensureDeferred
async def test_a_server_without_digests_is_asked_without_them_from_then_on(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(digest=False)
    publish(hub)
    assert (await page(hub))["files"][0]["hashes"] == {}
    await page(hub)
    assert hub.asked() - hub.asked(operation="Lookup") == 3


@ensureDeferred
async def test_a_page_that_the_client_has_is_not_sent_again(hub: Hub) -> None:
    publish(hub)
    first = await hub.get("/simple/demo/")
    etag = first.header("ETag")
    assert etag is not None
    assert etag.startswith('"')
    assert first.header("Cache-Control") == "private, max-age=0, must-revalidate"
    assert first.header("Vary") == "Accept, Accept-Encoding"
    again = await hub.get("/simple/demo/", headers={"If-None-Match": f'"other", W/{etag}'})
    assert (again.code, again.body) == (304, b"")
    assert again.header("ETag") == etag
    as_json = await hub.get("/simple/demo/", headers={"If-None-Match": etag, "Accept": JSON})
    assert as_json.code == 200


@ensureDeferred
async def test_a_new_release_is_there_at_once(hub: Hub) -> None:
    repository = publish(hub)
    etag = (await hub.get("/simple/demo/")).header("ETag")
    repository.add_release("v9").add_asset("demo-9.tar.gz", b"x")
    assert (await hub.get("/simple/demo/", headers={"If-None-Match": str(etag)})).code == 200


@pytest.mark.parametrize("path", ["/simple/demo/", "/simple/", "/", "/octo/simple/demo/", "/pypi/demo/json"])
@ensureDeferred
async def test_head_has_the_headers_of_get(hub: Hub, path: str) -> None:
    # No wheel: what is found out about one may come between the two requests.
    hub.world.add_repository("octo/demo").add_release("v1").add_asset(*sample_sdist("demo", "1.0"))
    got, head = await hub.get(path), await hub.head(path)
    assert (head.code, head.body) == (200, b"")
    for name in ("Content-Length", "Content-Type", "ETag", "Cache-Control", "Vary"):
        assert head.header(name) == got.header(name)
    assert got.header("Content-Length") == str(len(got.body))


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/simple/demo", "demo/"),
        ("/simple/My_Demo/", "../my-demo/"),
        ("/simple/My_Demo", "my-demo/"),
        ("/octo/simple/My.Demo", "my-demo/"),
        ("/simple", "simple/"),
        ("/octo/simple", "simple/"),
        ("/simple/demo?format=text/html", "demo/?format=text/html"),
    ],
)
@ensureDeferred
async def test_other_spellings_lead_to_the_canonical_url(hub: Hub, path: str, location: str) -> None:
    answer = await hub.get(path)
    assert (answer.code, answer.header("Location")) == (301, location)
    assert hub.asked() == 0


@ensureDeferred
async def test_the_root_page_is_valid_in_both_forms(hub: Hub) -> None:
    assert json.loads((await hub.get("/simple/", headers={"Accept": JSON})).body) == {
        "meta": {"api-version": "1.4"},
        "projects": [],
    }
    assert "pypi:repository-version" in (await hub.get("/octo/simple/")).text


@ensureDeferred
async def test_format_wins_over_accept(hub: Hub) -> None:
    answer = await hub.get(f"/simple/?format={JSON}", headers={"Accept": "text/html"})
    assert answer.header("Content-Type") == JSON
    assert (await hub.get("/simple/", headers={"Accept": "image/png"})).code == 406


@ensureDeferred
async def test_the_front_door_tells_what_this_is_without_credentials(hub: Hub) -> None:
    answer = await hub.get("/", user=None)
    assert answer.code == 200
    assert "PyPIHub" in answer.text


@ensureDeferred
async def test_a_renamed_repository_is_found_and_a_moved_one_is_its_new_owner_s(hub: Hub) -> None:
    publish(hub, readers=["octo"])
    hub.world.rename_repository("octo/demo", "octo/fresh")
    assert (await page(hub))["name"] == "demo"
    hub.world.rename_repository("octo/fresh", "other/fresh")
    assert (await hub.get("/simple/demo/")).code == 404
