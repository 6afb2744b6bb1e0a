"""Publishing: where files go, what is refused, and what their publisher is shown next."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any, BinaryIO

import pytest
from pytest_twisted import ensureDeferred
from support.press import METADATA, SDIST, WHEEL, Box, Press
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.task import deferLater

from pypihub.catalog import publishing as module
from pypihub.catalog.delivery import Published
from pypihub.errors import (
    ForbiddenError,
    NotFoundError,
    OwnerNotServedError,
    StoppingError,
    TokenRefusedError,
    UploadRefusedError,
)
from pypihub.github.credentials import Token
from pypihub.index.uploads import Upload
from pypihub.sandbox.faults import Effect, Hang
from pypihub.sandbox.world import Refusal

MakeBox = Callable[..., Awaitable[Box]]


# Where files go


@ensureDeferred
async def test_a_file_gets_a_release_of_its_version(box: Box, press: Press) -> None:
    assert await press.publish(WHEEL, b"a wheel") is Published.NEW
    [release] = box.releases
    assert (release.tag_name, release.name, release.description) == ("v1.0", "demo 1.0", "")
    assert (release.is_draft, release.is_prerelease, release.is_latest) == (False, False, True)
    assert [(asset.name, asset.state, asset.size) for asset in box.assets] == [(WHEEL, "uploaded", 7)]
    assert box.calls() == ["rest POST", "rest GET", "uploads POST", "rest PATCH"]


@ensureDeferred
async def test_the_next_file_of_the_version_joins_it(box: Box, press: Press) -> None:
    await press.publish(WHEEL)
    assert await press.publish(SDIST) is Published.NEW
    assert box.published() == {"v1.0": [WHEEL, SDIST]}


@ensureDeferred
async def test_a_release_that_holds_the_version_comes_before_the_tag(box: Box, press: Press) -> None:
    box.repository.add_release("v1.0")
    box.repository.add_release("release-one").add_asset(SDIST, b"an sdist")
    await press.publish(WHEEL)
    assert box.published() == {"v1.0": [], "release-one": [SDIST, WHEEL]}


@ensureDeferred
async def test_a_tag_may_name_the_project_and_a_local_version(box: Box) -> None:
    press = await box.press(tag="{name}/{version}")
    await press.publish("demo-1.0+cu118-py3-none-any.whl", version="1.0+cu118")
    assert box.published() == {"demo/1.0+cu118": ["demo-1.0+cu118-py3-none-any.whl"]}


@ensureDeferred
async def test_an_early_version_is_a_prerelease(box: Box, press: Press) -> None:
    await press.publish("demo-2.0rc1-py3-none-any.whl", version="2.0rc1")
    assert [(release.tag_name, release.is_prerelease) for release in box.releases] == [("v2.0rc1", True)]


@ensureDeferred
async def test_a_file_goes_into_a_draft_that_somebody_prepares_and_that_stays_one(box: Box, press: Press) -> None:
    draft = box.repository.add_release("v1.0", name="One", draft=True)
    draft.description = "All that is new."
    assert await press.publish(WHEEL) is Published.DRAFT
    assert await press.publish(WHEEL) is Published.DRAFT
    assert box.releases == [draft]
    assert (draft.is_draft, draft.name, draft.description) == (True, "One", "All that is new.")
    assert list(draft.assets) == [WHEEL]


@ensureDeferred
async def test_a_draft_that_was_left_behind_is_taken_up_and_published(box: Box, press: Press) -> None:
    draft = box.repository.add_release("v1.0", draft=True)
    draft.description = f"<!-- pypihub {'0' * 32} -->"
    assert await press.publish(WHEEL) is Published.NEW
    assert box.releases == [draft]
    assert (draft.is_draft, draft.description, list(draft.assets)) == (False, "", [WHEEL])


@ensureDeferred
async def test_drafts_stay_drafts_where_they_are_to(box: Box) -> None:
    press = await box.press(draft=True)
    assert await press.publish(WHEEL) is Published.DRAFT
    assert await press.publish(SDIST) is Published.DRAFT
    assert await press.publish(SDIST) is Published.SAME
    [draft] = box.releases
    assert (draft.is_draft, list(draft.assets)) == (True, [WHEEL, SDIST])
    with pytest.raises(NotFoundError):
        await press.project()
    draft.publish()
    press.listings.expire(Token(box.token), press.catalog_repository)
    assert [file.filename for file in (await press.project()).files] == [WHEEL, SDIST]


@ensureDeferred
async def test_a_published_release_takes_files_also_where_new_ones_stay_drafts(box: Box) -> None:
    box.repository.add_release("v1.0")
    press = await box.press(draft=True)
    assert await press.publish(WHEEL) is Published.NEW
    assert box.published() == {"v1.0": [WHEEL]}


@ensureDeferred
async def test_a_signature_stands_beside_its_file(box: Box, press: Press, signature: bytes) -> None:
    await press.publish(WHEEL, signature=signature)
    assert box.published() == {"v1.0": [f"{WHEEL}.asc", WHEEL]}, "the file comes last"
    assert await press.publish(WHEEL, signature=signature.replace(b"iQ", b"iR")) is Published.SAME
    assert box.assets[0].sha256 == hashlib.sha256(signature).hexdigest()


@ensureDeferred
async def test_a_signature_that_was_missing_is_added(box: Box, press: Press, signature: bytes) -> None:
    await press.publish(WHEEL)
    assert await press.publish(WHEEL, signature=signature) is Published.SAME
    assert box.published() == {"v1.0": [WHEEL, f"{WHEEL}.asc"]}


@ensureDeferred
async def test_many_releases_and_assets_are_looked_through(box: Box, press: Press) -> None:
    for number in range(120):
        box.repository.add_release(f"v{number}.9")
    full = box.repository.add_release("v1.0")
    for number in range(120):
        full.add_asset(f"{number}.txt", b"x")
    assert await press.publish(WHEEL) is Published.NEW
    assert WHEEL in full.assets


# What is refused, or there already


@ensureDeferred
async def test_the_same_file_again_writes_nothing(box: Box, press: Press) -> None:
    await press.publish(WHEEL)
    before = box.calls()
    assert await press.publish(WHEEL) is Published.SAME
    assert box.calls() == before


@pytest.mark.parametrize("content", [b"a whale", b"a longer wheel"])
@ensureDeferred
async def test_another_content_is_refused_in_whatever_release_it_is(box: Box, press: Press, content: bytes) -> None:
    box.repository.add_release("elsewhere").add_asset(WHEEL, b"a wheel")
    with pytest.raises(UploadRefusedError, match=f"^File already exists: {WHEEL} is in elsewhere with other content"):
        await press.publish(WHEEL, content)
    assert box.calls() == []


@ensureDeferred
async def test_without_a_digest_only_a_hash_that_was_computed_tells(box: Box, press: Press) -> None:
    asset = box.repository.add_release("v1.0").add_asset(WHEEL, b"a wheel", digest=False)
    with pytest.raises(UploadRefusedError, match=r"^File already exists: .* no hash"):
        await press.publish(WHEEL)
    await press.project()  # computes it
    while not (await press.project()).files[0].sha256:
        await deferLater(box.reactor, 0.001)
    assert await press.publish(WHEEL) is Published.SAME
    assert box.assets == [asset]


@ensureDeferred
async def test_a_server_without_digests_is_published_to_as_well(make_box: MakeBox) -> None:
    box = await make_box(digest=False)
    press = await box.press()
    assert await press.publish(WHEEL) is Published.NEW
    [file] = (await press.project()).files
    assert (file.sha256, bool(file.core_metadata)) == (hashlib.sha256(b"a wheel").hexdigest(), True)
    assert await press.publish(WHEEL) is Published.SAME
    assert not [call for call in box.sandbox.calls if call.where == "storage"], "nothing was read for that"


@ensureDeferred
async def test_another_signature_without_its_file_is_not_replaced(box: Box, press: Press, signature: bytes) -> None:
    box.repository.add_release("v1.0").add_asset(f"{WHEEL}.asc", b"another")
    with pytest.raises(UploadRefusedError, match=rf"^File already exists: {WHEEL}\.asc, with other content"):
        await press.publish(WHEEL, signature=signature)
    assert box.published() == {"v1.0": [f"{WHEEL}.asc"]}


@ensureDeferred
async def test_an_upload_that_got_stuck_is_replaced(box: Box, press: Press) -> None:
    release = box.repository.add_release("v1.0")
    release.add_asset(WHEEL, b"")
    assert await press.publish(WHEEL) is Published.NEW
    assert [(asset.name, asset.size) for asset in release.assets.values()] == [(WHEEL, 7)]


@ensureDeferred
async def test_an_immutable_release_takes_no_more_files(make_box: MakeBox) -> None:
    box = await make_box(repository_immutable_releases=True)
    press = await box.press()
    await press.publish(WHEEL)
    assert box.releases[0].immutable
    with pytest.raises(UploadRefusedError, match=r"immutable.* \[publish\] draft = true"):
        await press.publish(SDIST)
    assert box.published() == {"v1.0": [WHEEL]}


@ensureDeferred
async def test_the_tag_of_an_immutable_release_that_is_gone_is_spent(make_box: MakeBox) -> None:
    box = await make_box(repository_immutable_releases=True)
    press = await box.press()
    await press.publish(WHEEL)
    box.repository.remove_release("v1.0")
    with pytest.raises(UploadRefusedError, match="tag_name was used by an immutable release"):
        await press.publish(WHEEL)
    assert box.releases == []


@ensureDeferred
async def test_a_full_release_takes_no_more_files(box: Box, press: Press) -> None:
    release = box.repository.add_release("v1.0")
    for number in range(1000):
        release.add_asset(f"{number}.txt", b"x")
    with pytest.raises(UploadRefusedError, match="1,000 files"):
        await press.publish(WHEEL)


@ensureDeferred
async def test_an_archived_repository_takes_nothing(make_box: MakeBox) -> None:
    box = await make_box(repository_archived=True)
    press = await box.press()
    with pytest.raises(ForbiddenError, match="octo/demo is archived"):
        await press.publish(WHEEL)
    assert box.calls() == []


@pytest.mark.parametrize("is_there", [False, True])
@pytest.mark.parametrize(
    ("login", "scopes"), [("reader", ["repo"]), ("reader", ["contents:write"]), ("octo", ["contents:read"])]
)
@ensureDeferred
async def test_who_may_only_read_is_told_so(make_box: MakeBox, login: str, scopes: list[str], is_there: bool) -> None:
    box = await make_box(repository_readers=["reader"])
    if is_there:
        box.repository.add_release("v1.0")
    press = await box.press()
    with pytest.raises(ForbiddenError, match="Contents: write"):
        await press.publish(WHEEL, token=box.world.add_token(login, scopes=scopes))
    assert box.assets == []
    assert [call for call in box.calls() if call in ("rest POST", "uploads POST")] == [
        "uploads POST" if is_there else "rest POST"
    ], "it was tried once"


@ensureDeferred
async def test_a_public_repository_may_be_read_and_not_written_to(make_box: MakeBox) -> None:
    box = await make_box(repository_private=False)
    press = await box.press()
    with pytest.raises(ForbiddenError):
        await press.publish(WHEEL, token=box.world.add_token("stranger"))


@ensureDeferred
async def test_single_sign_on_leads_to_its_page(box: Box, press: Press) -> None:
    token = box.world.add_token("octo", refuse=Refusal.SAML)
    with pytest.raises(ForbiddenError, match=r"Authorize the token at https://github\.com/orgs/"):
        await press.publish(WHEEL, token=token)


@ensureDeferred
async def test_a_repository_that_is_not_there_is_not_made(box: Box, press: Press) -> None:
    with pytest.raises(NotFoundError, match="repositories that exist"):
        await press.publish("other-1.0.tar.gz", name="other")


@ensureDeferred
async def test_a_repository_that_moved_to_another_owner_is_theirs(box: Box, press: Press) -> None:
    box.world.add_organization("elsewhere")
    box.world.rename_repository("octo/demo", "elsewhere/demo")
    with pytest.raises(NotFoundError):
        await press.publish(WHEEL)


@ensureDeferred
async def test_a_renamed_repository_is_written_to_under_its_new_name(box: Box, press: Press) -> None:
    box.world.rename_repository("octo/demo", "octo/renamed")
    assert await press.publish(WHEEL) is Published.NEW
    assert all(call.status in (200, 201) for call in box.sandbox.calls), "nobody had to be sent on"


@ensureDeferred
async def test_a_refused_token_is_remembered(box: Box, press: Press) -> None:
    for _ in range(2):
        with pytest.raises(TokenRefusedError):
            await press.publish(WHEEL, token="ghp_wrong")
    assert len(box.sandbox.calls) == 1


@ensureDeferred
async def test_what_is_refused_by_its_form_or_its_content_reaches_nobody(box: Box) -> None:
    def refuse(upload: Upload, file: BinaryIO) -> Any:
        raise UploadRefusedError(f"This is no archive: {file.read()!r}")

    press = await box.press(check=refuse)
    with pytest.raises(UploadRefusedError, match="b''"):  # the file stands at its end
        await press.publish(WHEEL)
    with pytest.raises(UploadRefusedError, match="not one of the form's name"):
        await press.publish(WHEEL, version="2.0")
    assert box.sandbox.calls == []


@ensureDeferred
async def test_other_owners_are_turned_away(box: Box) -> None:
    press = await box.press(owners=["else"])
    with pytest.raises(OwnerNotServedError):
        await press.publish(WHEEL)
    assert box.sandbox.calls == []


# What its publisher is shown


@ensureDeferred
async def test_the_publishers_next_page_shows_the_file_with_all_that_pages_tell(box: Box, press: Press) -> None:
    await press.publish(SDIST, b"an sdist")
    assert [file.filename for file in (await press.project()).files] == [SDIST]  # and is kept for ten minutes
    await press.publish(WHEEL)
    [wheel, sdist] = (await press.project()).files
    assert (wheel.filename, wheel.sha256) == (WHEEL, hashlib.sha256(b"a wheel").hexdigest())
    assert wheel.core_metadata == hashlib.sha256(METADATA).hexdigest()
    assert (sdist.filename, sdist.sha256) == (SDIST, hashlib.sha256(b"an sdist").hexdigest())
    assert not [call for call in box.sandbox.calls if call.where == "storage"], "nothing was read for that"


@ensureDeferred
async def test_a_listing_under_way_is_asked_for_again(box: Box, press: Press) -> None:
    await press.publish(SDIST)
    asked: Deferred[Any] = Deferred.fromCoroutine(press.project())
    press.listings.expire(Token(box.token), press.catalog_repository)
    assert [file.filename for file in (await asked).files] == [SDIST]
    assert sum(call.where == "graphql" for call in box.sandbox.calls) == 3


# Many at once


@ensureDeferred
async def test_files_of_one_version_that_come_together_share_its_release(box: Box, press: Press) -> None:
    names = [WHEEL, SDIST, "demo-1.0-py2-none-any.whl", "demo-1.0-1-py3-none-any.whl"]
    results = await DeferredList([press.publish(name, name.encode()) for name in names])
    assert [result for _, result in results] == [Published.NEW] * 4
    assert {tag: sorted(files) for tag, files in box.published().items()} == {"v1.0": sorted(names)}
    assert box.calls().count("rest POST") == 1, "one after the other"
    assert len(press.publishing) == 0


@ensureDeferred
async def test_the_same_file_twice_at_once_is_there_once(box: Box, press: Press) -> None:
    results = await DeferredList([press.publish(WHEEL), press.publish(WHEEL)])
    assert {result for _, result in results} == {Published.NEW, Published.SAME}
    assert box.published() == {"v1.0": [WHEEL]}


@pytest.mark.parametrize("others", [[SDIST], [WHEEL], [SDIST, WHEEL, "demo-1.0-1-py3-none-any.whl"]])
@pytest.mark.parametrize("draft", [False, True])
@ensureDeferred
async def test_several_processes_agree_on_one_release(box: Box, draft: bool, others: list[str]) -> None:
    names = [WHEEL, *others]
    presses = [await box.press(draft=draft) for _ in names]
    results = await DeferredList([press.publish(name) for press, name in zip(presses, names, strict=True)])
    assert all(ok for ok, _ in results), results
    [release] = box.releases
    assert (release.tag_name, release.is_draft) == ("v1.0", draft)
    assert sorted(release.assets) == sorted(set(names))
    assert all(asset.size for asset in box.assets)


# Ends


@ensureDeferred
async def test_an_upload_goes_on_where_its_client_hangs_up(box: Box, press: Press) -> None:
    publishing = press.publish(WHEEL)
    publishing.cancel()
    with pytest.raises(CancelledError):
        await publishing
    await press.idle()
    assert box.published() == {"v1.0": [WHEEL]}


@ensureDeferred
async def test_the_end_waits_for_what_is_under_way_and_takes_no_more(box: Box, press: Press) -> None:
    publishing = press.publish(WHEEL)
    while not box.sandbox.calls:
        await deferLater(box.reactor, 0.001)
    await press.publishing.stop()
    assert await publishing is Published.NEW
    with pytest.raises(StoppingError):
        await press.publish(SDIST)
    assert box.published() == {"v1.0": [WHEEL]}


@ensureDeferred
async def test_in_the_end_what_waits_for_its_turn_is_told(box: Box, press: Press) -> None:
    first = press.publish(WHEEL)
    while not box.sandbox.calls:
        await deferLater(box.reactor, 0.001)
    second = press.publish(SDIST)
    await press.publishing.stop()
    assert await first is Published.NEW
    with pytest.raises(StoppingError):
        await second
    assert box.published() == {"v1.0": [WHEEL]}


@ensureDeferred
async def test_in_the_end_what_takes_too_long_is_undone(box: Box, pass_time: Callable[[float], None]) -> None:
    press = await box.press(timeout=600)
    box.sandbox.faults.add(Hang(), where="uploads", effect=Effect.HALF)
    publishing = press.publish(WHEEL)
    while not box.assets:
        await deferLater(box.reactor, 0.001)
    stopping = Deferred.fromCoroutine(press.publishing.stop())
    pass_time(module.LONGEST_END)
    await stopping
    with pytest.raises(StoppingError):
        await publishing
    assert box.releases == []


@ensureDeferred
async def test_the_end_does_not_wait_for_ever(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_END", 0.05)
    press = await box.press(timeout=600)
    for where in ("uploads", "rest"):
        box.sandbox.faults.add(Hang(), where=where, skip=0 if where == "uploads" else 2, times=None)
    publishing = press.publish(WHEEL)
    while not box.assets:
        await deferLater(box.reactor, 0.001)
    await press.publishing.stop()
    with pytest.raises(StoppingError):
        await publishing
    assert box.assets, "nothing could be taken back"
