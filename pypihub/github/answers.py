"""What GitHub's answers mean: each HTTP status and GraphQL error becomes one of PyPIHub's errors. Sans-io.

https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
The rows were read off real answers; only a plain NOT_FOUND at the root of a query means that a thing is not
there, everything unknown is trouble.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from twisted.web.http_headers import Headers

from pypihub.errors import (
    ForbiddenError,
    PyPIHubError,
    RateLimitedError,
    TokenRefusedError,
    UpstreamError,
)
from pypihub.github.body import TooLargeError
from pypihub.github.decoding import ReleaseAsset
from pypihub.github.queries import LookupQuery, Query


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer of GitHub's, read whole."""

    status: int
    headers: Headers
    body: bytes

    def header(self, name: str) -> str:
        """The header's value, or an empty text."""
        return read_header(self.headers, name)

    def number(self, name: str) -> float | None:
        """The header's value, if it is a whole number that may be one of seconds."""
        value = self.header(name)
        return float(value) if _SECONDS.fullmatch(value) else None


def read_header(headers: Headers, name: str) -> str:
    """The header's last value, or an empty text; of bytes that are no ASCII each becomes one character."""
    values = headers.getRawHeaders(name.encode())  # by a text it would decode them as UTF-8, which they need not be
    return values[-1].decode("latin-1") if values else ""


class ExhaustedError(UpstreamError):
    """GitHub gave up on a query (502, 504), be it for its size or in passing; smaller pages may do."""


class WrongAddressError(UpstreamError):
    """Where GitHub's GraphQL API should be is something else."""


class UnknownFieldError(UpstreamError):
    """The server's schema lacks a field that was asked for; `field` is its name."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


class _GraphQLError(Struct, frozen=True):
    message: str = ""
    type: str = ""
    path: tuple[str | int, ...] | None = None
    extensions: dict[str, Any] | None = None


class _Envelope(Struct, frozen=True):
    data: msgspec.Raw = msgspec.Raw(b"null")
    errors: tuple[_GraphQLError, ...] | None = None


class _Message(Struct, frozen=True):
    message: str = ""


T = TypeVar("T")
_ENVELOPE = msgspec.json.Decoder(_Envelope)
_MESSAGE = msgspec.json.Decoder(_Message)
_LIMIT_TYPES = ("RATE_LIMIT", "RATE_LIMITED")
_FORBIDDEN_TYPES = ("FORBIDDEN", "INSUFFICIENT_SCOPES")
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)  # cut, HTML, with holes in it, hostile
_SECONDS = re.compile(r"[0-9]{1,12}", re.ASCII)
_LONGEST_MESSAGE = 300
_ELSEWHERE = (301, 302, 303, 307, 308, 404, 405, 410)
"""What other pages answer to a query."""


def read_answer(reply: Reply, query: Query[T], now: float) -> T:
    """The answer to `query` in GitHub's reply; `now` is the time in seconds since the epoch.

    Raises the error that the reply stands for: see `pypihub.errors` and the classes above.
    """
    envelope = _read_envelope(reply, now)
    if envelope.errors:
        raise _error(reply, envelope.errors, query, now)
    with readable():
        return query.decode(envelope.data)


def read_lookup(reply: Reply, query: LookupQuery, now: float) -> tuple[ReleaseAsset | PyPIHubError, ...]:
    """Like `read_answer`, for several nodes: one that is missing or refused is so by itself, trouble is everyone's."""
    envelope = _read_envelope(reply, now)
    own: dict[int, PyPIHubError] = {}
    trouble: list[_GraphQLError] = []
    for error in envelope.errors or ():
        index = _index(error)
        if index is None or error.type not in ("NOT_FOUND", *_FORBIDDEN_TYPES):
            trouble.append(error)
        else:
            own[index] = query.missing() if error.type == "NOT_FOUND" else _forbidden(reply, error.message)
    if trouble:
        raise _error(reply, tuple(trouble), query, now)
    with readable():
        found = query.decode(envelope.data)
    answers = tuple(node or own.get(index) for index, node in enumerate(found))
    if None in answers:
        raise UpstreamError("GitHub's answer has a hole in it. Try again in a moment.")
    return tuple(answer for answer in answers if answer is not None)


def _index(error: _GraphQLError) -> int | None:
    """Which of several nodes the error is about, by a path such as `["nodes", 3]`."""
    path = error.path or ()
    return path[1] if len(path) == 2 and isinstance(path[1], int) else None


