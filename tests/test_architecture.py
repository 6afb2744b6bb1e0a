"""The house: imports go down its floors, no module is too long, and each says what it is for."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib.metadata import packages_distributions
from importlib.util import resolve_name
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import pypihub

_ROOT = Path(pypihub.__file__).parent
# From the top. An import goes to a lower floor or stays in its room; "" is pypihub/__init__.py, the version.
_FLOORS = (
    ("__main__",),
    ("cli",),
    ("commands",),
    ("sandbox", "daemon"),
    ("web",),
    ("catalog",),
    ("github",),
    ("index",),
    ("config",),
    ("certificates",),
    ("tally",),
    ("errors",),
    ("lines",),
    ("",),
)
_FLOOR = {room: number for number, rooms in enumerate(_FLOORS) for room in rooms}
_LONGEST = 300


@cache
def _modules() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    files = sorted(_ROOT.rglob("*.py"))
    return {".".join(("pypihub", *_parts(file))): file for file in files}


def _parts(file: Path) -> tuple[str, ...]:
    parts = file.relative_to(_ROOT).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(_modules()[module].read_text())


def _imports(module: str) -> Iterator[str]:
    """What a module imports, be it late or for type checkers only."""
    is_package = _modules()[module].name == "__init__.py"
    package = module if is_package else module.rpartition(".")[0]
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package)
            for alias in node.names:
                submodule = f"{base}.{alias.name}"
                yield submodule if submodule in _modules() else base


def _own_imports(module: str) -> set[str]:
    return {name for name in _imports(module) if name.partition(".")[0] == "pypihub"}


def _room(module: str) -> str:
    return (*module.split("."), "")[1]


def test_every_room_has_a_floor() -> None:
    assert {_room(module) for module in _modules()} == set(_FLOOR)


@pytest.mark.parametrize("module", _modules())
def test_imports_go_down(module: str) -> None:
    room = _room(module)
    up = {
        name
        for name in _own_imports(module)
        if name not in _modules() or (_room(name) != room and _FLOOR[_room(name)] <= _FLOOR[room])
    }
    assert not up, f"{module} imports {', '.join(sorted(up))}, which is not below it"


def test_what_is_imported_is_declared() -> None:
    """What comes with a dependency today may be gone from its next version."""
    project = tomllib.loads((_ROOT.parent / "pyproject.toml").read_text())["project"]
    wanted = (*project["dependencies"], *project["optional-dependencies"]["demo"])
    declared = {canonicalize_name(Requirement(each).name) for each in wanted}
    origins = packages_distributions()
    tops = {name.partition(".")[0] for module in _modules() for name in _imports(module)}
    others = tops - sys.stdlib_module_names - {"pypihub"}
    undeclared = {top for top in others if declared.isdisjoint(map(canonicalize_name, origins[top]))}
    assert not undeclared


def test_no_import_goes_in_a_circle() -> None:
    try:
        TopologicalSorter({module: _own_imports(module) for module in _modules()}).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def _offenders(room: str, forbidden: set[str]) -> list[str]:
    """The imports in a room of what is forbidden there: a top-level package, or a room of ours."""
    return [
        f"{module} imports {name}"
        for module in _modules()
        if _room(module) == room
        for name in _imports(module)
        if (_room(name) if name.startswith("pypihub.") else name.partition(".")[0]) in forbidden
    ]


def test_the_pure_room_knows_no_network() -> None:
    assert not _offenders("index", {"twisted", "klein", "treq", "socket", "asyncio", "requests", "urllib3"})


def test_the_sandbox_imports_nothing_of_what_it_stands_in_for() -> None:
    assert not _offenders("sandbox", {"github", "catalog", "web"})


def test_the_version_imports_nothing() -> None:
    assert not list(_imports("pypihub"))


def test_pages_are_made_without_twisted() -> None:
    """Not even by way of something else that is imported."""
    rooms = [module for module in _modules() if _room(module) in ("index", "config", "errors")]
    code = f"import sys, {', '.join(rooms)}; print(*sorted({{'twisted', 'klein', 'treq'}} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert not loaded.strip(), f"{rooms} load {loaded}"


@pytest.mark.parametrize("module", _modules())
def test_a_module_says_what_it_is_for_and_is_not_long(module: str) -> None:
    lines = len(_modules()[module].read_text().splitlines())
    assert lines <= _LONGEST, f"{module} has {lines} lines"
    assert ast.get_docstring(_tree(module)), f"{module} has no docstring"
