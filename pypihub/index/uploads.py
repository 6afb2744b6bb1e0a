"""An upload by the legacy API: what came, and what is to be published once form and file name are checked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from packaging.utils import NormalizedName
from packaging.version import Version

from pypihub.errors import UploadRefusedError, UploadTooLargeError
from pypihub.index.companions import ATTESTATIONS, SIGNATURE, Companion, check_attestations, check_signature
from pypihub.index.forms import SDIST, WHEEL, Form, quoted
from pypihub.index.names import SDIST_SUFFIXES, SUFFIXES, WHEEL_SUFFIX, FileNames

__all__ = ["Companion", "Received", "Upload", "read_upload"]

_SUFFIXES = {WHEEL: (WHEEL_SUFFIX,), SDIST: SDIST_SUFFIXES}
# GitHub stores any other name under another one: the index would not find it again. It takes `+` as it is.
_KEPT_BY_GITHUB = re.compile(r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*", re.ASCII)
_LONGEST_FILENAME = 255
_SIZE_LIMIT = 2 * 2**30  # GitHub takes files below 2 GiB


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
    `<filename>.asc`, attestations (PEP 740) `<filename>.publish.attestation`. The form's
    `requires_python` is for the file's own metadata to agree with; None where it was not given.
    """

    name: NormalizedName
    version: Version
    filename: str
    is_wheel: bool
    size: int
    sha256: str
    companions: tuple[tuple[str, bytes], ...] = ()
    requires_python: str | None = None


def read_upload(received: Received) -> Upload:
    """What is to be published of what came.

    Digests are never required, since the file's own is known; of those that are sent only `sha256_digest` is
    compared. Fields that describe the project are left to the file's own metadata.

    Raises UploadRefusedError with what is wrong and what to do, UploadTooLargeError for 2 GiB and more.
    """
    form = Form(received.fields)
    form.check_protocol()
    form.check_metadata_version()
    filetype, name, version = form.filetype(), form.name(), form.version()
    _check_filename(received.filename, filetype)
    if FileNames(name).version(received.filename) != version:
        example = f"{name.replace('-', '_')}-{version}{'-….whl' if filetype == WHEEL else '.tar.gz'}"
        raise UploadRefusedError(
            f"The file {received.filename} is not one of the form's name {name} and version {version}: "
            f"it would be called like {example}."
        )
    _check_content(received, form.sha256())
    return Upload(
        name=name,
        version=version,
        filename=received.filename,
        is_wheel=filetype == WHEEL,
        size=received.size,
        sha256=received.sha256,
        companions=tuple(_companions(received, form)),
        requires_python=form.value("requires_python"),
    )


def _check_filename(filename: str, filetype: str) -> None:
    """Raises UploadRefusedError for what GitHub would not keep under this name, or is not of this type."""
    if not filename:
        raise UploadRefusedError("The form has no file: send it as the part content, with its file name.")
    if len(filename) > _LONGEST_FILENAME:
        raise UploadRefusedError(f"The file name is too long: {_LONGEST_FILENAME} characters fit.")
    if "/" in filename or "\\" in filename:
        raise UploadRefusedError(f"The file name {quoted(filename)} is a path: send the name alone.")
    if not filename.endswith(SUFFIXES):
        raise UploadRefusedError(f"The file {quoted(filename)} is not taken: only .whl, .tar.gz and .zip are.")
    if "!" in filename:
        raise UploadRefusedError(
            f"GitHub cannot keep the file name {quoted(filename)}: its version has an epoch, and GitHub changes the ! "
            "to a dot. Use a version without an epoch."
        )
    if not _KEPT_BY_GITHUB.fullmatch(filename):
        raise UploadRefusedError(
            f"GitHub would change the file name {quoted(filename)}: use letters, digits, _ - + and single dots alone."
        )
    if not filename.endswith(_SUFFIXES[filetype]):
        raise UploadRefusedError(f"The file {filename} is no {filetype}: send the filetype that it has.")


def _check_content(received: Received, sha256: str | None) -> None:
    """Raises UploadRefusedError for no bytes, or others than were sent, UploadTooLargeError for more than fit."""
    if received.size <= 0:
        raise UploadRefusedError(f"The file {received.filename} is empty: build it again.")
    if received.size >= _SIZE_LIMIT:
        raise UploadTooLargeError(f"The file {received.filename} is too large: GitHub takes files below 2 GiB.")
    if sha256 not in (None, received.sha256):
        raise UploadRefusedError(
            f"The file {received.filename} came with the SHA-256 {received.sha256}, which is not the form's "
            "sha256_digest: upload it again."
        )


def _companions(received: Received, form: Form) -> Iterator[tuple[str, bytes]]:
    """The assets beside the file. Raises UploadRefusedError for whatever cannot be kept: nothing is dropped."""
    kinds = [companion.kind for companion in received.companions]
    for companion in received.companions:
        if companion.kind != "gpg_signature":
            raise UploadRefusedError(
                f"The file part {quoted(companion.kind)} is not known here: send content and gpg_signature alone."
            )
        if kinds.count(companion.kind) > 1:
            raise UploadRefusedError("There is more than one gpg_signature: send one.")
        yield _beside(received.filename, SIGNATURE), check_signature(companion.content)
    if form.value("gpg_signature") is not None:
        raise UploadRefusedError("The gpg_signature is no file: send it as a part with a file name.")
    attestations = form.value("attestations")
    if attestations is not None:
        yield _beside(received.filename, ATTESTATIONS), check_attestations(attestations)


def _beside(filename: str, suffix: str) -> str:
    if len(filename + suffix) > _LONGEST_FILENAME:
        raise UploadRefusedError(f"The file name is too long for one with {suffix} beside it.")
    return filename + suffix
