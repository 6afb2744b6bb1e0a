"""How a token stands with GitHub: what kind it is, what it may do, when it ends, and how many points it has left.

https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github#githubs-token-formats
https://docs.github.com/en/graphql/reference/objects#ratelimit
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
from msgspec import Struct
from msgspec.structs import force_setattr

from pypihub.errors import UpstreamError
from pypihub.github.answers import Reply, read_answer
from pypihub.github.credentials import Token
from pypihub.github.decoding import Moment, Number, in_utc

_KINDS = {
    "ghp_": "a classic personal access token",
    "github_pat_": "a fine-grained personal access token",
    "gho_": "an OAuth token, as gh has it",
    "ghu_": "a user's token of a GitHub App",
    "ghs_": "an installation's token, as GitHub Actions has it",
}
_OLD = re.compile(r"[0-9a-f]{40}", re.ASCII)
_MOMENTS = ("%Y-%m-%d %H:%M:%S %Z", "%Y-%m-%d %H:%M:%S %z")


def kind_of(token: Token) -> str:
    """What kind of token it is, by how it begins."""
    text = token.reveal()
    for prefix, kind in _KINDS.items():
        if text.startswith(prefix):
            return kind
    return "a classic token of the old form" if _OLD.fullmatch(text) else "a token of a kind that is not known here"


class Points(Struct, frozen=True, rename="camel"):
    """What is left of the hour's points, under GitHub's names; `reset_at` is when there are `limit` again."""

    limit: Number
    remaining: Number
    reset_at: Moment

    def __post_init__(self) -> None:
        """Called by msgspec, for which a time that is none makes the answer unreadable."""
        force_setattr(self, "reset_at", in_utc(self.reset_at))


@dataclass(frozen=True, slots=True)
class Standing:
    """What GitHub tells of a token.

    `scopes` are None where it has permissions in place of scopes, `expires_at` where it does not expire or GitHub does
    not tell, and `points` where this GitHub does not count.
    """

    scopes: tuple[str, ...] | None
    expires_at: datetime | None
    points: Points | None


class _RateLimit(Struct, frozen=True):
    rate_limit: Points | None = msgspec.field(name="rateLimit")


class StandingQuery:
    """Asks for nothing but the points: each token may, whatever else it may do."""

    def document(self, *, digest: bool) -> str:
        return "query Standing { rateLimit { limit remaining resetAt } }"

    def variables(self) -> dict[str, object]:
        return {}

    def smaller(self) -> None:
        return None

    def decode(self, data: msgspec.Raw) -> Points | None:
        return msgspec.json.decode(data, type=_RateLimit).rate_limit

    def missing(self) -> UpstreamError:
        return UpstreamError("GitHub does not tell how many points are left.")


def read_standing(reply: Reply, query: StandingQuery, now: float) -> Standing:
    """The standing in an answer; raises like `read_answer`."""
    points = read_answer(reply, query, now)
    told = reply.headers.getRawHeaders("x-oauth-scopes")
    scopes = None if told is None else tuple(scope for text in told[-1].split(",") if (scope := text.strip()))
    return Standing(scopes, _moment(reply.header("github-authentication-token-expiration")), points)


def _moment(text: str) -> datetime | None:
    """A moment as GitHub writes it there: `2026-12-01 10:00:00 UTC`, or with an offset."""
    for form in _MOMENTS:
        try:
            moment = datetime.strptime(text, form)
            return in_utc(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
        except ValueError:  # ValidationError is one
            continue
    return None
