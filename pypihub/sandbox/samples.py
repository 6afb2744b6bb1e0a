"""Small real distribution files to publish: a wheel that installs and an sdist, the same bytes in every run."""

import base64
import gzip
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Collection, Mapping

from packaging.utils import canonicalize_name
from packaging.version import Version

_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


def sample_wheel(
    name: str,
    version: str,
    *,
    requires: Collection[str] = (),
    requires_python: str | None = None,
    extra_files: Mapping[str, bytes] | None = None,
    headers: Collection[str] = (),
    description: str = "",
) -> tuple[str, bytes]:
    """Return the file name and the bytes of a pure-Python wheel with one importable module.

    :param requires: requirements for METADATA, such as ``"other>=1"``.
    :param headers: more lines for METADATA, such as ``"Summary: It does a lot"``.
    :param description: the README, METADATA's body.
    :param extra_files: more files by their path in the wheel.
    """
    stem, module, number = _stem(name, version)
    info = f"{stem}.dist-info"
    files = {
        f"{module}.py": _module(number),
        **(extra_files or {}),
        f"{info}/METADATA": _metadata(name, number, requires, requires_python, headers, description),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: pypihub\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = _record(files, f"{info}/RECORD")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, content in files.items():
            archive.writestr(zipfile.ZipInfo(path, _ZIP_EPOCH), content, zipfile.ZIP_DEFLATED)
    return f"{stem}-py3-none-any.whl", buffer.getvalue()


def sample_sdist(name: str, version: str) -> tuple[str, bytes]:
    """Return the file name (PEP 625) and the bytes of a source distribution with one module."""
    stem, module, number = _stem(name, version)
    project = (
        '[build-system]\nrequires = ["setuptools>=61"]\nbuild-backend = "setuptools.build_meta"\n\n'
        f'[project]\nname = "{name}"\nversion = "{number}"\n\n[tool.setuptools]\npy-modules = ["{module}"]\n'
    )
    files = {
        f"{stem}/PKG-INFO": _metadata(name, number, (), None),
        f"{stem}/pyproject.toml": project.encode(),
        f"{stem}/{module}.py": _module(number),
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return f"{stem}.tar.gz", gzip.compress(buffer.getvalue(), mtime=0)


def _stem(name: str, version: str) -> tuple[str, str, str]:
    """Return the file name's stem, the module's name and the normalized version."""
    module = canonicalize_name(name, validate=True).replace("-", "_")
    number = str(Version(version))
    return f"{module}-{number}", module, number


def _module(version: str) -> bytes:
    """Return the source of the only module."""
    return f'__version__ = "{version}"\n'.encode()


def _metadata(
    name: str,
    version: str,
    requires: Collection[str],
    requires_python: str | None,
    headers: Collection[str] = (),
    description: str = "",
) -> bytes:
    """Return the core metadata."""
    lines = ["Metadata-Version: 2.2", f"Name: {name}", f"Version: {version}", *headers]
    if not any(header.startswith("Summary:") for header in headers):
        lines.append(f"Summary: A sample of {name}")
    if requires_python:
        lines.append(f"Requires-Python: {requires_python}")
    lines += [f"Requires-Dist: {requirement}" for requirement in requires]
    return "\n".join([*lines, "", description]).encode()


def _record(files: Mapping[str, bytes], path: str) -> bytes:
    """Return RECORD: every file with its hash and size, and RECORD itself with neither."""
    rows = []
    for name, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        rows.append(f"{name},sha256={digest},{len(content)}\n")
    return "".join([*rows, f"{path},,\n"]).encode()
