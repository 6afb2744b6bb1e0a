"""Run GraphQL queries as GitHub does: validate, count, charge, execute."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    execute_sync,
    get_operation_ast,
    parse,
    validate,
)

from pypihub.sandbox.accounts import Caller, Refusal
from pypihub.sandbox.links import Links
from pypihub.sandbox.quotas import Allowance
from pypihub.sandbox.resolvers import Context
from pypihub.sandbox.sizes import QuerySize, query_size
from pypihub.sandbox.troubles import formatted
from pypihub.sandbox.validation import RULES
from pypihub.sandbox.world import World

MOST_NODES = 500_000
_REMEMBERED_DOCUMENTS = 64


@dataclass(frozen=True, slots=True)
class Question:
    """What a client sends: a document, the variables, and the name of the operation if there are several."""

    query: str
    variables: Mapping[str, Any]
    operation: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What a query came to. `allowance` is what is left of the caller's quota afterwards."""

    payload: Mapping[str, Any]
    allowance: Allowance
    size: QuerySize
    operation: str | None


class Engine:
    """Executes queries against a world; documents are parsed and validated once, a bounded number is remembered."""

    def __init__(self, schema: GraphQLSchema, world: World, links: Links) -> None:
        self._schema = schema
        self._world = world
        self._links = links
        self._prepare = lru_cache(_REMEMBERED_DOCUMENTS)(self._prepare_anew)

    def run(self, question: Question, caller: Caller, spend: Callable[[int], Allowance]) -> Result:
        """Answer a question.

        :param spend: takes that many points off the caller's quota.
        """
        with ThreadPoolExecutor(1) as fresh_stack:
            # The caller waits: the thread is there for its empty stack alone. CPython keeps frames in chunks of 16 KiB
            # and frees a chunk at once when it is empty, so that a recursion whose inner loop crosses from one chunk
            # to the next pays for it every time. From a reactor's depth that made large answers four times slower.
            return fresh_stack.submit(self._run, question, caller, spend).result()

    def _run(self, question: Question, caller: Caller, spend: Callable[[int], Allowance]) -> Result:
        """Answer a question on this thread."""
        prepared = self._prepare(question.query)
        if not isinstance(prepared, DocumentNode):
            return Result({"errors": prepared}, spend(1), QuerySize(), question.operation)
        operation = get_operation_ast(prepared, question.operation)
        if operation is None:
            payload = {"errors": [{"message": f'No operation named "{question.operation or ""}"'}]}
            return Result(payload, spend(1), QuerySize(), question.operation)
        size = query_size(prepared, operation, question.variables)
        allowance = spend(size.cost)
        context = Context(self._world, caller, self._links, allowance, size.cost, size.nodes)
        payload = self._execute(prepared, operation, question, context)
        return Result(payload, allowance, size, operation.name.value if operation.name else None)

    def _execute(
        self, document: DocumentNode, operation: OperationDefinitionNode, question: Question, context: Context
    ) -> dict[str, Any]:
        """Return the answer's object, `data` first, or without `data` where GitHub leaves it out."""
        if context.node_count > MOST_NODES:
            return {"errors": [_too_many_nodes(context.node_count)]}
        result = execute_sync(
            self._schema,
            document,
            context_value=context,
            variable_values=dict(question.variables),
            operation_name=operation.name.value if operation.name else None,
        )
        if not result.errors:
            return {"data": result.data}
        errors = [formatted(error) for error in result.errors]
        never_ran = all(error.path is None for error in result.errors)
        if never_ran or context.caller.refusal is Refusal.INSUFFICIENT_SCOPES:
            return {"errors": errors}
        return {"data": result.data, "errors": errors}

    def _prepare_anew(self, query: str) -> DocumentNode | list[dict[str, Any]]:
        """Parse and validate; return the document, or the errors ready to send."""
        try:
            document = parse(query)
        except GraphQLError as error:
            return [formatted(error)]
        return [formatted(error) for error in validate(self._schema, document, RULES)] or document


def _too_many_nodes(count: int) -> dict[str, Any]:
    """Return the error of a query that might return more than GitHub ever does."""
    return {
        "type": "MAX_NODE_LIMIT_EXCEEDED",
        "message": f"This query requests up to {count:,} possible nodes "
        f"which exceeds the maximum limit of {MOST_NODES:,}.",
    }
