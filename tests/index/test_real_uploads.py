"""Real wheels and sdists from PyPI may be published: new and old, small and large, by many tools."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name
from support.registry import download
from support.uploading import checked

from pypihub.index.names import FileNames

WHEELS = ("numpy", "pandas", "click", "setuptools", "google-re2")
SDISTS = (
    "flask",  # flit
    "click",
    "setuptools",
    "six==1.10.0",  # 2015
    "zope.interface==5.0.0",
    "simplejson==3.8.0",
    "httplib2==0.9",  # a zip
)


@pytest.fixture(scope="session")
def real_files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Files from PyPI."""
    folder = tmp_path_factory.mktemp("files")
    download(folder, "--no-deps", "--only-binary", ":all:", *WHEELS)
    download(folder, "--no-deps", "--no-binary", ":all:", *SDISTS)
    return sorted(folder.iterdir())


@pytest.mark.parametrize("project", sorted({name.partition("==")[0] for name in (*WHEELS, *SDISTS)}))
def test_real_files_may_be_published(real_files: list[Path], project: str) -> None:
    names = FileNames(canonicalize_name(project))
    files = {path: version for path in real_files if (version := names.version(path.name)) is not None}
    wanted = [name for name in (*WHEELS, *SDISTS) if name.partition("==")[0] == project]
    assert len(files) == len(wanted)
    for path, version in files.items():
        metadata = checked(path.name, path.read_bytes(), name=project, version=str(version))
        assert (metadata is not None) == path.name.endswith(".whl")
        assert metadata is None or sha256(metadata.content).hexdigest() == metadata.sha256
