"""What GitHub tells of a token, in the forms that it has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from twisted.web.http_headers import Headers

from pypihub.github.answers import Reply
from pypihub.github.standing import Standing, StandingQuery, read_standing

LIMIT = b'{"data": {"rateLimit": {"limit": 5000, "remaining": 4999, "resetAt": "2026-01-01T01:00:00Z"}}}'


def standing(body: bytes = LIMIT, **headers: str) -> Standing:
    raw = Headers({name.replace("_", "-"): [value] for name, value in headers.items()})
    return read_standing(Reply(200, raw, body), StandingQuery(), 0)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-12-01 10:00:00 UTC", datetime(2026, 12, 1, 10, tzinfo=UTC)),
        ("2026-12-01 10:00:00 -0700", datetime(2026, 12, 1, 10, tzinfo=timezone(-timedelta(hours=7)))),
        ("9999-12-31 23:59:59 -0700", None),
        ("soon", None),
        ("", None),
    ],
)
def test_the_end_is_a_moment(text: str, moment: datetime | None) -> None:
    assert standing(github_authentication_token_expiration=text).expires_at == moment


def test_no_scopes_are_something_else_than_none_that_are_told() -> None:
    assert standing().scopes is None
    assert standing(x_oauth_scopes="").scopes == ()
    assert standing(x_oauth_scopes="repo, read:org").scopes == ("repo", "read:org")


def test_a_server_may_not_count_points() -> None:
    assert standing(b'{"data": {"rateLimit": null}}').points is None
    told = standing().points
    assert told is not None
    assert (told.limit, told.remaining, told.reset_at) == (5000, 4999, datetime(2026, 1, 1, 1, tzinfo=UTC))
