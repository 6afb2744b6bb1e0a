"""Memory keeps to its limit, and what was used longest ago goes first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pypihub.catalog.memory import ENTRY, Memory


def room_for(count: int, size: int) -> Memory[str, str]:
    """Memory for so many values of a size."""
    return Memory(count * (size + ENTRY))


def test_what_was_put_is_there_until_it_is_dropped() -> None:
    memory = room_for(2, 10)
    memory.put("a", "first", 10)
    assert (memory.get("a"), memory.get("b"), len(memory), memory.used) == ("first", None, 1, 10 + ENTRY)
    memory.drop("a")
    memory.drop("a")
    assert (memory.get("a"), len(memory), memory.used) == (None, 0, 0)


def test_what_was_used_longest_ago_gives_way() -> None:
    memory = room_for(3, 10)
    for key in "abc":
        memory.put(key, key, 10)
    memory.get("a")
    memory.put("d", "d", 10)
    assert memory.find(lambda _: True) == ["c", "a", "d"]
    memory.put("c", "new", 10)
    memory.put("e", "e", 10)
    assert memory.find(lambda _: True) == ["d", "c", "e"]
    assert memory.get("c") == "new"


def test_bytes_are_counted_and_not_values() -> None:
    memory = room_for(4, 100)
    for key in "abcd":
        memory.put(key, key, 100)
    memory.put("large", "large", 2 * 100 + ENTRY)  # as much as two others
    assert memory.find(lambda _: True) == ["c", "d", "large"]


def test_a_value_is_counted_once_however_often_it_is_put() -> None:
    memory = room_for(2, 10)
    for size in (10, 3, 7):
        memory.put("a", "a", size)
    assert memory.used == 7 + ENTRY


def test_a_value_larger_than_the_limit_is_not_kept_and_drives_nothing_out() -> None:
    memory = room_for(2, 10)
    memory.put("a", "a", 10)
    memory.put("huge", "huge", 10_000)
    assert memory.find(lambda _: True) == ["a"]
    memory.put("a", "huge now", 10_000)
    assert (memory.get("a"), memory.used) == (None, 0), "the old value is not the value any more"


def test_what_is_kept_elsewhere_takes_its_room_and_gives_it_back() -> None:
    memory = room_for(3, 10)
    memory.put("a", "a", 10)
    memory.put("b", "b", 10)
    memory.charge(2 * (10 + ENTRY))
    assert memory.find(lambda _: True) == ["b"]
    memory.charge(-2 * (10 + ENTRY))
    memory.put("c", "c", 10)
    memory.put("d", "d", 10)
    assert memory.find(lambda _: True) == ["b", "c", "d"]


def test_a_memory_without_room_keeps_nothing() -> None:
    memory: Memory[str, str] = Memory(0)
    memory.put("a", "a", 0)
    assert (memory.get("a"), memory.used) == (None, 0)


@given(st.integers(0, 5000), st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 3000))))
def test_the_limit_holds_whatever_comes(limit: int, puts: list[tuple[str, int]]) -> None:
    memory: Memory[str, int] = Memory(limit)
    last: dict[str, int] = {}
    for key, size in puts:
        memory.put(key, size, size)
        last[key] = size
        assert memory.used <= limit
    kept = {key: last[key] for key in memory.find(lambda _: True)}
    assert memory.used == sum(size + ENTRY for size in kept.values())
    assert all(memory.get(key) == size for key, size in kept.items())
