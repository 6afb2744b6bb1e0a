"""Who calls: accounts, what a token may do, and why GitHub would refuse it."""

from collections.abc import Collection
from dataclasses import dataclass, field
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
    """The owner of a token, as far as the token lets them act."""

    account: Account
    scopes: frozenset[str]
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Members:
    """Who may read and who may write a repository besides its owner; logins compare case-insensitively."""

    readers: frozenset[str] = field(default=frozenset())
    writers: frozenset[str] = field(default=frozenset())

    @classmethod
    def of(cls, readers: Collection[str], writers: Collection[str]) -> "Members":
        """Fold the logins once, so that every look-up is a plain one."""
        return cls(frozenset(map(str.lower, readers)), frozenset(map(str.lower, writers)))
