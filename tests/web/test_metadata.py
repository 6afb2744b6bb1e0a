"""Metadata beside the wheels, and what pages tell of it: the whole daemon over a GitHub in a box."""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from support.hub import Answer, Hub
from support.steady import house_of
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.web.client import ResponseNeverReceived

from pypihub.catalog.chores import PAUSE
from pypihub.sandbox.faults import CutBody, Drop, Fault, Hang, Latency, Status
from pypihub.sandbox.records import Asset, Release
from pypihub.sandbox.samples import sample_sdist, sample_wheel

JSON = "application/vnd.pypi.simple.v1+json"
PAGE = "/simple/demo/"
PYTHON = ">=3.11,<4"
BALLAST = {"demo.bin": random.Random(0).randbytes(300_000)}  # noqa: S311  # a wheel that is not read whole
LOOKUP = "Lookup"


def release_of(hub: Hub, repository: str = "octo/demo", **more: Any) -> Release:
    """The only release of a new repository."""
    return hub.world.add_repository(repository, **more).add_release("v1")


def wheel(release: Release, version: str = "1.0", *, digest: bool = True, **more: Any) -> Asset:
    """A wheel in a release."""
    name, content = sample_wheel("demo", version, requires=["other>=1"], requires_python=PYTHON, **more)
    return release.add_asset(name, content, digest=digest)


def path_of(asset: Asset) -> str:
    """The path of a file."""
    return f"/asset/{asset.id}/{asset.name}"


def metadata_in(asset: Asset) -> bytes:
    """What zipfile reads out of the wheel."""
    assert isinstance(asset.content, bytes)
    with zipfile.ZipFile(io.BytesIO(asset.content)) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return archive.read(name)


async def metadata(hub: Hub, asset: Asset, **how: Any) -> Answer:
    """The answer to a request for a wheel's METADATA."""
    return await hub.get(how.pop("prefix", "") + path_of(asset) + ".metadata", **how)


async def files(hub: Hub, **how: Any) -> dict[str, dict[str, Any]]:
    """The files of the JSON page by their names."""
    answer = await hub.get(PAGE, headers={"Accept": JSON}, **how)
    assert answer.code == 200, answer.text
    return {file["filename"]: file for file in json.loads(answer.body)["files"]}


async def html(hub: Hub) -> str:
    """The HTML page."""
    return (await hub.get(PAGE, headers={"Accept": "text/html"})).text


async def until(hub: Hub, condition: Callable[[], Awaitable[bool]]) -> None:
    """Waits until something is so."""
    for _ in range(2000):
        if await condition():
            return
        await deferLater(hub.reactor, 0.001)
    pytest.fail("it did not come to be so")


async def tells(hub: Hub, name: str, key: str) -> bool:
    """Whether the page tells of a file's metadata or of its hash by a sha256."""
    found = (await files(hub))[name].get(key)
    return isinstance(found, dict) and "sha256" in found


async def calls(hub: Hub, where: str, number: int) -> None:
    """Waits until a place was called so many times."""

    async def is_so() -> bool:
        return hub.asked(where) >= number

    await until(hub, is_so)


async def background(hub: Hub) -> None:
    """Waits until nothing is found out in the background any more."""
    knowledge = house_of(hub).knowledge

    async def is_over() -> bool:
        return not knowledge.wheels._ahead._workers and not knowledge._hashes._chores._workers

    await until(hub, is_over)


def ranges(hub: Hub) -> list[str | None]:
    """The Range of each call of the storage."""
    return [call.headers.get("range") for call in hub.sandbox.calls if call.where == "storage"]


@pytest.mark.parametrize("extra", [{}, BALLAST], ids=["small", "large"])
@ensureDeferred
async def test_metadata_is_the_wheel_s_own_byte_for_byte(hub: Hub, extra: dict[str, bytes]) -> None:
    asset = wheel(release_of(hub), extra_files=extra)
    for prefix in ("", "/octo", "/OCTO"):
        answer = await metadata(hub, asset, prefix=prefix)
        assert (answer.code, answer.body) == (200, metadata_in(asset))
        assert "private" in str(answer.header("Cache-Control"))
    start = max(asset.size - 64 * 1024, 0)
    assert ranges(hub) == [f"bytes={start}-{asset.size - 1}"]


