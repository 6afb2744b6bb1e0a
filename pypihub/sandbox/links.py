"""The addresses that the stand-in GitHub gives out, and the signatures that make storage believe them."""

import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from pypihub.sandbox.records import Asset, Release, Repository

_SIGNED = ("se", "sp", "response-content-disposition", "response-content-type")


@dataclass(frozen=True, slots=True)
class Links:
    """Makes and checks addresses.

    :param api_url: the API's origin, without a slash at the end.
    :param storage_url: the storage's origin, another one.
    :param uploads_url: the origin that takes uploads, a third one.
    :param lifetime: for how many seconds a storage address is good.
    :param web_urls: give out addresses of the web pages where GitHub.com gives storage addresses.
    """

    api_url: str
    storage_url: str
    uploads_url: str
    now: Callable[[], datetime]
    lifetime: float = 300.0
    web_urls: bool = False
    _key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def asset(self, asset: Asset) -> str:
        """Return an asset's `url` in GraphQL."""
        return self.download(asset) if self.web_urls else self.storage(asset)

    def download(self, asset: Asset) -> str:
        """Return the address of an asset for browsers, an asset's `downloadUrl`."""
        repository = asset.release.repository.name_with_owner
        return f"{self.api_url}/download/{repository}/{_quoted(asset.release.slug)}/{_quoted(asset.name)}"

    def repository(self, repository: Repository) -> str:
        """Return a repository's address in the REST API."""
        return f"{self.api_url}/repos/{repository.name_with_owner}"

    def release(self, release: Release) -> str:
        """Return a release's address in the REST API."""
        return f"{self.repository(release.repository)}/releases/{release.database_id}"

    def rest(self, asset: Asset) -> str:
        """Return an asset's address in the REST API."""
        return f"{self.repository(asset.release.repository)}/releases/assets/{asset.database_id}"

    def upload(self, release: Release) -> str:
        """Return the address to which a release's assets are posted."""
        return f"{self.uploads_url}/repos/{release.repository.name_with_owner}/releases/{release.database_id}/assets"

    def storage(self, asset: Asset) -> str:
        """Return a signed address of an asset's bytes, good from now for the lifetime."""
        path = f"/github-production-release-asset/{asset.release.repository.database_id}/{asset.database_id}"
        expiry = self.now().astimezone(UTC) + timedelta(seconds=self.lifetime)
        arguments = {
            "se": expiry.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "sp": "r",
            "response-content-disposition": f"attachment; filename={asset.name}",
            "response-content-type": asset.content_type,
        }
        query = "&".join(f"{name}={quote(value, safe=':')}" for name, value in arguments.items())
        return f"{self.storage_url}{path}?{query}&sig={self._signature(path, arguments)}"

    def is_signed(self, path: str, arguments: Mapping[str, str]) -> bool:
        """Whether this path and these query arguments were signed here."""
        if not all(name in arguments for name in _SIGNED):
            return False
        return hmac.compare_digest(self._signature(path, arguments).encode(), arguments.get("sig", "").encode())

    def is_fresh(self, arguments: Mapping[str, str]) -> bool:
        """Whether the signed expiry lies ahead; call it only for signed arguments."""
        return self.now() < datetime.fromisoformat(arguments["se"])

    def _signature(self, path: str, arguments: Mapping[str, str]) -> str:
        text = "\n".join([path, *(arguments[name] for name in _SIGNED)])
        return hmac.digest(self._key, text.encode(), "sha256").hex()


def _quoted(segment: str) -> str:
    """Escape a path's segment."""
    return quote(segment, safe="+@:")
