"""The ways in which the stand-in GitHub can fail: each turns the true answer into what a client gets instead."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, Protocol

from twisted.internet.defer import Deferred

from pypihub.sandbox.answers import HTML, JSON, Answer, Fate, json_body
from pypihub.sandbox.partial import partial_answer

_DOCS = "https://docs.github.com/graphql/using-the-rest-api/rate-limits-for-the-rest-api"


@dataclass(frozen=True, slots=True)
class Case:
    """What a fault may know of a call: where it went, who called when, and how many nodes a query asked for."""

    where: str
    user_id: int
    now: datetime
    nodes: int = 0


class Fault(Protocol):
    """A way to fail."""

    @property
    def persistent(self) -> bool:
        """Whether the fault is a rule that holds until the faults are cleared."""

    def spoil(self, answer: Answer, case: Case) -> Answer:
        """Return what becomes of the true answer; the same object when the fault does not apply."""


@dataclass(frozen=True, slots=True)
class Status:
    """Another status and body in place of the answer."""

    persistent: ClassVar[bool] = False
    code: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()

    def spoil(self, answer: Answer, _case: Case) -> Answer:
        """Replace the answer."""
        return answer.instead(self.code, self.body, self.content_type, dict(self.headers))


@dataclass(frozen=True, slots=True)
class Html:
    """GitHub's HTML error page in place of the answer; even with status 200."""

    persistent: ClassVar[bool] = False
    code: int = 502

    def spoil(self, answer: Answer, _case: Case) -> Answer:
        """Replace the answer."""
        return answer.instead(self.code, _UNICORN, HTML, {})


@dataclass(frozen=True, slots=True)
class CutBody:
    """The connection is dropped after so many bytes of the body; Content-Length tells of all of them."""

    persistent: ClassVar[bool] = False
    after: int

    def spoil(self, answer: Answer, _case: Case) -> Answer:
        """Mark where to cut."""
        return replace(answer, cut=self.after)


@dataclass(frozen=True, slots=True)
class Drop:
    """The connection is closed before an answer."""

    persistent: ClassVar[bool] = False

    def spoil(self, answer: Answer, _case: Case) -> Answer:
        """Mark the answer as lost."""
        return replace(answer, fate=Fate.DROPPED)


@dataclass(frozen=True, slots=True)
class CutUpload:
    """The connection is reset once so many bytes of an upload's body came; at the latest, before the answer."""

    persistent: ClassVar[bool] = False
    after: int

    def spoil(self, answer: Answer, _case: Case) -> Answer:
        """Mark the answer as lost, where the body was too short to be cut."""
        return replace(answer, fate=Fate.DROPPED)


@dataclass(frozen=True, slots=True)
class Hang:
    """No answer until the client goes or the server stops."""

    persistent: ClassVar[bool] = False

    def spoil(self, answer: Answer, _case: Case) -> Answer:
        """Mark the answer as held back."""
        return replace(answer, fate=Fate.HUNG)


@dataclass(frozen=True, slots=True)
class Latency:
    """The answer comes so many seconds later."""

    persistent: ClassVar[bool] = False
    seconds: float

    def spoil(self, answer: Answer, _case: Case) -> Answer:
        """Add the delay."""
        return replace(answer, delay=answer.delay + self.seconds)


@dataclass(frozen=True, slots=True)
class Held:
    """The answer comes once `until` has fired."""

    persistent: ClassVar[bool] = False
    until: Deferred[None]

    def spoil(self, answer: Answer, _case: Case) -> Answer:
        """Add what to wait for."""
        return replace(answer, until=self.until)


@dataclass(frozen=True, slots=True)
class PrimaryLimit:
    """The hourly quota is used up; it comes back after `reset_in` seconds. `old`: the wording before 2025."""

    persistent: ClassVar[bool] = False
    reset_in: float = 3600
    old: bool = False

    def spoil(self, answer: Answer, case: Case) -> Answer:
        """Replace the answer."""
        headers = {
            **_quota(answer),
            "x-ratelimit-limit": answer.headers.get("x-ratelimit-limit", "5000"),
            "x-ratelimit-remaining": "0",
            "x-ratelimit-used": answer.headers.get("x-ratelimit-limit", "5000"),
            "x-ratelimit-reset": str(int((case.now + timedelta(seconds=self.reset_in)).timestamp())),
        }
        already = "" if self.old else "already "
        text = f"API rate limit {already}exceeded for user ID {case.user_id}."
        if case.where != "graphql":
            return answer.instead(403, json_body({"message": text, "documentation_url": _DOCS}), JSON, headers)
        error = {"type": "RATE_LIMITED"} if self.old else {"type": "RATE_LIMIT", "code": "graphql_rate_limit"}
        return answer.instead(200, json_body({"errors": [{**error, "message": text}]}), JSON, headers)