@ensureDeferred
async def test_head_tells_of_metadata_without_its_bytes(hub: Hub) -> None:
    asset = wheel(release_of(hub))
    for prefix in ("", "/octo"):
        answer = await hub.head(prefix + path_of(asset) + ".metadata")
        assert (answer.code, answer.body) == (200, b"")
        assert answer.header("Content-Length") == str(len(metadata_in(asset)))


@ensureDeferred
async def test_metadata_of_what_is_no_wheel_or_not_there_is_not_found(hub: Hub) -> None:
    release = release_of(hub)
    sdist, kept, gone = release.add_asset(*sample_sdist("demo", "1.0")), wheel(release), wheel(release, "2.0")
    release.remove_asset(gone.name)
    renamed = path_of(kept).replace("demo-1.0", "demo-3.0")
    for path in (path_of(sdist), path_of(gone), renamed, path_of(kept) + ".metadata", f"/asset/{kept.id}/"):
        for method in ("GET", "HEAD"):
            assert (await hub.request(method, path + ".metadata")).code == 404, path
    assert hub.asked("storage") == 0


@ensureDeferred
async def test_metadata_is_for_those_alone_who_may_have_the_wheel(hub: Hub) -> None:
    asset = wheel(release_of(hub))
    draft = wheel(hub.world.add_repository("octo/secret").add_release("v1", draft=True))
    foreign = wheel(release_of(hub, "other/demo", readers=["octo"]))
    assert (await metadata(hub, asset)).code == 200
    for wrong, prefix in ((draft, ""), (foreign, ""), (asset, "/other")):
        assert (await metadata(hub, wrong, prefix=prefix)).code == 404
    assert (await metadata(hub, foreign, prefix="/other")).code == 200
    stranger = hub.world.add_token("stranger")
    assert (await metadata(hub, asset, prefix="/octo", token=stranger)).code == 404
    refused = await metadata(hub, asset, token="ghp_wrong")
    assert (refused.code, bool(refused.header("WWW-Authenticate"))) == (401, True)


@ensureDeferred
async def test_a_page_tells_that_there_is_metadata_and_what_it_is_once_it_was_read(hub: Hub) -> None:
    release = release_of(hub)
    old, new, sdist = wheel(release), wheel(release, "2.0"), release.add_asset(*sample_sdist("demo", "2.0"))
    before = await files(hub)
    assert before[old.name]["core-metadata"] is before[new.name]["core-metadata"] is True
    assert "requires-python" not in before[new.name]
    await until(hub, lambda: tells(hub, new.name, "core-metadata"))
    after = await files(hub)
    assert after[new.name]["core-metadata"] == {"sha256": sha256(metadata_in(new)).hexdigest()}
    assert after[new.name]["requires-python"] == PYTHON
    assert after[old.name] == before[old.name]
    assert after[sdist.name] == before[sdist.name]
    assert not {"core-metadata", "requires-python"} & set(after[sdist.name])
    assert hub.asked("storage") == 1


@ensureDeferred
async def test_html_tells_the_same_and_is_escaped(hub: Hub) -> None:
    release = release_of(hub)
    old, new, sdist = wheel(release), wheel(release, "2.0"), release.add_asset(*sample_sdist("demo", "2.0"))
    await files(hub)
    await until(hub, lambda: tells(hub, new.name, "core-metadata"))
    lines = [line for line in (await html(hub)).splitlines() if line.startswith("<a ")]
    anchors = dict(zip((old.name, new.name, sdist.name), lines, strict=True))
    value = f"sha256={sha256(metadata_in(new)).hexdigest()}"
    attributes = f' data-core-metadata="{value}" data-dist-info-metadata="{value}">'
    assert f' data-requires-python="&gt;=3.11,&lt;4"{attributes}' in anchors[new.name]
    assert '" data-core-metadata="true" data-dist-info-metadata="true">' in anchors[old.name]
    assert "data-requires-python" not in anchors[old.name]
    assert "data-" not in anchors[sdist.name]


