"""The rules of writing: what GitHub takes for a release or an asset, and in which words it turns the rest down.

Errors are those that GitHub was seen to send, save where a comment says otherwise.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from pypihub.sandbox.accounts import Account
from pypihub.sandbox.names import is_tag, stored_name
from pypihub.sandbox.records import Asset, Release, Repository

MOST_ASSETS = 1000
MOST_BYTES = 2 * 1024**3
_COMMIT = re.compile(r"[0-9a-f]{40}")
_RELEASE_TYPES: Mapping[str, tuple[type, ...]] = {
    "tag_name": (str,),
    "target_commitish": (str,),
    "name": (str, type(None)),
    "body": (str, type(None)),
    "draft": (bool,),
    "prerelease": (bool,),
    "make_latest": (str,),
}
_ASSET_TYPES: Mapping[str, tuple[type, ...]] = {"name": (str,), "label": (str, type(None))}
_TYPE_NAMES = {str: "a string", bool: "a boolean"}


class RejectedError(Exception):
    """GitHub does not take what was sent: its `message`, and the `errors` beside it."""

    def __init__(self, *errors: Mapping[str, str], message: str = "Validation Failed") -> None:
        super().__init__(message)
        self.message = message
        self.errors = errors


def create_release(repository: Repository, author: Account | None, sent: Mapping[str, Any]) -> Release:
    """Add a release as a client describes it.

    :raises RejectedError: when GitHub would not.
    """
    if "tag_name" not in sent:
        raise RejectedError(message='Invalid request.\n\n"tag_name" wasn\'t supplied.')
    _check_types(sent, _RELEASE_TYPES)
    draft = sent.get("draft", False)
    if not draft:
        _check_tag(repository, None, sent)
    before = repository.latest_release
    release = repository.add_release(sent["tag_name"], draft=True, author=author)
    _describe(release, sent)
    if not draft:
        release.publish()
        _choose_latest(release, sent.get("make_latest", "true"), before)
    return release


def edit_release(release: Release, sent: Mapping[str, Any]) -> None:
    """Change a release as a client wants it; ``draft: false`` publishes a draft.

    :raises RejectedError: when GitHub would not.
    """
    _check_types(sent, _RELEASE_TYPES)
    repository, was_draft = release.repository, release.is_draft
    tag, draft = sent.get("tag_name", release.tag_name), sent.get("draft", was_draft)
    if release.immutable and (draft or tag != release.tag_name):
        # That it is refused was seen, the words were not.
        raise RejectedError(
            _error("Release", "custom", "tag_name", "tag_name cannot be changed on an immutable release")
        )
    if not draft and (was_draft or tag != release.tag_name):
        _check_tag(repository, release, {"target_commitish": release.target_commitish, **sent, "tag_name": tag})
    before = repository.latest_release
    _describe(release, sent)
    release.move(tag, draft=draft)
    if not draft:
        _choose_latest(release, sent.get("make_latest", "true" if was_draft else None), before)


def start_asset(release: Release, name: str, size: int, uploader: Account, content_type: str, label: str) -> Asset:
    """Add the empty asset that an upload is going to fill; its name is taken from now on.

    :param size: the bytes to come.
    :raises RejectedError: when GitHub would not.
    """
    if release.immutable:
        raise RejectedError(message="Cannot upload assets to an immutable release.")
    _check_name(release, name)
    if len(release.assets) >= MOST_ASSETS:
        text = f"file_count limited to {MOST_ASSETS} assets per release"
        raise RejectedError(_error("ReleaseAsset", "custom", "file_count", text))
    if not size:
        raise RejectedError(_error("ReleaseAsset", "custom", "size", "size must be greater than or equal to 1"))
    if size >= MOST_BYTES:
        # The limit is documented, the words are made after the ones above.
        raise RejectedError(_error("ReleaseAsset", "custom", "size", f"size must be less than {MOST_BYTES}"))
    return release.add_asset(name, b"", uploaded_by=uploader, content_type=content_type, label=label)


def edit_asset(asset: Asset, sent: Mapping[str, Any]) -> None:
    """Change the name or the label of an asset.

    :raises RejectedError: when GitHub would not.
    """
    _check_types(sent, _ASSET_TYPES)
    if asset.release.immutable:
        # Made after the words for a deletion.
        raise RejectedError(_error("ReleaseAsset", "custom", None, "Cannot update asset on an immutable release"))
    name = sent.get("name", asset.name)
    if stored_name(name) != asset.name:
        _check_name(asset.release, name)
        asset.rename(stored_name(name))
    asset.label = sent.get("label", asset.label)
    asset.updated_at = asset.release.registry.moment()


def delete_asset(asset: Asset) -> None:
    """Remove an asset; RejectedError when its release is immutable."""
    if asset.release.immutable:
        raise RejectedError(_error("ReleaseAsset", "custom", None, "Cannot delete asset from an immutable release"))
    asset.release.remove_asset(asset.name)


def _check_types(sent: Mapping[str, Any], known: Mapping[str, tuple[type, ...]]) -> None:
    """Look at the types of what was sent; fields that GitHub does not know pass."""
    for name, value in sent.items():
        if name in known and not isinstance(value, known[name]):
            wanted, shown = _TYPE_NAMES[known[name][0]], "nil" if value is None else json.dumps(value)
            raise RejectedError(message=f"Invalid request.\n\nFor 'properties/{name}', {shown} is not {wanted}.")
    if sent.get("make_latest", "true") not in ("true", "false", "legacy"):
        text = f'{sent["make_latest"]} is not a member of ["true", "false", "legacy"].'
        raise RejectedError(message=f"Invalid request.\n\n{text}")


def _check_tag(repository: Repository, release: Release | None, sent: Mapping[str, Any]) -> None:
    """Look at the tag that a published release is to have."""
    tag, errors = sent["tag_name"], []
    if not repository.has_commits:
        raise RejectedError(_error("Release", "custom", None, "Repository is empty."))
    if repository.releases.get(tag, release) is not release:
        raise RejectedError(_error("Release", "already_exists", "tag_name"))
    target = sent.get("target_commitish", repository.default_branch)
    target_is_known = target == repository.default_branch or _COMMIT.fullmatch(target)
    if tag in repository.spent_tags:
        errors.append(_error("Release", "custom", "tag_name", "tag_name was used by an immutable release"))
    elif not is_tag(tag) or not target_is_known:
        errors.append(_error("Release", "custom", "tag_name", "tag_name is not a valid tag"))
    if errors:
        errors.append(_error("Release", "custom", None, "Published releases must have a valid tag"))
    if not target_is_known:
        errors.append(_error("Release", "invalid", "target_commitish"))
    if errors:
        raise RejectedError(*errors)


def _check_name(release: Release, name: str) -> None:
    """Look at the name that an asset is to have."""
    if not stored_name(name):
        # Not seen: GitHub's name for a field that is not what it should be.
        raise RejectedError(_error("ReleaseAsset", "invalid", "name"))
    if stored_name(name) in release.assets:
        raise RejectedError(_error("ReleaseAsset", "already_exists", "name"))


def _describe(release: Release, sent: Mapping[str, Any]) -> None:
    """Take over what needs no check."""
    release.name = sent.get("name", release.name)
    release.description = sent.get("body", release.description)
    release.is_prerelease = sent.get("prerelease", release.is_prerelease)
    release.target_commitish = sent.get("target_commitish", release.target_commitish)


def _choose_latest(release: Release, wanted: str | None, before: Release | None) -> None:
    """Settle which release is the latest: ``true`` this one, ``false`` the one before, ``legacy`` the newest."""
    if wanted is not None and not release.is_prerelease:
        release.repository.pinned = {"true": release, "false": before}.get(wanted)


def _error(resource: str, code: str, field: str | None, text: str | None = None) -> dict[str, str]:
    """Return an item of GitHub's `errors`."""
    error = {"resource": resource, "code": code, "field": field, "message": text}
    return {key: value for key, value in error.items() if value is not None}
