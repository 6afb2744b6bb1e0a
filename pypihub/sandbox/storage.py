"""The storage that holds the assets' bytes: it knows no accounts and believes signed addresses."""

from datetime import datetime

from pypihub.sandbox.answers import XML, Answer
from pypihub.sandbox.contents import asset_bytes
from pypihub.sandbox.endpoint import Asked, Endpoint, Premises, Reply
from pypihub.sandbox.records import Asset


class Storage(Endpoint):
    """``GET`` and ``HEAD`` of ``/github-production-release-asset/REPOSITORY/ASSET`` with a signature."""

    where = "storage"

    def __init__(self, premises: Premises) -> None:
        super().__init__(premises)
        self._links = premises.links

    def reply(self, asked: Asked) -> Reply:
        """Give the bytes to whoever comes with a good signature, and with nothing but that."""
        return Reply(self._answer(asked))

    def _answer(self, asked: Asked) -> Answer:
        if asked.method not in ("GET", "HEAD"):
            return _error(405, "UnsupportedHttpVerb", "The resource doesn't support specified Http Verb.")
        if "authorization" in asked.headers:
            return _error(400, "InvalidArgument", _ONE_MECHANISM)
        if not self._links.is_signed(asked.path, asked.arguments):
            return _error(403, "AuthenticationFailed", "Signature did not match.")
        if not self._links.is_fresh(asked.arguments):
            return _error(403, "AuthenticationFailed", _expired(asked.arguments["se"], self.premises.world.now()))
        asset = self._find(asked.segments)
        if asset is None:
            return _error(404, "BlobNotFound", "The specified blob does not exist.")
        if asked.method == "GET":
            asset.download_count += 1
        return asset_bytes(
            asset,
            asked.headers,
            content_type=asked.arguments["response-content-type"],
            disposition=asked.arguments["response-content-disposition"],
        )

    def _find(self, segments: tuple[str, ...]) -> Asset | None:
        """Return the asset of a signed path, unless it was removed meanwhile."""
        _, repository, asset = segments
        return self.premises.world.find_asset(int(repository), int(asset))


_ONE_MECHANISM = (
    "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter "
    "or the Authorization header should be specified"
)


def _expired(expiry: str, now: datetime) -> str:
    """Return the words for an address whose time is over."""
    return f"Signature not valid in the specified time frame. Expiry [{expiry}] - Current [{now:%Y-%m-%dT%H:%M:%SZ}]"


def _error(status: int, code: str, text: str) -> Answer:
    """Return the storage's form of an error."""
    body = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{text}</Message></Error>'
    return Answer(status, body.encode(), {"content-type": XML})
