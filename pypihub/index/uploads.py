"""An upload by the legacy API: what came, and what is to be published once form and file name are checked.

The form's fields are those that PyPI takes, https://docs.pypi.org/api/upload/.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

import msgspec
from packaging.utils import NormalizedName
from packaging.version import Version

from pypihub.errors import NotFoundError, UploadRefusedError, UploadTooLargeError
from pypihub.index.names import FileNames, normalize_project

_FILETYPES = {"bdist_wheel": (".whl",), "sdist": (".tar.gz", ".zip")}
_SUFFIXES = tuple(suffix for suffixes in _FILETYPES.values() for suffix in suffixes)
# GitHub stores any other name under another one: the index would not find it again. It takes `+` as it is.
_KEPT_BY_GITHUB = re.compile(r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*", re.ASCII)
_LONGEST_FILENAME = 255
_SIZE_LIMIT = 2 * 2**30  # GitHub takes files below 2 GiB
_LONGEST_VERSION = 200
_METADATA_VERSION = re.compile(r"[1-9]\.[0-9]{1,2}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_LARGEST_SIGNATURE = 64 * 1024
_LARGEST_ATTESTATIONS = 2**20
_LONGEST_QUOTE = 80


@dataclass(frozen=True, slots=True)
class Companion:
    """A small file part beside the distribution file: `kind` is the form field that it came as."""

    kind: str
    filename: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Received:
    """What came in a POST, before anything of it is checked.

    `fields` has each form field's values as they were sent. `filename` is that of the part `content`, empty where
    there was no such part; `file` has its bytes and stands anywhere, `size` counts them, `sha256` is in hex.
    """

    fields: Mapping[str, tuple[str, ...]]
    filename: str
    file: BinaryIO
    size: int
    sha256: str
    companions: tuple[Companion, ...] = ()


@dataclass(frozen=True, slots=True)
class Upload:
    """A distribution file that is to be published; its form and its name are checked, its bytes are not.

    `size` is in bytes, `sha256` in hex. `companions` are assets beside the file, by name and content: a signature
    `<filename>.asc`, attestations (PEP 740) `<filename>.publish.attestation`. The form's `metadata_version` and
    `requires_python` are for the file's own metadata to agree with; None where they were not given.
    """

    name: NormalizedName
    version: Version
    filename: str
    is_wheel: bool
    size: int
    sha256: str
    companions: tuple[tuple[str, bytes], ...] = ()
    metadata_version: str | None = None
    requires_python: str | None = None


def read_upload(received: Received) -> Upload:
    """What is to be published of what came.

    A field without a value counts as not given. Digests are never required, since the file's own is known; of those
    that are sent only `sha256_digest` is compared. Fields that only describe the project are left to its metadata.

    Raises UploadRefusedError with what is wrong and what to do, UploadTooLargeError for 2 GiB and more.
    """
    form = _Form(received.fields)
    _check_protocol(form)
    filetype = _filetype(form)
    name, version = _name(form), _version(form)
    _check_filename(received.filename, filetype)
    if FileNames(name).version(received.filename) != version:
        raise UploadRefusedError(
            f"The file {received.filename} is not one of the form's name {name} and version {version}: "
            f"{_shape(filetype, name, version)}."
        )
    _check_content(form, received)
    return Upload(
        name=name,
        version=version,
        filename=received.filename,
        is_wheel=filetype == "bdist_wheel",
        size=received.size,
        sha256=received.sha256,
        companions=tuple(_companions(form, received)),
        metadata_version=_metadata_version(form),
        requires_python=form.value("requires_python"),
    )


class _Form:
    """The form's fields, each of which may have one value."""

    def __init__(self, fields: Mapping[str, tuple[str, ...]]) -> None:
        self._fields = fields

    def value(self, field: str) -> str | None:
        """The field's value, or None where it is not there or empty. Raises UploadRefusedError for several."""
        values = self._fields.get(field, ())
        if len(values) > 1:
            raise UploadRefusedError(f"The form's field {field} is given {len(values)} times: send it once.")
        return values[0].strip() or None if values else None

    def required(self, field: str, example: str) -> str:
        """The field's value. Raises UploadRefusedError where it is missing."""
        value = self.value(field)
        if value is None:
            raise UploadRefusedError(f"The form's field {field} is missing: send {example}.")
        return value


def _check_protocol(form: _Form) -> None:
    action = form.required(":action", "file_upload")
    if action != "file_upload":
        raise UploadRefusedError(f"The form's :action is {_quoted(action)}: only file_upload is known here.")
    protocol = form.value("protocol_version")
    if protocol not in (None, "1"):
        raise UploadRefusedError(f"The form's protocol_version is {_quoted(protocol)}: only 1 is known here.")


def _filetype(form: _Form) -> str:
    filetype = form.required("filetype", "sdist or bdist_wheel")
    if filetype not in _FILETYPES:
        raise UploadRefusedError(
            f"Files of the type {_quoted(filetype)} are not taken, installers have no use for them: "
            "build a wheel (bdist_wheel) or an sdist."
        )
    return filetype


def _name(form: _Form) -> NormalizedName:
    name = form.required("name", "the project's name")
    try:
        return normalize_project(name)
    except NotFoundError:
        raise UploadRefusedError(
            f"The form's name {_quoted(name)} is not a valid project name: use letters and digits, with . _ - between."
        ) from None


