"""Uploads as a client sends them, and how they fare."""

from __future__ import annotations

import io
import re
from hashlib import sha256

import pytest

from pypihub.errors import UploadRefusedError
from pypihub.index.archives import check_archive
from pypihub.index.uploads import Companion, Received, read_upload
from pypihub.index.wheel import Metadata

_WHEEL = re.compile(r"(?P<name>[^-]*)-(?P<version>[^-]*)-.*\.whl")
_SDIST = re.compile(r"(?P<name>.*)-(?P<version>[^-]*)(?:\.tar\.gz|\.zip)")


def received(
    filename: str, content: bytes = b"x", *companions: Companion, **fields: str | tuple[str, ...] | None
) -> Received:
    """An upload with the form that the file's name asks for; `fields` are other values, None for none."""
    match = _WHEEL.fullmatch(filename) or _SDIST.fullmatch(filename)
    digest = sha256(content).hexdigest()
    form: dict[str, str | tuple[str, ...] | None] = {
        ":action": "file_upload",
        "protocol_version": "1",
        "metadata_version": "2.4",
        "name": match["name"] if match else "my-pkg",
        "version": match["version"] if match else "1.0",
        "filetype": "bdist_wheel" if filename.endswith(".whl") else "sdist",
        "pyversion": "source",
        "sha256_digest": digest,
        "description": "# A package\n",
        "classifiers": ("Typing :: Typed", "Framework :: Twisted"),
    }
    form |= {":action" if field == "action" else field: value for field, value in fields.items()}
    values = {
        field: (value,) if isinstance(value, str) else value for field, value in form.items() if value is not None
    }
    return Received(values, filename, io.BytesIO(content), len(content), digest, companions)


def checked(filename: str, content: bytes, **fields: str | tuple[str, ...] | None) -> Metadata | None:
    """The METADATA of a file that may be published, if it is a wheel. Raises UploadRefusedError for others."""
    upload = received(filename, content, **fields)
    return check_archive(read_upload(upload), upload.file)


def refusal(filename: str, content: bytes, **fields: str | tuple[str, ...] | None) -> str:
    """The message for a file that may not be published."""
    with pytest.raises(UploadRefusedError) as caught:
        checked(filename, content, **fields)
    return caught.value.message
