"""Whatever GitHub answers: PyPIHub's own answer is well formed and of a kind that is meant, and nothing comes through.

(What the client makes of answers is tested closer: tests/github/test_strange_answers.py)
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pytest
from pytest_twisted import ensureDeferred
from support.answers import Reply, read_replies
from support.hub import Hub, basic
from support.strange import BODIES, HEADERS, STATUSES, VALUES, places, replaced
from support.wire import connect

from pypihub.github import survey
from pypihub.sandbox.answers import Answer
from pypihub.sandbox.failures import Case
from pypihub.sandbox.faults import Status
from pypihub.sandbox.samples import sample_wheel

MEANT = {200, 206, 301, 302, 304, 401, 403, 404, 416, 429, 502, 503, 504}
LONG = [value for value in VALUES if not isinstance(value, str) or len(value) < 1000]


@dataclass
class Changed:
    """The true answer with something else at a place; `true` is what it was."""

    persistent: ClassVar[bool] = False
    path: tuple[Any, ...] = ()
    value: Any = None
    true: Any = None

    def spoil(self, answer: Answer, _case: Case) -> Answer:
        self.true = json.loads(answer.body)
        return (
            replace(answer, body=json.dumps(replaced(self.true, self.path, self.value)).encode())
            if self.path
            else answer
        )


@dataclass(frozen=True)
class With:
    """The true answer with one more header."""

    persistent: ClassVar[bool] = False
    header: tuple[str, str]

    def spoil(self, answer: Answer, _case: Case) -> Answer:
        return answer.plus(dict([self.header]))


class Visitor:
    """Asks a hub whose GitHub has a wheel."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        name, content = sample_wheel("demo", "1.0")
        asset = hub.world.add_repository("octo/demo").add_release("v1").add_asset(name, content)
        self.file = f"/asset/{asset.id}/{name}"

    async def ask(self, path: str, *headers: str) -> Reply:
        """The answer, which is sound whatever it is."""
        wire = await connect(self.hub)
        login = f"Authorization: {basic('octo', self.hub.token)}"
        wire.send(
            "\r\n".join([f"GET {path} HTTP/1.1", "Host: x", "Connection: close", login, *headers, "", ""]).encode()
        )
        await wire.until(lambda: wire.is_closed)
        (reply,) = read_replies(wire.received)
        assert reply.code in MEANT, reply
        assert b"<script>alert" not in reply.body
        assert b"<img src=x" not in reply.body
        location = reply.headers.get(b"location", b"")
        assert not location or location.startswith((b"http://127.0.0.1:", b"http://evil.example/")), location
        return reply

    async def ask_with(self, fault: Any, path: str, *headers: str, where: str = "graphql") -> Reply:
        """The answer while GitHub's are all spoiled."""
        self.hub.sandbox.faults.add(fault, where=where, times=None)
        try:
            return await self.ask(path, *headers)
        finally:
            self.hub.sandbox.faults.clear()


