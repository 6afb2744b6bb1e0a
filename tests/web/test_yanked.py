"""Yanked releases on the pages: what GitHub's page makes of a title reaches clients, and nothing else does."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import pytest
from pytest_twisted import ensureDeferred
from support.hub import Hub

from pypihub.sandbox.samples import sample_wheel

HOSTILE = """[yanked] "></a><script>alert('x')</script>\r\nSet-Cookie: a=b &quot; onclick=y \x1b[2J"""


class _Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


@ensureDeferred
async def test_a_title_yanks_a_release_and_another_one_brings_it_back(hub: Hub) -> None:
    release = hub.world.add_repository("octo/demo").add_release("v1", name="[Yanked] loses data")
    release.add_asset(*sample_wheel("demo", "1.0"))
    path, accept = "/simple/demo/", {"Accept": "application/vnd.pypi.simple.v1+json"}
    yanked = await hub.get(path, headers=accept)
    assert json.loads(yanked.body)["files"][0]["yanked"] == "loses data"
    assert 'data-yanked="loses data"' in (await hub.get(path)).text
    release.name = "One"
    back = await hub.get(path, headers={**accept, "If-None-Match": yanked.header("ETag") or ""})
    assert back.code == 200, "the page is another one"
    assert "yanked" not in json.loads(back.body)["files"][0]
    assert "yanked" not in (await hub.get(path)).text


@pytest.mark.parametrize("accept", ["text/html", "application/vnd.pypi.simple.v1+html"])
@ensureDeferred
async def test_no_script_comes_through_the_reason_of_a_yank(hub: Hub, accept: str) -> None:
    release = hub.world.add_repository("octo/demo").add_release("v1", name=HOSTILE)
    release.add_asset(*sample_wheel("demo", "1.0"))
    answer = await hub.get("/simple/demo/", headers={"Accept": accept})
    tags = _Tags(answer.text)
    assert {tag for tag, _ in tags.seen} <= {"html", "head", "meta", "title", "body", "h1", "p", "a", "br"}
    (attributes,) = (attributes for tag, attributes in tags.seen if tag == "a" and "data-yanked" in attributes)
    shown = """"></a><script>alert('x')</script> Set-Cookie: a=b &quot; onclick=y [2J"""
    assert attributes["data-yanked"] == shown
    assert "onclick" not in attributes
    assert answer.header("Set-Cookie") is None
