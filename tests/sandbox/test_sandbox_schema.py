"""What the stand-in's schema offers is GitHub's, to the letter."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    print_type,
)

from pypihub.sandbox.schema import github_schema, schema_text

_BESIDE = Path(__file__).parents[2].parent / "shared" / "github" / "schema.graphql"
GITHUB_SCHEMA = Path(os.environ.get("PYPIHUB_GITHUB_SCHEMA", _BESIDE))


@pytest.fixture(scope="module")
def theirs() -> GraphQLSchema:
    """GitHub's schema, as GitHub publishes it."""
    if not GITHUB_SCHEMA.exists():
        pytest.skip(f"GitHub's schema is not at {GITHUB_SCHEMA}: set PYPIHUB_GITHUB_SCHEMA to where it is")
    return build_schema(GITHUB_SCHEMA.read_text("utf-8"), assume_valid=True)


def differences(ours: GraphQLNamedType, theirs: GraphQLNamedType | None) -> list[str]:
    """What a type of ours has that theirs has not, or has otherwise."""
    if type(ours) is not type(theirs):
        return [f"{ours.name}: {type(theirs).__name__}"]
    if isinstance(ours, GraphQLEnumType):
        return [f"{ours.name}.{value}" for value in ours.values if value not in theirs.values]
    if isinstance(ours, GraphQLInputObjectType):
        return _field_differences(ours, theirs)
    if isinstance(ours, GraphQLObjectType | GraphQLInterfaceType):
        implemented = {interface.name for interface in theirs.interfaces}
        found = [f"{ours.name}: not a {one.name}" for one in ours.interfaces if one.name not in implemented]
        return found + _field_differences(ours, theirs)
    return []


def _field_differences(ours, theirs) -> list[str]:
    found = []
    for name, field in ours.fields.items():
        known = theirs.fields.get(name)
        if known is None or str(known.type) != str(field.type):
            found.append(f"{ours.name}.{name}: {field.type}, not {known and known.type}")
            continue
        for argument_name, argument in getattr(field, "args", {}).items():
            expected = known.args.get(argument_name)
            if expected is None or _written(argument) != _written(expected):
                found.append(f"{ours.name}.{name}({argument_name}:)")
        required = {name for name, one in getattr(known, "args", {}).items() if str(one.type).endswith("!")}
        found += [f"{ours.name}.{name} lacks {one}" for one in required - set(getattr(field, "args", {}))]
    return found


def _written(argument) -> tuple[str, str]:
    default = argument.ast_node.default_value
    return str(argument.type), repr(default and default.to_dict())


def test_every_type_is_githubs(theirs: GraphQLSchema) -> None:
    ours = build_schema(schema_text())
    own = [type_ for name, type_ in ours.type_map.items() if not name.startswith("__")]
    assert [line for type_ in own for line in differences(type_, theirs.type_map.get(type_.name))] == []


def test_the_comparison_sees_a_difference(theirs: GraphQLSchema) -> None:
    wrong = build_schema(
        """
        type Query { viewer: User  node(id: ID): Node  repository(name: String!, followRenames: Boolean = false): User }
        interface Node { id: ID! }
        type User { login: String!  colour: String }
        """
    )
    found = [line for name in ("Query", "User") for line in differences(wrong.type_map[name], theirs.type_map[name])]
    assert len(found) == 4, found


def test_an_old_server_lacks_the_young_fields() -> None:
    schema = github_schema(digest=False)
    assert "digest" not in schema.type_map["ReleaseAsset"].fields
    assert "immutable" not in schema.type_map["Release"].fields
    assert "digest: String" in print_type(github_schema().type_map["ReleaseAsset"])
