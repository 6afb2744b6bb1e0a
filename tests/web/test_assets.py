"""The way from a file's URL to its bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
import treq
from pytest_twisted import ensureDeferred
from support.hub import Hub
from twisted.web.client import Agent

from pypihub.sandbox.contents import etag

CONTENT = b"the bytes of a wheel"
NAME = "demo-1.0-py3-none-any.whl"


def publish(hub: Hub, repository: str = "octo/demo", **release: Any) -> str:
    """The path of a file in a release that `octo` may read."""
    made = hub.world.add_repository(repository, readers=["octo"])
    asset = made.add_release("v1", **release).add_asset(NAME, CONTENT)
    return f"/asset/{asset.id}/{NAME}"


async def bytes_at(hub: Hub, url: str, headers: dict[str, str] | None = None) -> bytes:
    """What a client gets that follows the redirect."""
    response = await treq.client.HTTPClient(Agent(hub.reactor)).get(url, headers=headers)
    content: bytes = await treq.content(response)
    return content


@ensureDeferred
async def test_a_file_is_a_redirect_to_its_bytes(hub: Hub) -> None:
    answer = await hub.get(publish(hub))
    assert (answer.code, answer.header("Cache-Control")) == (302, "no-store")
    location = str(answer.header("Location"))
    assert location.startswith(hub.sandbox.storage_url)
    assert await bytes_at(hub, location) == CONTENT
    assert hub.asked() == 1


@ensureDeferred
async def test_head_tells_of_the_file_without_a_redirect(hub: Hub) -> None:
    answer = await hub.head(publish(hub))
    assert (answer.code, answer.header("Location")) == (200, None)
    assert answer.header("Content-Length") == str(len(CONTENT))
    assert answer.header("Accept-Ranges") == "bytes"
    assert answer.header("Content-Type") == "application/octet-stream"


@pytest.mark.parametrize(
    ("headers", "content"),
    [
        ({"Range": "bytes=4-"}, CONTENT[4:]),
        ({"Range": "bytes=4-9"}, CONTENT[4:10]),
        ({"Range": "bytes=-5"}, CONTENT[-5:]),
        ({"Range": "bytes=4-", "If-Range": "ETAG"}, CONTENT[4:]),
        ({"Range": "bytes=4-", "If-Range": '"of another file"'}, CONTENT),
        ({"If-Range": "ETAG"}, CONTENT),
    ],
)
@ensureDeferred
async def test_a_range_of_a_file_is_at_the_end_of_the_redirect_too(
    hub: Hub, headers: dict[str, str], content: bytes
) -> None:
    """pip goes on with a download that was cut at the original URL, poetry reads a wheel's end there."""
    path = publish(hub)
    tag = etag(next(iter(hub.world.find_repository("octo", "demo").releases["v1"].assets.values())))
    headers = {name: tag if value == "ETAG" else value for name, value in headers.items()}
    answer = await hub.get(path, headers=headers)
    assert (answer.code, answer.header("Cache-Control")) == (302, "no-store")
    assert await bytes_at(hub, str(answer.header("Location")), headers) == content


@ensureDeferred
async def test_the_owner_may_stand_in_the_path(hub: Hub) -> None:
    path = publish(hub)
    assert (await hub.get("/Octo" + path, user="__token__")).code == 302


@ensureDeferred
async def test_a_quoted_name_is_the_same_name(hub: Hub) -> None:
    asset = hub.world.add_repository("octo/demo").add_release("v1").add_asset("demo-1.0+local.tar.gz", b"x")
    assert (await hub.get(f"/asset/{asset.id}/{quote(asset.name, safe='')}")).code == 302


@ensureDeferred
async def test_rest_helps_where_graphql_gives_a_web_page(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(web_urls=True)
    answer = await hub.get(publish(hub))
    assert answer.code == 302
    assert await bytes_at(hub, str(answer.header("Location"))) == CONTENT
    assert hub.asked("rest") == 1


@ensureDeferred
async def test_bytes_in_place_of_a_url_are_trouble(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(web_urls=True, stream_assets=True)
    assert (await hub.get(publish(hub))).code == 502


@ensureDeferred
async def test_the_token_never_reaches_storage(hub: Hub) -> None:
    answer = await hub.get(publish(hub))
    await bytes_at(hub, str(answer.header("Location")))
    (call,) = (call for call in hub.sandbox.calls if call.where == "storage")
    assert "authorization" not in {name.lower() for name in call.headers}


@ensureDeferred
async def test_another_name_owner_or_a_draft_is_not_found(hub: Hub) -> None:
    path = publish(hub)
    draft = publish(hub, "octo/secret", draft=True)
    foreign = publish(hub, "other/demo")
    for wrong in (path + "x", path.replace("demo-1.0", "demo-2.0"), draft, foreign, "/other" + path):
        assert (await hub.get(wrong)).code == 404, wrong
        assert (await hub.head(wrong)).code == 404, wrong
    assert (await hub.get("/other" + foreign)).code == 302


@ensureDeferred
async def test_a_node_that_is_no_asset_is_not_found(hub: Hub) -> None:
    repository = hub.world.add_repository("octo/demo")
    release = repository.add_release("v1")
    for node in (repository.id, release.id, "RA_kwDOAAAAAc4AAAAB"):
        assert (await hub.get(f"/asset/{node}/{NAME}")).code == 404, node


@pytest.mark.parametrize("bad", ["x", "a b", "..", "%00", "RA_" + "A" * 300, "<script>"])
@ensureDeferred
async def test_what_cannot_be_an_id_asks_nothing(hub: Hub, bad: str) -> None:
    assert (await hub.get(f"/asset/{quote(bad, safe='%')}/{NAME}")).code == 404
    assert hub.asked() == 0


@ensureDeferred
async def test_a_stranger_does_not_see_a_private_file(hub: Hub) -> None:
    stranger = hub.world.add_token("stranger")
    assert (await hub.get("/octo" + publish(hub), token=stranger)).code == 404
