"""The chain of the audit log: nothing can be done to its rows without the secret that a reader does not find."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.audit.chain import START, Finding, Flaw, Head, Row, flaws
from lib.audit.link_store import Link, link_hash
from lib.events.event_store import Entry, Log, log_key, seal
from lib.kernel.ids import new_id
from tests.unit.audit.entries import KEY, ORG_ID, chain, chained, event, head_of, own_link, sealed
from tests.unit.fakes import NOW

OLD = st.integers(0, 6)


def found(rows: Sequence[Row], noted: dict[str, Head] | None = None, keys: Sequence[bytes] = (KEY,)) -> list[Any]:
    return [(flaw.seq, flaw.finding) for flaw in flaws(keys, Log.ORG, rows, noted)]


@given(st.integers(0, 6), st.integers(0, 6), OLD, st.integers(0, 3))
def test_whole_chains_have_no_flaw(own: int, others: int, old: int, unlinked: int) -> None:
    """Of several owners, one after another; an empty one too; whoever wrote them, linked or not yet."""
    rows = chain(own, old=old)
    for row in range(max(old, own - unlinked), own):
        rows[row] = replace(rows[row], link=None)
    assert found([*rows, *chain(others, new_id(NOW))]) == []


def test_a_release_that_chains_may_write_between() -> None:
    """Before this one is everywhere, and after it was taken back: behind its own rows and behind sealed ones."""
    rows = chain(3, old=2)
    rows.append(chained(KEY, event(3), rows[2]))
    assert found(rows) == [], "not linked yet"
    end = head_of(rows[2])
    for of, told in ((rows[3].hash, []), ("another", [(4, Finding.MISPLACED)])):
        link = Link(4, end.hash, link_hash(KEY, Log.ORG, ORG_ID, 4, of, end.hash))
        assert found([*rows[:3], replace(rows[3], link=link)]) == told
    rows = chain(2, old=2)
    rows[1] = replace(rows[1], link=own_link(rows[1]).link)
    rows.append(own_link(chained(KEY, event(2), rows[1])))
    assert found(rows) == []
    undone = [replace(row, link=None) for row in chain(3)]
    undone.append(own_link(chained(KEY, event(3), undone[2])))
    assert found([*undone, sealed(KEY, event(4), head_of(undone[3]))]) == []


def test_the_first_link_carries_zeros() -> None:
    """It is the first, and says so."""
    [first] = chain(1)
    assert first.link
    assert (first.seq, first.link.previous_hash, len(first.link.hash)) == (1, "0" * 64, 64)


CHANGES: list[dict[str, Any]] = [
    {"id": new_id(NOW)},
    {"action": "key.revoke"},
    {"actor": "user:somebody"},
    {"target": "key:1"},
    {"result": "failed"},
    {"address": None},
    {"request_id": None},
    {"details": '{"name":"x"}'},
    {"at": NOW + timedelta(microseconds=1)},
    {"owner": new_id(NOW)},
    {"log": Log.PERSON},
]


def test_each_part_of_an_event_is_tried() -> None:
    """A new column must be in the seal too."""
    assert {name for change in CHANGES for name in change} == {field.name for field in fields(Entry)}


@pytest.mark.parametrize("old", [0, 2, 3])
@pytest.mark.parametrize("linked", [True, False])
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_a_changed_row_is_found(change: dict[str, Any], old: int, linked: bool) -> None:
    """Whatever was changed of it, and only that row is named; another owner's name is a chain of its own."""
    rows = chain(3, old=old)
    if not linked:
        rows = [replace(row, link=None) for row in rows]
    rows[1] = replace(rows[1], entry=replace(rows[1].entry, **change))
    assert (2, Finding.CHANGED) in found(rows)
    if not {"owner", "log"} & set(change):
        assert found(rows) == [(2, Finding.CHANGED)]


@pytest.mark.parametrize("old", [0, 3])
@pytest.mark.parametrize("part", ["seq", "previous_hash", "hash", "intact"])
def test_a_changed_place_is_found(part: str, old: int) -> None:
    """Number, hashes, and what the hash does not cover."""
    rows = chain(3, old=old)
    wrong: dict[str, Any] = {"seq": 7, "previous_hash": "f" * 64, "hash": "f" * 64, "intact": False}
    rows[1] = replace(rows[1], **{part: wrong[part]})
    assert found(rows)[0][1] is (Finding.MISSING if part == "seq" and not old else Finding.CHANGED)


@pytest.mark.parametrize("link", [None, Link(2, "f" * 64, "f" * 64), "next"])
def test_a_changed_link_is_found(link: Any) -> None:
    """Gone, another, or that of another row."""
    rows = chain(4)
    rows[1] = replace(rows[1], link=rows[2].link if link == "next" else link)
    assert found(rows)[-1] == (3, Finding.MISPLACED)
    assert {finding for _, finding in found(rows)} == {Finding.MISPLACED}


@given(st.data(), OLD)
def test_removed_rows_are_found(data: st.DataObject, old: int) -> None:
    """At the begin or in the middle: the row behind the gap tells."""
    rows = chain(6, old=old)
    first = data.draw(st.integers(0, 4))
    last = data.draw(st.integers(first, 4))
    assert found(rows[:first] + rows[last + 1 :]) == [(last + 2, Finding.MISSING)]


@given(st.integers(0, 4), OLD)
def test_an_inserted_row_is_found(at: int, old: int) -> None:
    """Made without the secret, with all that follows numbered anew."""
    rows = chain(4, old=old)
    forged = sealed(b"another key", event(9), head_of(rows[at - 1]) if at else START)
    rest = [replace(row, seq=row.seq + 1) for row in rows[at:]]
    assert (at + 1, Finding.CHANGED) in found([*rows[:at], forged, *rest])


