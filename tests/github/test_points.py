"""A token whose points are used up rests until GitHub gives it new ones; the clock is the test's."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock
from twisted.web.http_headers import Headers

from pypihub.errors import RateLimitedError, UpstreamError
from pypihub.github.answers import Reply, read_answer, refuse_bad_status
from pypihub.github.credentials import Token
from pypihub.github.points import Budget, Points
from pypihub.github.queries import ListingQuery
from pypihub.github.tokens import TokenHasher
from pypihub.index.names import Owner, Repository

NOW = 1_800_000_000
ME, OTHER = Token("ghp_mine"), Token("ghp_other")
FINE = (
    b'{"data":{"repository":{"nameWithOwner":"octo/pkg","isArchived":false,"isPrivate":true,"releases":'
    b'{"totalCount":0,"pageInfo":{"hasNextPage":false,"endCursor":null},"nodes":[]}}}}'
)
PRIMARY = b'{"errors":[{"type":"RATE_LIMIT","message":"API rate limit already exceeded for user ID 1."}]}'
SECONDARY = b'{"message":"You have exceeded a secondary rate limit. Please wait a few minutes."}'
SECONDARY_IN_200 = b'{"errors":[{"message":"You have exceeded a secondary rate limit."}]}'


class Office:
    """Points on a clock, and the replies that they are told of."""

    def __init__(self, size: int = 10_000) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.points = Points(TokenHasher(), self.clock.seconds, size=size)

    def hear(
        self,
        status: int = 200,
        body: bytes = FINE,
        *,
        token: Token = ME,
        budget: Budget = Budget.GRAPHQL,
        remaining: int | None = None,
        reset: int | None = None,
        **headers: str,
    ) -> None:
        """A reply comes, and is read as the client reads it."""
        told = {
            "x-ratelimit-remaining": remaining,
            "x-ratelimit-reset": reset,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        reply = Reply(status, Headers({name: [str(value)] for name, value in told.items() if value is not None}), body)
        with self.points.heeding(token, budget, reply):
            if budget is Budget.REST:
                refuse_bad_status(reply, self.clock.seconds())
            else:
                read_answer(reply, ListingQuery(Repository(Owner("octo"), "pkg")), self.clock.seconds())

    def refuse(self, status: int, body: bytes, **more: object) -> None:
        """A reply comes that tells of a limit."""
        with pytest.raises(RateLimitedError):
            self.hear(status, body, **more)  # type: ignore[arg-type]  # they are `hear`'s

    def wait(self, budget: Budget = Budget.GRAPHQL, token: Token = ME) -> float:
        """The seconds that a token has to rest; 0 for one that may be sent."""
        try:
            self.points.check(token, budget)
        except RateLimitedError as error:
            return error.retry_after or 0
        return 0


@pytest.fixture
def office() -> Office:
    return Office()


def test_a_token_with_points_is_sent(office: Office) -> None:
    assert office.wait() == 0
    office.hear(remaining=1, reset=NOW + 60)
    assert office.wait() == 0


def test_after_the_last_point_it_rests_until_the_reset(office: Office) -> None:
    office.hear(remaining=0, reset=NOW + 600)
    waits = []
    for seconds in (0, 599, 1, 1):
        office.clock.advance(seconds)
        waits.append(office.wait())
    assert waits == [600, 1, 0, 0]


def test_the_error_says_how_long(office: Office) -> None:
    office.hear(remaining=0, reset=NOW + 600)
    office.clock.advance(100.4)
    with pytest.raises(RateLimitedError, match=r"rate limit for this token is reached. Try again in 500 s\.$"):
        office.points.check(ME, Budget.GRAPHQL)


def test_a_refusal_tells_of_the_reset_too(office: Office) -> None:
    office.refuse(200, PRIMARY, remaining=0, reset=NOW + 600)
    assert office.wait() == 600


def test_others_are_sent(office: Office) -> None:
    office.hear(remaining=0, reset=NOW + 600)
    assert office.wait(token=OTHER) == 0


def test_graphql_and_rest_have_points_of_their_own(office: Office) -> None:
    office.refuse(200, PRIMARY, remaining=0, reset=NOW + 600, x_ratelimit_resource="graphql")
    assert (office.wait(Budget.GRAPHQL), office.wait(Budget.REST)) == (600, 0)
    office.hear(302, b"", budget=Budget.REST, remaining=0, reset=NOW + 60, x_ratelimit_resource="core")
    assert (office.wait(Budget.GRAPHQL), office.wait(Budget.REST)) == (600, 60)


def test_the_points_of_another_budget_are_not_this_one_s(office: Office) -> None:
    office.hear(302, b"", budget=Budget.REST, remaining=0, reset=NOW + 60, x_ratelimit_resource="search")
    assert office.wait(Budget.REST) == 0


def test_the_address_s_points_that_come_with_a_refused_token_are_not_the_token_s(office: Office) -> None:
    office.points.check(ME, Budget.REST)
    reply = Reply(401, Headers({"x-ratelimit-remaining": ["0"], "x-ratelimit-reset": [str(NOW + 60)]}), b"")
    with office.points.heeding(ME, Budget.REST, reply):
        pass
    assert office.wait(Budget.REST) == 0


@pytest.mark.parametrize(
    ("status", "body", "headers", "wait"),
    [
        (403, SECONDARY, {"retry_after": "30"}, 30),
        (429, b"slow down", {"retry_after": "30"}, 30),
        (429, SECONDARY, {}, 60),
        (403, SECONDARY, {}, 60),
        (403, SECONDARY, {"remaining": 4000, "reset": NOW + 1800}, 60),
        (403, SECONDARY, {"retry_after": "0"}, 60),
        (403, SECONDARY, {"retry_after": "soon"}, 60),
        (200, SECONDARY_IN_200, {}, 60),
    ],
)
def test_a_secondary_limit_is_the_whole_api_s(
    office: Office, status: int, body: bytes, headers: dict[str, str], wait: float
) -> None:
    office.refuse(status, body, **headers)
    assert [office.wait(budget) for budget in Budget] == [wait, wait]
    assert office.wait(token=OTHER) == 0
    office.clock.advance(wait)
    assert [office.wait(budget) for budget in Budget] == [0, 0]


def test_a_limit_of_rest_is_read_there(office: Office) -> None:
    office.refuse(403, SECONDARY, budget=Budget.REST, retry_after="30")
    assert office.wait(Budget.GRAPHQL) == 30


@pytest.mark.parametrize("reset", [NOW + 3601, NOW + 86_400 * 365, 999_999_999_999])
def test_nobody_rests_for_more_than_an_hour(office: Office, reset: int) -> None:
    office.hear(remaining=0, reset=reset)
    assert office.wait() == 3600
    office.refuse(403, SECONDARY, token=OTHER, retry_after=str(reset))
    assert office.wait(token=OTHER) == 3600


def test_a_reset_that_is_over_is_heeded_only_where_the_token_is_refused(office: Office) -> None:
    office.hear(remaining=0, reset=NOW - 100)
    assert office.wait() == 0
    office.refuse(200, PRIMARY, remaining=0, reset=NOW - 100)
    assert office.wait() == 60


@pytest.mark.parametrize("reset", ["", "-1", "soon", "1e9", "9" * 400])
def test_a_reset_that_is_none_is_no_mistake_of_ours(office: Office, reset: str) -> None:
    office.hear(remaining=0, x_ratelimit_reset=reset)
    assert office.wait() == 0


def test_a_clock_that_is_set_back_keeps_nobody_out(office: Office) -> None:
    office.hear(remaining=0, reset=NOW + 600)
    office.clock.rightNow -= 86_400
    assert office.wait() == 0


def test_a_shorter_wait_does_not_end_a_longer_one(office: Office) -> None:
    office.refuse(403, SECONDARY, retry_after="300")
    office.refuse(403, SECONDARY, retry_after="3")
    assert office.wait() == 300


def test_another_trouble_is_no_limit(office: Office) -> None:
    with pytest.raises(UpstreamError, match="has trouble"):
        office.hear(503, b"", remaining=4000, reset=NOW + 60, retry_after="120")
    assert office.wait() == 0


def test_only_so_many_are_remembered() -> None:
    office = Office(size=2)
    tokens = [Token(text) for text in ("one", "two", "three")]
    for token in tokens:
        office.hear(token=token, remaining=0, reset=NOW + 60)
    assert [office.wait(token=token) for token in tokens] == [0, 60, 60]


def test_no_token_is_kept(office: Office) -> None:
    office.hear(remaining=0, reset=NOW + 600)
    assert "ghp_mine" not in repr(vars(office.points))
