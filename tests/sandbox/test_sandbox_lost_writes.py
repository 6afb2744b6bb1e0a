"""Writes whose answers fail: whether the release or the asset is there all the same is for the test to choose."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import deferLater
from twisted.web.client import PartialDownloadError, RequestTransmissionFailed, ResponseFailed, ResponseNeverReceived

from pypihub.sandbox.faults import (
    CutBody,
    CutUpload,
    Drop,
    Effect,
    Fault,
    Faults,
    Hang,
    Html,
    Latency,
    LoginAttempts,
    PrimaryLimit,
    SecondaryLimit,
    Status,
)
from pypihub.sandbox.world import Release

RELEASES = "/repos/octo/hello/releases"
LOST = (ResponseFailed, ResponseNeverReceived, RequestTransmissionFailed, PartialDownloadError)
STATES = {Effect.DONE: ["uploaded"], Effect.HALF: ["starter"], Effect.NONE: []}


@pytest.fixture
def release(box: Any) -> Release:
    """A release of `octo/hello`."""
    added: Release = box.world.add_repository("octo/hello").add_release("v1")
    return added


def states(release: Release) -> list[str]:
    return [asset.state for asset in release.assets.values()]


@pytest.mark.parametrize("effect", Effect)
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Status(502, b"{}"), 502),
        (Html(504), 504),
        (SecondaryLimit(retry_after=1), 403),
        (PrimaryLimit(), 403),
        (LoginAttempts(), 403),
    ],
)
@pytest_twisted.ensureDeferred
async def test_an_upload_with_another_answer(
    box: Any, release: Release, fault: Fault, code: int, effect: Effect
) -> None:
    box.sandbox.faults.add(fault, where="uploads", effect=effect)
    assert (await box.upload(release, "a.whl", b"abc")).code == code
    assert states(release) == STATES[effect]
    last = box.sandbox.calls[-1]
    assert (last.login, last.status, last.variables["name"]) == ("octo", code, "a.whl")
    assert (await box.upload(release, "b.whl", b"abc")).code == 201


@pytest.mark.parametrize("effect", Effect)
@pytest_twisted.ensureDeferred
async def test_an_upload_whose_answer_is_lost(box: Any, release: Release, effect: Effect) -> None:
    box.sandbox.faults.add(Drop(), where="uploads", effect=effect)
    with pytest.raises(LOST):
        await box.upload(release, "a.whl", b"abc")
    assert states(release) == STATES[effect]
    assert box.sandbox.calls[-1].status == 0
    assert (await box.upload(release, "a.whl", b"abc")).code == (201 if effect is Effect.NONE else 422)


@pytest_twisted.ensureDeferred
async def test_an_upload_whose_answer_is_cut_short_or_late(box: Any, release: Release, reactor: Any) -> None:
    box.sandbox.faults.add(CutBody(10), where="uploads")
    with pytest.raises(LOST):
        await box.upload(release, "a.whl", b"abc")
    box.sandbox.faults.add(Latency(0.2), where="uploads")
    before = reactor.seconds()
    assert (await box.upload(release, "b.whl", b"abc")).code == 201
    assert reactor.seconds() - before >= 0.2
    assert states(release) == ["uploaded", "uploaded"]


@pytest_twisted.ensureDeferred
async def test_an_upload_that_is_never_answered(make_box: Callable[..., Awaitable[Any]], reactor: Any) -> None:
    box = await make_box()
    release = box.world.add_repository("octo/hello").add_release("v1")
    box.sandbox.faults.add(Hang(), where="uploads")
    asked: Deferred[Any] = ensureDeferred(box.upload(release, "a.whl", b"abc"))
    while len(box.sandbox.calls) < 2:
        await deferLater(reactor, 0)
    assert states(release) == ["uploaded"]
    assert not asked.called
    await box.sandbox.stop()
    with pytest.raises(LOST):
        await asked


@pytest.mark.parametrize(
    ("effect", "left"), [(Effect.DONE, ["starter"]), (Effect.HALF, ["starter"]), (Effect.NONE, [])]
)
@pytest_twisted.ensureDeferred
async def test_an_upload_that_the_server_cuts(box: Any, release: Release, effect: Effect, left: list[str]) -> None:
    box.sandbox.faults.add(CutUpload(1_000_000), where="uploads", effect=effect)
    with pytest.raises(LOST):
        await box.upload(release, "a.whl", bytes(5_000_000))
    assert states(release) == left
    assert (box.sandbox.calls[-1].where, box.sandbox.calls[-1].status) == ("uploads", 0)
    assert (await box.upload(release, "b.whl", bytes(5_000_000))).code == 201


@pytest_twisted.ensureDeferred
async def test_a_cut_at_the_very_end(box: Any, release: Release) -> None:
    box.sandbox.faults.add(CutUpload(3), where="uploads")
    with pytest.raises(LOST):
        await box.upload(release, "a.whl", b"abc")
    assert states(release) == ["starter"]
    assert [call.status for call in box.sandbox.calls if call.where == "uploads"] == [0]


@pytest_twisted.ensureDeferred
async def test_a_cut_behind_the_end_loses_the_answer(box: Any, release: Release) -> None:
    box.sandbox.faults.add(CutUpload(1_000_000), where="uploads")
    with pytest.raises(LOST):
        await box.upload(release, "a.whl", b"abc")
    assert states(release) == ["uploaded"]


@pytest.mark.parametrize(("effect", "tags"), [(Effect.DONE, ["v1", "v2"]), (Effect.NONE, ["v1"])])
@pytest.mark.parametrize("fault", [Status(503), Drop()])
@pytest_twisted.ensureDeferred
async def test_a_release_whose_answer_is_lost(
    box: Any, release: Release, fault: Fault, effect: Effect, tags: list[str]
) -> None:
    box.sandbox.faults.add(fault, where="rest", effect=effect)
    if isinstance(fault, Drop):
        with pytest.raises(LOST):
            await box.rest("POST", RELEASES, {"tag_name": "v2"})
    else:
        assert (await box.rest("POST", RELEASES, {"tag_name": "v2"})).code == 503
    assert list(release.repository.releases) == tags
    assert box.sandbox.calls[-1].login == "octo"


@pytest.mark.parametrize(
    ("where", "effect"), [("graphql", Effect.NONE), ("rest", Effect.HALF), ("storage", Effect.HALF)]
)
def test_effects_that_there_cannot_be(where: str, effect: Effect) -> None:
    with pytest.raises(ValueError, match=r"upload|written"):
        Faults().add(Drop(), where=where, effect=effect)
