"""Tables that make room: one at a time, by number and by bytes."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.kernel.bounded import Bounded


@pytest.mark.parametrize("more", [1, 100, 1_000])
def test_a_few_more_than_there_is_room_for_are_found_but_for_a_few(more: int) -> None:
    """In turn, again and again: the one used longest ago would be the next, and each would miss."""
    table: Bounded[int, int] = Bounded(5_000)
    missed = Counter[int]()
    for turn in range(6):
        for name in range(5_000 + more):
            if table.get(name) is None:
                missed[turn] += 1
                table.put(name, name)
    assert missed[0] == 5_000 + more
    assert missed[5] < 4 * more
    assert len(table) == 5_000


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 30), st.booleans()), max_size=60))
def test_it_is_a_table_that_forgets(steps: list[tuple[int, int, bool]]) -> None:
    """What is found is what was put last; there are never more entries, nor bytes, than there may be."""
    table, put = Bounded[int, int](5, 60), dict[int, int]()
    for name, size, drops in steps:
        if drops:
            assert table.pop(name) in (None, put.pop(name, None))
        else:
            table.put(name, len(put) * 100 + size, size)
            put[name] = len(put) * 100 + size
            assert table.get(name) == put[name]
        assert all(table.get(kept) == put[kept] for kept in table)
        assert len(list(table)) == len(table) <= 5
        assert table.bytes == sum(put[kept] % 100 for kept in table) <= 60


def test_what_is_larger_than_all_the_room_is_not_kept() -> None:
    """And drives nothing out."""
    table: Bounded[str, int] = Bounded(5, 60)
    table.put("small", 1, 10)
    table.put("large", 2, 61)
    assert ("small" in table, "large" in table) == (True, False)
