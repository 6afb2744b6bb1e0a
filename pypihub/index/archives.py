"""The archive of an upload, checked before it is published: sound, and of the name and version that the form tells."""

from __future__ import annotations

import os
from typing import BinaryIO

from pypihub.errors import UploadRefusedError
from pypihub.index.headers import Identity, LongHeadersError, requires_python, specifiers
from pypihub.index.members import BrokenArchiveError
from pypihub.index.pieces import read_at
from pypihub.index.sdist import read_sdist
from pypihub.index.uploads import Upload
from pypihub.index.wheel import Metadata, UnreadableWheelError, read_metadata
from pypihub.index.wheelwalk import check_wheel


def check_archive(upload: Upload, file: BinaryIO) -> Metadata | None:
    """Looks at every member of the upload's archive `file`; gives a wheel's METADATA, None for an sdist.

    Blocks: a large archive takes seconds, so this is for a thread of its own. Memory stays below 32 MB whatever the
    archive's size. Raises UploadRefusedError with what is wrong.
    """
    try:
        if file.seek(0, os.SEEK_END) != upload.size:
            raise BrokenArchiveError("It is cut off: upload it again.")
        return _checked(upload, file)
    except (BrokenArchiveError, LongHeadersError, UnreadableWheelError) as error:
        raise UploadRefusedError(f"The file {upload.filename} cannot be published. {error.message}") from None


def _checked(upload: Upload, file: BinaryIO) -> Metadata | None:
    if upload.is_wheel:
        check_wheel(file, upload.size)
        metadata = _metadata(upload, file)
        _check_requires_python(upload.requires_python, metadata.requires_python)
        return metadata
    headers = read_sdist(upload.filename, Identity(upload.name, upload.version), file, upload.size)
    _check_requires_python(upload.requires_python, requires_python(headers))
    return None


def _metadata(upload: Upload, file: BinaryIO) -> Metadata:
    """The wheel's METADATA, which is of the release that its file name tells, and so of the form's."""
    reader = read_metadata(upload.filename, upload.size)
    span = next(reader)
    while True:
        try:
            span = reader.send(read_at(file, span.start, span.end - span.start))
        except StopIteration as stop:
            metadata: Metadata = stop.value
            return metadata


def _check_requires_python(sent: str | None, own: str | None) -> None:
    """Raises BrokenArchiveError where form and file have two different specifiers, however they are spelled.

    One of them alone is fine, old sdists do not tell it. The form's metadata_version is not compared: poetry and
    flit send the one that they know best.
    """
    if sent is None or own is None:
        return
    specified = specifiers(sent)
    if specified is not None and specified != specifiers(own):
        raise BrokenArchiveError(f"It requires Python '{own}', and the form tells another: build and upload it again.")
