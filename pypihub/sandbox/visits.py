"""A call that got as far as a repository, and what REST's answers to such calls have in common."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

from pypihub.sandbox.accounts import Caller
from pypihub.sandbox.answers import Answer, json_answer, message
from pypihub.sandbox.endpoint import Asked
from pypihub.sandbox.gate import refused_to_write
from pypihub.sandbox.publishing import RejectedError
from pypihub.sandbox.records import Release, Repository

_USUAL_PAGE = 30
_LARGEST_PAGE = 100
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Visit:
    """A call about a repository that the caller may see."""

    asked: Asked
    caller: Caller | None
    repository: Repository

    @property
    def method(self) -> str:
        """The method, where HEAD counts as GET."""
        return "GET" if self.asked.method == "HEAD" else self.asked.method

    def sees(self, release: Release) -> bool:
        """Whether the caller may know of a release of the repository."""
        return not release.is_draft or self.repository.shows_drafts(self.caller)


def write(visit: Visit, documentation: str, act: Callable[[Mapping[str, Any]], Answer]) -> Answer:
    """Carry out a write with what the call's JSON holds, or tell why not.

    :param act: does it and returns the answer; RejectedError becomes GitHub's 422.
    """
    refusal = refused_to_write(visit.repository, visit.caller, documentation)
    if refusal:
        return refusal
    sent = json_object(visit.asked.body)
    if isinstance(sent, Answer):
        return sent
    try:
        return act(sent)
    except RejectedError as error:
        return json_answer(422, {**rejection(error), "documentation_url": documentation, "status": "422"})


def rejection(error: RejectedError) -> dict[str, Any]:
    """Return the part of a 422 that is the same wherever GitHub says it."""
    return {"message": str(error), **({"errors": list(error.errors)} if error.errors else {})}


def json_object(body: bytes) -> Mapping[str, Any] | Answer:
    """Read a body of JSON, nothing counting as an empty object, or return GitHub's complaint about it."""
    try:
        sent = json.loads(body or b"{}")
    except ValueError:
        return message(400, "Problems parsing JSON")
    return sent if isinstance(sent, dict) else message(400, "Body should be a JSON object")


def not_found(documentation: str) -> Answer:
    """Return what GitHub says of what is not there, and of what the caller may not know of."""
    return message(404, "Not Found", documentation)


def number(text: str) -> int:
    """Read a database id; what is none becomes 0, which is nobody's."""
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else 0


def page(asked: Asked, address: str, items: Sequence[T], describe: Callable[[T], Mapping[str, Any]]) -> Answer:
    """Return the page of a list that is asked for, with a Link header where there are others.

    :param address: the list's own address.
    """
    size = min(number(asked.arguments.get("per_page", "")) or _USUAL_PAGE, _LARGEST_PAGE)
    wanted = max(number(asked.arguments.get("page", "")), 1)
    last = max(-(-len(items) // size), 1)
    others = {"prev": wanted - 1, "next": wanted + 1, "last": last, "first": 1}
    ahead = ("next", "last") if wanted < last else ()
    links = [
        f'<{address}?{urlencode({**asked.arguments, "page": others[name]})}>; rel="{name}"'
        for name in (*(("prev",) if wanted > 1 else ()), *ahead, *(("first",) if wanted > 1 else ()))
    ]
    shown = [describe(item) for item in items[(wanted - 1) * size : wanted * size]]
    return json_answer(200, shown, {"link": ", ".join(links)} if links else None)
