"""Whatever GitHub answers, to whatever it was asked: a result, or one of PyPIHub's errors with one line, in the end."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.strange import HEADERS, STATUSES, bodies, headers, single_faults, statuses
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IResponse
from zope.interface import implementer

from pypihub.errors import PyPIHubError, UpstreamError
from pypihub.github.client import Client
from pypihub.github.credentials import SignedURL, Source, Token
from pypihub.github.decoding import ReleaseAsset
from pypihub.github.releases import NewAsset, RestRelease
from pypihub.github.transport import Transport
from pypihub.index.names import Owner, Repository

TIME = "2026-01-01T00:00:00Z"
MOST_CALLS = 5000
"""More than what any work may cost: whoever asks so often never ends."""

_PAGE = {"hasNextPage": False, "endCursor": None}
_ASSET = {"id": "RA_kwDOA", "name": "demo-1.0.tar.gz", "size": 5, "createdAt": TIME, "digest": "sha256:" + "0" * 64}
_RELEASE = {
    "id": "RE_kwDOA", "isDraft": False, "publishedAt": TIME, "tagName": "v1", "name": "One",
    "releaseAssets": {"pageInfo": _PAGE, "nodes": [_ASSET]},
}  # fmt: skip
LISTING = {
    "data": {
        "repository": {
            "nameWithOwner": "octo/demo", "isArchived": False, "isPrivate": True,
            "releases": {"totalCount": 1, "pageInfo": _PAGE, "nodes": [_RELEASE]},
        }
    }
}  # fmt: skip
# A page that is not the last, and is what every call is answered with: it has to come to an end all the same.
ENDLESS = json.loads(
    json.dumps(LISTING).replace('"hasNextPage": false, "endCursor": null', '"hasNextPage": true, "endCursor": "c"')
)
LOOKUP = {
    "data": {
        "nodes": [
            {
                "__typename": "ReleaseAsset", **_ASSET, "url": "https://storage.example/file?signed",
                "release": {"isDraft": False, "repository": {"nameWithOwner": "octo/demo"}},
            }
        ]
    }
}  # fmt: skip
REST_ASSET = {
    "id": 1, "node_id": "RA_kwDOA", "name": "demo-1.0.tar.gz", "size": 5, "state": "uploaded", "created_at": TIME,
    "digest": None,
}  # fmt: skip
REST_RELEASE = {
    "id": 1, "tag_name": "v1", "draft": True, "upload_url": "https://uploads.github.com/repos/octo/demo/releases/1/assets{?name}",
    "body": "mark", "assets": [REST_ASSET],
}  # fmt: skip
REJECTION = {
    "message": "Validation Failed",
    "errors": [{"resource": "Release", "code": "already_exists", "field": "tag_name"}],
}


@implementer(IResponse)
class Answer:
    """An answer with a body that is all there."""

    version = (b"HTTP", 1, 1)
    phrase = b""
    request = None
    previousResponse = None  # noqa: N815  # the name is the interface's

    def __init__(self, code: int, body: bytes, lines: list[tuple[str, str]]) -> None:
        self.code = code
        self.length = len(body)
        self.headers = Headers()
        for name, value in lines:
            self.headers.addRawHeader(name.encode(), value.encode("latin-1"))
        self._body = body

    def deliverBody(self, protocol: Any) -> None:
        protocol.makeConnection(StringTransport())
        protocol.dataReceived(self._body)
        protocol.connectionLost(Failure(ResponseDone()))

    def setPreviousResponse(self, response: IResponse) -> None:
        raise NotImplementedError


@implementer(IAgent)
class GitHub:
    """Answers everything alike, and remembers whom it was asked for."""

    def __init__(self, code: int, body: bytes, lines: list[tuple[str, str]]) -> None:
        self._answer = code, body, lines
        self.calls: list[tuple[str, bool]] = []
        """The URL of each call, and whether a token came with it."""

    def request(self, method: bytes, uri: bytes, headers: Headers | None = None, bodyProducer: Any = None) -> Any:
        self.calls.append((uri.decode(), bool(headers and headers.hasHeader("authorization"))))
        assert len(self.calls) < MOST_CALLS, "it never ends"
        answer: Deferred[Answer] = Deferred()
        answer.callback(Answer(*self._answer))
        return answer


Work = Callable[[Client], Coroutine[Any, Any, Any]]


def _found(url: str) -> ReleaseAsset:
    return ReleaseAsset("RA_kwDOAAAAAQ", "demo", 5, None, datetime.now(UTC), False, "octo/demo", SignedURL(url))


def _new() -> NewAsset:
    return NewAsset("demo-1.0.tar.gz", io.BytesIO(b"bytes"), 5, "0" * 64)


TOKEN = Token("ghp_secret")
RELEASE = RestRelease(1, "v1", True, "https://uploads.github.com/repos/octo/demo/releases/1/assets{?name}")
STORED = Source(SignedURL("https://storage.example/file?signed"))
WORK: dict[str, tuple[Work, Any]] = {
    "listing": (lambda client: client.listing(TOKEN, Repository(Owner("octo"), "demo")), LISTING),
    "endless": (lambda client: client.listing(TOKEN, Repository(Owner("octo"), "demo")), ENDLESS),
    "lookup": (lambda client: client.assets(TOKEN, ["RA_kwDOA"]), LOOKUP),
    "source": (lambda client: client.source(TOKEN, _found("https://api.github.com/file")), REJECTION),
    "get": (lambda client: client.releases(TOKEN, "octo/demo").get(1), REST_RELEASE),
    "tagged": (lambda client: client.releases(TOKEN, "octo/demo").tagged("v1"), [REST_RELEASE]),
    "assets": (lambda client: client.releases(TOKEN, "octo/demo").assets(1), [REST_ASSET]),
    "create": (
        lambda client: client.releases(TOKEN, "octo/demo").create("v1", "1", "mark", prerelease=False),
        REST_RELEASE,
    ),
    "rejected": (
        lambda client: client.releases(TOKEN, "octo/demo").create("v1", "1", "mark", prerelease=False),
        REJECTION,
    ),
    "publish": (lambda client: client.releases(TOKEN, "octo/demo").publish(1), REST_RELEASE),
    "delete": (lambda client: client.releases(TOKEN, "octo/demo").delete(1), REJECTION),
    "upload": (lambda client: client.releases(TOKEN, "octo/demo").upload(RELEASE, _new()), REST_ASSET),
    "read": (lambda client: client.read(STORED, 0, 5, 5), "bytes"),
    "hash": (lambda client: client.sha256(STORED, 5), "bytes"),
    "open": (lambda client: client.open(STORED, 5, {"range": "bytes=0-"}), "bytes"),
}


def outcome(work: Work, code: int, body: bytes, lines: list[tuple[str, str]]) -> Any:
    """What the work comes to with a GitHub that answers so; fails for all but a result or an error of PyPIHub's."""
    clock, github = Clock(), GitHub(code, body, lines)
    client = Client(
        Transport(github, clock, 15),
        clock,
        api_url="https://api.github.com",
        graphql_url="https://api.github.com/graphql",
    )
    results: list[Any] = []
    Deferred.fromCoroutine(work(client)).addBoth(results.append)
    for _ in range(1000):
        if results:
            break
        clock.advance(1)
    assert results, "it hangs"
    if isinstance(results[0], Failure):
        error = results[0].value
        assert isinstance(error, PyPIHubError), results[0].getTraceback()
        assert error.message.isprintable()
        assert "secret" not in error.message
    elif hasattr(results[0], "close"):
        results[0].close()  # a download
    for url, has_token in github.calls:
        assert not has_token or url.startswith(("https://api.github.com/", "https://uploads.github.com/")), url
    return results[0].value if isinstance(results[0], Failure) else results[0]


