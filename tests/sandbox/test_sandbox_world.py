"""The data: who may see what, names, numbers, and worlds filled from folders."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pypihub.sandbox.fill import fill_flat, fill_tree
from pypihub.sandbox.names import is_tag
from pypihub.sandbox.nodeids import node_id
from pypihub.sandbox.samples import sample_sdist, sample_wheel
from pypihub.sandbox.world import World


def test_node_ids_are_githubs() -> None:
    assert node_id("RA", 834818760, 183937167) == "RA_kwDOMcJSyM4K9qiP"


@pytest.mark.parametrize(
    ("number", "written"),
    [(0, "X_kgAA"), (127, "X_kgB_"), (128, "X_kgDMgA"), (65535, "X_kgDN__8"), (2**32, "X_kgDPAAAAAQAAAAA")],
)
def test_numbers_are_packed_as_short_as_can_be(number: int, written: str) -> None:
    assert node_id("X", number) == written


@pytest.mark.parametrize("number", [-1, 2**64])
def test_no_node_id_for_a_number_out_of_range(number: int) -> None:
    with pytest.raises(ValueError, match="no node id"):
        node_id("X", number)


def test_who_may_see_and_push() -> None:
    world = World()
    repository = world.add_repository("Octo/hello", readers=["Reader"], writers=["writer"])
    callers = {login: world.authenticate(world.add_token(login)) for login in ("octo", "reader", "WRITER", "stranger")}
    assert {login: repository.permission(caller) for login, caller in callers.items()} == {
        "octo": "ADMIN",
        "reader": "READ",
        "WRITER": "WRITE",
        "stranger": None,
    }
    assert [repository.may_push(caller) for caller in callers.values()] == [True, False, True, False]
    assert repository.permission(None) is None
    assert world.add_repository("octo/open", private=False).permission(None) == "READ"


def test_a_token_without_the_repo_scope_sees_no_private_repository() -> None:
    world = World()
    caller = world.authenticate(world.add_token("octo", scopes=["gist"]))
    assert world.add_repository("octo/hello").permission(caller) is None


def test_tokens_can_be_chosen_and_revoked() -> None:
    world = World()
    assert world.add_token("octo", "ghp_chosen") == "ghp_chosen"
    world.remove_token("ghp_chosen")
    assert world.authenticate("ghp_chosen") is None
    assert world.add_token("octo").startswith("ghp_")


def test_former_names_lead_to_a_renamed_repository() -> None:
    world = World()
    repository = world.add_repository("octo/old")
    world.rename_repository("octo/old", "new")
    world.rename_repository("octo/new", "hub/newest")
    assert repository.name_with_owner == "hub/newest"
    for owner, name in (("octo", "old"), ("OCTO", "new"), ("hub", "Newest")):
        assert world.find_repository(owner, name) is repository
    assert world.find_repository("octo", "old", follow_renames=False) is None
    other = world.add_repository("octo/old")
    assert world.find_repository("octo", "old") is other
    with pytest.raises(ValueError, match="already a repository"):
        world.rename_repository("octo/old", "hub/newest")


@pytest.mark.parametrize("name", ["hello", "/hello", "octo/", "octo/hello/more"])
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="full name"):
        World().add_repository(name)


def test_nothing_is_there_twice() -> None:
    world = World()
    release = world.add_repository("octo/hello").add_release("v1")
    release.add_asset("a.whl", b"a")
    world.add_organization("acme")
    for again in (
        lambda: world.add_repository("Octo/Hello"),
        lambda: release.repository.add_release("v1"),
        lambda: release.add_asset("a.whl", b"b"),
        lambda: world.add_organization("Acme"),
    ):
        with pytest.raises(ValueError, match="already"):
            again()


def test_assets_are_stored_under_githubs_names() -> None:
    release = World().add_repository("octo/hello").add_release("v1")
    assert release.add_asset("a-1!2.0 (x)~:+y.whl", b"a").name == "a-1.2.0.x.+y.whl"
    assert release.add_asset(".hidden.", b"a").name == "hidden"
    assert release.add_asset("@é%..ü.whl", b"a").name == "@e.u.whl"


@pytest.mark.parametrize("tag", ["v1", "1!2.0", "release/1.0+x", "é", "@1"])
def test_tags(tag: str) -> None:
    assert is_tag(tag)


@pytest.mark.parametrize(
    "tag", ["", "v 1", "v~1", "a..b", "/a", "a/", "a.lock", "a//b", "-a", "a.", "@", "a@{b", "a/.b"]
)
def test_what_is_no_tag(tag: str) -> None:
    assert not is_tag(tag)


def test_drafts_may_want_the_same_tag() -> None:
    repository = World().add_repository("octo/hello")
    first, second = repository.add_release("v1", draft=True), repository.add_release("v1", draft=True)
    assert repository.find_release("v1") is second
    assert repository.find_release(first.slug) is first
    first.publish()
    assert (repository.find_release("v1"), repository.releases["v1"]) == (first, first)
    with pytest.raises(ValueError, match="already"):
        second.publish()
    with pytest.raises(ValueError, match="already"):
        repository.add_release("v1")
    repository.remove_release(second.slug)
    assert list(repository.releases) == ["v1"]
    with pytest.raises(KeyError):
        repository.remove_release("v2")


def test_what_a_token_may_do() -> None:
    world = World()
    repository = world.add_repository("octo/hello", writers=["writer"])

    def abilities(login: str, *scopes: str) -> tuple[bool, bool]:
        caller = world.authenticate(world.add_token(login, scopes=scopes))
        return repository.permission(caller) is not None, repository.may_push(caller)

    assert abilities("octo", "repo") == abilities("writer", "contents:write") == (True, True)
    assert abilities("octo", "contents:read") == (True, False)
    assert abilities("octo", "gist") == abilities("stranger", "contents:write") == (False, False)


def test_assets_know_their_size_digest_and_numbers(tmp_path: Path) -> None:
    world = World()
    release = world.add_repository("octo/hello").add_release("v1")
    (tmp_path / "b").write_bytes(b"abc")
    inline, on_disk = release.add_asset("a", b"abc"), release.add_asset("b", tmp_path / "b")
    assert inline.size == on_disk.size == 3
    assert inline.digest == on_disk.digest
    assert inline.digest == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    empty = release.add_asset("c", b"")
    assert (empty.state, empty.digest, inline.state) == ("starter", None, "uploaded")
    assert release.add_asset("d", b"d", digest=False).digest is None
    assert inline.id == node_id("RA", release.repository.database_id, inline.database_id)
    assert world.node(inline.id) is inline
    release.remove_asset("a")
    assert world.node(inline.id) is None


def test_releases_come_one_after_the_other() -> None:
    repository = World().add_repository("octo/hello")
    releases = [repository.add_release(f"v{number}") for number in range(3)]
    assert releases[0].created_at < releases[1].created_at < releases[2].created_at
    repository.add_release("rc", prerelease=True)
    draft = repository.add_release("draft", draft=True)
    assert repository.latest_release is releases[2]
    assert draft.published_at is None
    draft.publish()
    assert repository.latest_release is draft
    given = datetime(2020, 1, 1, tzinfo=UTC)
    assert repository.add_release("old", created_at=given).published_at == given


def test_a_removed_release_takes_its_assets_along() -> None:
    world = World()
    release = world.add_repository("octo/hello").add_release("v1")
    asset = release.add_asset("a.whl", b"a")
    release.repository.remove_release("v1")
    assert (world.node(release.id), world.node(asset.id), release.repository.releases) == (None, None, {})


def test_a_tree_becomes_repositories(tmp_path: Path) -> None:
    for tag in ("v1.10", "v1.9", "nightly"):
        folder = tmp_path / "octo" / "hello" / tag
        folder.mkdir(parents=True)
        (folder / "notes.txt").write_text(tag)
        (folder / ".hidden").write_text("")
    (tmp_path / "README").write_text("not an owner")
    (tmp_path / "octo" / "empty").mkdir()
    empty, hello = fill_tree(World(), tmp_path)
    assert (empty.name_with_owner, hello.name_with_owner) == ("octo/empty", "octo/hello")
    assert list(hello.releases) == ["nightly", "v1.9", "v1.10"]
    assert list(hello.releases["v1.9"].assets) == ["notes.txt"]


def test_a_flat_folder_becomes_a_repository_per_project(tmp_path: Path) -> None:
    files = [sample_wheel("My.App", "1.10"), sample_sdist("My.App", "1.10"), sample_wheel("My.App", "1.9rc1")]
    for name, content in [*files, sample_sdist("other", "2"), ("notes.txt", b""), ("bad.whl", b""), ("bad.zip", b"")]:
        (tmp_path / name).write_bytes(content)
    my_app, other = fill_flat(World(), tmp_path, "octo")
    assert (my_app.name_with_owner, other.name_with_owner) == ("octo/my-app", "octo/other")
    assert list(my_app.releases) == ["v1.9rc1", "v1.10"]
    assert my_app.releases["v1.9rc1"].is_prerelease
    assert sorted(my_app.releases["v1.10"].assets) == ["my_app-1.10-py3-none-any.whl", "my_app-1.10.tar.gz"]
