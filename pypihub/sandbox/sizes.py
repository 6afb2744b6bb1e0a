"""How large a query is by GitHub's count: the nodes that it may return and the requests that it stands for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    OperationDefinitionNode,
    SelectionSetNode,
    value_from_ast_untyped,
)


@dataclass(frozen=True, slots=True)
class QuerySize:
    """The nodes that a query may return, and the requests that would fetch them one connection at a time."""

    nodes: int = 0
    requests: int = 0

    @property
    def cost(self) -> int:
        """The points that GitHub charges."""
        return max(1, round(self.requests / 100))

    def __add__(self, other: "QuerySize") -> "QuerySize":
        return QuerySize(self.nodes + other.nodes, self.requests + other.requests)


def query_size(document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> QuerySize:
    """Count a query by its `first`, `last` and `ids` arguments, without running it."""
    defaults = {
        definition.variable.name.value: value_from_ast_untyped(definition.default_value)
        for definition in operation.variable_definitions or ()
        if definition.default_value
    }
    fragments = {
        definition.name.value: definition
        for definition in document.definitions
        if isinstance(definition, FragmentDefinitionNode)
    }
    return _Count(fragments, {**defaults, **variables}).selections(operation.selection_set, 1)


@dataclass(frozen=True, slots=True)
class _Count:
    """One count: the document's fragments and the variables' values."""

    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Mapping[str, Any]

    def selections(self, selected: SelectionSetNode | None, times: int) -> QuerySize:
        """Count what is selected of each of so many parents."""
        total = QuerySize()
        for selection in selected.selections if selected else ():
            if isinstance(selection, FieldNode):
                total += self.field(selection, times)
            elif isinstance(selection, FragmentSpreadNode):
                total += self.selections(self.fragments[selection.name.value].selection_set, times)
            else:
                total += self.selections(getattr(selection, "selection_set", None), times)
        return total

    def field(self, field: FieldNode, times: int) -> QuerySize:
        """Count a field of each of so many parents."""
        values = {
            argument.name.value: value_from_ast_untyped(argument.value, dict(self.variables))
            for argument in field.arguments or ()
        }
        wanted = values.get("first") or values.get("last")
        if isinstance(wanted, int):
            return QuerySize(times * wanted, times) + self.selections(field.selection_set, times * wanted)
        if isinstance(values.get("ids"), list):
            count = len(values["ids"])
            return QuerySize(count, 1) + self.selections(field.selection_set, count)
        return self.selections(field.selection_set, times)
