"""REST's calls about single assets: describe, download, rename, delete; and the web's download pages."""

from collections.abc import Mapping
from typing import Any

from pypihub.sandbox.answers import HTML, Answer, json_answer
from pypihub.sandbox.contents import asset_bytes
from pypihub.sandbox.descriptions import asset_json
from pypihub.sandbox.links import Links
from pypihub.sandbox.publishing import delete_asset, edit_asset
from pypihub.sandbox.records import Asset, Repository
from pypihub.sandbox.visits import Visit, not_found, number, write
from pypihub.sandbox.world import World

_DOCUMENTATION = "https://docs.github.com/rest/releases/assets#"


class Assets:
    """``/repos/OWNER/REPOSITORY/releases/assets/ID``.

    :param stream: answer downloads with the bytes instead of a redirect to storage.
    """

    def __init__(self, world: World, links: Links, *, stream: bool) -> None:
        self._world = world
        self._links = links
        self._stream = stream

    def get(self, visit: Visit, id_: str) -> Answer:
        """Answer with an asset's bytes or its description."""
        asset = self._find(visit, id_)
        if asset is None or not visit.sees(asset.release):
            return not_found(f"{_DOCUMENTATION}get-a-release-asset")
        if visit.asked.headers.get("accept", "").partition(";")[0].strip() != "application/octet-stream":
            return json_answer(200, asset_json(asset, self._links))
        if self._stream:
            disposition = f"attachment; filename={asset.name}"
            return asset_bytes(asset, visit.asked.headers, content_type=asset.content_type, disposition=disposition)
        return _found(self._links.storage(asset))

    def edit(self, visit: Visit, id_: str) -> Answer:
        """Give an asset another name or label."""
        documentation = f"{_DOCUMENTATION}update-a-release-asset"

        def act(sent: Mapping[str, Any]) -> Answer:
            asset = self._find(visit, id_)
            if asset is None:
                return not_found(documentation)
            edit_asset(asset, sent)
            return json_answer(200, asset_json(asset, self._links))

        return write(visit, documentation, act)

    def delete(self, visit: Visit, id_: str) -> Answer:
        """Delete an asset."""
        documentation = f"{_DOCUMENTATION}delete-a-release-asset"

        def act(_sent: Mapping[str, Any]) -> Answer:
            asset = self._find(visit, id_)
            if asset is None:
                return not_found(documentation)
            delete_asset(asset)
            self._world.shelf.discard(asset.content)
            return Answer(204)

        return write(visit, documentation, act)

    def download_page(self, repository: Repository | None, slug: str, file: str) -> Answer:
        """Answer as the web does, where no token counts: public files by redirect, an HTML page for all else."""
        release = repository.releases.get(slug) if repository and not repository.is_private else None
        asset = release.assets.get(file) if release and not release.is_draft else None
        if asset is None:
            return Answer(404, b"<!DOCTYPE html>\n<html><body>Not Found</body></html>\n", {"content-type": HTML})
        return _found(self._links.storage(asset))

    def _find(self, visit: Visit, id_: str) -> Asset | None:
        """Return the repository's asset of that database id."""
        return self._world.find_asset(visit.repository.database_id, number(id_))


def _found(address: str) -> Answer:
    """Return a redirect to storage."""
    return Answer(302, b"", {"content-type": HTML, "location": address, "cache-control": "no-cache"})
