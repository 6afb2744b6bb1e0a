"""The data of the stand-in GitHub: accounts, tokens and repositories. Pure: no sockets, no reactor."""

import secrets
from collections.abc import Callable, Collection
from datetime import UTC, datetime

from pypihub.sandbox.access import Members
from pypihub.sandbox.accounts import Account, Caller, Refusal
from pypihub.sandbox.nodeids import node_id
from pypihub.sandbox.records import Asset, Release, Repository
from pypihub.sandbox.registry import Node, Registry
from pypihub.sandbox.shelf import Shelf

__all__ = ["Account", "Asset", "Caller", "Refusal", "Release", "Repository", "World"]


def utc_now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


class World:
    """Everything that the stand-in GitHub knows. Names and logins compare case-insensitively, as on GitHub.

    :param now: the present moment; quotas and signed URLs expire by it.
    :param digests: False for a server that is too old to tell digests of what is uploaded.

    `shelf` keeps the bytes of what is uploaded.
    """

    def __init__(self, now: Callable[[], datetime] = utc_now, *, digests: bool = True) -> None:
        self.now = now
        self.shelf = Shelf()
        self._registry = Registry(digests=digests)
        self._accounts: dict[str, Account] = {}
        self._callers: dict[str, Caller] = {}
        self._repositories: dict[str, Repository] = {}

    def add_token(
        self,
        login: str,
        token: str | None = None,
        *,
        scopes: Collection[str] = ("repo",),
        refuse: Refusal | None = None,
        expires_at: datetime | None = None,
    ) -> str:
        """Give a user a token, and make the user when there is none; the token is made up when None is given.

        :param scopes: without ``repo`` the token sees public repositories only, and no drafts. ``contents:read`` or
            ``contents:write`` make it a fine-grained token, which reads, or reads and writes, where its user may.
        :param refuse: the reason for which every call with this token is refused.
        :param expires_at: when it ends, which GitHub tells with each answer.
        """
        token = token or f"ghp_{secrets.token_hex(18)}"
        self._callers[token] = Caller(self._account(login), frozenset(scopes), refuse, expires_at)
        return token

    def remove_token(self, token: str) -> None:
        """Revoke a token; KeyError when there is no such token."""
        del self._callers[token]

    def add_organization(self, login: str) -> Account:
        """Make an organization; ValueError when the login is taken."""
        if login.lower() in self._accounts:
            raise ValueError(f"there is already an account {login!r}")
        return self._account(login, organization=True)

    def add_repository(
        self,
        name_with_owner: str,
        *,
        private: bool = True,
        archived: bool = False,
        immutable_releases: bool = False,
        readers: Collection[str] = (),
        writers: Collection[str] = (),
    ) -> Repository:
        """Make a repository, and its owner (a user) when there is none.

        :param immutable_releases: what is published can no longer be changed.
        :param readers: logins that may read it besides its owner, who may do everything.
        :param writers: logins that may write, and so see drafts.
        :raises ValueError: when there is such a repository, or the name is not ``owner/name``.
        """
        owner, name = _split(name_with_owner)
        if self.find_repository(owner, name, follow_renames=False):
            raise ValueError(f"there is already a repository {name_with_owner!r}")
        account = self._account(owner)
        number = self._registry.number("repository")
        moment = self._registry.moment()
        repository = Repository(
            registry=self._registry,
            id=node_id("R", number),
            database_id=number,
            owner=account,
            name=name,
            is_private=private,
            is_archived=archived,
            immutable_releases=immutable_releases,
            members=Members.of(readers, writers),
            # An organization uploads nothing; GitHub shows its placeholder user where nobody is left to name.
            uploader=account if account.typename == "User" else self._account("ghost"),
            created_at=moment,
            updated_at=moment,
        )
        self._repositories[name_with_owner.lower()] = self._registry.nodes[repository.id] = repository
        return repository

    def rename_repository(self, name_with_owner: str, new: str) -> None:
        """Rename a repository; the old name goes on to lead to it until another repository takes that name.

        :param new: a name, or ``owner/name`` to give it to another owner.
        :raises KeyError: when there is no such repository.
        :raises ValueError: when the new name is taken.
        """
        repository = self._repositories[name_with_owner.lower()]
        owner, name = _split(new if "/" in new else f"{repository.owner.login}/{new}")
        if self.find_repository(owner, name, follow_renames=False) not in (None, repository):
            raise ValueError(f"there is already a repository {owner}/{name}")
        repository.owner, repository.name = self._account(owner), name
        self._repositories[repository.name_with_owner.lower()] = repository

    def authenticate(self, token: str) -> Caller | None:
        """Return who owns a token; None for a bad one, and one that has ended."""
        caller = self._callers.get(token)
        has_ended = caller is not None and caller.expires_at is not None and caller.expires_at <= self.now()
        return None if has_ended else caller

    def account(self, login: str) -> Account | None:
        """Return the account of that login."""
        return self._accounts.get(login.lower())

    def find_repository(self, owner: str, name: str, *, follow_renames: bool = True) -> Repository | None:
        """Return the repository that has this name, or had it last."""
        full_name = f"{owner}/{name}".lower()
        repository = self._repositories.get(full_name)
        if repository and (follow_renames or repository.name_with_owner.lower() == full_name):
            return repository
        return None

    def repositories(self) -> list[Repository]:
        """Return every repository once, the oldest first."""
        return [node for node in self._registry.nodes.values() if isinstance(node, Repository)]

    def node(self, global_id: str) -> Node | None:
        """Return the record of that node id, whoever asks."""
        return self._registry.nodes.get(global_id)

    def find_asset(self, repository: int, asset: int) -> Asset | None:
        """Return the asset of these database ids, whoever asks."""
        node = self.node(node_id("RA", repository, asset))
        return node if isinstance(node, Asset) else None

    def find_release(self, repository: int, release: int) -> Release | None:
        """Return the release of these database ids, whoever asks."""
        node = self.node(node_id("RE", repository, release))
        return node if isinstance(node, Release) else None

    def find_repository_numbered(self, number: int) -> Repository | None:
        """Return the repository of that database id, whoever asks."""
        node = self.node(node_id("R", number))
        return node if isinstance(node, Repository) else None

    def _account(self, login: str, *, organization: bool = False) -> Account:
        """Return the account of that login, made when there is none."""
        known = self._accounts.get(login.lower())
        if known:
            return known
        number = self._registry.number("account")
        prefix, typename = ("O", "Organization") if organization else ("U", "User")
        account = Account(node_id(prefix, number), number, login, self._registry.moment(), typename)
        self._accounts[login.lower()] = self._registry.nodes[account.id] = account
        return account


def _split(name_with_owner: str) -> tuple[str, str]:
    """Split ``owner/name``; ValueError when it is not that."""
    owner, slash, name = name_with_owner.partition("/")
    if not (owner and slash and name) or "/" in name:
        raise ValueError(f"not a repository's full name: {name_with_owner!r}")
    return owner, name
