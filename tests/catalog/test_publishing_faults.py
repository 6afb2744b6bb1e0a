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
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.task import deferLater

from pypihub.catalog.delivery import Published
from pypihub.catalog.publishing import LONGEST_END
from pypihub.errors import (
    PyPIHubError,
    RateLimitedError,
    StoppingError,
    TokenRefusedError,
    UploadRefusedError,
    UpstreamError,
)
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
from pypihub.sandbox.records import Asset

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
    draft = box.repository.add_release("v1.0", draft=True)
    draft.description = f"<!-- pypihub {'0' * 32} -->"
    draft.add_asset("notes.txt", b"notes")


def _stuck(box: Box) -> None:
    box.repository.add_release("v1.0").add_asset(WHEEL, b"")


SCENES = {
    "a new release": Scene(_nothing, ("graphql", "rest*", "rest", "uploads*", "rest*")),
    "a new release for two assets": Scene(
        _nothing, ("graphql", "rest*", "rest", "uploads*", "uploads*", "rest*"), signs=True
    ),
    "a release that is there": Scene(_release, ("graphql", "rest", "uploads*")),
    "a draft that was left behind": Scene(_draft, ("graphql", "rest", "uploads*", "rest*")),
    "an upload that got stuck": Scene(_stuck, ("graphql", "rest", "rest", "rest", "rest*", "uploads*")),
}
FAULTS: dict[str, Fault] = {
    "500": Status(500),
    "502": Html(502),
    "200 with HTML": Html(200),
    "422": Status(422, b'{"message": "Validation Failed", "errors": [{"code": "custom", "message": "No."}]}'),
    "422 without a reason": Status(422),
    "hang": Hang(),
    "drop": Drop(),
    "cut answer": CutBody(20),
    "cut upload": CutUpload(3),
}
LASTING = ("500", "hang", "drop", "cut upload")
"""Those that are met three times in a row as well: every try fails. The others differ in the answer alone."""
MATRIX = [
    pytest.param(scene, number, fault, times, id=f"{scene}, call {number} ({call}), {fault}, {times}")
    for scene in SCENES
    for number, call in enumerate(SCENES[scene].calls)
    for fault in FAULTS
    for times in ((1, 3) if fault in LASTING else (1,))
    if fault != "cut upload" or call == "uploads*"
]


def effects(call: str, fault: Fault) -> list[Effect]:
    """What a write may come to behind a fault that replaces or loses the answer; what GitHub rejects it does not do."""
    if not call.endswith("*") or isinstance(fault, CutBody):
        return [Effect.DONE]
    if fault is FAULTS["422"]:
        return [Effect.NONE]
    return [Effect.DONE, Effect.NONE, *([Effect.HALF] if call == "uploads*" else [])]


def plan(box: Box, scene: Scene, number: int, fault: Fault, times: int, effect: Effect) -> None:
    """Has the call of this number fail, and those to the same place after it, so many in all."""
    where = scene.calls[number].rstrip("*")
    skip = sum(before.rstrip("*") == where for before in scene.calls[:number])
    box.sandbox.faults.add(fault, where=where, skip=skip, times=times, effect=effect)


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
    made = [
        f"{call.where}{'' if call.method == 'GET' or call.where == 'graphql' else '*'}" for call in box.sandbox.calls
    ]
    assert tuple(made) == scene.calls
    assert is_whole(box, scene)


@pytest.mark.parametrize(("name", "number", "fault_name", "times"), MATRIX)
@ensureDeferred
async def test_all_or_nothing(
    make_box: MakeBox, signature: bytes, name: str, number: int, fault_name: str, times: int
) -> None:
    scene, fault = SCENES[name], FAULTS[fault_name]
    call = scene.calls[number]
    for effect in effects(call, fault):
        box = await make_box()
        scene.prepare(box)
        before = traces(box)
        press = await box.press(timeout=0.1 if isinstance(fault, Hang) else 60)
        plan(box, scene, number, fault, times, effect)
        try:
            assert await publish(press, scene, signature) is Published.NEW
        except PyPIHubError:
            assert traces(box) == before or is_whole(box, scene), f"{effect}: something stayed behind"
        else:
            assert is_whole(box, scene), effect
        box.sandbox.faults.clear()
        assert await publish(press, scene, signature) in (Published.NEW, Published.SAME)
        assert is_whole(box, scene), f"{effect}: after the second time"
        assert [asset.size for asset in box.assets if asset.name == WHEEL] == [7]


STEPS = [
    pytest.param(name, number, id=f"{name}, call {number}")
    for name in SCENES
    for number in range(len(SCENES[name].calls))
]


async def reached(box: Box, number: int) -> None:
    """Waits until the call of this number, from 0, came to GitHub, or as much of an upload as changes anything."""
    while len(box.sandbox.calls) <= number:
        await deferLater(box.reactor, 0.001)


@pytest.mark.parametrize(("name", "number"), STEPS)
@ensureDeferred
async def test_who_hangs_up_at_any_step_has_published_all_the_same(
    box: Box, signature: bytes, name: str, number: int
) -> None:
    scene = SCENES[name]
    scene.prepare(box)
    press = await box.press()
    publishing = press.publish(WHEEL, signature=signature if scene.signs else None)
    publishing.addErrback(lambda failure: failure.trap(CancelledError))
    await reached(box, number)
    publishing.cancel()
    await press.idle()
    assert is_whole(box, scene)


