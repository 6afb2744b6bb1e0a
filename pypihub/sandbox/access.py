"""Who may do what with a repository."""

from collections.abc import Collection
from dataclasses import dataclass, field

from pypihub.sandbox.accounts import Account, Caller


@dataclass(frozen=True, slots=True)
class Members:
    """Who may read and who may write a repository besides its owner; logins compare case-insensitively."""

    readers: frozenset[str] = field(default=frozenset())
    writers: frozenset[str] = field(default=frozenset())

    @classmethod
    def of(cls, readers: Collection[str], writers: Collection[str]) -> "Members":
        """Fold the logins once, so that every look-up is a plain one."""
        return cls(frozenset(map(str.lower, readers)), frozenset(map(str.lower, writers)))


@dataclass(eq=False, slots=True)
class Guarded:
    """What decides who may do what with a repository."""

    owner: Account
    is_private: bool
    is_archived: bool
    members: Members

    @property
    def visibility(self) -> str:
        """GraphQL's RepositoryVisibility."""
        return "PRIVATE" if self.is_private else "PUBLIC"

    def permission(self, caller: Caller | None) -> str | None:
        """Return GraphQL's RepositoryPermission: ADMIN, WRITE or READ; None when the caller may not even know of it."""
        login = caller.account.login.lower() if caller else ""
        if caller and caller.reads:
            if login == self.owner.login.lower():
                return "ADMIN"
            if login in self.members.writers:
                return "WRITE"
            if login in self.members.readers:
                return "READ"
        return None if self.is_private else "READ"

    def may_push(self, caller: Caller | None) -> bool:
        """Whether the caller may write, by who they are and by their token."""
        return bool(caller and caller.writes) and self.permission(caller) in ("ADMIN", "WRITE")

    def shows_drafts(self, caller: Caller | None) -> bool:
        """Whether the caller sees draft releases: whoever may push does; in an archive nobody does."""
        return self.may_push(caller) and not self.is_archived
