"""Calls to GitHub as they are counted: what each is for, and how it ended."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from enum import StrEnum
from time import perf_counter
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred

from pypihub.errors import UpstreamError, UpstreamTimeoutError, UpstreamUnreachableError
from pypihub.github.breaker import Answer
from pypihub.tally import Tally


class Call(StrEnum):
    """What a call is for."""

    LISTING = "listing"
    SURVEY = "survey"
    LOOKUP = "lookup"
    REST = "rest"
    STORAGE = "storage"
    UPLOAD = "upload"
    STANDING = "standing"


A = TypeVar("A", bound=Answer)


async def counted(tally: Tally, kind: Call, call: Callable[[], Coroutine[Deferred[Any], Any, A]]) -> A:
    """What the call gives, or the error that it raises; the tally is told."""
    tally.began_call()
    began, outcome = perf_counter(), "broken"
    try:
        answer = await call()
    except CancelledError:
        outcome = "cancelled"
        raise
    except UpstreamTimeoutError:
        outcome = "timeout"
        raise
    except UpstreamUnreachableError:
        outcome = "unreachable"
        raise
    except UpstreamError:  # an answer that is of no use
        outcome = "unusable"
        raise
    else:
        outcome = _class(answer.status)
        return answer
    finally:
        tally.ended_call(kind, outcome, perf_counter() - began)


def _class(status: int) -> str:
    """A rate limit of GitHub's GraphQL API may well be an `ok` here: its answer was not read yet."""
    if status < 400:
        return "ok"
    return "failed" if status >= 500 else "refused"
