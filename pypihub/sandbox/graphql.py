"""The GraphQL endpoint: who may call, and what their query comes to."""

import json
from collections.abc import Mapping
from typing import Any

from graphql import GraphQLSchema

from pypihub.sandbox.accounts import Caller, Refusal
from pypihub.sandbox.answers import Answer, json_answer, message
from pypihub.sandbox.endpoint import Asked, Endpoint, Premises, Reply
from pypihub.sandbox.execution import Engine, Question
from pypihub.sandbox.gate import expiry_header, forbidden_without_agent, sso_header
from pypihub.sandbox.quotas import Allowance

_DOCUMENTATION = "https://docs.github.com/graphql"


class GraphQL(Endpoint):
    """``POST /graphql``"""

    where = "graphql"
    compresses = True

    def __init__(self, premises: Premises, schema: GraphQLSchema) -> None:
        super().__init__(premises)
        self._engine = Engine(schema, premises.world, premises.links)

    def reply(self, asked: Asked) -> Reply:
        """Refuse whom GitHub would refuse, and run the query of anyone else."""
        if asked.method != "POST":
            return Reply(message(404, "Not Found", _DOCUMENTATION))
        if "user-agent" not in asked.headers:
            return Reply(forbidden_without_agent())
        if asked.token is None:
            return Reply(message(401, "This endpoint requires you to be authenticated.", _DOCUMENTATION))
        caller = self.premises.world.authenticate(asked.token)
        if caller is None:
            return Reply(message(401, "Bad credentials", _DOCUMENTATION))
        question = _read(asked.body)
        if isinstance(question, Answer):
            return Reply(question, caller)
        return self._run(question, caller)

    def _run(self, question: Question, caller: Caller) -> Reply:
        """Run a query, unless the caller's quota is used up."""
        now = self.premises.world.now()

        def spend(points: int) -> Allowance:
            return self.premises.quotas.spend(caller.account.login, "graphql", points, now)

        result = self._engine.run(question, caller, spend)
        payload = _used_up(caller) if result.allowance.exceeded else result.payload
        headers = {
            "x-github-media-type": "github.v4; format=json",
            **({} if caller.fine_grained else {"x-oauth-scopes": ", ".join(sorted(caller.scopes))}),
            **result.allowance.headers,
            **expiry_header(caller),
            **(sso_header(caller) if caller.refusal is Refusal.SAML else {}),
        }
        answer = json_answer(200, payload, headers)
        return Reply(answer, caller, result.operation, question.variables, result.size.nodes)


def _read(body: bytes) -> Question | Answer:
    """Read a request's body, or return GitHub's complaint about it."""
    try:
        sent = json.loads(body)
    except ValueError:
        return message(400, "Problems parsing JSON", _DOCUMENTATION)
    if not isinstance(sent, dict):
        return message(400, "Body should be a JSON object", _DOCUMENTATION)
    query, variables, operation = sent.get("query"), sent.get("variables") or {}, sent.get("operationName")
    if not isinstance(query, str) or not query:
        return message(400, "A query attribute must be specified and must be a string.", _DOCUMENTATION)
    if not isinstance(variables, dict):
        return message(400, "The variables attribute must be an object.", _DOCUMENTATION)
    return Question(query, variables, operation or None)


def _used_up(caller: Caller) -> Mapping[str, Any]:
    """Return what a caller reads whose hourly quota is used up."""
    text = f"API rate limit already exceeded for user ID {caller.account.database_id}."
    return {"errors": [{"type": "RATE_LIMIT", "code": "graphql_rate_limit", "message": text}]}