@given(st.permutations(range(5)).filter(lambda order: list(order) != sorted(order)), OLD)
def test_reordered_rows_are_found(order: list[int], old: int) -> None:
    """Whether they keep their numbers, take those of their new places, or leave their links where they were."""
    rows = chain(5, old=old)
    kept = [rows[number] for number in order]
    assert found(kept)
    assert found([replace(row, seq=number) for number, row in enumerate(kept, 1)])
    assert found([replace(row, seq=number, link=rows[number - 1].link) for number, row in enumerate(kept, 1)])


def test_swapped_rows_are_named() -> None:
    """Their seals are true; their links are each other's."""
    rows = chain(4)
    rows[1], rows[2] = (replace(rows[b], seq=a + 1, link=rows[a].link) for a, b in ((1, 2), (2, 1)))
    assert found(rows) == [(2, Finding.MISPLACED), (3, Finding.MISPLACED)]


@pytest.mark.parametrize("old", [0, 3])
def test_an_own_row_that_is_taken_from_another_chain_is_found(old: int) -> None:
    """A row names its owner: a genuine one is genuine nowhere else."""
    rows, other = chain(3, old=old), chain(3, new_id(NOW), old=old)
    rows[1] = replace(other[1], entry=replace(other[1].entry, owner=ORG_ID))
    assert (2, Finding.CHANGED) in found(rows)


@pytest.mark.parametrize("old", [0, 3])
def test_a_chain_that_was_written_anew_is_found(old: int) -> None:
    """Who can write all rows, but knows no secret, makes no chain that passes."""
    rows = chain(3, key=log_key("t" * 32), old=old)
    assert [seq for seq, finding in found(rows) if finding is Finding.CHANGED] == [1, 2, 3]


@pytest.mark.parametrize("old", [0, 3, 4])
def test_rows_cut_off_at_the_end_are_found_by_an_earlier_head(old: int) -> None:
    """The chain alone can't tell; whoever noted its head can, also when none of it is left."""
    rows = chain(4, old=old)
    noted = {ORG_ID: head_of(rows[3])}
    heads: dict[str, Head] = {}
    assert list(flaws([KEY], Log.ORG, rows, noted, heads=heads)) == []
    assert heads == noted
    assert found([*rows, sealed(KEY, event(4), noted[ORG_ID])], noted) == []
    assert found(rows[:2]) == []
    assert found(rows[:2], noted) == [(4, Finding.CUT)]
    assert list(flaws([KEY], Log.PERSON, [], {"p": Head(4, "a" * 64)})) == [Flaw(Log.PERSON, "p", 4, Finding.CUT)]
    assert found([], {ORG_ID: START}) == []


def test_rows_cut_off_are_found_by_the_links_that_are_left() -> None:
    """Until as many have come again, and then since those have other seals."""
    rows = [sealed(KEY, event(0, action=Log.ORG.birth), START)]
    for number in range(1, 4):
        rows.append(sealed(KEY, event(number), head_of(rows[-1])))
    assert list(flaws([KEY], Log.ORG, rows, owners={ORG_ID: 4})) == []
    assert list(flaws([KEY], Log.ORG, rows[:2], owners={ORG_ID: 4})) == [Flaw(Log.ORG, ORG_ID, 4, Finding.CUT)]
    entry = event(9)
    for number in (2, 3):
        rows[number] = replace(rows[number], entry=entry, hash=seal(KEY, entry))
    assert found(rows) == [(3, Finding.MISPLACED), (4, Finding.MISPLACED)]


def test_texts_that_meet_are_not_one_text() -> None:
    """What one part ends with can't become what the next begins with."""
    assert seal(KEY, event(action="a", actor="bc", id="x")) != seal(KEY, event(action="ab", actor="c", id="x"))


def test_a_log_that_was_emptied_is_found() -> None:
    """Whether it is empty still, or begun anew since by Headgate itself; who is not known to exist needs none."""
    other = new_id(NOW)
    whole = [sealed(KEY, event(0, action=Log.ORG.birth), START)]
    anew = [sealed(KEY, event(0), START)]
    anew.append(sealed(KEY, event(1), head_of(anew[0])))
    for rows, expected in ((whole, []), (anew, [ORG_ID]), ([], [ORG_ID])):
        told = list(flaws([KEY], Log.ORG, rows, owners={ORG_ID: len(rows)}))
        assert told == [Flaw(Log.ORG, owner, 1, Finding.EMPTIED) for owner in expected]
    told = list(flaws([KEY], Log.ORG, whole, owners={ORG_ID: 1, other: 0}))
    assert told == [Flaw(Log.ORG, other, 1, Finding.EMPTIED)]
    assert found(anew) == []


def test_a_log_goes_on_under_another_secret() -> None:
    """Both keys verify their own rows; behind a row of the new one, none of the old is true: it may have leaked."""
    new = log_key("n" * 32)
    rows = chain(2)
    rows.append(sealed(new, event(2), head_of(rows[1])))
    assert found(rows, keys=[new, KEY]) == []
    assert {seq for seq, _ in found(rows, keys=[new])} == {1, 2}
    late = replace(rows[1], link=sealed(new, rows[1].entry, head_of(rows[0])).link)
    assert found([rows[0], replace(late, link=None)], keys=[new, KEY]) == []
    rows.append(sealed(KEY, event(3), head_of(rows[2])))
    assert found(rows, keys=[new, KEY]) == [(4, Finding.CHANGED), (4, Finding.MISPLACED)]
