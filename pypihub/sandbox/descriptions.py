"""How REST describes accounts, repositories, releases and assets: the fields that clients read, in GitHub's shapes."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pypihub.sandbox.accounts import Account, Caller
from pypihub.sandbox.links import Links
from pypihub.sandbox.records import Asset, Release, Repository
from pypihub.sandbox.schema import moment_text

_ROLES = ("ADMIN", "MAINTAIN", "WRITE", "TRIAGE", "READ")
_PERMISSIONS = ("admin", "maintain", "push", "triage", "pull")


def account_json(account: Account, links: Links) -> dict[str, Any]:
    """Describe a user or an organization."""
    return {
        "login": account.login,
        "id": account.database_id,
        "node_id": account.id,
        "avatar_url": f"https://avatars.githubusercontent.com/u/{account.database_id}?v=4",
        "gravatar_id": "",
        "url": f"{links.api_url}/users/{account.login}",
        "html_url": account.url,
        "type": account.typename,
        "user_view_type": "public",
        "site_admin": False,
    }


def repository_json(repository: Repository, caller: Caller | None, links: Links) -> dict[str, Any]:
    """Describe a repository to a caller; who comes without a token is not told of permissions."""
    role = repository.permission(caller)
    allowed = _ROLES.index(role) if role else len(_ROLES)
    permissions = {name: number >= allowed for number, name in enumerate(_PERMISSIONS)}
    address = links.repository(repository)
    described = {
        "id": repository.database_id,
        "node_id": repository.id,
        "name": repository.name,
        "full_name": repository.name_with_owner,
        "private": repository.is_private,
        "owner": account_json(repository.owner, links),
        "html_url": repository.url,
        "description": repository.description,
        "fork": repository.is_fork,
        "url": address,
        "releases_url": f"{address}/releases{{/id}}",
        "created_at": moment_text(repository.created_at),
        "updated_at": moment_text(repository.updated_at),
        "pushed_at": _moment(repository.pushed_at),
        "archived": repository.is_archived,
        "disabled": repository.is_disabled,
        "visibility": repository.visibility.lower(),
        "default_branch": repository.default_branch,
    }
    return {**described, "permissions": permissions} if caller else described


def release_json(release: Release, links: Links) -> dict[str, Any]:
    """Describe a release with all its assets."""
    address = links.release(release)
    balls = {
        kind: None if release.is_draft else f"{links.repository(release.repository)}/{kind}/{release.tag_name}"
        for kind in ("tarball", "zipball")
    }
    return {
        "url": address,
        "assets_url": f"{address}/assets",
        "upload_url": f"{links.upload(release)}{{?name,label}}",
        "html_url": release.url,
        "id": release.database_id,
        "author": account_json(release.author, links),
        "node_id": release.id,
        "tag_name": release.tag_name,
        "target_commitish": release.target_commitish,
        "name": release.name,
        "draft": release.is_draft,
        "immutable": release.immutable,
        "prerelease": release.is_prerelease,
        "created_at": moment_text(release.created_at),
        "updated_at": moment_text(release.updated_at),
        "published_at": _moment(release.published_at),
        "assets": [asset_json(asset, links) for asset in release.assets.values()],
        "tarball_url": balls["tarball"],
        "zipball_url": balls["zipball"],
        "body": release.description,
    }


def asset_json(asset: Asset, links: Links) -> Mapping[str, Any]:
    """Describe an asset."""
    return {
        "url": links.rest(asset),
        "id": asset.database_id,
        "node_id": asset.id,
        "name": asset.name,
        "label": asset.label,
        "uploader": account_json(asset.uploaded_by, links),
        "content_type": asset.content_type,
        "state": asset.state,
        "size": asset.size,
        "digest": asset.digest,
        "download_count": asset.download_count,
        "created_at": moment_text(asset.created_at),
        "updated_at": moment_text(asset.updated_at),
        "browser_download_url": links.download(asset),
    }


def _moment(moment: datetime | None) -> str | None:
    """Write a moment that may not have come."""
    return moment_text(moment) if moment else None