def _version(form: _Form) -> Version:
    version = form.required("version", "the release's version")
    try:
        if len(version) > _LONGEST_VERSION:
            raise ValueError
        return Version(version)
    except ValueError:  # InvalidVersion is one, and what int() says of thousands of digits
        raise UploadRefusedError(
            f"The form's version {_quoted(version)} is not valid: write it as PEP 440 has it, like 1.0 or 2.1rc1."
        ) from None


def _metadata_version(form: _Form) -> str | None:
    version = form.value("metadata_version")
    if version is not None and not _METADATA_VERSION.fullmatch(version):
        raise UploadRefusedError(f"The form's metadata_version {_quoted(version)} is none: send one like 2.1.")
    return version


def _check_filename(filename: str, filetype: str) -> None:
    """Raises UploadRefusedError for what GitHub would not keep under this name, or is not of this type."""
    if not filename:
        raise UploadRefusedError("The form has no file: send it as the part content, with its file name.")
    if len(filename) > _LONGEST_FILENAME:
        raise UploadRefusedError(f"The file name is too long: {_LONGEST_FILENAME} characters fit.")
    if "/" in filename or "\\" in filename:
        raise UploadRefusedError(f"The file name {_quoted(filename)} is a path: send the name alone.")
    if not filename.endswith(_SUFFIXES):
        raise UploadRefusedError(f"The file {_quoted(filename)} is not taken: only .whl, .tar.gz and .zip are.")
    if "!" in filename:
        raise UploadRefusedError(
            f"GitHub cannot keep a file of the name {_quoted(filename)}: its version has an epoch, and GitHub "
            "changes the ! to a dot. Use a version without an epoch."
        )
    if not _KEPT_BY_GITHUB.fullmatch(filename):
        raise UploadRefusedError(
            f"GitHub would change the file name {_quoted(filename)}: use letters, digits, _ - + and single dots alone."
        )
    if not filename.endswith(_FILETYPES[filetype]):
        raise UploadRefusedError(f"The file {filename} is no {filetype}, as the form's filetype has it.")


def _shape(filetype: str, name: NormalizedName, version: Version) -> str:
    """How a file of this name and version is called."""
    stem = f"{name.replace('-', '_')}-{version}"
    return f"it should be called {stem}" + ("-….whl" if filetype == "bdist_wheel" else ".tar.gz")


def _check_content(form: _Form, received: Received) -> None:
    """Raises UploadRefusedError for bytes that are none, or others than were sent, UploadTooLargeError for too many."""
    if received.size <= 0:
        raise UploadRefusedError(f"The file {received.filename} is empty: build it again.")
    if received.size >= _SIZE_LIMIT:
        raise UploadTooLargeError(f"The file {received.filename} is too large: GitHub takes files below 2 GiB.")
    digest = form.value("sha256_digest")
    if digest is None:
        return
    if not _SHA256.fullmatch(digest.lower()):
        raise UploadRefusedError("The form's sha256_digest is no SHA-256: send 64 hexadecimal digits.")
    if digest.lower() != received.sha256:
        raise UploadRefusedError(
            f"The file {received.filename} is not what the form's sha256_digest tells: {received.sha256} came. "
            "Upload it again."
        )


def _companions(form: _Form, received: Received) -> Iterator[tuple[str, bytes]]:
    """The assets beside the file. Raises UploadRefusedError for whatever cannot be kept."""
    kinds = [companion.kind for companion in received.companions]
    for companion in received.companions:
        if companion.kind != "gpg_signature":
            raise UploadRefusedError(
                f"The file part {_quoted(companion.kind)} is not known here: send content and gpg_signature alone."
            )
        if kinds.count(companion.kind) > 1:
            raise UploadRefusedError("There is more than one gpg_signature: send one.")
        yield _beside(received, ".asc"), _signature(companion.content)
    if form.value("gpg_signature") is not None:
        raise UploadRefusedError("The gpg_signature is no file: send it as a part with a file name.")
    attestations = form.value("attestations")
    if attestations is not None:
        yield _beside(received, ".publish.attestation"), _attestations(attestations)


def _beside(received: Received, suffix: str) -> str:
    if len(received.filename + suffix) > _LONGEST_FILENAME:
        raise UploadRefusedError(f"The file name is too long for one with {suffix} beside it.")
    return received.filename + suffix


def _signature(content: bytes) -> bytes:
    text = content.strip()
    is_armored = text.startswith(b"-----BEGIN PGP SIGNATURE-----") and text.endswith(b"-----END PGP SIGNATURE-----")
    if not is_armored or len(content) > _LARGEST_SIGNATURE:
        raise UploadRefusedError("The gpg_signature is no armored signature: make it with gpg --detach-sign --armor.")
    return content


def _attestations(text: str) -> bytes:
    """The attestations as they were sent: a list in JSON (PEP 740). Their signatures are for installers to check."""
    try:
        content = text.encode()
        if len(content) > _LARGEST_ATTESTATIONS:
            raise UploadRefusedError("The attestations are too long: 1 MiB fits.")
        if not msgspec.json.decode(content, type=list[dict[str, msgspec.Raw]]):
            raise ValueError
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors, and so are lone surrogates
        raise UploadRefusedError("The attestations are no JSON list of objects: send them as PEP 740 has it.") from None
    return content


def _quoted(text: str | None) -> str:
    """A value of the form for a message."""
    text = text or ""
    return f"'{text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + '…'}'"
