"""A walk in steps: each passes, fails with a remedy, or is left out where what it needs failed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from twisted.internet.interfaces import IReactorTime

from pypihub.commands.running import progress
from pypihub.errors import (
    ForbiddenError,
    PyPIHubError,
    RateLimitedError,
    TokenRefusedError,
    UpstreamError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
)
from pypihub.github.answers import WrongAddressError

Findings = TypeVar("Findings")
"""What the steps of a walk find out, for those that come later."""

_REMEDIES: tuple[tuple[type[PyPIHubError], str], ...] = (
    (TokenRefusedError, "Make a new token on GitHub (Settings, Developer settings), and set PYPIHUB_TOKEN to it."),
    (ForbiddenError, "Give the token what GitHub names, or ask the organization's owner to."),
    (RateLimitedError, "Wait for it, or use the token of somebody else."),
    (UpstreamTimeoutError, "Try again; where GitHub is far or slow, raise github.timeout."),
    (UpstreamUnreachableError, "Check the network, github.api_url, and https_proxy where there is a proxy."),
    (
        WrongAddressError,
        "Set github.api_url to where GitHub's API is: https://HOST/api/v3 of an Enterprise Server,"
        " https://api.SUBDOMAIN.ghe.com, or https://api.github.com.",
    ),
    (UpstreamError, "Try again in a moment; https://www.githubstatus.com tells of GitHub's trouble."),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step came to: `ok` is None where it was left out. `notes` are more lines to the detail."""

    ok: bool | None
    detail: str
    remedy: str = ""
    notes: tuple[str, ...] = ()


def passed(detail: str, notes: Iterable[str] = ()) -> Outcome:
    """A step that passed."""
    return Outcome(True, detail, notes=tuple(notes))


def failed(detail: str, remedy: str, notes: Iterable[str] = ()) -> Outcome:
    """A step that failed, and what helps."""
    return Outcome(False, detail, remedy, tuple(notes))


def left_out(detail: str) -> Outcome:
    """A step that there is no need for, or that cannot be taken."""
    return Outcome(None, detail)


@dataclass(frozen=True, slots=True)
class Step(Generic[Findings]):
    """A step by its name. `doing` is what it does, for those who wait; `needs` are the steps that must not have failed.

    What `take` raises makes it fail.
    """

    name: str
    doing: str
    take: Callable[[Findings], Awaitable[Outcome]]
    needs: tuple[str, ...] = ()


async def walk(
    steps: Iterable[Step[Findings]], findings: Findings, reactor: IReactorTime, tell: Callable[[str, Outcome], None]
) -> bool:
    """Takes the steps in their order and tells of each; whether none failed."""
    closed: dict[str, str] = {}  # by a step's name the one that failed
    for step in steps:
        cause = next((closed[need] for need in step.needs if need in closed), None)
        if cause is not None:
            outcome = left_out(f"needs {cause}")
        else:
            with progress(reactor, step.doing):
                outcome = await _taken(step, findings)
            cause = step.name if outcome.ok is False else None
        if cause is not None:
            closed[step.name] = cause
        tell(step.name, outcome)
    return not closed


async def _taken(step: Step[Findings], findings: Findings) -> Outcome:
    try:
        return await step.take(findings)
    except PyPIHubError as error:
        return failed(error.message, next((text for kind, text in _REMEDIES if isinstance(error, kind)), ""))
