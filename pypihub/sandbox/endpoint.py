"""What the stand-in's places have in common: read the request, answer, fail where planned, record, deliver."""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, ClassVar
from urllib.parse import parse_qsl, unquote

from twisted.internet.interfaces import IReactorTime
from twisted.web.http_headers import Headers
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from pypihub.sandbox.accounts import Caller
from pypihub.sandbox.answers import Answer, Fate, compressed, message
from pypihub.sandbox.deliver import deliver
from pypihub.sandbox.faults import Case, Effect, Faults, Plan
from pypihub.sandbox.links import Links
from pypihub.sandbox.quotas import Quotas
from pypihub.sandbox.world import World

MOST_CALLS = 100_000


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it was recorded. `status` is 0 when no answer was sent; no token is kept, only its scheme.

    `variables` are a query's variables, what was written in JSON, or an upload's arguments.
    """

    where: str
    method: str
    path: str
    login: str | None
    operation: str | None
    variables: Mapping[str, Any]
    headers: Mapping[str, str]
    status: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, read: `path` and its `segments` are unquoted, header names are in lower case.

    `number` is what GitHub calls the request by; the body of an upload goes elsewhere.
    """

    number: str
    method: str
    path: str
    segments: tuple[str, ...]
    arguments: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def token(self) -> str | None:
        """The token of the Authorization header: a bearer's, or a Basic password; None without the header."""
        scheme, _, credentials = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return credentials.strip() if scheme else None
        try:
            return base64.b64decode(credentials).decode().partition(":")[2]
        except ValueError:
            return ""


@dataclass(frozen=True, slots=True)
class Reply:
    """A true answer, and what is worth recording of how it came about."""

    answer: Answer
    caller: Caller | None = None
    operation: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    nodes: int = 0


@dataclass(frozen=True, slots=True)
class Premises:
    """What the endpoints share."""

    reactor: IReactorTime
    world: World
    links: Links
    faults: Faults
    quotas: Quotas
    calls: list[Call]
    latency: float = 0.0
    request_numbers: Iterator[int] = field(default_factory=lambda: count(1))


class Endpoint(Resource):
    """A place that is called. Subclasses say where they are and what the true answer is."""

    isLeaf = True
    where: ClassVar[str]
    compresses: ClassVar[bool] = False

    def __init__(self, premises: Premises) -> None:
        super().__init__()
        self.premises = premises

    def reply(self, asked: Asked) -> Reply:
        """Return the true answer to a request."""
        raise NotImplementedError

    def render(self, request: Request) -> int:
        """Answer a request; the call is recorded at once, the answer may come later."""
        body = request.content.read() if request.content else b""
        asked = replace(self.read(request.method, request.uri, request.requestHeaders), body=body)
        plan = self.premises.faults.take(self.where)
        self.respond(request, asked, self.reply(asked) if plan.effect is Effect.DONE else self.undone(asked), plan)
        return NOT_DONE_YET

    def read(self, method: bytes, uri: bytes, headers: Headers) -> Asked:
        """Read a request's head; bytes that are not ASCII are taken as Latin-1, as HTTP has it."""
        path, _, query = uri.decode("latin-1").partition("?")
        return Asked(
            number=f"5A4D:B0:{next(self.premises.request_numbers):08X}",
            method=method.decode("latin-1"),
            path=unquote(path),
            segments=tuple(unquote(segment) for segment in path.strip("/").split("/")),
            arguments=dict(parse_qsl(query, keep_blank_values=True)),
            headers={
                name.decode("latin-1").lower(): b", ".join(values).decode("latin-1")
                for name, values in headers.getAllRawHeaders()
            },
        )

    def undone(self, asked: Asked) -> Reply:
        """Return what there is to spoil of a write that is not carried out."""
        caller = self.premises.world.authenticate(asked.token) if asked.token else None
        return Reply(message(500, "Server Error"), caller)

    def respond(self, request: Request, asked: Asked, reply: Reply, plan: Plan) -> None:
        """Spoil an answer where that is planned, record the call and send what is left."""
        premises = self.premises
        number = reply.caller.account.database_id if reply.caller else 0
        answer = plan.spoil(reply.answer, Case(self.where, number, premises.world.now(), reply.nodes))
        self.record(asked, reply, answer.status if answer.fate is Fate.SENT else 0)
        if self.compresses:
            answer = compressed(answer, asked.headers.get("accept-encoding", ""))
        answer = answer.plus({"x-github-request-id": asked.number})
        deliver(premises.reactor, request, replace(answer, delay=answer.delay + premises.latency))

    def record(self, asked: Asked, reply: Reply, status: int) -> None:
        """Keep a call; the older half goes when there are too many."""
        headers = dict(asked.headers)
        if "authorization" in headers:
            headers["authorization"] = f"{headers['authorization'].partition(' ')[0].lower()} …"
        login = reply.caller.account.login if reply.caller else None
        calls = self.premises.calls
        if len(calls) >= MOST_CALLS:
            del calls[: MOST_CALLS // 2]
        calls.append(
            Call(self.where, asked.method, asked.path, login, reply.operation, reply.variables, headers, status)
        )
