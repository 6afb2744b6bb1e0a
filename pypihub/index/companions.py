"""What a client sends beside a distribution file, to be kept as an asset of its own: a signature, attestations."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from pypihub.errors import UploadRefusedError

SIGNATURE, ATTESTATIONS = ".asc", ".publish.attestation"
"""What the assets' names have behind the file's."""
_LARGEST_SIGNATURE = 64 * 1024
_LARGEST_ATTESTATIONS = 2**20
_ARMOR_BEGIN, _ARMOR_END = b"-----BEGIN PGP SIGNATURE-----", b"-----END PGP SIGNATURE-----"


@dataclass(frozen=True, slots=True)
class Companion:
    """A small file part beside the distribution file: `kind` is the form field that it came as."""

    kind: str
    filename: str
    content: bytes


def check_signature(content: bytes) -> bytes:
    """The signature as it was sent; whose it is, nobody here knows. Raises UploadRefusedError where it is none."""
    text = content.strip()
    if len(content) > _LARGEST_SIGNATURE or not (text.startswith(_ARMOR_BEGIN) and text.endswith(_ARMOR_END)):
        raise UploadRefusedError("The gpg_signature is no armored signature: make it with gpg --detach-sign --armor.")
    return content


def check_attestations(text: str) -> bytes:
    """The attestations as they were sent: a list of objects in JSON (PEP 740), whose signatures others check.

    Raises UploadRefusedError where they are none.
    """
    try:
        content = text.encode()
        is_list = len(content) <= _LARGEST_ATTESTATIONS and msgspec.json.decode(
            content, type=list[dict[str, msgspec.Raw]]
        )
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors, and so are those of lone surrogates
        is_list = False
    if not is_list:
        raise UploadRefusedError(
            "The attestations are no JSON list of objects up to 1 MiB: send them as PEP 740 has it."
        )
    return content
