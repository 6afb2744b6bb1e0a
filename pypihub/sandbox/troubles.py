"""GitHub's error answers inside GraphQL: the types and the wording."""

from collections.abc import Mapping
from typing import Any

from graphql import GraphQLError

from pypihub.sandbox.accounts import Account, Refusal


class FieldError(Exception):
    """An error of a field, with the `type` (and the extensions) that GitHub puts beside the message."""

    def __init__(self, kind: str, message: str, extensions: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.extensions = dict(extensions or {})


def formatted(error: GraphQLError) -> dict[str, Any]:
    """Return an error as it stands in GitHub's answer."""
    written: dict[str, Any] = dict(error.formatted)
    if isinstance(error.original_error, FieldError):
        return {"type": error.original_error.kind, **written}
    return written


def no_repository(owner: str, name: str) -> FieldError:
    """There is no such repository, or the caller may not know of it."""
    return FieldError("NOT_FOUND", f"Could not resolve to a Repository with the name '{owner}/{name}'.")


def no_node(node_id: str) -> FieldError:
    """There is no such node, or the caller may not know of it."""
    return FieldError("NOT_FOUND", f"Could not resolve to a node with the global id of '{node_id}'")


def no_boundaries(connection: str) -> FieldError:
    """A connection was asked for without saying how much of it."""
    return FieldError(
        "MISSING_PAGINATION_BOUNDARIES",
        f"You must provide a `first` or `last` value to properly paginate the `{connection}` connection.",
    )


def too_many(connection: str, argument: str, asked: int, limit: int) -> FieldError:
    """A connection was asked for too much at once."""
    return FieldError(
        "EXCESSIVE_PAGINATION",
        f"Requesting {asked} records on the `{connection}` connection "
        f"exceeds the `{argument}` limit of {limit} records.",
    )


def bad_cursor(cursor: str) -> FieldError:
    """A cursor that no connection gave."""
    return FieldError("INVALID_CURSOR_ARGUMENTS", f"`{cursor}` does not appear to be a valid cursor.")


def refused(refusal: Refusal, account: Account, scopes: frozenset[str]) -> FieldError:
    """The token is known and refused all the same."""
    if refusal is Refusal.INSUFFICIENT_SCOPES:
        return FieldError("INSUFFICIENT_SCOPES", _scopes_message(scopes))
    return FieldError(
        "FORBIDDEN", refusal_message(refusal, account), {"saml_failure": True} if refusal is Refusal.SAML else None
    )


def refusal_message(refusal: Refusal, account: Account) -> str:
    """Return GitHub's words for a refusal; REST says the same."""
    return {
        Refusal.SAML: "Resource protected by organization SAML enforcement. "
        "You must grant your Personal Access token access to this organization.",
        Refusal.IP_ALLOW_LIST: "Although you appear to have the correct authorization credentials, "
        f"the `{account.login}` organization has an IP allow list enabled, "
        "and your IP address is not permitted to access this resource.",
        Refusal.MISSING_PERMISSION: "Resource not accessible by personal access token",
        Refusal.INSUFFICIENT_SCOPES: "Not Found",
    }[refusal]


def _scopes_message(scopes: frozenset[str]) -> str:
    """Return GitHub's words for a classic token without the scope that a field needs."""
    granted = ", ".join(f"'{scope}'" for scope in sorted(scopes))
    return (
        "Your token has not been granted the required scopes to execute this query. "
        f"The 'name' field requires one of the following scopes: ['repo'], but your token has only been granted the: "
        f"[{granted}] scopes. Please modify your token's scopes at: https://github.com/settings/tokens."
    )
