"""How many bytes of real wheels are asked for to read their METADATA: those that it takes, and no other."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from support.ranged import TAIL, by_zipfile, metadata_entry, read
from support.registry import download

from pypihub.index.wheel import Span

REAL = ("klein", "treq", "numpy", "pandas")
LARGE = ("numpy", "pandas")
"""Many megabytes, and a directory that is longer than the first range."""


@pytest.fixture(scope="session")
def real_wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Wheels from PyPI by their projects."""
    folder = tmp_path_factory.mktemp("wheels")
    download(folder, "--no-deps", "--only-binary", ":all:", *REAL)
    return {path.name.partition("-")[0]: path for path in folder.glob("*.whl")}


def needed(path: Path) -> tuple[int, Span]:
    """Where a wheel's directory begins, and where METADATA's local header and data are, by the standard library."""
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        info = metadata_entry(archive)
        file.seek(info.header_offset + 26)
        name_and_extra = sum(int.from_bytes(file.read(2), "little") for _ in range(2))
        return archive.start_dir, Span(
            info.header_offset, info.header_offset + 30 + name_and_extra + info.compress_size
        )


@pytest.mark.parametrize("project", REAL)
def test_of_a_real_wheel_the_tail_is_asked_for_and_what_is_missing_then(
    real_wheels: dict[str, Path], project: str
) -> None:
    path = real_wheels[project]
    wheel = path.read_bytes()
    metadata, spans = read(wheel, path.name)
    assert metadata.content == by_zipfile(wheel)
    assert metadata.requires_python is not None
    directory, entry = needed(path)
    tail = len(wheel) - TAIL
    expected = [Span(tail, len(wheel))]
    if directory < tail:
        expected.append(Span(directory, tail))
    if entry.start < tail:
        expected.append(Span(entry.start, min(entry.end, tail)))
    assert spans == expected


@pytest.mark.parametrize("project", LARGE)
def test_of_a_large_real_wheel_the_directory_and_metadata_are_read(real_wheels: dict[str, Path], project: str) -> None:
    path = real_wheels[project]
    size = path.stat().st_size
    _, spans = read(path.read_bytes(), path.name)
    directory, entry = needed(path)
    asked = sum(span.end - span.start for span in spans)
    assert len(spans) == 3
    assert asked == (size - directory) + (entry.end - entry.start)
    assert asked < size / 25
