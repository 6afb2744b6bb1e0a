"""What GitHub's answers mean. The rows were read off real answers; trouble is never "not found"."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.web.http_headers import Headers

from pypihub.errors import (
    ForbiddenError,
    NotFoundError,
    PyPIHubError,
    RateLimitedError,
    TokenRefusedError,
    UpstreamError,
)
from pypihub.github.answers import (
    ExhaustedError,
    Reply,
    TooLargeError,
    UnknownFieldError,
    WrongAddressError,
    read_answer,
    read_lookup,
    refuse_bad_status,
)
from pypihub.github.decoding import ReleaseAsset
from pypihub.github.queries import ListingQuery, LookupQuery, Query
from pypihub.index.names import Owner, Repository

_LISTING = ListingQuery(Repository(Owner("octo"), "pkg"))
_NOW = 1_800_000_000.0
_SECONDARY = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
_DATA = {
    "repository": {
        "nameWithOwner": "octo/pkg",
        "isArchived": False,
        "isPrivate": True,
        "releases": {"totalCount": 0, "pageInfo": {"hasNextPage": False, "endCursor": None}, "nodes": []},
    }
}


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _message(text: str) -> bytes:
    return _json({"message": text, "documentation_url": "https://docs.github.com/graphql"})


def _errors(*errors: dict[str, Any], data: object = None) -> bytes:
    where = [{"line": 1, "column": 2}]
    return _json({"data": data, "errors": [{"locations": where, "message": "", **error} for error in errors]})


def _error(
    status: int, body: bytes, query: Query[Any] = _LISTING, headers: dict[str, str] | None = None
) -> PyPIHubError:
    """The error that an answer stands for; never a word of more than a line."""
    raw = Headers({name: [value] for name, value in (headers or {}).items()})
    with pytest.raises(PyPIHubError) as caught:
        read_answer(Reply(status, raw, body), query, _NOW)
    assert len(caught.value.message.splitlines()) == 1
    return caught.value


_NOT_FOUND = {
    "type": "NOT_FOUND",
    "path": ["repository"],
    "message": "Could not resolve to a Repository with the name 'octo/pkg'.",
}
_DEEP = {"type": "NOT_FOUND", "path": ["repository", "releases", "nodes", 3], "message": "Gone."}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        pytest.param(401, _message("Bad credentials"), TokenRefusedError, id="bad token"),
        pytest.param(401, _message("This endpoint requires you to be authenticated."), TokenRefusedError, id="none"),
        pytest.param(401, b"<html>", TokenRefusedError, id="401 as HTML"),
        pytest.param(403, _message("Maximum number of login attempts exceeded."), RateLimitedError, id="bad tokens"),
        pytest.param(400, _message("Problems parsing JSON"), UpstreamError, id="bad JSON"),
        pytest.param(200, _errors(_NOT_FOUND, data={"repository": None}), NotFoundError, id="no repository"),
        pytest.param(200, _errors({"type": "MISSING_PAGINATION_BOUNDARIES"}), UpstreamError, id="no first"),
        pytest.param(200, _errors({"type": "EXCESSIVE_PAGINATION"}), UpstreamError, id="first over 100"),
        pytest.param(200, _errors({"type": "RESOURCE_LIMITS_EXCEEDED"}), TooLargeError, id="too large"),
        pytest.param(200, _errors({"type": "RESOURCE_LIMITS_EXCEEDED"}, data=_DATA), TooLargeError, id="cut short"),
        pytest.param(200, _errors({"type": "RATE_LIMIT"}), RateLimitedError, id="primary limit"),
        pytest.param(200, _errors({"type": "RATE_LIMITED"}), RateLimitedError, id="primary limit, older"),
        pytest.param(200, _errors({"message": _SECONDARY}), RateLimitedError, id="secondary limit, 200"),
        pytest.param(403, _message(_SECONDARY), RateLimitedError, id="secondary limit, 403"),
        pytest.param(429, b"slow down", RateLimitedError, id="429"),
        pytest.param(
            200, _errors({"type": "FORBIDDEN", "extensions": {"saml_failure": True}}), ForbiddenError, id="SAML"
        ),
        pytest.param(403, _message("IP address is not on the allow list"), ForbiddenError, id="allow list, 403"),
        pytest.param(200, _errors({"type": "FORBIDDEN"}), ForbiddenError, id="allow list, 200"),
        pytest.param(
            200,
            _errors({"message": "Resource not accessible by personal access token"}),
            ForbiddenError,
            id="missing permission",
        ),
        pytest.param(
            403,
            _message("Resource not accessible by integration"),
            ForbiddenError,
            id="missing permission, 403",
        ),
        pytest.param(200, _errors({"type": "INSUFFICIENT_SCOPES"}), ForbiddenError, id="missing scope"),
        pytest.param(502, _message("Server Error"), ExhaustedError, id="502"),
        pytest.param(504, b"<html>We couldn't respond to your request in time.</html>", ExhaustedError, id="504"),
        pytest.param(502, _errors({"message": "Something went wrong"}), ExhaustedError, id="502 as GraphQL"),
        pytest.param(502, _errors(_NOT_FOUND, data={"repository": None}), ExhaustedError, id="502 with NOT_FOUND"),
        pytest.param(500, b"", UpstreamError, id="500"),
        pytest.param(503, b"<html>Unicorn!</html>", UpstreamError, id="503"),
        # not in the table
        pytest.param(404, _message("Not Found"), WrongAddressError, id="404"),
        pytest.param(404, _errors(_NOT_FOUND, data={"repository": None}), WrongAddressError, id="404 with NOT_FOUND"),
        pytest.param(400, _json({"data": _DATA}), UpstreamError, id="400 with data"),
        pytest.param(302, b"", WrongAddressError, id="redirect"),
        pytest.param(204, b"", UpstreamError, id="204"),
        pytest.param(403, b"<html>blocked</html>", UpstreamError, id="403 as HTML"),
        pytest.param(403, b"[]", UpstreamError, id="403 as a list"),
        pytest.param(403, b'{"message":"\xff"}', UpstreamError, id="403 not UTF-8"),
        pytest.param(200, b"", UpstreamError, id="empty"),
        pytest.param(200, b"<html>Unicorn!</html>", UpstreamError, id="HTML"),
        pytest.param(200, _json({"data": _DATA})[:-9], UpstreamError, id="cut"),
        pytest.param(200, _json({"data": _DATA}).replace(b"octo/", b"\xff"), UpstreamError, id="not UTF-8"),
        pytest.param(200, b'{"errors":[{"message":"\xff"}]}', UpstreamError, id="error not UTF-8"),
        pytest.param(200, b'{"data":' + b"[" * 100_000, UpstreamError, id="deep"),
        pytest.param(200, b"{}", UpstreamError, id="no data"),
        pytest.param(200, b"null", UpstreamError, id="null"),
        pytest.param(200, _json({"data": {"repository": None}}), UpstreamError, id="null without an error"),
        pytest.param(200, _errors({"message": "Something went wrong"}, data=_DATA), UpstreamError, id="data and error"),
        pytest.param(200, _errors({"type": None}), UpstreamError, id="type null"),
        pytest.param(200, _errors(_DEEP), UpstreamError, id="NOT_FOUND below"),
        pytest.param(200, _errors({**_NOT_FOUND, "path": None}), UpstreamError, id="NOT_FOUND without path"),
        pytest.param(200, _errors({**_NOT_FOUND, "path": []}), UpstreamError, id="NOT_FOUND with empty path"),
        pytest.param(200, _errors(_NOT_FOUND, _DEEP), UpstreamError, id="NOT_FOUND and below"),
        pytest.param(200, _errors(_NOT_FOUND, {"message": "timeout"}), UpstreamError, id="NOT_FOUND and more"),
        pytest.param(200, _errors(_NOT_FOUND, {"type": "FORBIDDEN"}), ForbiddenError, id="NOT_FOUND and FORBIDDEN"),
        pytest.param(200, _errors(_NOT_FOUND, {"type": "RATE_LIMIT"}), RateLimitedError, id="NOT_FOUND and limit"),
        pytest.param(200, _errors({"type": "FORBIDDEN"}, {"type": "RATE_LIMIT"}), RateLimitedError, id="limit first"),
    ],
)
def test_every_answer_has_its_error(status: int, body: bytes, kind: type[PyPIHubError]) -> None:
    assert type(_error(status, body)) is kind


def test_a_sound_answer_is_decoded() -> None:
    page, _following = read_answer(Reply(200, Headers(), _json({"data": _DATA})), _LISTING, _NOW)
    assert (page.name_with_owner, page.parts) == ("octo/pkg", ())
    assert read_answer(Reply(200, Headers(), _json({"data": _DATA, "errors": []})), _LISTING, _NOW) == (page, None)


def test_a_repository_that_is_not_there_is_named_with_what_to_check() -> None:
    message = _error(200, _errors(_NOT_FOUND, data={"repository": None})).message
    assert "octo/pkg" in message
    assert "token" in message


_GONE = {"type": "NOT_FOUND", "path": ["nodes", 0], "message": "Could not resolve to a node with the global id"}
_SAML = {"type": "FORBIDDEN", "path": ["nodes", 0], "message": "Resource protected by organization SAML enforcement."}
_NODE = {
    "__typename": "ReleaseAsset",
    "name": "pkg-1.zip",
    "size": 5,
    "createdAt": "2026-01-02T03:04:05Z",
    "url": "https://storage.example/signed",
    "release": {"isDraft": False, "repository": {"nameWithOwner": "Octo/Pkg"}},
}


def _look_up(body: bytes) -> tuple[object, ...]:
    return read_lookup(Reply(200, Headers(), body), LookupQuery(("RA_x", "RA_y")), _NOW)


@pytest.mark.parametrize(("error", "kind"), [(_GONE, NotFoundError), (_SAML, ForbiddenError)])
def test_of_several_assets_one_that_fails_does_so_by_itself(error: dict[str, object], kind: type[Exception]) -> None:
    failed, found = _look_up(_errors(error, data={"nodes": [None, _NODE]}))
    assert type(failed) is kind
    assert isinstance(found, ReleaseAsset)


@pytest.mark.parametrize(
    "body",
    [
        _json({"data": {"nodes": [None, _NODE]}}),
        _json({"data": {"nodes": [_NODE]}}),
        _errors({"message": "Something went wrong", "path": ["nodes", 0]}, data={"nodes": [None, _NODE]}),
        _errors({**_GONE, "path": ["nodes", 0, "release"]}, data={"nodes": [None, _NODE]}),
        _errors({**_GONE, "path": ["nodes", 7]}, data={"nodes": [None, _NODE]}),
    ],
)
def test_holes_among_several_assets_are_trouble(body: bytes) -> None:
    with pytest.raises(UpstreamError):
        _look_up(body)


def test_an_unknown_field_is_named() -> None:
    extensions = {"code": "undefinedField", "typeName": "ReleaseAsset", "fieldName": "digest"}
    error = _error(200, _errors({"extensions": extensions, "message": "Field 'digest' doesn't exist"}))
    assert isinstance(error, UnknownFieldError)
    assert error.field == "digest"


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after": "60"}, 60),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1800000120"}, 120),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1799999999"}, 0),
        ({"x-ratelimit-remaining": "7", "x-ratelimit-reset": "1800000120"}, None),
        ({"retry-after": "3", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1800000120"}, 3),
        ({}, None),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "²"}, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "soon"}, None),
    ],
)
@pytest.mark.parametrize(("status", "body"), [(200, _errors({"type": "RATE_LIMIT"})), (403, _message(_SECONDARY))])
def test_a_limit_tells_how_long_to_wait(status: int, body: bytes, headers: dict[str, str], wait: float | None) -> None:
    error = _error(status, body, headers=headers)
    assert isinstance(error, RateLimitedError)
    assert error.retry_after == wait
    assert (f"in {wait} s" if wait is not None else "later") in error.message


def test_a_used_up_limit_is_no_refusal() -> None:
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1800000120"}
    assert type(_error(403, _message("API rate limit exceeded for user ID 1."), headers=headers)) is RateLimitedError


@pytest.mark.parametrize("digits", [20, 400])
def test_a_wait_of_any_length_can_be_told(digits: int) -> None:
    assert isinstance(_error(429, b"", headers={"retry-after": "9" * digits}), RateLimitedError)


def test_single_sign_on_tells_where_to_authorize_the_token() -> None:
    url = "https://github.com/orgs/octo/sso?authorization_request=ABC"
    body = _errors({"type": "FORBIDDEN", "message": "Resource protected by organization SAML enforcement."})
    for status, text in ((200, body), (403, _message("Resource protected by organization SAML enforcement."))):
        error = _error(status, text, headers={"X-GitHub-SSO": f"required; url={url}"})
        assert isinstance(error, ForbiddenError)
        assert error.sso_url == url
        assert url in error.message
        assert "SAML" in error.message


@pytest.mark.parametrize("header", ["", "partial-results; organizations=21955855", "required; url=javascript://x"])
def test_without_a_url_single_sign_on_is_told_in_words(header: str) -> None:
    error = _error(200, _errors({"type": "FORBIDDEN", "message": "SAML"}), headers={"X-GitHub-SSO": header})
    assert isinstance(error, ForbiddenError)
    assert error.sso_url is None


@pytest.mark.parametrize("text", ["first\r\nsecond", "a\x00\x1b[31mb", "one\u2028two", "", "x" * 5000])
def test_githubs_own_words_stay_on_one_short_line(text: str) -> None:
    for body in (_errors({"type": "FORBIDDEN", "message": text}), _errors({"message": text})):
        message = _error(200, body).message
        assert message.isprintable()
        assert len(message) < 400


@given(st.binary() | st.sampled_from([b'{"data":', b'{"errors":[{', b'{"message":']).flatmap(
    lambda begin: st.binary().map(begin.__add__)
), st.sampled_from([200, 400, 403, 404, 500, 502]))  # fmt: skip
def test_no_bytes_are_ever_taken_for_not_found(body: bytes, status: int) -> None:
    error = _error(status, body)
    assert not isinstance(error, NotFoundError)


@pytest.mark.parametrize("status", [200, 302, 304, 404, 422])
def test_other_statuses_are_for_the_caller_to_judge(status: int) -> None:
    refuse_bad_status(Reply(status, Headers(), b""), _NOW)


def test_a_missing_header_is_empty_and_of_two_the_last_counts() -> None:
    reply = Reply(200, Headers({"Retry-After": ["1", "2"]}), b"")
    assert (reply.header("retry-after"), reply.header("location")) == ("2", "")
