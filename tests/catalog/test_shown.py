"""What a caller's pages showed is known to that caller, and to nobody else."""

from __future__ import annotations

from datetime import UTC, datetime

from packaging.version import Version

from pypihub.catalog.memory import Memory
from pypihub.catalog.shown import COST, MOST_OF_A_PAGE, Shown
from pypihub.github.credentials import Credentials, Token
from pypihub.github.tokens import TokenHasher
from pypihub.index.model import Asset, File
from pypihub.index.names import Owner, Repository

OCTO = Credentials(Owner("octo"), Token("ghp_one"))
DEMO = Repository(Owner("octo"), "demo")


def file(number: int) -> File:
    return File(f"demo-{number}.tar.gz", Version(str(number)), f"RA_{number}", number, None, datetime.now(UTC))


ASSETS = {f"RA_{number}": Asset(f"RA_{number}", "x", number, "sha256:0", datetime.now(UTC)) for number in range(2000)}


def shown_size(shown: Shown, credentials: Credentials, number: int, filename: str | None = None) -> int | None:
    found = shown.find(credentials, f"RA_{number}", filename or f"demo-{number}.tar.gz")
    return found.size if found else None


def test_a_file_is_known_to_the_caller_it_was_shown_to() -> None:
    shown = Shown(TokenHasher(), Memory(10_000_000))
    shown.note(OCTO, [file(1), file(2)], ASSETS, DEMO, 7)
    found = shown.find(OCTO, "RA_1", "demo-1.tar.gz")
    assert found is not None
    assert (found.size, found.repository, found.serial) == (1, DEMO, 7)
    assert shown_size(shown, Credentials(OCTO.owner, Token("ghp_two")), 1) is None
    assert shown_size(shown, Credentials(Owner("other"), OCTO.token), 1) is None
    assert shown_size(shown, OCTO, 1, "another.tar.gz") is None


def test_a_huge_page_is_not_remembered() -> None:
    shown = Shown(TokenHasher(), Memory(10_000_000))
    shown.note(OCTO, [file(number) for number in range(MOST_OF_A_PAGE + 1)], ASSETS, DEMO, 1)
    assert shown_size(shown, OCTO, 1) is None


def test_what_was_shown_first_gives_way_and_all_is_charged_to_the_memory() -> None:
    memory: Memory[object, object] = Memory(2 * 8 * COST)
    shown = Shown(TokenHasher(), memory)
    shown.note(OCTO, [file(1), file(2)], ASSETS, DEMO, 1)
    shown.note(OCTO, [file(1), file(3)], ASSETS, DEMO, 2)
    assert [shown_size(shown, OCTO, number) for number in (1, 2, 3)] == [1, None, 3]
    assert memory.used == 2 * COST
