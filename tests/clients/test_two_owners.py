"""Two owners on one host in one run: each token is used for its own owner's packages and for no other's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from support.hub import Hub

from pypihub.sandbox.endpoint import Call
from pypihub.sandbox.samples import sample_wheel

Client = Callable[..., Any]


@pytest.fixture
def tokens(hub: Hub) -> dict[str, str]:
    """The owners' tokens; acme's app needs octo's lib, and each sees nothing of the other's."""
    hub.world.add_repository("acme/app").add_release("v1").add_asset(*sample_wheel("app", "1.0", requires=["lib"]))
    hub.world.add_repository("octo/lib").add_release("v1").add_asset(*sample_wheel("lib", "2.0"))
    return {"acme": hub.world.add_token("acme"), "octo": hub.token}


def owners_asked_for(hub: Hub, call: Call) -> set[str]:
    """Whose repository or assets a call wanted."""
    if call.operation == "Listing":
        return {str(call.variables["owner"])}
    assets: list[Any] = [hub.world.node(asset_id) for asset_id in call.variables["ids"]]
    return {str(asset.release.repository.owner.login) for asset in assets}


def check(hub: Hub, site: Path) -> None:
    """Both are installed, and nobody asked for what is another's."""
    assert (site / "app.py").exists()
    assert (site / "lib.py").exists()
    questions = [call for call in hub.sandbox.calls if call.where == "graphql"]
    assert {call.login for call in questions} == {"acme", "octo"}
    assert all(owners_asked_for(hub, call) == {call.login} for call in questions)
    assert {call.operation for call in questions} == {"Listing", "Lookup"}


@pytest.mark.parametrize("users", [("__token__", "__token__"), ("acme", "octo")])
@ensureDeferred
async def test_pip_uses_each_token_for_its_owner_alone(
    hub: Hub, tokens: dict[str, str], pip: Client, tmp_path: Path, users: tuple[str, str]
) -> None:
    acme, octo = (
        hub.index_url(user, tokens[owner], f"/{owner}/simple/")
        for user, owner in zip(users, ("acme", "octo"), strict=True)
    )
    ended = await pip("install", "--target", "site", "app", index=acme, PIP_EXTRA_INDEX_URL=octo)
    assert ended.code == 0, ended.text
    check(hub, tmp_path / "site")


@ensureDeferred
async def test_uv_uses_each_token_for_its_owner_alone(
    hub: Hub, tokens: dict[str, str], uv: Client, tmp_path: Path
) -> None:
    ended = await uv(
        "pip", "install", "--target", "site", "app",
        index=f"octo={hub.url}/octo/simple/",
        UV_INDEX=f"acme={hub.url}/acme/simple/",
        UV_INDEX_ACME_USERNAME="__token__",
        UV_INDEX_ACME_PASSWORD=tokens["acme"],
        UV_INDEX_OCTO_USERNAME="__token__",
        UV_INDEX_OCTO_PASSWORD=tokens["octo"],
    )  # fmt: skip
    assert ended.code == 0, ended.text
    check(hub, tmp_path / "site")
