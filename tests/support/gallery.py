"""An owner as they are in real life, for pages to be looked at: projects of all kinds, the names made up."""

from __future__ import annotations

from datetime import UTC, datetime

from pypihub.sandbox.samples import sample_sdist, sample_wheel
from pypihub.sandbox.world import World

OWNER = "acme"
PROJECT = "rocket-fuel"
_OTHERS = (
    ("acme-logging", "3.4.1", "Structured logs for every service, with one line of setup", "2026-11-02", {}),
    ("anvil", "2026.9", "Build images and deploy them, from a laptop or from CI", "2026-09-21", {"private": False}),
    ("billing-client", "12.0.3", "Typed client for the billing API", "2026-11-18", {}),
    ("feature-flags", "1.9.0", "Flags that are evaluated in the process, without a call", "2026-08-30", {}),
    ("legacy-soap", "0.8.4", "SOAP, for as long as the warehouse needs it", "2023-03-14", {"archived": True}),
    ("portable-hole", "0.3.0", "Tunnels for integration tests", "2026-10-05", {"private": False}),
    ("roadrunner", "5.1.2", "A job queue on PostgreSQL that does not lose jobs", "2026-11-25", {}),
)
_REQUIRES = {"feature-flags": ("iniconfig>=2",)}
_VERSIONS = (
    ("1.0.0", "2025-12-01", None),
    ("1.1.0", "2026-02-17", None),
    ("1.2.0", "2026-04-20", "[yanked] loses the last reading of a stream"),
    ("1.2.1", "2026-04-22", None),
    ("1.3.0", "2026-07-09", None),
    ("2.0.0", "2026-11-24", None),
    ("2.1.0rc1", "2026-11-26", None),
)
_HEADERS = (
    "Summary: Readings of tanks and valves, as streams that never block",
    "Author: The propulsion team",
    "License-Expression: Apache-2.0",
    "Project-URL: Documentation, https://docs.example.com/rocket-fuel/",
    "Project-URL: Changes, https://docs.example.com/rocket-fuel/changes",
    "Description-Content-Type: text/markdown",
)
README = """\
# rocket-fuel

[![build](https://ci.example.com/rocket-fuel.svg)](https://ci.example.com/rocket-fuel)

Readings of tanks and valves as **streams that never block**. See the [guide](docs/guide.md) for more.

```python
from rocket_fuel import Tank

async def main() -> None:
    async for reading in Tank("LOX-1").readings(every=0.5):
        print(f"{reading.pressure:.1f} bar")  # 3.2 bar
```

| Sensor | Rate | Unit |
|---|---|---|
| Pressure | 100 Hz | bar |
| Temperature | 10 Hz | K |

- [x] Tanks and valves
- [ ] Turbopumps

<script>document.title = "taken"</script>
<img src="x" onerror="document.title = 'taken'">
"""


def hang(world: World) -> str:
    """Fills the world; the owner's token."""
    for name, version, description, day, kind in _OTHERS:
        repository = world.add_repository(f"{OWNER}/{name}", **kind)
        repository.description = description
        release = repository.add_release(f"v{version}", created_at=_moment(day))
        wheel = sample_wheel(name, version, requires=_REQUIRES.get(name, ()))
        release.add_asset(*wheel, created_at=_moment(day))
    fuel = world.add_repository(f"{OWNER}/{PROJECT}")
    fuel.description = "Readings of tanks and valves"
    for version, day, title in _VERSIONS:
        release = fuel.add_release(f"v{version}", name=title, created_at=_moment(day))
        wheel = sample_wheel(PROJECT, version, requires_python=">=3.11", headers=_HEADERS, description=README)
        for filename, content in (wheel, sample_sdist(PROJECT, version)):
            release.add_asset(filename, content, created_at=_moment(day))
    return world.add_token(OWNER)


def _moment(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T09:30:00").replace(tzinfo=UTC)
