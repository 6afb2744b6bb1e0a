"""GraphQL node ids, and the REST ids inside them."""

from __future__ import annotations

import base64
import re

import msgspec

from pypihub.errors import NotFoundError, UpstreamError

# Today's ids (`RA_` or `RE_` and base64url of msgpack `[0, repository, asset or release]`) and the old ones (base64 of
# `012:ReleaseAsset` or `07:Release` and the number). GitHub calls them opaque: only REST needs the number inside.
_NODE_ID = re.compile(r"[A-Za-z0-9_=-]{4,200}", re.ASCII)
_OLD_ASSET = re.compile(rb"012:ReleaseAsset([0-9]{1,19})")
_OLD_RELEASE = re.compile(rb"07:Release([0-9]{1,19})")
_ID_PARTS = msgspec.msgpack.Decoder(tuple[int, int, int])


def check_node_id(node_id: str) -> str:
    """The id itself; raises NotFoundError for what no node id looks like, so that it need not be asked for."""
    if not _NODE_ID.fullmatch(node_id):
        raise NotFoundError("This is not the id of an asset.")
    return node_id


def asset_number(node_id: str) -> int:
    """The REST id of the release asset with this node id; raises UpstreamError where it cannot be read."""
    return _number(node_id, "RA_", _OLD_ASSET)


def release_number(node_id: str) -> int:
    """The REST id of the release with this node id; raises UpstreamError where it cannot be read."""
    return _number(node_id, "RE_", _OLD_RELEASE)


def _number(node_id: str, prefix: str, old_form: re.Pattern[bytes]) -> int:
    new = node_id.startswith(prefix)
    try:
        raw = base64.urlsafe_b64decode(node_id[3:] + "==") if new else base64.b64decode(node_id)
        if old := old_form.fullmatch(raw):
            return int(old[1])
        return _ID_PARTS.decode(raw)[2]
    except (ValueError, msgspec.DecodeError):
        raise UpstreamError("GitHub's id of a release or an asset has a form that is not known.") from None
