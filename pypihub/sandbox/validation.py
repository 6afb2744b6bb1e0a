"""Validation in GitHub's words: the rule about unknown fields, which clients of old servers depend on."""

from collections.abc import Sequence
from typing import Any

from graphql import (
    FieldNode,
    FieldsOnCorrectTypeRule,
    FragmentDefinitionNode,
    GraphQLError,
    InlineFragmentNode,
    Node,
    OperationDefinitionNode,
    specified_rules,
)


class UndefinedFieldRule(FieldsOnCorrectTypeRule):
    """Report unknown fields with GitHub's message, path and extensions."""

    def enter_field(self, node: FieldNode, *args: Any) -> None:
        """Look at one field; `args` are its key, parent, path and ancestors."""
        parent = self.context.get_parent_type()
        if parent is None or self.context.get_field_def():
            return
        ancestors: Sequence[Any] = args[3]
        name = node.name.value
        self.report_error(
            GraphQLError(
                f"Field '{name}' doesn't exist on type '{parent.name}'",
                node,
                path=[step for ancestor in (*ancestors, node) if (step := _step(ancestor))],
                extensions={"code": "undefinedField", "typeName": parent.name, "fieldName": name},
            )
        )


def _step(node: Node | object) -> str | None:
    """Return what a node adds to the path of a validation error, as GitHub writes it."""
    if isinstance(node, OperationDefinitionNode):
        return f"{node.operation.value} {node.name.value}" if node.name else node.operation.value
    if isinstance(node, FragmentDefinitionNode):
        return f"fragment {node.name.value}"
    if isinstance(node, InlineFragmentNode):
        return f"... on {node.type_condition.name.value}" if node.type_condition else "..."
    if isinstance(node, FieldNode):
        return (node.alias or node.name).value
    return None


RULES = [UndefinedFieldRule if rule is FieldsOnCorrectTypeRule else rule for rule in specified_rules]
