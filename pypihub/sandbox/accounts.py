"""Who calls: accounts, what a token may do, and why GitHub would refuse it."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class Refusal(Enum):
    """Why every call of a token is refused although GitHub knows the token."""

    SAML = "saml"
    IP_ALLOW_LIST = "ip allow list"
    MISSING_PERMISSION = "missing permission"
    INSUFFICIENT_SCOPES = "insufficient scopes"


@dataclass(frozen=True, eq=False, slots=True)
class Account:
    """A user or an organization; `typename` is the GraphQL type."""

    id: str
    database_id: int
    login: str
    created_at: datetime
    typename: str = "User"

    @property
    def url(self) -> str:
        """The account's page on the web."""
        return f"https://github.com/{self.login}"


@dataclass(frozen=True, slots=True)
class Caller:
    """The owner of a token, as far as the token lets them act; a token may end at `expires_at`."""

    account: Account
    scopes: frozenset[str]
    refusal: Refusal | None = None
    expires_at: datetime | None = None

    @property
    def fine_grained(self) -> bool:
        """Whether the token has permissions (``contents:read``, ``contents:write``) and no scopes."""
        return any(scope.startswith("contents:") for scope in self.scopes)

    @property
    def reads(self) -> bool:
        """Whether the token lets its owner use more than what is public."""
        return not self.scopes.isdisjoint(("repo", "contents:read", "contents:write"))

    @property
    def writes(self) -> bool:
        """Whether the token lets its owner write where they may."""
        return not self.scopes.isdisjoint(("repo", "contents:write"))
