"""Real packages from PyPI, as this machine's own pip is configured to reach it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

TREE = ("klein", "treq", "twisted[tls]")
"""What a user would ask for, to get some twenty packages that need each other."""

_NO_CONNECTION = re.compile(r"^.*(?:NewConnection|NameResolution|ConnectTimeout|Proxy)Error.*$", re.MULTILINE)
_SOME_FILE = re.compile(r"^ *(?:Downloading|Using cached|Processing) ", re.MULTILINE)


def download(folder: Path, *arguments: str) -> None:
    """Downloads packages into a folder. Only a registry that cannot be reached at all is a reason to skip."""
    command = [sys.executable, "-m", "pip", "download", "--dest", str(folder), *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    lost = _NO_CONNECTION.search(ended.stderr)
    if ended.returncode and lost and not _SOME_FILE.search(ended.stdout):
        pytest.skip(f"the package registry cannot be reached: {lost[0]}")
    assert ended.returncode == 0, ended.stdout + ended.stderr
