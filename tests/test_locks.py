"""The locks of CI and of the image, and who asks about known flaws in them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
_EXTRAS = PROJECT["optional-dependencies"]
LOCKS = {
    "requirements.lock": PROJECT["dependencies"],
    "requirements-dev.lock": [*PROJECT["dependencies"], *_EXTRAS["demo"], *_EXTRAS["test"], *_EXTRAS["lint"]],
    "requirements-docs.lock": PYPROJECT["dependency-groups"]["docs"],
}
"""What the project wants of each."""


def wanted(lock: str) -> Iterator[Requirement]:
    """What a lock is to have, the project itself left out."""
    return (each for each in map(Requirement, LOCKS[lock]) if each.name != PROJECT["name"])


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_all_that_the_project_wants_in_a_version_that_it_takes(lock: str) -> None:
    pins: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([a-z0-9._-]+)==(\S+)", (ROOT / lock).read_text(), re.MULTILINE):
        pins.setdefault(name, []).append(version)
    for requirement in wanted(lock):
        versions = pins.get(canonicalize_name(requirement.name))
        assert versions, f"{requirement.name} is not in {lock}: run .ci/lock"
        assert all(requirement.specifier.contains(version) for version in versions), f"{requirement}: run .ci/lock"


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_hashes_and_names_no_host(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    for pin in re.findall(r"^[a-z0-9](?:.*\\\n)+.*", text, re.MULTILINE):
        assert "--hash=sha256:" in pin
    assert len(re.findall(r"^[a-z0-9]", text, re.MULTILINE)) == len(
        re.findall(r"^[a-z0-9].*==.*\\$", text, re.MULTILINE)
    )


@pytest.mark.parametrize(
    ("dependencies", "status", "line"),
    [
        ([{"name": "a", "version": "1", "vulns": []}], 0, "1 packages have no known flaws"),
        ([{"name": "a", "version": "1", "vulns": [{"id": "PYSEC-1"}]}], 1, "a 1: PYSEC-1"),
        ([{"name": "a", "skip_reason": "not found"}], 0, "not audited: the service cannot be reached"),
        ([{"name": "a", "skip_reason": "not found"}, {"name": "b", "version": "1", "vulns": []}], 1, "not found"),
        (None, 0, "not audited: no route"),
    ],
)
def test_what_is_not_audited_is_not_called_clean(tmp_path: Path, dependencies: object, status: int, line: str) -> None:
    says = f"print({json.dumps(json.dumps({'dependencies': dependencies}))})"
    (tmp_path / "pip_audit.py").write_text(says if dependencies else "raise SystemExit('no route')")
    done = subprocess.run(
        [sys.executable, ROOT / ".ci/audit", "some.lock"], cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == status
    assert done.stdout.startswith(line)