@pytest.mark.parametrize(("name", "number"), STEPS)
@ensureDeferred
async def test_the_end_at_any_step_leaves_all_or_nothing(
    make_box: MakeBox, signature: bytes, name: str, number: int, pass_time: Callable[[float], None]
) -> None:
    scene = SCENES[name]
    for effect in effects(scene.calls[number], Hang()):
        box = await make_box()
        scene.prepare(box)
        before = traces(box)
        plan(box, scene, number, Hang(), 1, effect)
        press = await box.press(timeout=600)
        publishing = press.publish(WHEEL, signature=signature if scene.signs else None)
        await reached(box, number)
        stopping = Deferred.fromCoroutine(press.publishing.stop())
        pass_time(LONGEST_END)
        await stopping
        with pytest.raises(StoppingError):
            await publishing
        assert traces(box) == before or is_whole(box, scene)
        assert await publish(await box.press(), scene, signature) in (Published.NEW, Published.SAME)
        assert is_whole(box, scene)


@pytest.mark.parametrize("fault", [SecondaryLimit(retry_after=60), PrimaryLimit()])
@ensureDeferred
async def test_what_a_rate_limit_leaves_behind_is_told_and_taken_up_the_next_time(
    box: Box, fault: Fault, log_lines: list[str]
) -> None:
    press = await box.press()
    box.sandbox.faults.add(fault, where="uploads", effect=Effect.HALF)
    with pytest.raises(RateLimitedError):
        await press.publish(WHEEL)
    assert [release.is_draft for release in box.releases] == [True]
    assert any(f"Publishing {WHEEL} in octo/demo may have left something behind" in line for line in log_lines)
    assert not any(box.token in line for line in log_lines)
    other = await box.press()  # an hour later, or another server
    assert await other.publish(WHEEL) is Published.NEW
    assert box.published() == {"v1.0": [WHEEL]}
    assert box.releases[0].description == "", "the mark went with the draft"


@pytest.mark.parametrize("prepare", [_nothing, _draft])
@ensureDeferred
async def test_what_turns_out_to_be_published_stays(make_box: MakeBox, prepare: Callable[[Box], object]) -> None:
    box = await make_box(repository_immutable_releases=True)
    prepare(box)
    press = await box.press()
    before_it_is_published = 2 if prepare is _nothing else 1
    box.sandbox.faults.add(Status(500), where="rest", skip=before_it_is_published, times=4)
    with pytest.raises(UpstreamError):
        await press.publish(WHEEL)
    assert WHEEL in box.published()["v1.0"]
    assert await press.publish(WHEEL) is Published.SAME


@ensureDeferred
async def test_a_token_that_is_revoked_in_the_middle_is_remembered(box: Box) -> None:
    press = await box.press()
    box.sandbox.faults.add(Status(401, b'{"message": "Bad credentials"}'), where="uploads", effect=Effect.NONE)
    for _ in range(2):
        with pytest.raises(TokenRefusedError):
            await press.publish(WHEEL)
    assert box.releases == [], "the token was good, after all"


@ensureDeferred
async def test_what_others_brought_meanwhile_stays(box: Box) -> None:
    press = await box.press(timeout=30)
    box.sandbox.faults.add(Hang(), where="uploads", effect=Effect.HALF)
    publishing = press.publish(WHEEL)
    while not box.assets:
        await deferLater(box.reactor, 0.001)
    box.releases[0].add_asset("notes.txt", b"notes")
    box.sandbox.faults.clear()
    box.sandbox.faults.add(FAULTS["422"], where="uploads", times=None, effect=Effect.NONE)
    for listening in list(box.sandbox._listening):
        await listening[1].end_connections()
    with pytest.raises(UploadRefusedError):
        await publishing
    assert [(release.is_draft, list(release.assets)) for release in box.releases] == [(True, ["notes.txt"])]


@pytest.mark.parametrize("is_there", [False, True])
@ensureDeferred
async def test_a_file_that_github_keeps_otherwise_is_taken_back(
    box: Box, monkeypatch: pytest.MonkeyPatch, is_there: bool
) -> None:
    if is_there:
        _release(box)
    before = traces(box)
    fill = Asset.fill
    monkeypatch.setattr(Asset, "fill", lambda asset, file, size, _sha256: fill(asset, file, size, "0" * 64))
    with pytest.raises(UpstreamError, match=f"did not keep {WHEEL} as it was sent"):
        await (await box.press()).publish(WHEEL)
    assert traces(box) == before


@pytest.mark.parametrize("signs", [False, True])
@ensureDeferred
async def test_two_processes_while_one_fails(box: Box, signature: bytes, signs: bool) -> None:
    """Whatever the one takes back is not the other's."""
    for number in range(6):
        box.sandbox.faults.add(Status(500), where="rest", skip=2 * number + 1)
    first, second = await box.press(), await box.press()
    results = await DeferredList(
        [first.publish(WHEEL, signature=signature if signs else None), second.publish(SDIST)], consumeErrors=True
    )
    for press, name, (ok, _) in zip((first, second), (WHEEL, SDIST), results, strict=True):
        names = [asset.name for asset in box.assets]
        assert (name in names) is ok
        if not ok:
            await press.publish(name, signature=signature if signs and name == WHEEL else None)
    assert len(box.releases) == 1
    assert {WHEEL, SDIST} <= set(box.published()["v1.0"])