@pytest.mark.parametrize("work", [name for name in WORK if name not in ("read", "hash", "open")])
def test_one_thing_wrong_in_a_body(work: str) -> None:
    doing, true = WORK[work]
    for body in single_faults(true):
        outcome(doing, 422 if work == "rejected" else 200, body, [])


@pytest.mark.parametrize("work", ["listing", "lookup", "get", "assets"])
@pytest.mark.parametrize(
    ("true", "value"),
    [(5, 2**63), (5, 10**400), (TIME, "9999-12-31T23:59:59-12:00"), (TIME, "0001-01-01T00:00:00+14:00")],
    ids=["64 bits", "400 digits", "behind 9999", "before 1"],
)
def test_a_number_or_a_time_beyond_all_is_trouble(work: str, true: Any, value: Any) -> None:
    doing, body = WORK[work]
    spoiled = json.dumps(body).replace(f": {json.dumps(true)}", f": {json.dumps(value)}")
    assert isinstance(outcome(doing, 200, spoiled.encode(), []), UpstreamError)


@pytest.mark.parametrize("work", WORK)
def test_every_status_and_every_odd_header(work: str) -> None:
    doing, true = WORK[work]
    for code in STATUSES:
        for body in (b"", json.dumps(true).encode(), b'{"message": "API rate limit exceeded"}'):
            outcome(doing, code, body, [])
    for header in HEADERS:
        for code in (200, 206, 302, 403, 416, 429, 502):
            outcome(doing, code, json.dumps(true).encode(), [header])
            outcome(doing, code, json.dumps(true).encode(), [header, header])


@settings(max_examples=600, suppress_health_check=list(HealthCheck), database=None)
@given(work=st.sampled_from(list(WORK)), data=st.data(), code=statuses, lines=headers)
def test_anything_else(work: str, data: st.DataObject, code: int, lines: list[tuple[str, str]]) -> None:
    doing, true = WORK[work]
    body = data.draw(bodies(true) if not isinstance(true, str) else st.binary(max_size=10))
    outcome(doing, code, body, lines)
