"""The executable schema: the types of schema.graphql with the resolvers behind their fields."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import resources
from operator import attrgetter
from typing import Any

from graphql import (
    GraphQLAbstractType,
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    get_named_type,
    is_abstract_type,
)

from pypihub.sandbox.resolvers import RESOLVERS, Info

_YOUNG_FIELDS = (("ReleaseAsset", "digest"), ("Release", "immutable"))


def schema_text() -> str:
    """Return the schema in GraphQL's own language."""
    return (resources.files("pypihub.sandbox") / "schema.graphql").read_text("utf-8")


def github_schema(*, digest: bool = True) -> GraphQLSchema:
    """Build the executable schema.

    :param digest: False leaves out what older GitHub Enterprise Servers lack.
    """
    schema = build_schema(schema_text())
    if not digest:
        for type_name, field_name in _YOUNG_FIELDS:
            del _object(schema, type_name).fields[field_name]
    for type_ in schema.type_map.values():
        if isinstance(type_, GraphQLObjectType) and not type_.name.startswith("__"):
            for name, field in type_.fields.items():
                for argument_name, argument in field.args.items():
                    argument.out_name = _snake_case(argument_name)
                field.resolve = RESOLVERS.get((type_.name, name)) or _attribute(name, field)
        elif is_abstract_type(type_):
            type_.resolve_type = _type_name
    return schema


def moment_text(moment: datetime) -> str:
    """Write a moment as GitHub does: UTC, whole seconds, ``Z``."""
    return f"{moment.astimezone(UTC).isoformat()[:19]}Z"


def _object(schema: GraphQLSchema, name: str) -> GraphQLObjectType:
    """Return an object type of the schema by its name."""
    type_ = schema.type_map[name]
    if not isinstance(type_, GraphQLObjectType):
        raise TypeError(f"{name} is no object type")
    return type_


def _attribute(field_name: str, field: GraphQLField) -> Callable[..., Any]:
    """Return a resolver that reads the attribute (or the key) of the field's name, spelled as in Python."""
    name = _snake_case(field_name)
    get = attrgetter(name)

    def resolve(source: Any, _info: Info) -> Any:
        return source[name] if isinstance(source, dict) else get(source)

    def resolve_moment(source: Any, info: Info) -> str | None:
        moment = resolve(source, info)
        return moment_text(moment) if moment else None

    return resolve_moment if get_named_type(field.type).name == "DateTime" else resolve


def _snake_case(name: str) -> str:
    """Spell a name of the schema as in Python."""
    return re.sub(r"[A-Z]+", lambda letters: f"_{letters[0].lower()}", name)


def _type_name(record: Any, _info: Info, _type: GraphQLAbstractType) -> str:
    """Return the GraphQL type of a record behind an interface."""
    name: str = record.typename
    return name
