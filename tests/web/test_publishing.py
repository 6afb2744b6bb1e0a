"""From a POST to a release on GitHub and back to the page, through the whole daemon."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import requests
from pytest_twisted import ensureDeferred
from support.forms import CONTENT_TYPE, form, upload_parts
from support.hub import Hub
from support.steady import until
from support.wire import connect
from twisted.internet.defer import DeferredList
from twisted.internet.threads import deferToThread

from pypihub.sandbox.faults import Latency
from pypihub.sandbox.samples import sample_sdist, sample_wheel

WHEEL = sample_wheel("demo", "1.0")
SDIST = sample_sdist("demo", "1.0")


def body_of(sample: tuple[str, bytes], **more: str) -> bytes:
    return form(upload_parts(*sample, name="demo", version="1.0", **more))


def post(hub: Hub, body: bytes, path: str = "/octo/legacy/", user: str = "__token__", token: str | None = None) -> Any:
    """A POST as the tools send it; a Deferred of the answer."""
    headers: Mapping[str, str] = {"Content-Type": CONTENT_TYPE}
    auth = (user, token or hub.token)
    return deferToThread(requests.post, hub.url + path, body, headers=headers, auth=auth, timeout=60)


@pytest.mark.parametrize("sample", [WHEEL, SDIST])
@ensureDeferred
async def test_what_is_published_is_on_the_page_at_once(make_hub: Any, sample: tuple[str, bytes]) -> None:
    hub = await make_hub(ttl=60)
    repository = hub.world.add_repository("octo/demo")
    assert (await hub.get("/octo/simple/demo/")).code == 404
    assert "demo" not in (await hub.get("/octo/simple/")).text
    answer = await post(hub, body_of(sample))
    assert (answer.status_code, answer.text) == (200, "The file is published.\n")
    assert sample[0] in (await hub.get("/octo/simple/demo/")).text
    assert '<a href="demo/">' in (await hub.get("/octo/simple/")).text
    (release,) = repository.releases.values()
    assert (release.tag_name, release.is_draft) == ("v1.0", False)
    answer = await post(hub, body_of(sample))
    assert (answer.status_code, answer.text) == (200, "The same file is here already.\n")


@ensureDeferred
async def test_wheel_and_sdist_at_once_come_into_one_release(hub: Hub) -> None:
    repository = hub.world.add_repository("octo/demo")
    hub.sandbox.faults.add(Latency(0.05), times=None)
    answers = await DeferredList([post(hub, body_of(WHEEL)), post(hub, body_of(SDIST))])
    assert [answer.status_code for _, answer in answers] == [200, 200]
    (release,) = repository.releases.values()
    assert {asset.name for asset in release.assets.values()} == {WHEEL[0], SDIST[0]}


@ensureDeferred
async def test_another_content_under_the_name_is_told_in_reason_and_body(hub: Hub) -> None:
    hub.world.add_repository("octo/demo").add_release("v1.0").add_asset(WHEEL[0], b"something else")
    answer = await post(hub, body_of(WHEEL))
    assert answer.status_code == 400
    assert "File already exists" in answer.reason
    assert answer.text.startswith("File already exists")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (body_of(WHEEL, sha256_digest="0" * 64), "sha256_digest"),
        (body_of((WHEEL[0], b"no zip")), WHEEL[0]),
        (form([]), ":action"),
    ],
)
@ensureDeferred
async def test_what_is_refused_is_said_and_reaches_nobody(hub: Hub, body: bytes, why: str) -> None:
    hub.world.add_repository("octo/demo")
    answer = await post(hub, body)
    assert answer.status_code == 400
    assert why in answer.text
    assert why in answer.reason
    assert not hub.sandbox.calls


@ensureDeferred
async def test_a_repository_without_a_commit_takes_no_release_and_keeps_no_draft(hub: Hub) -> None:
    repository = hub.world.add_repository("octo/demo")
    repository.has_commits = False
    answer = await post(hub, body_of(WHEEL))
    assert answer.status_code == 400
    assert answer.text.startswith("The repository has no commit, and GitHub publishes no release in it.")
    assert not repository.releases
    repository.has_commits = True
    assert (await post(hub, body_of(WHEEL))).status_code == 200


@ensureDeferred
async def test_a_token_that_github_refuses_is_401_and_then_at_once(hub: Hub) -> None:
    hub.world.add_repository("octo/demo")
    assert (await post(hub, body_of(WHEEL), token="ghp_wrong")).status_code == 401
    asked = len(hub.sandbox.calls)
    assert (await post(hub, body_of(WHEEL), token="ghp_wrong")).status_code == 401
    assert len(hub.sandbox.calls) == asked


@ensureDeferred
async def test_an_upload_is_published_also_where_its_client_has_hung_up(hub: Hub) -> None:
    repository = hub.world.add_repository("octo/demo")
    hub.sandbox.faults.add(Latency(0.05), times=None)
    wire, body = await connect(hub), body_of(WHEEL)
    wire.send_head("/legacy/", f"Content-Length: {len(body)}")
    wire.send(body)
    await wire.until(lambda: len(hub.sandbox.calls) > 0)
    wire.hang_up()
    await wire.until(lambda: any(not release.is_draft for release in repository.releases.values()))
    (release,) = repository.releases.values()
    assert [asset.size for asset in release.assets.values()] == [len(WHEEL[1])]


@ensureDeferred
async def test_an_upload_that_is_being_published_is_finished_when_the_hub_is_stopped(hub: Hub) -> None:
    repository = hub.world.add_repository("octo/demo")
    hub.sandbox.faults.add(Latency(0.05), times=None)
    answer = post(hub, body_of(WHEEL))
    await until(hub, lambda: len(hub.sandbox.calls) > 0)
    await hub.services.pop().stopService()
    assert (await answer).status_code == 200
    assert [release.is_draft for release in repository.releases.values()] == [False]