@dataclass(frozen=True, slots=True)
class SecondaryLimit:
    """Too much at once; with `retry_after` in seconds when GitHub tells how long to wait. `code` is 403, 429 or 200."""

    persistent: ClassVar[bool] = False
    retry_after: int | None = None
    code: int = 403

    def spoil(self, answer: Answer, _case: Case) -> Answer:
        """Replace the answer."""
        headers = dict(_quota(answer))
        if self.retry_after is not None:
            headers["retry-after"] = str(self.retry_after)
        text = (
            "You have exceeded a secondary rate limit. Please wait a few minutes before you try again. "
            "If you reach out to GitHub Support for help, please include the request ID."
        )
        body: dict[str, Any] = {"message": text, "documentation_url": f"{_DOCS}#about-secondary-rate-limits"}
        if self.code == 200:
            body = {"errors": [{"message": text}]}
        return answer.instead(self.code, json_body(body), JSON, headers)


@dataclass(frozen=True, slots=True)
class LoginAttempts:
    """Too many bad tokens before this call, so that even a good one is rejected."""

    persistent: ClassVar[bool] = False

    def spoil(self, answer: Answer, _case: Case) -> Answer:
        """Replace the answer."""
        text = "Maximum number of login attempts exceeded. Please try again later."
        return answer.instead(403, json_body({"message": text, "documentation_url": _DOCS}), JSON, {})


@dataclass(frozen=True, slots=True)
class GraphQLErrors:
    """These errors (and this data) in a 200."""

    persistent: ClassVar[bool] = False
    errors: tuple[Mapping[str, Any], ...]
    data: object = None

    def spoil(self, answer: Answer, _case: Case) -> Answer:
        """Replace the answer."""
        return answer.instead(200, json_body({"data": self.data, "errors": list(self.errors)}), JSON, _quota(answer))


@dataclass(frozen=True, slots=True)
class NullNodes:
    """The true answer with a null for the last of the first nodes (without any, for all data), and an untyped error."""

    persistent: ClassVar[bool] = False

    def spoil(self, answer: Answer, _case: Case) -> Answer:
        """Make the answer partial."""
        text = "Something went wrong while executing your query."
        return partial_answer(answer, {"message": f"{text} Please include the request id when reporting this issue."})


@dataclass(frozen=True, slots=True)
class ResourceLimits:
    """A query that asks for more than `max_nodes` nodes gets partial data; null data when `partial` is False."""

    persistent: ClassVar[bool] = True
    max_nodes: int
    partial: bool = True

    def spoil(self, answer: Answer, case: Case) -> Answer:
        """Make the answer to a large query partial."""
        if case.nodes <= self.max_nodes:
            return answer
        error = {"type": "RESOURCE_LIMITS_EXCEEDED", "message": "Resource limits for this query exceeded."}
        if self.partial:
            return partial_answer(answer, error)
        return answer.instead(200, json_body({"data": None, "errors": [error]}), JSON, _quota(answer))


@dataclass(frozen=True, slots=True)
class TooSlow:
    """A query that asks for more than `max_nodes` nodes times out: an HTML 502 or 504."""

    persistent: ClassVar[bool] = True
    max_nodes: int
    code: int = 502

    def spoil(self, answer: Answer, case: Case) -> Answer:
        """Replace the answer to a large query."""
        return answer if case.nodes <= self.max_nodes else answer.instead(self.code, _UNICORN, HTML, {})


_UNICORN = b"""<!DOCTYPE html>
<html><head><title>Unicorn! &middot; GitHub</title></head>
<body><p><strong>We had issues producing the response to your request.</strong></p></body></html>
"""


def _quota(answer: Answer) -> Mapping[str, str]:
    """Return the headers that tell what is left of the quota."""
    return {name: value for name, value in answer.headers.items() if name.startswith("x-ratelimit-")}