@pytest.mark.parametrize(
    ("page", "accept", "values"),
    [
        ("/simple/demo/", "*/*", LONG),
        ("/simple/demo/", "application/vnd.pypi.simple.v1+json", LONG),
        ("/project/demo/", "text/html", LONG),
        # Both are made of the same answers, and slow: what one does not try, the other does.
        ("/simple/", "application/vnd.pypi.simple.v1+json", LONG[::2]),
        ("/octo/", "text/html", LONG[1::2]),
    ],
)
@ensureDeferred
async def test_any_value_in_any_place_of_a_listing(
    hub: Hub, page: str, accept: str, values: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(survey, "MOST_PAGES", 3)  # a page that is followed by itself is asked for a hundred times
    visitor, seen = Visitor(hub), Changed()
    assert (await visitor.ask_with(seen, page, f"Accept: {accept}")).code == 200
    for path in places(seen.true):
        for value in values:
            await visitor.ask_with(Changed(path, value), page, f"Accept: {accept}")


@pytest.mark.parametrize("end", ["", ".metadata"])
@ensureDeferred
async def test_any_value_in_any_place_of_a_look_up(hub: Hub, end: str) -> None:
    visitor, seen = Visitor(hub), Changed()
    assert (await visitor.ask_with(seen, visitor.file)).code == 302
    for path in places(seen.true):
        for value in LONG:
            await visitor.ask_with(Changed(path, value), visitor.file + end)


_RELEASE = ("data", "repository", "releases", "nodes", 0)
_ASSET = (*_RELEASE, "releaseAssets", "nodes", 0)


@pytest.mark.parametrize("value", [2**63, 2**64, 10**30, "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00"])
@ensureDeferred
async def test_a_number_or_a_time_beyond_all_is_trouble_upstream(make_hub: Any, value: Any) -> None:
    visitor = Visitor(await make_hub(ttl=60))  # such a listing is kept, be it for a second
    keys = [(*_ASSET, "createdAt"), (*_RELEASE, "publishedAt")] if isinstance(value, str) else [(*_ASSET, "size")]
    for path in keys:
        assert (await visitor.ask_with(Changed(path, value), "/simple/demo/")).code == 502


@pytest.mark.parametrize(
    "url",
    [
        "https://-bad-.example/",
        "https://a..b/",
        "https://h:/",
        "http://user@127.0.0.1:1/",
        "https://user@evil.example/",
    ],
)
@pytest.mark.parametrize("mode", ["redirect", "proxy"])
@pytest.mark.parametrize("end", ["", ".metadata"])
@ensureDeferred
async def test_a_url_that_cannot_be_asked_is_trouble_upstream(make_hub: Any, mode: str, url: str, end: str) -> None:
    visitor = Visitor(await make_hub(mode=mode))
    reply = await visitor.ask_with(Changed(("data", "nodes", 0, "url"), url), visitor.file + end)
    assert reply.code == 502


@pytest.mark.parametrize("url", ["https://blob_store:9000/x?y=%20", "http://[::1]:1/x", "https://ab--cd.example/"])
@ensureDeferred
async def test_clients_are_led_where_they_alone_can_ask(hub: Hub, url: str) -> None:
    file = Visitor(hub).file
    hub.sandbox.faults.add(Changed(("data", "nodes", 0, "url"), url), times=None)
    redirect, metadata = await hub.get(file), await hub.get(f"{file}.metadata")
    assert (redirect.code, redirect.header("Location"), metadata.code) == (302, url, 502)


@pytest.mark.parametrize("path", ["/simple/demo/", "FILE", "FILE.metadata"])
@ensureDeferred
async def test_any_body(hub: Hub, path: str) -> None:
    visitor = Visitor(hub)
    for body in BODIES:
        await visitor.ask_with(Status(200, body), path.replace("FILE", visitor.file))


@pytest.mark.parametrize("where", ["graphql", "storage"])
@ensureDeferred
async def test_any_status(make_hub: Any, where: str) -> None:
    visitor = Visitor(await make_hub(mode="proxy"))
    for code in STATUSES:
        if code >= 200:  # what comes before an answer is none
            path = "/simple/demo/" if where == "graphql" else visitor.file
            await visitor.ask_with(Status(code, b'{"message": "x"}'), path, where=where)


@pytest.mark.parametrize("where", ["graphql", "storage"])
@ensureDeferred
async def test_any_header(make_hub: Any, where: str) -> None:
    visitor = Visitor(await make_hub(mode="proxy"))
    for header in HEADERS:
        for headers in ((), ("Range: bytes=0-3",)):
            path = "/simple/demo/" if where == "graphql" else visitor.file
            await visitor.ask_with(With(header), path, *headers, where=where)


@ensureDeferred
async def test_a_file_that_claims_to_be_gzipped_and_is_not(make_hub: Any) -> None:
    visitor = Visitor(await make_hub(mode="proxy"))
    reply = await visitor.ask_with(With(("content-encoding", "gzip")), visitor.file, where="storage")
    assert reply.code == 502
