"""The fault matrix: every call of the flow fails in every way, and no half of a file is ever left, or hinders the next.

The file is whole in a published release afterwards, or nothing is there that was not before; only an empty asset in a
release that was there may stay. The same command again succeeds.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
from pytest_twisted import ensureDeferred
from support.press import SDIST, WHEEL, Box, Press
from twisted.internet.defer import DeferredList
from twisted.internet.task import deferLater

from pypihub.catalog.publishing import Published
from pypihub.errors import PyPIHubError
from pypihub.sandbox.faults import (
    CutBody,
    CutUpload,
    Drop,
    Effect,
    Fault,
    Hang,
    Html,
    PrimaryLimit,
    SecondaryLimit,
    Status,
)

MakeBox = Callable[..., Awaitable[Box]]


@dataclass(frozen=True)
class Scene:
    """What is there before, and which calls a good run makes: their places, the writes among them with a star."""

    prepare: Callable[[Box], object]
    calls: tuple[str, ...]
    signs: bool = False


def _nothing(box: Box) -> None:
    """A repository without releases."""


def _release(box: Box) -> None:
    box.repository.add_release("v1.0").add_asset(SDIST, b"an sdist")


def _draft(box: Box) -> None:
    box.repository.add_release("v1.0", draft=True).add_asset("notes.txt", b"notes")


def _stuck(box: Box) -> None:
    box.repository.add_release("v1.0").add_asset(WHEEL, b"")


SCENES = {
    "a new release": Scene(_nothing, ("graphql", "rest*", "rest", "uploads*", "rest*")),
    "a new release for two assets": Scene(
        _nothing, ("graphql", "rest*", "rest", "uploads*", "uploads*", "rest*"), signs=True
    ),
    "a release that is there": Scene(_release, ("graphql", "rest", "uploads*")),
    "a draft that is there": Scene(_draft, ("graphql", "rest", "uploads*", "rest*")),
    "an upload that got stuck": Scene(_stuck, ("graphql", "rest", "rest", "rest", "rest*", "uploads*")),
}
FAULTS: dict[str, Fault] = {
    "500": Status(500),
    "502": Html(502),
    "503": Status(503, b'{"message": "Service unavailable"}'),
    "200 with HTML": Html(200),
    "422": Status(422, b'{"message": "Validation Failed", "errors": [{"code": "custom", "message": "No."}]}'),
    "422 without a reason": Status(422),
    "hang": Hang(),
    "drop": Drop(),
    "cut answer": CutBody(20),
    "cut upload": CutUpload(3),
}
MATRIX = [
    pytest.param(scene, number, fault, id=f"{scene}, call {number} ({call}), {fault}")
    for scene in SCENES
    for number, call in enumerate(SCENES[scene].calls)
    for fault in FAULTS
    if fault != "cut upload" or call == "uploads*"
]


def effects(call: str, fault: Fault) -> list[Effect]:
    """What a write may come to behind a fault that replaces or loses the answer; what GitHub rejects it does not do."""
    if not call.endswith("*") or isinstance(fault, CutBody):
        return [Effect.DONE]
    if fault is FAULTS["422"]:
        return [Effect.NONE]
    return [Effect.DONE, Effect.NONE, *([Effect.HALF] if call == "uploads*" else [])]


def traces(box: Box) -> list[tuple[str, bool, list[str]]]:
    """All releases with the names of their assets, without those that are empty."""
    return [
        (release.tag_name, release.is_draft, [asset.name for asset in release.assets.values() if asset.size])
        for release in box.releases
    ]


async def publish(press: Press, scene: Scene, signature: bytes) -> Published:
    return await press.publish(WHEEL, signature=signature if scene.signs else None)


def is_whole(box: Box, scene: Scene) -> bool:
    [tag] = box.published() or [""]
    names = box.published().get(tag, [])
    return len(box.releases) == 1 and WHEEL in names and (not scene.signs or f"{WHEEL}.asc" in names)


@pytest.mark.parametrize("name", SCENES)
@ensureDeferred
async def test_the_matrix_knows_every_call(box: Box, signature: bytes, name: str) -> None:
    scene = SCENES[name]
    scene.prepare(box)
    assert await publish(await box.press(), scene, signature) is Published.NEW
    made = [f"{call.where}{'' if call.method == 'GET' or call.where == 'graphql' else '*'}" for call in box.sandbox.calls]
    assert tuple(made) == scene.calls
    assert is_whole(box, scene)


@pytest.mark.parametrize(("name", "number", "fault_name"), MATRIX)
@pytest.mark.parametrize("times", [1, 3])
@ensureDeferred
async def test_all_or_nothing(
    make_box: MakeBox, signature: bytes, name: str, number: int, fault_name: str, times: int
) -> None:
    scene, fault = SCENES[name], FAULTS[fault_name]
    call = scene.calls[number]
    where = call.rstrip("*")
    skip = sum(before.rstrip("*") == where for before in scene.calls[:number])
    for effect in effects(call, fault):
        box = await make_box()
        scene.prepare(box)
        before = traces(box)
        press = await box.press(timeout=0.1 if isinstance(fault, Hang) else 5)
        box.sandbox.faults.add(fault, where=where, skip=skip, times=times, effect=effect)
        try:
            assert await publish(press, scene, signature) is Published.NEW
        except PyPIHubError:
            assert traces(box) == before, f"{effect}: something stayed behind"
        else:
            assert is_whole(box, scene), effect
        box.sandbox.faults.clear()
        assert await publish(press, scene, signature) in (Published.NEW, Published.SAME)
        assert is_whole(box, scene), f"{effect}: after the second time"
        assert [asset.size for asset in box.assets if asset.name == WHEEL] == [7]