@ensureDeferred
async def test_a_wheel_known_to_be_unreadable_is_told_of_no_more(hub: Hub) -> None:
    release = release_of(hub)
    bad = release.add_asset("demo-1.0-py3-none-any.whl", b"this is no archive at all" * 10)
    good = wheel(release, "2.0")
    assert (await files(hub))[bad.name]["core-metadata"] is True
    await until(hub, lambda: tells(hub, good.name, "core-metadata"))
    for _ in range(2):
        assert (await metadata(hub, bad)).code == 404
    assert hub.asked("storage") == 2
    found = await files(hub)
    assert "core-metadata" not in found[bad.name]
    assert "core-metadata" in found[good.name]
    assert (await hub.get(path_of(bad))).code == 302


@ensureDeferred
async def test_a_wheel_is_read_once_for_all_who_may_have_it(hub: Hub) -> None:
    asset = wheel(release_of(hub, readers=["friend"]))
    friend = hub.world.add_token("friend")
    first = await metadata(hub, asset)
    assert (hub.asked(operation=LOOKUP), hub.asked("storage")) == (1, 1)
    assert (await metadata(hub, asset)).body == first.body
    assert (hub.asked(operation=LOOKUP), hub.asked("storage")) == (1, 1)
    assert (await metadata(hub, asset, prefix="/octo", token=friend)).body == first.body
    assert (hub.asked(operation=LOOKUP), hub.asked("storage")) == (2, 1)
    assert hub.sandbox.calls[-1].login == "friend"


@ensureDeferred
async def test_those_who_ask_at_once_share_one_reading(hub: Hub) -> None:
    asset = wheel(release_of(hub, readers=["friend"]))
    friend = hub.world.add_token("friend")
    hub.sandbox.faults.add(Latency(0.3), where="storage", times=None)
    asking = [metadata(hub, asset, prefix="/octo", token=token) for token in (hub.token, friend) * 5]
    answers = await gatherResults([Deferred.fromCoroutine(each) for each in asking])
    assert {answer.body for answer in answers} == {metadata_in(asset)}
    assert hub.asked("storage") == 1


@ensureDeferred
async def test_what_was_read_outlives_a_restart(make_hub: Callable[..., Any], tmp_path: Path) -> None:
    before: Hub = await make_hub(cache=tmp_path)
    asset = wheel(release_of(before))
    body = (await metadata(before, asset)).body
    await before.stop()
    after: Hub = await make_hub(cache=tmp_path, world=before.world)
    assert await tells(after, asset.name, "core-metadata")
    answer = await metadata(after, asset)
    assert (answer.code, answer.body) == (200, body)
    stranger = after.world.add_token("stranger")
    assert (await metadata(after, asset, prefix="/octo", token=stranger)).code == 404
    assert after.asked("storage") == 0


@ensureDeferred
async def test_one_who_hangs_up_takes_nothing_from_the_others(hub: Hub) -> None:
    asset = wheel(release_of(hub))
    hub.sandbox.faults.add(Latency(0.3), where="storage", times=None)
    leaving, staying = (Deferred.fromCoroutine(metadata(hub, asset)) for _ in range(2))
    await calls(hub, "storage", 1)
    leaving.cancel()
    leaving.addErrback(lambda _: None)
    assert (await staying).body == metadata_in(asset)
    assert hub.asked("storage") == 1


@ensureDeferred
async def test_fifty_files_at_once_are_two_look_ups_at_most_and_one_that_is_gone_is_just_that(hub: Hub) -> None:
    release = release_of(hub)
    assets = [wheel(release, f"1.{number}") for number in range(50)]
    release.remove_asset(assets[7].name)
    asking = [hub.get(path_of(asset)) for asset in assets]
    answers = await gatherResults([Deferred.fromCoroutine(each) for each in asking])
    assert [answer.code for answer in answers] == [404 if asset is assets[7] else 302 for asset in assets]
    assert hub.asked() == hub.asked(operation=LOOKUP) <= 2


@ensureDeferred
async def test_a_refused_token_is_told_to_all_who_wait(hub: Hub) -> None:
    release = release_of(hub)
    paths = [path_of(wheel(release, f"1.{number}")) for number in range(20)]
    asking = [hub.get("/octo" + path, token="ghp_wrong") for path in paths]
    answers = await gatherResults([Deferred.fromCoroutine(each) for each in asking])
    assert {answer.code for answer in answers} == {401}
    assert hub.asked() <= 2


