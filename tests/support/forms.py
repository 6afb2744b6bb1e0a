"""Forms as the tools send them, made by hand so that they can also be made badly."""

from __future__ import annotations

from collections.abc import Iterable

BOUNDARY = "b0undary"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"
Part = tuple[str, str | None, bytes]
"""A part's name, its file name where it is a file, and its bytes."""


def field(name: str, value: str) -> Part:
    return name, None, value.encode()


def file(filename: str, content: bytes, name: str = "content") -> Part:
    return name, filename, content


def form(parts: Iterable[Part], boundary: str = BOUNDARY) -> bytes:
    """The body of a form."""
    return b"".join([*(head_of(part, boundary) + part[2] + b"\r\n" for part in parts), f"--{boundary}--\r\n".encode()])


def head_of(part: Part, boundary: str = BOUNDARY) -> bytes:
    """What stands before a part's bytes."""
    name, filename, _ = part
    more = f'; filename="{filename}"\r\nContent-Type: application/octet-stream' if filename is not None else ""
    return f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode()


def upload_parts(filename: str, content: bytes, name: str, version: str, **more: str) -> list[Part]:
    """What the tools send of a file, in their order."""
    filetype = "bdist_wheel" if filename.endswith(".whl") else "sdist"
    fields = {
        ":action": "file_upload",
        "protocol_version": "1",
        "metadata_version": "2.1",
        "name": name,
        "version": version,
        "filetype": filetype,
        "pyversion": "py3" if filetype == "bdist_wheel" else "source",
        **more,
    }
    return [*(field(*each) for each in fields.items()), file(filename, content)]
