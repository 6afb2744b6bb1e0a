"""The sample files are real: pip installs them, and they are the same bytes in every run."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import zipfile
from email.parser import BytesParser
from pathlib import Path

from packaging.utils import parse_sdist_filename

from pypihub.sandbox.samples import sample_sdist, sample_wheel


def test_pip_installs_a_sample_wheel(tmp_path: Path) -> None:
    name, content = sample_wheel("My-Sample", "1.02", extra_files={"my_data/hello.txt": b"hello"})
    (tmp_path / name).write_bytes(content)
    target = tmp_path / "target"
    command = [sys.executable, "-m", "pip", "install", "--no-index", "--no-deps", "--disable-pip-version-check"]
    subprocess.run([*command, "--target", target, tmp_path / name], check=True, capture_output=True)
    show = [sys.executable, "-c", "import my_sample; print(my_sample.__version__)"]
    shown = subprocess.run(show, check=True, capture_output=True, text=True, cwd=target)
    assert shown.stdout == "1.2\n"
    assert (target / "my_data" / "hello.txt").read_bytes() == b"hello"


def test_a_wheel_tells_its_requirements() -> None:
    _, content = sample_wheel("sample", "1", requires=["other>=1", "more"], requires_python=">=3.9")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        metadata = BytesParser().parsebytes(archive.read("sample-1.dist-info/METADATA"))
    assert metadata.get_all("Requires-Dist") == ["other>=1", "more"]
    assert (metadata["Name"], metadata["Version"], metadata["Requires-Python"]) == ("sample", "1", ">=3.9")


def test_an_sdist_has_what_it_needs() -> None:
    name, content = sample_sdist("My.Sample", "1.0")
    assert name == "my_sample-1.0.tar.gz"
    assert parse_sdist_filename(name)[0] == "my-sample"
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        assert archive.getnames() == [
            f"my_sample-1.0/{file}" for file in ("PKG-INFO", "pyproject.toml", "my_sample.py")
        ]


def test_the_bytes_are_always_the_same() -> None:
    assert sample_wheel("sample", "1") == sample_wheel("sample", "1")
    assert sample_sdist("sample", "1") == sample_sdist("sample", "1")