FAULTS: dict[str, tuple[Fault, int]] = {
    "forbidden": (Status(403, b"<Error/>", "application/xml"), 502),
    "not found": (Status(404, b"<Error/>", "application/xml"), 502),
    "no such range": (Status(416, b"<Error/>", "application/xml"), 502),
    "its own trouble": (Status(500), 502),
    "another range": (Status(206, b"x" * 65536, headers=(("content-range", "bytes 0-65535/65536"),)), 502),
    "some range": (Status(206, b"x" * 65536), 502),
    "a redirect": (Status(302, headers=(("location", "http://127.0.0.1:1/"),)), 502),
    "too little": (Status(200, b"PK"), 502),
    "cut": (CutBody(100), 503),
    "dropped": (Drop(), 503),
    "silence": (Hang(), 504),
}


@pytest.mark.parametrize(("fault", "code"), FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("extra", [{}, BALLAST], ids=["small", "large"])
@ensureDeferred
async def test_trouble_of_the_storage_passes_and_leaves_nothing_wrong(
    hub: Hub, pass_time: Callable[[float], None], fault: Fault, code: int, extra: dict[str, bytes]
) -> None:
    asset = wheel(release_of(hub), extra_files=extra)
    hub.sandbox.faults.add(fault, where="storage")
    asking = Deferred.fromCoroutine(metadata(hub, asset))
    if isinstance(fault, Hang):
        while not hub.asked("storage"):
            await deferLater(hub.reactor, 0.001)
        pass_time(60)  # no call waits so long
    answer = await asking
    assert answer.code == code, answer.text
    assert hub.sandbox.storage_url not in answer.text
    answer = await metadata(hub, asset)
    assert (answer.code, answer.body) == (200, metadata_in(asset))
    assert await tells(hub, asset.name, "core-metadata")
    assert hub.asked("storage") == 2


@pytest.mark.parametrize(("extra", "code"), [({}, 200), (BALLAST, 502)], ids=["small", "large"])
@ensureDeferred
async def test_a_storage_that_ignores_ranges_is_trouble_for_a_large_wheel_only(
    hub: Hub, extra: dict[str, bytes], code: int
) -> None:
    asset = wheel(release_of(hub), extra_files=extra)
    assert isinstance(asset.content, bytes)
    hub.sandbox.faults.add(Status(200, asset.content), where="storage")
    assert (await metadata(hub, asset)).code == code
    assert (await metadata(hub, asset)).body == metadata_in(asset)


@ensureDeferred
async def test_trouble_while_reading_ahead_is_not_the_page_s(hub: Hub, pass_time: Callable[[float], None]) -> None:
    asset = wheel(release_of(hub))
    hub.sandbox.faults.add(Status(500), where="storage")
    assert (await files(hub))[asset.name]["core-metadata"] is True
    await background(hub)
    pass_time(PAUSE)
    await until(hub, lambda: tells(hub, asset.name, "core-metadata"))
    assert hub.asked("storage") == 2


@ensureDeferred
async def test_a_url_that_did_not_serve_is_not_used_again(hub: Hub) -> None:
    asset = wheel(release_of(hub))
    hub.sandbox.faults.add(Status(403), where="storage")
    await metadata(hub, asset)
    await metadata(hub, asset)
    assert hub.asked(operation=LOOKUP) == 2


@pytest.mark.parametrize("fault", [Status(403), Drop()])
@ensureDeferred
async def test_a_busy_page_does_not_try_again_and_again_where_storage_fails(
    make_hub: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    monkeypatch.setattr("pypihub.web.pages.UNFINISHED", 0.0)
    hub: Hub = await make_hub(ttl=300)
    release = release_of(hub)
    wheel(release)
    release.add_asset(*sample_sdist("demo", "0.1"), digest=False)
    hub.sandbox.faults.add(fault, where="storage", times=None)
    await files(hub)
    await background(hub)
    before = hub.asked(), hub.asked("storage")
    for _ in range(20):
        await files(hub)
    await background(hub)
    assert (hub.asked(), hub.asked("storage")) == before


@ensureDeferred
async def test_the_refusal_of_one_token_is_not_another_s(make_hub: Callable[..., Any]) -> None:
    """Two read the same wheel at once, and GitHub refuses the token of the first on its way to the storage."""
    hub: Hub = await make_hub(web_urls=True)
    asset = wheel(release_of(hub, readers=["friend"]))
    friend = hub.world.add_token("friend")
    for token in (hub.token, friend):  # both look-ups are made, so that both wait for the same reading
        assert (await hub.head("/octo" + path_of(asset), token=token)).code == 200
    hub.sandbox.faults.add(Latency(0.3), where="rest", times=None)
    hub.sandbox.faults.add(Status(401, b'{"message": "Bad credentials"}'), where="rest")
    first = Deferred.fromCoroutine(metadata(hub, asset))
    await calls(hub, "rest", 1)
    second = Deferred.fromCoroutine(metadata(hub, asset, prefix="/octo", token=friend))
    assert (await first).code == 401
    assert (await second).code != 401
    assert (await metadata(hub, asset, prefix="/octo", token=friend)).code == 200


@ensureDeferred
async def test_a_file_without_a_digest_gets_its_hash_once(make_hub: Callable[..., Any], tmp_path: Path) -> None:
    hub: Hub = await make_hub(cache=tmp_path)
    name, content = sample_sdist("demo", "1.0")
    asset = release_of(hub).add_asset(name, content, digest=False)
    assert (await files(hub))[name]["hashes"] == {}
    await until(hub, lambda: tells(hub, name, "hashes"))
    for _ in range(3):
        assert (await files(hub))[name]["hashes"] == {"sha256": asset.sha256}
    assert f"{name}#sha256={asset.sha256}" in await html(hub)
    assert hub.asked("storage") == 1
    await hub.stop()
    again: Hub = await make_hub(cache=tmp_path, world=hub.world)
    assert (await files(again))[name]["hashes"] == {"sha256": asset.sha256}
    assert again.asked("storage") == 0


@ensureDeferred
async def test_a_very_large_file_is_not_hashed(hub: Hub, tmp_path: Path) -> None:
    """It would have its turn before the small one, which is older, and only one is hashed at a time."""
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(32 * 1024 * 1024 + 1)
    release = release_of(hub)
    small = release.add_asset(*sample_sdist("demo", "1.0"), digest=False)
    large = release.add_asset("demo-2.0.tar.gz", huge, digest=False)
    await until(hub, lambda: tells(hub, small.name, "hashes"))
    assert (await files(hub))[large.name]["hashes"] == {}
    assert hub.asked("storage") == 1


@pytest.mark.parametrize("fault", [Status(500), CutBody(100), Status(200, b"too short"), Drop()])
@ensureDeferred
async def test_a_hash_is_of_the_whole_file_or_there_is_none(
    hub: Hub, fault: Fault, pass_time: Callable[[float], None]
) -> None:
    asset = release_of(hub).add_asset(*sample_sdist("demo", "1.0"), digest=False)
    hub.sandbox.faults.add(fault, where="storage")
    await files(hub)
    await calls(hub, "storage", 1)
    await background(hub)
    pass_time(PAUSE)
    await until(hub, lambda: tells(hub, asset.name, "hashes"))
    assert (await files(hub))[asset.name]["hashes"] == {"sha256": asset.sha256}


def replaced(release: Release, asset: Asset, content: bytes | None = None) -> Asset:
    """The asset that takes another's place under its name, with the same bytes or others."""
    release.remove_asset(asset.name)
    return release.add_asset(asset.name, asset.content if content is None else content)


@ensureDeferred
async def test_the_old_url_of_a_replaced_file_leads_to_the_new_one(hub: Hub) -> None:
    release = release_of(hub)
    old = wheel(release)
    await files(hub)
    new = replaced(release, old)
    assert new.id != old.id
    answer = await hub.get(path_of(old))
    assert answer.code == 302
    assert str(answer.header("Location")).partition("?")[0].endswith(f"/{new.database_id}")
    assert (await metadata(hub, old)).body == metadata_in(new)
    stranger = hub.world.add_token("stranger")
    assert (await hub.get("/octo" + path_of(old), token=stranger)).code == 404
    assert (await hub.get("/other" + path_of(old))).code == 404


@ensureDeferred
async def test_a_listing_is_enough_to_find_what_was_replaced_in_it(hub: Hub) -> None:
    release = hub.world.add_repository("octo/demo").add_release("v1")
    release.add_asset(*sample_wheel("demo", "1.0"))
    old = release.add_asset(*sample_wheel("other", "1.0"))  # another project's, whose page nobody asked for
    assert (await hub.get("/simple/demo/")).code == 200
    replaced(release, old)
    assert (await hub.get(f"/asset/{old.id}/{old.name}")).code == 302


@ensureDeferred
async def test_a_replaced_file_that_no_page_showed_is_not_found(hub: Hub) -> None:
    release = release_of(hub)
    old = wheel(release)
    replaced(release, old)
    assert (await hub.get(path_of(old))).code == 404


@ensureDeferred
async def test_other_bytes_under_the_old_name_are_another_file(hub: Hub) -> None:
    release = release_of(hub)
    old = wheel(release)
    await files(hub)
    replaced(release, old, b"other bytes")
    assert (await hub.get(path_of(old))).code == 404


@pytest.mark.parametrize(("draft", "code"), [(False, 404), (True, 302)])
@ensureDeferred
async def test_two_files_that_might_have_taken_its_place_are_none(hub: Hub, draft: bool, code: int) -> None:
    release = release_of(hub)
    old = wheel(release)
    await files(hub)
    replaced(release, old)
    release.repository.add_release("v2", draft=draft).add_asset(old.name, old.content)
    assert (await hub.get(path_of(old))).code == code


@ensureDeferred
async def test_a_renamed_file_is_what_its_new_name_says(
    make_hub: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pypihub.catalog.lookups.MOMENT", 0.0)
    hub: Hub = await make_hub()
    asset = wheel(release_of(hub))
    name, wrong = asset.name, asset.name.replace("1.0", "1.1")
    asset.rename(wrong)
    assert (await metadata(hub, asset)).code == 404  # METADATA is another version's
    assert (await hub.get(path_of(asset))).code == 302
    asset.rename(name)
    assert (await hub.get(path_of(asset))).code == 302
    assert (await metadata(hub, asset)).body == metadata_in(asset)
    asset.rename(wrong)
    found = await files(hub)
    assert "core-metadata" not in found[wrong], "it is known, and not by this name"
    assert (await metadata(hub, asset)).code == 404


@ensureDeferred
async def test_a_file_that_another_owner_has_now_is_not_found(hub: Hub) -> None:
    release = release_of(hub)
    old = wheel(release)
    await files(hub)
    replaced(release, old)
    hub.world.rename_repository("octo/demo", "other/demo")
    assert (await hub.get(path_of(old))).code == 404


@ensureDeferred
async def test_head_of_a_file_on_the_caller_s_page_asks_nobody(make_hub: Callable[..., Any]) -> None:
    hub = await make_hub(ttl=30)
    asset = release_of(hub, readers=["friend"]).add_asset(*sample_sdist("demo", "1.0"))
    friend = hub.world.add_token("friend")
    await files(hub)
    answer = await hub.head(path_of(asset))
    assert (answer.code, answer.header("Content-Length")) == (200, str(asset.size))
    assert hub.asked(operation=LOOKUP) == 0
    assert (await hub.head("/octo" + path_of(asset), token=friend)).code == 200
    assert hub.asked(operation=LOOKUP) == 1
    assert (await hub.head(path_of(asset) + "x")).code == 404


@pytest.mark.parametrize("where", ["graphql", "storage"])
@ensureDeferred
async def test_a_hub_that_is_stopped_ends_what_goes_on_in_the_background(hub: Hub, where: str) -> None:
    release = release_of(hub)
    wheel(release)
    release.add_asset(*sample_sdist("demo", "0.1"), digest=False)
    hub.sandbox.faults.add(Hang(), where=where, times=None, skip=int(where == "graphql"))
    await files(hub)
    await calls(hub, where, 2)
    await hub.stop()


@pytest.mark.parametrize("where", ["graphql", "storage"])
@ensureDeferred
async def test_who_waits_for_metadata_while_the_hub_is_stopped_is_told_without_a_failure(
    make_hub: Callable[..., Any], where: str
) -> None:
    hub = await make_hub(drain=0.01)
    asset = wheel(release_of(hub))
    hub.sandbox.faults.add(Hang(), where=where, times=None)
    asking = Deferred.fromCoroutine(metadata(hub, asset))
    await calls(hub, where, 1)
    await hub.stop()
    with suppress(ResponseNeverReceived):  # the connection may as well be closed
        assert (await asking).code in {502, 503, 504}
