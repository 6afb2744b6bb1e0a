"""What `pypihub check --json` told, and something to be checked."""

from __future__ import annotations

import json
from typing import Any

from support.hub import Hub
from support.process import Process

from pypihub.sandbox.samples import sample_sdist, sample_wheel


class Found:
    """What a run of the command told."""

    def __init__(self, process: Process) -> None:
        self.code = process.code
        document = json.loads(process.out)
        self.ok = document["ok"]
        self.names = [step["name"] for step in document["steps"]]
        self.step = {step["name"]: step for step in document["steps"]}

    def with_(self, ok: bool | None) -> list[str]:
        """The steps that passed (True), failed (False), or were left out."""
        return [name for name in self.names if self.step[name]["ok"] is ok]


def publish(hub: Hub, name: str = "app") -> Any:
    """A repository with a release of a wheel and an sdist of the project of its name."""
    made = hub.world.add_repository(f"octo/{name}")
    release = made.add_release("v1.0")
    release.add_asset(*sample_wheel(name, "1.0", requires_python=">=3.9"))
    release.add_asset(*sample_sdist(name, "1.0"))
    return made
