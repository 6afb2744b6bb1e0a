"""The tools that publish, each in an environment of its own, since they want different releases of the same things."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import uv

BACKENDS = ("flit-core==4.2.0", "hatchling==1.33.0", "pdm-backend==2.5.0", "poetry-core==2.5.0", "uv-build==0.13.6")
"""What builds their projects; these get along with each other."""
TOOLS = {
    "flit": ("flit==4.2.0",),
    "hatch": ("hatch==1.18.2",),
    "pdm": ("pdm==2.29.3", "hishel<2", "unearth<0.19"),  # it breaks with later ones of what it needs
    "poetry": ("poetry==2.5.1",),
    "twine": ("twine==7.0.0",),
}
"""Their releases; what they need is as it was on `AS_OF`. uv comes with the tests."""
AS_OF = "2026-11-27"
_NO_CONNECTION = re.compile(r"^.*(?:client error \(Connect\)|dns error|tunnel error).*$", re.MULTILINE)


@dataclass(frozen=True)
class Tools:
    """Environments in a folder, made when they are first wanted."""

    folder: Path

    def python(self, name: str, *requirements: str) -> Path:
        """The Python of the environment `name`, which has these requirements."""
        python = self.folder / name / "bin" / "python"
        if not python.exists():
            _uv("venv", "--quiet", "--python", sys.executable, str(self.folder / name))
            _uv("pip", "install", "--quiet", "--exclude-newer", AS_OF, "--python", str(python), *requirements)
        return python

    def command(self, name: str) -> Path:
        """A tool's command."""
        return Path(uv.find_uv_bin()) if name == "uv" else self.python(name, *TOOLS[name]).with_name(name)

    def backends(self) -> Path:
        """A Python that can build any tool's projects without a network."""
        return self.python("backends", *BACKENDS)


def _uv(*arguments: str) -> None:
    """Runs uv as this machine has it configured. Only a registry that cannot be reached is a reason to skip."""
    command = [uv.find_uv_bin(), *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    lost = _NO_CONNECTION.search(ended.stderr)
    if ended.returncode and lost:
        pytest.skip(f"the package registry cannot be reached: {lost[0].strip()}")
    assert ended.returncode == 0, ended.stdout + ended.stderr
