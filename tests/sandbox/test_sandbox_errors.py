"""Every row of GitHub's error table: the status, the type, the path and the words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
import pytest_twisted
import treq
from twisted.web.client import Agent
from twisted.web.http_headers import Headers

from pypihub.sandbox.world import Refusal

HELLO = '{ repository(owner: "octo", name: "hello") { releases(first: 1) { totalCount } } }'


@pytest_twisted.ensureDeferred
async def test_without_a_token(box: Any) -> None:
    answer = await box.request("POST", box.sandbox.graphql_url, data=b"{}")
    assert answer.code == 401
    assert answer.json()["message"] == "This endpoint requires you to be authenticated."


@pytest_twisted.ensureDeferred
async def test_with_a_bad_token(box: Any) -> None:
    answer = await box.post(HELLO, token="ghp_bad")
    assert answer.code == 401
    assert answer.json() == {
        "message": "Bad credentials",
        "documentation_url": "https://docs.github.com/graphql",
        "status": "401",
    }
    assert [call.status for call in box.sandbox.calls] == [401]


@pytest_twisted.ensureDeferred
async def test_a_token_tells_its_end_and_is_bad_from_then_on(box: Any) -> None:
    token = box.world.add_token("octo", expires_at=box.clock.moment + timedelta(hours=1))
    answer = await box.post("{ rateLimit { cost } }", token=token)
    assert answer.headers["github-authentication-token-expiration"] == "2026-01-01 01:00:00 UTC"
    assert "github-authentication-token-expiration" not in (await box.post("{ rateLimit { cost } }")).headers
    box.clock.advance(3600)
    assert (await box.post("{ rateLimit { cost } }", token=token)).code == 401


@pytest.mark.parametrize("place", ["graphql_url", "api_url"])
@pytest_twisted.ensureDeferred
async def test_without_a_user_agent(box: Any, reactor: Any, place: str) -> None:
    headers = Headers({"Authorization": [f"bearer {box.token}"]})
    url = getattr(box.sandbox, place).encode()
    response = await Agent(reactor).request(b"POST", url, headers)
    assert response.code == 403
    assert b"make sure your request has a User-Agent header" in await treq.content(response)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "Problems parsing JSON"),
        (b"\xff", "Problems parsing JSON"),
        (b"[]", "Body should be a JSON object"),
        (b'{"query": 1}', "A query attribute must be specified and must be a string."),
        (b'{"query": "{viewer{login}}", "variables": []}', None),
        (b'{"query": "{viewer{login}}", "variables": [1]}', "The variables attribute must be an object."),
    ],
)
@pytest_twisted.ensureDeferred
async def test_bad_bodies(box: Any, body: bytes, message: str | None) -> None:
    answer = await box.request("POST", box.sandbox.graphql_url, token=box.token, data=body)
    assert (answer.code, answer.json().get("message")) == ((400, message) if message else (200, None))


@pytest_twisted.ensureDeferred
async def test_a_hidden_repository_is_like_a_missing_one(box: Any) -> None:
    box.world.add_repository("octo/hello")
    stranger = box.world.add_token("stranger")
    hidden = await box.ask(HELLO, token=stranger)
    assert hidden == {
        "data": {"repository": None},
        "errors": [
            {
                "type": "NOT_FOUND",
                "path": ["repository"],
                "locations": [{"line": 1, "column": 3}],
                "message": "Could not resolve to a Repository with the name 'octo/hello'.",
            }
        ],
    }
    assert await box.ask(HELLO.replace("hello", "other"), token=stranger) == {
        **hidden,
        "errors": [{**hidden["errors"][0], "message": "Could not resolve to a Repository with the name 'octo/other'."}],
    }


@pytest.mark.parametrize(
    ("arguments", "type_", "message"),
    [
        (
            "",
            "MISSING_PAGINATION_BOUNDARIES",
            "You must provide a `first` or `last` value to properly paginate the `releases` connection.",
        ),
        (
            "(first: 101)",
            "EXCESSIVE_PAGINATION",
            "Requesting 101 records on the `releases` connection exceeds the `first` limit of 100 records.",
        ),
        (
            "(last: 102)",
            "EXCESSIVE_PAGINATION",
            "Requesting 102 records on the `releases` connection exceeds the `last` limit of 100 records.",
        ),
        ('(first: 1, after: "x")', "INVALID_CURSOR_ARGUMENTS", "`x` does not appear to be a valid cursor."),
        ('(first: 1, after: "eHh4")', "INVALID_CURSOR_ARGUMENTS", "`eHh4` does not appear to be a valid cursor."),
    ],
)
@pytest_twisted.ensureDeferred
async def test_bad_pages(box: Any, arguments: str, type_: str, message: str) -> None:
    box.world.add_repository("octo/hello")
    answer = await box.ask(HELLO.replace("(first: 1)", arguments))
    assert answer["data"] == {"repository": None}
    [error] = answer["errors"]
    assert (error["type"], error["path"], error["message"]) == (type_, ["repository", "releases"], message)


@pytest_twisted.ensureDeferred
async def test_a_bad_node(box: Any) -> None:
    answer = await box.ask('{ node(id: "X") { id } }')
    assert answer["data"] == {"node": None}
    assert answer["errors"][0]["message"] == "Could not resolve to a node with the global id of 'X'"


@pytest.mark.parametrize("query", ["{", "{ viewer { login } } query B { viewer { login } }", "{ viewer { colour } }"])
@pytest_twisted.ensureDeferred
async def test_bad_queries_have_no_data(box: Any, query: str) -> None:
    answer = await box.ask(query)
    assert list(answer) == ["errors"]


@pytest_twisted.ensureDeferred
async def test_bad_variables_have_no_data(box: Any) -> None:
    answer = await box.ask("query($id: ID!) { node(id: $id) { id } }")
    assert list(answer) == ["errors"]


@pytest_twisted.ensureDeferred
async def test_an_unknown_operation(box: Any) -> None:
    answer = await box.post("query A { viewer { login } }", operation="B")
    assert answer.json() == {"errors": [{"message": 'No operation named "B"'}]}


@pytest_twisted.ensureDeferred
async def test_too_many_nodes(box: Any) -> None:
    deep = "{ viewer { repositories(first: 100) { nodes { releases(first: 100) { nodes { releaseAssets(first: 100)"
    answer = await box.ask(f"{deep} {{ totalCount }} }} }} }} }} }} }}")
    assert answer["errors"][0]["type"] == "MAX_NODE_LIMIT_EXCEEDED"
    assert "up to 1,010,100 possible nodes" in answer["errors"][0]["message"]


@pytest.mark.parametrize(
    ("refusal", "type_", "words"),
    [
        (Refusal.SAML, "FORBIDDEN", "Resource protected by organization SAML enforcement."),
        (Refusal.IP_ALLOW_LIST, "FORBIDDEN", "organization has an IP allow list enabled"),
        (Refusal.MISSING_PERMISSION, "FORBIDDEN", "Resource not accessible by personal access token"),
        (Refusal.INSUFFICIENT_SCOPES, "INSUFFICIENT_SCOPES", "has not been granted the required scopes"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_refused_tokens(box: Any, refusal: Refusal, type_: str, words: str) -> None:
    box.world.add_repository("octo/hello")
    token = box.world.add_token("octo", refuse=refusal, scopes=["repo"])
    answer = await box.post(HELLO, token=token)
    [error] = answer.json()["errors"]
    assert (answer.code, error["type"], error["path"]) == (200, type_, ["repository"])
    assert words in error["message"]
    assert error.get("extensions") == ({"saml_failure": True} if refusal is Refusal.SAML else None)
    assert ("x-github-sso" in answer.headers) is (refusal is Refusal.SAML)
    assert ("data" in answer.json()) is (refusal is not Refusal.INSUFFICIENT_SCOPES)


@pytest_twisted.ensureDeferred
async def test_answers_tell_the_quota(box: Any) -> None:
    for used in (1, 2):
        answer = await box.post("{ viewer { login } }")
        assert answer.headers["x-ratelimit-limit"] == "5000"
        assert answer.headers["x-ratelimit-used"] == str(used)
        assert answer.headers["x-ratelimit-remaining"] == str(5000 - used)
        assert answer.headers["x-ratelimit-resource"] == "graphql"
        assert answer.headers["x-ratelimit-reset"] == str(int(box.clock().timestamp()) + 3600)
        assert answer.headers["x-github-request-id"]


@pytest_twisted.ensureDeferred
async def test_a_quota_runs_out_and_comes_back(make_box: Callable[..., Awaitable[Any]]) -> None:
    box = await make_box(quota=1)
    assert "data" in await box.ask("{ viewer { login } }")
    answer = await box.post("{ viewer { login } }")
    [error] = answer.json()["errors"]
    assert (answer.code, error["type"], error["code"]) == (200, "RATE_LIMIT", "graphql_rate_limit")
    assert answer.headers["x-ratelimit-remaining"] == "0"
    box.clock.advance(3600)
    assert "data" in await box.ask("{ viewer { login } }")