def _read_envelope(reply: Reply, now: float) -> _Envelope:
    refuse_bad_status(reply, now)
    told = f"GitHub answered the query with status {reply.status}."
    if reply.status in _ELSEWHERE:
        raise WrongAddressError(f"{told} Check github.api_url (an Enterprise Server's ends with /api/v3).")
    if reply.status != 200:
        raise UpstreamError(told)
    with readable():
        return _ENVELOPE.decode(reply.body)


@contextmanager
def readable() -> Iterator[None]:
    """Turns every way of not being readable into the one error."""
    try:
        yield
    except _UNREADABLE:
        raise UpstreamError("GitHub's answer cannot be read. Try again in a moment.") from None


def refuse_bad_status(reply: Reply, now: float) -> None:
    """Raises the error of a status that means the same for GraphQL and REST; others pass."""
    if reply.status == 401:
        raise TokenRefusedError("GitHub does not accept this token. Check that it is complete and has not expired.")
    if reply.status in (403, 429):
        message = _message(reply)
        if reply.status == 429 or _is_limit(message or ""):
            raise _rate_limited(reply, now)
        if message is None:
            raise UpstreamError(f"GitHub answered {reply.status} without saying why. Try again in a moment.")
        raise _forbidden(reply, message)
    if reply.status in (502, 504):
        raise ExhaustedError(f"GitHub gave up on the query ({reply.status}). Try again in a moment.")
    if reply.status >= 500:
        raise UpstreamError(f"GitHub has trouble ({reply.status}). Try again in a moment.")


def _message(reply: Reply) -> str | None:
    """The message of a JSON error body; None where the body is no such thing."""
    try:
        return _MESSAGE.decode(reply.body).message
    except _UNREADABLE:
        return None


def _is_limit(message: str) -> bool:
    """Tells a limit by its words: a refusal for another reason may come with no points left, too.

    One of them is that of bad tokens, beyond which GitHub refuses good ones as well for a while.
    """
    return any(words in message.lower() for words in ("rate limit", "login attempts"))


def _rate_limited(reply: Reply, now: float) -> RateLimitedError:
    retry_after, reset = reply.number("retry-after"), reply.number("x-ratelimit-reset")
    if retry_after is None and reset is not None and reply.header("x-ratelimit-remaining") == "0":
        return rate_limited(max(0.0, reset - now))
    return rate_limited(retry_after)


def rate_limited(wait: float | None) -> RateLimitedError:
    """The error of a limit that holds for so many seconds, where that is known."""
    when = f"in {round(wait)} s" if wait is not None else "later"
    return RateLimitedError(f"GitHub's rate limit for this token is reached. Try again {when}.", wait)


def _forbidden(reply: Reply, message: str) -> ForbiddenError:
    sso = re.search(r"\burl=(https?://[\x21-\x7e]+)", reply.header("x-github-sso"))
    return ForbiddenError(f"GitHub refuses this: {sentence(message)}", sso[1] if sso else None)


def shortened(message: str) -> str:
    """GitHub's words, as many of them as fit in a line."""
    return message.strip()[:_LONGEST_MESSAGE] or "no reason given"


def sentence(message: str) -> str:
    """As `shortened`, with a full stop, which GitHub's messages have or have not: more may follow."""
    words = shortened(message)
    return words if words.endswith((".", "!", "?")) else f"{words}."


def _error(reply: Reply, errors: tuple[_GraphQLError, ...], query: Query[object], now: float) -> PyPIHubError:
    """The one error that stands for a list of them: what the user can mend comes before what is missing."""
    if any(error.type in _LIMIT_TYPES or _is_limit(error.message) for error in errors):
        return _rate_limited(reply, now)
    for error in errors:
        if error.type in _FORBIDDEN_TYPES or error.message.startswith("Resource not accessible"):
            return _forbidden(reply, error.message)
        if error.type == "RESOURCE_LIMITS_EXCEEDED":
            return TooLargeError("GitHub finds this repository too large to list, even in small pages.")
        if error.extensions and error.extensions.get("code") == "undefinedField":
            field = str(error.extensions.get("fieldName"))
            return UnknownFieldError(f"This GitHub's schema has no field {shortened(field)}.", field)
    if all(error.type == "NOT_FOUND" and _at_root(error) for error in errors):
        return query.missing()
    return UpstreamError(f"GitHub answered with an error: {sentence(errors[0].message)}")


def _at_root(error: _GraphQLError) -> bool:
    return error.path is not None and len(error.path) == 1
