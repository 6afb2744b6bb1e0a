"""What the fields of the schema answer. Fields without an entry here are plain attributes of the records."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from html import escape
from typing import Any, TypeAlias

from graphql import GraphQLResolveInfo

from pypihub.sandbox import troubles
from pypihub.sandbox.accounts import Account, Caller
from pypihub.sandbox.connections import BY_AGE, Bounds, Connection, Order, paginate
from pypihub.sandbox.links import Links
from pypihub.sandbox.quotas import Allowance
from pypihub.sandbox.records import Asset, Release, Repository
from pypihub.sandbox.world import World

MOST_IDS = 100


@dataclass(frozen=True, slots=True)
class Context:
    """What a query runs in: the data, who asks, and what it costs them."""

    world: World
    caller: Caller
    links: Links
    allowance: Allowance
    cost: int
    node_count: int


Info: TypeAlias = GraphQLResolveInfo[Context]


def admitted(info: Info) -> Context:
    """Return the context, or raise what GitHub says to a token that it refuses."""
    context = info.context
    caller = context.caller
    if caller.refusal:
        raise troubles.refused(caller.refusal, caller.account, caller.scopes)
    return context


def resolve_viewer(_source: None, info: Info) -> Account:
    """Query.viewer"""
    return admitted(info).caller.account


def resolve_rate_limit(_source: None, info: Info) -> dict[str, Any]:
    """Query.rateLimit"""
    context = info.context
    allowance = context.allowance
    return {
        "cost": context.cost,
        "node_count": context.node_count,
        "limit": allowance.limit,
        "remaining": allowance.remaining,
        "used": allowance.used,
        "reset_at": allowance.reset_at,
    }


def resolve_repository(
    source: Account | None, info: Info, *, name: str, owner: str = "", follow_renames: bool | None = True
) -> Repository:
    """Query.repository and RepositoryOwner.repository"""
    context = admitted(info)
    owner = source.login if source else owner
    repository = context.world.find_repository(owner, name, follow_renames=follow_renames is not False)
    if repository is None or repository.permission(context.caller) is None:
        raise troubles.no_repository(owner, name)
    return repository


def resolve_owner(_source: None, info: Info, *, login: str) -> Account | None:
    """Query.repositoryOwner; an unknown login is null without an error."""
    return admitted(info).world.account(login)


def resolve_node(_source: None, info: Info, **arguments: str) -> object:
    """Query.node"""
    return _node(admitted(info), arguments["id"])


def resolve_nodes(_source: None, info: Info, *, ids: list[str]) -> list[object]:
    """Query.nodes: a null and an error of its own for each node that cannot be had."""
    context = admitted(info)
    if len(ids) > MOST_IDS:
        raise troubles.FieldError(
            "ARGUMENT_LIMIT", f"You may not provide more than {MOST_IDS} node ids; you provided {len(ids)}."
        )
    found: list[object] = []
    for node_id in ids:
        try:
            found.append(_node(context, node_id))
        except troubles.FieldError as trouble:
            found.append(trouble)
    return found


def _node(context: Context, node_id: str) -> object:
    """Return a record that the caller may see, or raise NOT_FOUND."""
    node = context.world.node(node_id)
    release = node.release if isinstance(node, Asset) else node
    repository = release.repository if isinstance(release, Release) else release
    hidden = isinstance(repository, Repository) and repository.permission(context.caller) is None
    if isinstance(release, Release) and release.is_draft:
        hidden = not release.repository.shows_drafts(context.caller)
    if node is None or hidden:
        raise troubles.no_node(node_id)
    return node


def resolve_repositories(
    source: Account,
    info: Info,
    *,
    order_by: Mapping[str, str] | None = None,
    is_archived: bool | None = None,
    is_fork: bool | None = None,
    owner_affiliations: list[str | None] | None = None,
    privacy: str | None = None,
    visibility: str | None = None,
    **bounds: Any,
) -> Connection:
    """RepositoryOwner.repositories"""
    context = info.context
    wanted = [
        repository
        for repository in context.world.repositories()
        if repository.permission(context.caller)
        and _affiliation(repository, source) in (owner_affiliations or ("OWNER", "COLLABORATOR"))
        and is_archived in (None, repository.is_archived)
        and is_fork in (None, repository.is_fork)
        and privacy in (None, repository.visibility)
        and visibility in (None, repository.visibility)
    ]
    return paginate("repositories", wanted, _order(order_by), Bounds(**bounds))


def _affiliation(repository: Repository, account: Account) -> str | None:
    """Return how an account belongs to a repository."""
    if repository.owner is account:
        return "OWNER"
    members = repository.members.readers | repository.members.writers
    return "COLLABORATOR" if account.login.lower() in members else None


def resolve_releases(
    source: Repository, info: Info, *, order_by: Mapping[str, str] | None = None, **bounds: Any
) -> Connection:
    """Repository.releases"""
    drafts = source.shows_drafts(info.context.caller)
    shown = [release for release in source.releases.values() if drafts or not release.is_draft]
    return paginate("releases", shown, _order(order_by), Bounds(**bounds))


def resolve_release(source: Repository, info: Info, *, tag_name: str) -> Release | None:
    """Repository.release, a draft by the tag that it wants; an unknown tag is null without an error."""
    release = source.find_release(tag_name)
    if release and release.is_draft and not source.shows_drafts(info.context.caller):
        return None
    return release


def resolve_permission(source: Repository, info: Info) -> str | None:
    """Repository.viewerPermission"""
    return source.permission(info.context.caller)


def resolve_assets(source: Release, _info: Info, *, name: str | None = None, **bounds: Any) -> Connection:
    """Release.releaseAssets"""
    wanted = [asset for asset in source.assets.values() if name in (None, asset.name)]
    return paginate("releaseAssets", wanted, BY_AGE, Bounds(**bounds))


def resolve_short_description(source: Release, _info: Info, *, limit: int | None = 200) -> str:
    """Release.shortDescriptionHTML"""
    return escape((source.description or "")[:limit])


def resolve_asset_url(source: Asset, info: Info) -> str:
    """ReleaseAsset.url"""
    return info.context.links.asset(source)


def resolve_download_url(source: Asset, info: Info) -> str:
    """ReleaseAsset.downloadUrl"""
    return info.context.links.download(source)


def _order(order_by: Mapping[str, str] | None) -> Order:
    """Return the order that an `orderBy` argument asks for."""
    if order_by is None:
        return BY_AGE
    key = _KEYS[order_by["field"]]
    return Order(key, order_by["direction"] == "DESC")


_KEYS: Mapping[str, Callable[[Any], str]] = {
    "CREATED_AT": lambda item: item.created_at.astimezone(UTC).isoformat(),
    "UPDATED_AT": lambda item: item.updated_at.astimezone(UTC).isoformat(),
    "PUSHED_AT": lambda item: item.updated_at.astimezone(UTC).isoformat(),
    "NAME": lambda item: item.name or "",
}

RESOLVERS: Mapping[tuple[str, str], Callable[..., Any]] = {
    ("Query", "viewer"): resolve_viewer,
    ("Query", "rateLimit"): resolve_rate_limit,
    ("Query", "repository"): resolve_repository,
    ("Query", "repositoryOwner"): resolve_owner,
    ("Query", "node"): resolve_node,
    ("Query", "nodes"): resolve_nodes,
    ("User", "repositories"): resolve_repositories,
    ("User", "repository"): resolve_repository,
    ("Organization", "repositories"): resolve_repositories,
    ("Organization", "repository"): resolve_repository,
    ("Repository", "releases"): resolve_releases,
    ("Repository", "release"): resolve_release,
    ("Repository", "viewerPermission"): resolve_permission,
    ("Release", "releaseAssets"): resolve_assets,
    ("Release", "shortDescriptionHTML"): resolve_short_description,
    ("ReleaseAsset", "url"): resolve_asset_url,
    ("ReleaseAsset", "downloadUrl"): resolve_download_url,
}
