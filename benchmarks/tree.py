"""A tree of packages in a folder: wheels that need one another, and what a static index needs beside them."""

from __future__ import annotations

import hashlib
import json
import random
import zipfile
from pathlib import Path

from pypihub.sandbox.samples import sample_wheel

ROOT = "branch-00"
"""The package that needs all others."""


def make_tree(folder: Path, packages: int, size: int, *, flat: bool = False) -> None:
    """Writes wheels of about `size` bytes that do not compress, and the static index.

    `files/` has the wheels with their METADATA beside them (PEP 658), `simple/NAME/` the pages (PEP 691, JSON, for
    that is what pip asks for), and `plain/NAME/` the same pages without a word of METADATA. Each package needs up to
    three others: two below it in a binary tree, and its neighbour. Where the tree is `flat`, the root needs all others.
    """
    (folder / "files").mkdir()
    for number in range(packages):
        needed = sorted({2 * number + 1, 2 * number + 2, number + 1})
        if flat:
            needed = [] if number else list(range(1, packages))
        requires = [f"{_name(other)}>=1" for other in needed if other < packages]
        bulk = {f"branch_{number:02}.bin": random.Random(number).randbytes(size)}  # noqa: S311  # no secret
        name, content = sample_wheel(_name(number), "1.0", requires=requires, extra_files=bulk)
        wheel = folder / "files" / name
        wheel.write_bytes(content)
        metadata = _metadata(wheel)
        wheel.with_name(f"{name}.metadata").write_bytes(metadata)
        file = {
            "filename": name,
            "url": f"../../files/{name}",
            "hashes": {"sha256": hashlib.sha256(content).hexdigest()},
            "size": len(content),
            "upload-time": "2025-07-01T00:00:00Z",
        }
        _write_page(folder / "plain", _name(number), file)
        _write_page(
            folder / "simple", _name(number), file | {"core-metadata": {"sha256": hashlib.sha256(metadata).hexdigest()}}
        )


def _name(number: int) -> str:
    return f"branch-{number:02}"


def _metadata(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA")))


def _write_page(index: Path, name: str, file: dict[str, object]) -> None:
    page = {"meta": {"api-version": "1.4"}, "name": name, "versions": ["1.0"], "files": [file]}
    (index / name).mkdir(parents=True)
    (index / name / "index.json").write_text(json.dumps(page))
