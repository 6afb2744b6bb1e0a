"""The form of an upload by the legacy API, field by field.

The fields are those that PyPI takes, https://docs.pypi.org/api/upload/. A field without a value counts as not given.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from packaging.utils import NormalizedName
from packaging.version import Version

from pypihub.errors import NotFoundError, UploadRefusedError
from pypihub.index.names import normalize_project, read_version

WHEEL, SDIST = "bdist_wheel", "sdist"
_LONGEST_VERSION = 200
_METADATA_VERSION = re.compile(r"[1-9]\.[0-9]{1,2}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_LONGEST_QUOTE = 80


class Form:
    """The form's fields. Each method raises UploadRefusedError with what is wrong with one of them."""

    def __init__(self, fields: Mapping[str, tuple[str, ...]]) -> None:
        self._fields = fields

    def value(self, field: str) -> str | None:
        """The one value of a field, or None where it is not given."""
        values = self._fields.get(field, ())
        if len(values) > 1:
            raise UploadRefusedError(f"The form's field {field} is given {len(values)} times: send it once.")
        return values[0].strip() or None if values else None

    def required(self, field: str, wanted: str) -> str:
        """The one value of a field; a message tells what is `wanted` where it is not given."""
        value = self.value(field)
        if value is None:
            raise UploadRefusedError(f"The form's field {field} is missing: send {wanted}.")
        return value

    def check_protocol(self) -> None:
        """Sees that the form is for an upload, and of the one version that there is."""
        action = self.required(":action", "file_upload")
        if action != "file_upload":
            raise UploadRefusedError(f"The form's :action is {quoted(action)}: only file_upload is known here.")
        protocol = self.value("protocol_version")
        if protocol is not None and protocol != "1":
            raise UploadRefusedError(f"The form's protocol_version is {quoted(protocol)}: only 1 is known here.")

    def filetype(self) -> str:
        """WHEEL or SDIST."""
        filetype = self.required("filetype", f"{SDIST} or {WHEEL}")
        if filetype not in (WHEEL, SDIST):
            raise UploadRefusedError(
                f"Files of the type {quoted(filetype)} are not taken, installers have no use for them: "
                f"build a wheel ({WHEEL}) or an sdist."
            )
        return filetype

    def name(self) -> NormalizedName:
        """The project's name."""
        name = self.required("name", "the project's name")
        try:
            return normalize_project(name)
        except NotFoundError:
            raise UploadRefusedError(
                f"The form's name {quoted(name)} is not valid: use letters and digits, with . _ - between."
            ) from None

    def version(self) -> Version:
        """The release's version."""
        sent = self.required("version", "the release's version")
        version = read_version(sent) if len(sent) <= _LONGEST_VERSION else None
        if version is None:
            raise UploadRefusedError(
                f"The form's version {quoted(sent)} is not valid: write it as PEP 440 has it, like 1.0 or 2.1rc1."
            )
        return version

    def check_metadata_version(self) -> None:
        """Sees that the version of the core metadata is one where it is given; the file's own may be another."""
        version = self.value("metadata_version")
        if version is not None and not _METADATA_VERSION.fullmatch(version):
            raise UploadRefusedError(f"The form's metadata_version {quoted(version)} is none: send one like 2.1.")

    def sha256(self) -> str | None:
        """The file's SHA-256 as the client knows it, in lower-case hex; None where it tells none."""
        digest = (self.value("sha256_digest") or "").lower()
        if digest and not _SHA256.fullmatch(digest):
            raise UploadRefusedError("The form's sha256_digest is no SHA-256: send 64 hexadecimal digits.")
        return digest or None


def quoted(text: str) -> str:
    """A value that was sent, for a message."""
    return f"'{text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + '…'}'"
