"""REST's calls about releases: list, look up, create, change, publish, delete."""

from collections.abc import Mapping
from typing import Any

from pypihub.sandbox.answers import Answer, json_answer
from pypihub.sandbox.descriptions import asset_json, release_json
from pypihub.sandbox.links import Links
from pypihub.sandbox.publishing import create_release, edit_release
from pypihub.sandbox.records import Release
from pypihub.sandbox.visits import Visit, not_found, number, page, write
from pypihub.sandbox.world import World

_DOCUMENTATION = "https://docs.github.com/rest/releases/releases#"


class Releases:
    """``/repos/OWNER/REPOSITORY/releases`` and what is below it, save for single assets."""

    def __init__(self, world: World, links: Links) -> None:
        self._world = world
        self._links = links

    def listing(self, visit: Visit) -> Answer:
        """List the releases, the newest first."""
        drafts = visit.repository.shows_drafts(visit.caller)
        shown = [release for release in visit.repository.releases.values() if drafts or not release.is_draft]
        shown.sort(key=lambda release: (release.created_at, release.database_id), reverse=True)
        address = f"{self._links.repository(visit.repository)}/releases"
        return page(visit.asked, address, shown, lambda release: release_json(release, self._links))

    def by_tag(self, visit: Visit, tag: str) -> Answer:
        """Describe a published release; a draft is found by the slug that stands for its tag."""
        return self._shown(visit, visit.repository.releases.get(tag), "get-a-release-by-tag-name")

    def by_number(self, visit: Visit, id_: str) -> Answer:
        """Describe a release."""
        return self._shown(visit, self._find(visit, id_), "get-a-release")

    def assets(self, visit: Visit, id_: str) -> Answer:
        """List a release's assets in the order of their arrival."""
        release = self._find(visit, id_)
        if release is None or not visit.sees(release):
            return not_found("https://docs.github.com/rest/releases/assets#list-release-assets")
        address = f"{self._links.release(release)}/assets"
        return page(visit.asked, address, [*release.assets.values()], lambda asset: asset_json(asset, self._links))

    def create(self, visit: Visit) -> Answer:
        """Create a release."""

        def act(sent: Mapping[str, Any]) -> Answer:
            author = visit.caller.account if visit.caller else None
            release = create_release(visit.repository, author, sent)
            return json_answer(201, release_json(release, self._links), {"location": self._links.release(release)})

        return write(visit, f"{_DOCUMENTATION}create-a-release", act)

    def edit(self, visit: Visit, id_: str) -> Answer:
        """Change a release, or publish a draft."""
        documentation = f"{_DOCUMENTATION}update-a-release"

        def act(sent: Mapping[str, Any]) -> Answer:
            release = self._find(visit, id_)
            if release is None:
                return not_found(documentation)
            edit_release(release, sent)
            return json_answer(200, release_json(release, self._links))

        return write(visit, documentation, act)

    def delete(self, visit: Visit, id_: str) -> Answer:
        """Delete a release with its assets."""
        documentation = f"{_DOCUMENTATION}delete-a-release"

        def act(_sent: Mapping[str, Any]) -> Answer:
            release = self._find(visit, id_)
            if release is None:
                return not_found(documentation)
            release.repository.remove_release(release.slug)
            for asset in release.assets.values():
                self._world.shelf.discard(asset.content)
            return Answer(204)

        return write(visit, documentation, act)

    def _find(self, visit: Visit, id_: str) -> Release | None:
        """Return the repository's release of that database id."""
        return self._world.find_release(visit.repository.database_id, number(id_))

    def _shown(self, visit: Visit, release: Release | None, documentation: str) -> Answer:
        """Describe a release to those who may see it."""
        if release is None or not visit.sees(release):
            return not_found(f"{_DOCUMENTATION}{documentation}")
        return json_answer(200, release_json(release, self._links))
