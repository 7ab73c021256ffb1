"""The chain of the audit log: nothing can be done to its rows without the secret that a reader does not find."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.audit.chain import EMPTY, Entry, Finding, Flaw, Head, Link, Log, chain_key, flaws, link_of, linked
from lib.kernel.ids import new_id
from lib.store.schema import AuditEventRow, PersonEventRow
from tests.unit.audit.entries import KEY, ORG_ID, chain, event
from tests.unit.fakes import NOW


def found(links: Sequence[Link], noted: dict[str, Head] | None = None) -> list[tuple[int, Finding]]:
    return [(flaw.seq, flaw.finding) for flaw in flaws([KEY], Log.ORG, links, noted)]


@given(st.integers(0, 6), st.integers(0, 6))
def test_whole_chains_have_no_flaw(own: int, others: int) -> None:
    """Of several owners, one after another; an empty one too."""
    assert found([*chain(own), *chain(others, new_id(NOW))]) == []


def test_the_first_row_carries_zeros() -> None:
    """It is the first, and says so."""
    [first] = chain(1)
    assert (first.seq, first.previous_hash) == (1, "0" * 64)
    assert len(first.hash) == 64


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
    """A new column must be in the hash too."""
    assert {name for change in CHANGES for name in change} == {field.name for field in fields(Entry)}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_a_changed_row_is_found(change: dict[str, Any]) -> None:
    """Whatever was changed of it, and only that row is named; another owner's name is a chain of its own."""
    links = chain(3)
    links[1] = replace(links[1], entry=replace(links[1].entry, **change))
    assert (2, Finding.CHANGED) in found(links)
    if "owner" not in change:
        assert found(links) == [(2, Finding.CHANGED)]


@pytest.mark.parametrize("part", ["seq", "previous_hash", "hash", "intact"])
def test_a_changed_place_is_found(part: str) -> None:
    """Number, hashes, and what the hash does not cover."""
    links = chain(3)
    wrong: dict[str, Any] = {"seq": 7, "previous_hash": "f" * 64, "hash": "f" * 64, "intact": False}
    links[1] = replace(links[1], **{part: wrong[part]})
    assert any(finding is Finding.CHANGED for _, finding in found(links))


@given(st.data())
def test_removed_rows_are_found(data: st.DataObject) -> None:
    """At the begin or in the middle: the row behind the gap tells."""
    links = chain(6)
    first = data.draw(st.integers(0, 4))
    last = data.draw(st.integers(first, 4))
    assert found(links[:first] + links[last + 1 :]) == [(last + 2, Finding.MISSING)]


@given(st.integers(0, 4))
def test_an_inserted_row_is_found(at: int) -> None:
    """Made without the secret, with all that follows numbered anew."""
    links = chain(4)
    forged = linked(b"another key", event(9), EMPTY if at == 0 else Head(at, links[at - 1].hash))
    rest = [replace(link, seq=link.seq + 1) for link in links[at:]]
    findings = found([*links[:at], forged, *rest])
    assert (at + 1, Finding.CHANGED) in findings


@given(st.permutations(range(5)).filter(lambda order: list(order) != sorted(order)))
def test_reordered_rows_are_found(order: list[int]) -> None:
    """Whether they keep their numbers or take those of their new places."""
    links = chain(5)
    kept = [links[number] for number in order]
    assert found(kept)
    assert found([replace(link, seq=number) for number, link in enumerate(kept, 1)])


def test_an_own_row_that_is_taken_from_another_chain_is_found() -> None:
    """A row names its owner and its place: a genuine one is genuine nowhere else."""
    links, other = chain(3), chain(3, new_id(NOW))
    links[1] = replace(other[1], entry=replace(other[1].entry, owner=ORG_ID))
    assert (2, Finding.CHANGED) in found(links)


def test_a_chain_that_was_written_anew_is_found() -> None:
    """Who can write all rows, but knows no secret, makes no chain that passes."""
    links = chain(3, key=chain_key("t" * 32))
    assert found(links) == [(1, Finding.CHANGED), (2, Finding.CHANGED), (3, Finding.CHANGED)]


def test_rows_cut_off_at_the_end_are_found_by_an_earlier_head() -> None:
    """The chain alone can't tell; whoever noted its head can, also when none of it is left."""
    links = chain(4)
    noted = {ORG_ID: Head(4, links[3].hash)}
    assert found(links, noted) == []
    assert found([*links, linked(KEY, event(4), noted[ORG_ID])], noted) == []
    assert found(links[:2]) == []
    assert found(links[:2], noted) == [(4, Finding.CUT)]
    assert list(flaws([KEY], Log.PERSON, [], {"p": Head(4, "a" * 64)})) == [Flaw(Log.PERSON, "p", 4, Finding.CUT)]
    assert found([], {ORG_ID: EMPTY}) == []


def test_a_stored_row_is_the_link_that_was_made() -> None:
    """Of either log; a changed `updated_at`, which no hash covers, makes it one that was touched."""
    [link] = chain(1)
    was = link.entry
    parts = (was.id, was.action, was.actor, was.target, was.result, was.address, was.request_id, was.details)
    row = AuditEventRow(ORG_ID, 1, *parts, link.previous_hash, link.hash, was.at, was.at)
    assert link_of(row) == link
    assert not link_of(replace(row, updated_at=was.at + timedelta(seconds=1))).intact
    person = PersonEventRow(ORG_ID, 1, *parts, link.previous_hash, link.hash, was.at, was.at)
    assert link_of(person) == replace(link, entry=replace(was, log=Log.PERSON))


def test_texts_that_meet_are_not_one_text() -> None:
    """What one part ends with can't become what the next begins with."""
    assert (
        linked(KEY, event(action="a", actor="bc"), EMPTY).hash != linked(KEY, event(action="ab", actor="c"), EMPTY).hash
    )


def test_a_log_that_was_emptied_is_found() -> None:
    """Whether it is empty still, or begun anew since by Headgate itself; who is not known to exist needs none."""
    other, born = new_id(NOW), replace(event(0), action=Log.ORG.birth)
    whole = [linked(KEY, born, EMPTY)]
    anew = [linked(KEY, event(0), EMPTY)]
    anew.append(linked(KEY, event(1), Head(1, anew[0].hash)))
    for links, expected in ((whole, []), (anew, [ORG_ID]), ([], [ORG_ID])):
        told = list(flaws([KEY], Log.ORG, links, owners=[ORG_ID]))
        assert told == [Flaw(Log.ORG, owner, 1, Finding.EMPTIED) for owner in expected]
    assert list(flaws([KEY], Log.ORG, whole, owners=[ORG_ID, other])) == [Flaw(Log.ORG, other, 1, Finding.EMPTIED)]
    assert found(anew) == []


def test_a_log_goes_on_under_another_secret() -> None:
    """Both keys verify their own rows; behind a row of the new one, none of the old is true: it may have leaked."""
    new = chain_key("n" * 32)
    links = chain(2)
    links.append(linked(new, event(2), Head(2, links[1].hash)))
    assert list(flaws([new, KEY], Log.ORG, links)) == []
    assert [flaw.seq for flaw in flaws([new], Log.ORG, links)] == [1, 2]
    links.append(linked(KEY, event(3), Head(3, links[2].hash)))
    assert list(flaws([new, KEY], Log.ORG, links)) == [Flaw(Log.ORG, ORG_ID, 4, Finding.CHANGED)]
