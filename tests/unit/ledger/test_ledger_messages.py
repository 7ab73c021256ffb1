"""Records as messages: small enough, whole, in order; and what a gate remembers of those that are under way."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.kernel.ids import new_id
from lib.ledger.ledger_messages import (
    AGAIN_AFTER_MS,
    MESSAGE_BYTES,
    MOST_UNDER_WAY,
    WRITE_CHARACTERS,
    UnderWay,
    merged,
    org_of,
    packed,
    retry_seconds,
    unpacked,
    writes,
)
from tests.unit.fakes import NOW
from tests.unit.store.seeds import usage_record
from tests.unit.strategies import TEXT

ORG = new_id(NOW)
RECORDS = st.lists(
    st.fixed_dictionaries({"id": TEXT, "cause": st.sampled_from(["lost", "finished"]), "model": TEXT}), min_size=1
)


def record(name: str, cause: str = "finished", **more: object) -> dict[str, object]:
    return {"id": name, "cause": cause, **more}


@given(RECORDS)
def test_what_is_packed_is_unpacked(records: list[dict[str, object]]) -> None:
    """In order, nothing more and nothing less."""
    found = [unpacked(text) for text in packed(ORG, records)]
    assert {message.org_id for message in found if message} == {ORG}
    assert [entry for message in found if message for entry in message.records] == records
    assert {org_of(text) for text in packed(ORG, records)} == {ORG}


@given(st.lists(st.integers(0, 60_000), min_size=1, max_size=12))
def test_no_message_is_larger_than_a_queue_takes(sizes: list[int]) -> None:
    """In bytes of UTF-8; and none is smaller than it need be."""
    messages = packed(ORG, [record(str(at), model="é" * (size // 2)) for at, size in enumerate(sizes)])
    lengths = [len(message.encode()) for message in messages]
    assert max(lengths) <= MESSAGE_BYTES
    assert all(one + other > MESSAGE_BYTES for one, other in pairwise(lengths))


def test_two_hundred_records_are_two_messages() -> None:
    """What a gate sends at once."""
    records = [json.loads(usage_record(ORG, new_id(NOW)).to_json()) for _ in range(200)]
    assert len(packed(ORG, records)) == 2


def test_a_record_that_is_too_large_holds_up_no_other() -> None:
    """The queue refuses its message, and all go straight to the store."""
    messages = packed(ORG, [record("a"), record("b", model="x" * MESSAGE_BYTES), record("c")])
    assert [len(json.loads(message)["records"]) for message in messages] == [1, 1, 1]


@pytest.mark.parametrize(
    "text",
    [
        *(None, 7, b"{}", "", "{", "null", "[]", "{}", '"x"', "[" * 100_000),
        json.dumps({"org_id": ORG}),
        json.dumps({"org_id": ORG, "records": "[]"}),
        json.dumps({"org_id": ORG, "records": {"id": "a"}}),
        json.dumps({"org_id": "short", "records": []}),
        json.dumps({"org_id": None, "records": []}),
        json.dumps({"org_id": ORG, "records": ["a"]}),
        json.dumps({"org_id": ORG, "records": [{"id": "a"}]}),
        json.dumps({"org_id": ORG, "records": [{"cause": "lost"}]}),
        json.dumps({"org_id": ORG, "records": [{"id": 1, "cause": "lost"}]}),
    ],
)
def test_what_no_gate_sends_is_no_message(text: object) -> None:
    """It is told apart, not met with an exception."""
    assert unpacked(text) is None


@pytest.mark.parametrize(
    "text", [None, 7, b"{}", "", "{}", '{"org_id":"short","records":[]}', f'{{"org_id": "{ORG}"}}']
)
def test_whose_a_message_is_can_be_told_by_its_begin(text: object) -> None:
    """Of what a gate sends; of anything else it can't."""
    assert org_of(text) is None


def test_who_waits_in_vain_waits_longer() -> None:
    """For a record 1, 2, 4 … 15 minutes, until it has arrived; for a message of the queue 30 seconds and more."""
    under_way, now, waits = UnderWay(), 0, []
    for _ in range(6):
        under_way.sent("a", now)
        due = under_way.next_ms
        assert due is not None
        waits.append((due - now) // 60_000)
        now = due
        assert under_way.waiting(now) == []
    assert waits == [1, 2, 4, 8, 15, 15]
    under_way.arrived("a")
    under_way.sent("a", now)
    assert under_way.next_ms == now + AGAIN_AFTER_MS
    assert [retry_seconds(attempts) for attempts in (1, 2, 3, 5, 6, 99)] == [30, 60, 120, 480, 900, 900]


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["lost", "finished"]), st.integers(0, 9)), max_size=9)
)
def test_each_record_is_merged_once(brought: list[tuple[str, str, int]]) -> None:
    """The first settled one wins over whatever else came; else the last loss."""
    found = merged(record(name, cause, cost=cost) for name, cause, cost in brought)
    expected: dict[str, dict[str, object]] = {}
    for name, cause, cost in brought:
        if expected.get(name, {}).get("cause") != "finished":
            expected[name] = record(name, cause, cost=cost)
    assert found == list(expected.values())


@given(st.lists(st.integers(1, WRITE_CHARACTERS), max_size=9))
def test_writes_are_as_large_as_the_store_takes(sizes: list[int]) -> None:
    """All messages, in order, in groups that fit."""
    groups = writes(sizes, size=lambda size: size)
    assert [size for group in groups for size in group] == sizes
    assert all(sum(group) <= WRITE_CHARACTERS for group in groups)
    assert all(sum(one) + other[0] > WRITE_CHARACTERS for one, other in pairwise(groups))


def test_what_is_under_way_is_waited_for_and_then_sent_again() -> None:
    """To the millisecond."""
    under_way = UnderWay()
    under_way.sent("ab", 1000)
    under_way.sent("c", 2000)
    assert under_way.waiting(1000 + AGAIN_AFTER_MS - 1) == ["a", "b", "c"]
    assert under_way.next_ms == 1000 + AGAIN_AFTER_MS
    assert under_way.waiting(1000 + AGAIN_AFTER_MS) == ["c"]
    assert under_way.next_ms == 2000 + AGAIN_AFTER_MS


def test_what_has_arrived_is_no_longer_waited_for() -> None:
    """Also what was never sent."""
    under_way = UnderWay()
    under_way.sent("ab", 0)
    under_way.arrived("bz")
    assert under_way.waiting(0) == ["a"]
    under_way.arrived("a")
    assert (under_way.waiting(0), under_way.next_ms) == ([], None)


def test_what_is_sent_again_is_the_youngest() -> None:
    """The order tells which comes next."""
    under_way = UnderWay()
    under_way.sent("ab", 0)
    under_way.sent("a", 5)
    assert under_way.next_ms == AGAIN_AFTER_MS
    assert under_way.waiting(AGAIN_AFTER_MS) == ["a"]


def test_a_clock_that_is_set_back_keeps_nothing_waiting_for_years() -> None:
    """What was sent in the future is sent again."""
    under_way = UnderWay()
    under_way.sent("a", 10_000)
    assert under_way.waiting(9_999) == []


def test_so_many_are_under_way_at_most() -> None:
    """Until some arrive, or their time is over."""
    under_way = UnderWay()
    under_way.sent(map(str, range(MOST_UNDER_WAY)), 0)
    assert under_way.full(1)
    assert not under_way.full(AGAIN_AFTER_MS)
    under_way.sent(map(str, range(MOST_UNDER_WAY)), 0)
    under_way.arrived(["7"])
    assert not under_way.full(1)
