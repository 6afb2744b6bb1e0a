"""The legacy JSON API at a running daemon."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from pytest_twisted import ensureDeferred
from support.hub import Hub

from pypihub.sandbox.failures import Html, Status
from pypihub.sandbox.samples import sample_sdist, sample_wheel


def publish(hub: Hub, repository: str = "octo/demo", **more: Any) -> Any:
    """A repository with 1.0 (wheel and sdist), 1.1 (an sdist alone) and a pre-release."""
    made = hub.world.add_repository(repository, **more)
    first = made.add_release("v1.0")
    first.add_asset(*sample_wheel("demo", "1.0", requires=["other>=1"], requires_python=">=3.9"))
    first.add_asset(*sample_sdist("demo", "1.0"))
    made.add_release("v1.1").add_asset(*sample_sdist("demo", "1.1"))
    made.add_release("v2.0a1").add_asset(*sample_wheel("demo", "2.0a1"))
    return made


async def page(hub: Hub, path: str, **how: Any) -> Any:
    answer = await hub.get(path, **how)
    assert answer.code == 200, answer.text
    assert answer.header("Content-Type") == "application/json"
    return json.loads(answer.body)


@ensureDeferred
async def test_a_version_is_described_by_its_wheel(hub: Hub) -> None:
    publish(hub)
    for path in ("/pypi/demo/1.0/json", "/octo/pypi/demo/v1.0.0/json"):
        found = await page(hub, path)
        info = found["info"]
        assert (info["name"], info["version"], info["summary"]) == ("demo", "1.0", "A sample of demo")
        assert (info["requires_dist"], info["requires_python"]) == (["other>=1"], ">=3.9")
        kinds = [(file["packagetype"], file["requires_python"]) for file in found["urls"]]
        assert kinds == [("bdist_wheel", ">=3.9"), ("sdist", None)]
        assert "releases" not in found


@ensureDeferred
async def test_the_project_shows_its_newest_version_and_all_files(hub: Hub) -> None:
    publish(hub)
    found = await page(hub, "/pypi/demo/json")
    assert (found["info"]["version"], found["info"]["summary"]) == ("1.1", None)
    assert list(found["releases"]) == ["1.0", "1.1", "2.0a1"]
    assert [file["filename"] for file in found["urls"]] == ["demo-1.1.tar.gz"]


@ensureDeferred
async def test_its_urls_lead_to_the_files(hub: Hub) -> None:
    made = publish(hub)
    for path in ("/pypi/demo/json", "/pypi/demo/1.1/json", "/octo/pypi/demo/json", "/octo/pypi/demo/1.1/json"):
        (file,) = (await page(hub, path))["urls"]
        answer = await hub.get(urljoin(path, file["url"]))
        assert answer.code == 302
        assert file["digests"] == {"sha256": made.releases["v1.1"].assets["demo-1.1.tar.gz"].sha256}


@ensureDeferred
async def test_it_is_as_private_as_the_project(hub: Hub) -> None:
    publish(hub)
    stranger = hub.world.add_token("stranger")
    await page(hub, "/pypi/demo/1.0/json")
    for path in ("/octo/pypi/demo/json", "/octo/pypi/demo/1.0/json"):
        assert (await hub.get(path, token=stranger)).code == 404
        assert (await hub.get(path, token="ghp_wrong")).code == 401
        assert (await hub.get(path, user=None)).code == 401


@pytest.mark.parametrize("path", ["/pypi/demo/9.9/json", "/pypi/demo/latest/json", "/pypi/other/json", "/pypi/-/json"])
@ensureDeferred
async def test_what_is_not_there_is_404(hub: Hub, path: str) -> None:
    publish(hub)
    assert (await hub.get(path)).code == 404


@pytest.mark.parametrize(
    ("path", "canonical"),
    [
        ("/pypi/My_Demo/json", "/pypi/my-demo/json"),
        ("/octo/pypi/My_Demo/1!1.0+x/json", "/octo/pypi/my-demo/1%211.0%2Bx/json"),
        ("/pypi/demo/json/", "/pypi/demo/json"),
        ("/octo/pypi/Demo/1.0/json/?a=b", "/octo/pypi/demo/1.0/json?a=b"),
    ],
)
@ensureDeferred
async def test_other_spellings_lead_to_the_canonical_url(hub: Hub, path: str, canonical: str) -> None:
    answer = await hub.get(path)
    assert answer.code == 301
    assert urljoin(path, str(answer.header("Location"))) == canonical
    assert hub.asked() == 0


@ensureDeferred
async def test_what_the_client_has_is_not_sent_again_and_head_has_the_same_headers(
    make_hub: Callable[..., Any],
) -> None:
    hub = await make_hub(ttl=30)
    publish(hub)
    path = "/pypi/demo/1.0/json"
    got, head = await hub.get(path), await hub.head(path)
    assert (head.code, head.body, head.header("ETag")) == (200, b"", got.header("ETag"))
    assert head.header("Content-Length") == str(len(got.body))
    again = await hub.get(path, headers={"If-None-Match": str(got.header("ETag"))})
    assert (again.code, again.body) == (304, b"")
    assert got.header("Cache-Control") == "private, max-age=0, must-revalidate"
    assert hub.asked(operation="Listing") == 1


@ensureDeferred
async def test_a_yanked_release_says_so(hub: Hub) -> None:
    made = publish(hub)
    made.releases["v1.1"].name = "[yanked] Broken on Tuesdays"
    assert (await page(hub, "/pypi/demo/json"))["info"]["version"] == "1.0"
    info = (await page(hub, "/pypi/demo/1.1/json"))["info"]
    assert (info["yanked"], info["yanked_reason"]) == (True, "Broken on Tuesdays")


@ensureDeferred
async def test_a_wheel_without_metadata_leaves_it_unknown(hub: Hub) -> None:
    hub.world.add_repository("octo/demo").add_release("v1").add_asset("demo-1.0-py3-none-any.whl", b"no wheel" * 10)
    for _ in range(2):
        info = (await page(hub, "/pypi/demo/json"))["info"]
        assert (info["version"], info["summary"]) == ("1.0", None)


@ensureDeferred
async def test_trouble_in_reading_the_wheel_is_no_page_without_it(hub: Hub) -> None:
    publish(hub)
    hub.sandbox.faults.add(Status(500), where="storage", times=None)
    assert (await hub.get("/pypi/demo/1.0/json")).code == 502
    hub.sandbox.faults.clear()
    assert (await page(hub, "/pypi/demo/1.0/json"))["info"]["summary"] == "A sample of demo"


@ensureDeferred
async def test_while_github_has_trouble_the_last_page_is_shown(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(ttl=1e-6, stale=3600)
    publish(hub)
    before = await page(hub, "/pypi/demo/1.0/json")
    hub.sandbox.faults.add(Html(502), times=None)
    stale = await hub.get("/pypi/demo/1.0/json")
    assert stale.header("Warning") == '110 - "Response is Stale"'
    assert json.loads(stale.body) == before


@ensureDeferred
async def test_metadata_that_is_kept_needs_no_further_call(make_hub: Callable[..., Any], tmp_path: Path) -> None:
    first = await make_hub(cache=tmp_path)
    publish(first)
    before = await page(first, "/pypi/demo/1.0/json")
    second = await make_hub(cache=tmp_path, world=first.world)
    second.sandbox.faults.add(Status(500), skip=1, times=None)
    assert await page(second, "/pypi/demo/1.0/json") == before
