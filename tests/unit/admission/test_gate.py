"""The gate: each request is opened once and leaves one record, whatever comes twice, late or never."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given

from lib.admission.gate import BATCH_ROWS, FLUSH_AFTER_MS, Gate
from tests.unit.admission.sqlite_sql import SqliteSql
from tests.unit.store.seeds import usage_record
from tests.unit.strategies import JSON_OBJECTS, TEXT

DEADLINE = 10_000


def record(request_id: str, cause: str, tokens: int = 0) -> dict[str, object]:
    return {"id": request_id, "cause": cause, "tokens": tokens}


def opening(request_id: str, deadline: int = DEADLINE, tokens: int = 0) -> list[object]:
    return [request_id, deadline, record(request_id, "lost", tokens)]


def settling(request_id: str, tokens: int = 0) -> list[object]:
    return [request_id, None, record(request_id, "finished", tokens)]


class Subject:
    """A gate, and what can be seen of it from outside."""

    def __init__(self, sql: SqliteSql | None = None) -> None:
        self.sql = sql or SqliteSql()
        self.gate = Gate(self.sql)
        self.version = int(self.gate.handle(0, "[]", 0))

    def send(self, *rows: list[object], version: int | None = None) -> int:
        sent = self.version if version is None else version
        return int(self.gate.handle(sent, json.dumps(rows, ensure_ascii=False), 0))

    @property
    def outbox(self) -> dict[str, str]:
        """The causes of the records in the outbox, by id."""
        return {entry["id"]: entry["cause"] for entry in self.records}

    @property
    def records(self) -> list[Any]:
        found: list[Any] = json.loads(self.gate.outbox() or "[]")
        return found


def test_a_request_that_is_open_is_in_nobodys_way() -> None:
    """It is not in the outbox until it is settled or given up."""
    subject = Subject()
    assert subject.send(opening("a")) == subject.version
    assert subject.gate.outbox() is None


def test_a_settlement_is_in_the_outbox_until_the_store_has_it() -> None:
    """With its own record, not with the one of the opening."""
    subject = Subject()
    subject.send(opening("a"), opening("b"))
    subject.send(settling("a", tokens=5))
    assert subject.records == [{"id": "a", "cause": "finished", "tokens": 5}]
    subject.gate.delivered(subject.gate.outbox() or "")
    assert subject.gate.outbox() is None
    assert subject.gate.next_alarm(0) == DEADLINE


def test_what_is_under_way_is_left_out() -> None:
    """Neither taken again, nor a reason to wake; but for the deadline of another."""
    subject = Subject()
    subject.send(opening("a"), opening("b"), opening("c"))
    subject.send(settling("a"), settling("b"))
    assert json.loads(subject.gate.outbox(["a", "x'"]) or "") == [record("b", "finished")]
    assert subject.gate.next_alarm(0, ["a"]) == FLUSH_AFTER_MS
    assert subject.gate.outbox(["a", "b"]) is None
    assert subject.gate.next_alarm(0, ["a", "b"]) == DEADLINE


@pytest.mark.parametrize("version", [0, 2, 99])
def test_a_request_judged_by_another_policy_is_not_opened(version: int) -> None:
    """Its caller sees the current version in the answer, and nothing has happened."""
    subject = Subject()
    assert subject.send(opening("a"), version=version) == subject.version
    assert subject.gate.next_alarm(0) is None


def test_a_settlement_needs_no_policy() -> None:
    """What was used is charged, though the policy has changed since; also beside openings that are refused."""
    subject = Subject()
    subject.send(opening("a"))
    current = subject.gate.bump()
    assert subject.send(opening("b"), settling("a"), version=subject.version) == current
    assert subject.outbox == {"a": "finished"}
    subject.gate.expire(DEADLINE)
    assert subject.outbox == {"a": "finished"}


def test_every_change_of_the_policy_is_a_new_version() -> None:
    """And it survives a restart: an old version never becomes current again."""
    subject = Subject()
    assert [subject.gate.bump() for _ in range(3)] == [subject.version + number for number in (1, 2, 3)]
    assert Subject(subject.sql).version == subject.version + 3


def test_opening_twice_changes_nothing() -> None:
    """A batch whose answer was lost is sent again."""
    subject = Subject()
    subject.send(opening("a", 1000, tokens=1))
    subject.send(opening("a", 9000, tokens=2))
    subject.gate.expire(1000)
    assert subject.records == [{"id": "a", "cause": "lost", "tokens": 1}]


def test_settling_twice_changes_nothing() -> None:
    """In one batch, in two, or after it was delivered."""
    subject = Subject()
    subject.send(opening("a"), settling("a"), settling("a"))
    subject.send(settling("a"))
    assert subject.outbox == {"a": "finished"}


def test_an_opening_that_comes_late_does_not_undo_the_settlement() -> None:
    """A carrier that was slow brings it again when all is over."""
    subject = Subject()
    subject.send(opening("a"))
    subject.send(settling("a"))
    subject.send(opening("a"))
    subject.gate.expire(DEADLINE)
    assert subject.outbox == {"a": "finished"}


def test_a_settlement_without_an_opening_is_kept() -> None:
    """The gate may have lost nothing, but it must never throw away what was used."""
    subject = Subject()
    subject.send(settling("a"))
    assert subject.outbox == {"a": "finished"}


def test_a_request_past_its_deadline_is_given_up_and_charged() -> None:
    """At the very millisecond, and not before."""
    subject = Subject()
    subject.send(opening("a", 1000), opening("b", 1001))
    subject.gate.expire(999)
    assert subject.gate.outbox() is None
    subject.gate.expire(1000)
    assert subject.outbox == {"a": "lost"}
    assert subject.gate.next_alarm(1000) == 1000 + FLUSH_AFTER_MS


def test_a_settlement_after_the_deadline_corrects_the_record() -> None:
    """While it is still here it is replaced; where the store has it already, the store does that."""
    subject = Subject()
    subject.send(opening("a"))
    subject.gate.expire(DEADLINE)
    subject.send(settling("a"))
    assert subject.outbox == {"a": "finished"}


def test_a_record_that_was_corrected_on_its_way_stays() -> None:
    """The store has got the old one; the new one is still to come."""
    subject = Subject()
    subject.send(opening("a"))
    subject.gate.expire(DEADLINE)
    on_its_way = subject.gate.outbox() or ""
    subject.send(settling("a"))
    subject.gate.delivered(on_its_way)
    assert subject.outbox == {"a": "finished"}


def test_the_outbox_comes_in_batches_oldest_first() -> None:
    """So that a statement of the store stays within its limits."""
    subject = Subject()
    ids = [f"{number:04}" for number in range(BATCH_ROWS + 50)]
    subject.send(*[settling(request_id) for request_id in reversed(ids)])
    assert list(subject.outbox) == ids[:BATCH_ROWS]
    subject.gate.delivered(subject.gate.outbox() or "")
    assert list(subject.outbox) == ids[BATCH_ROWS:]


def test_delivering_something_else_takes_nothing_away() -> None:
    """Neither another id nor another record."""
    subject = Subject()
    subject.send(settling("a"))
    for other in ([], [record("b", "finished")], [record("a", "lost")]):
        subject.gate.delivered(json.dumps(other))
    assert subject.outbox == {"a": "finished"}


def test_a_record_that_the_store_refuses_is_set_aside() -> None:
    """For a person to look at; the others are not held up."""
    subject = Subject()
    subject.send(settling("a"), settling("b"))
    refused = next(json.dumps(entry) for entry in subject.records if entry["id"] == "a")
    subject.gate.reject(refused)
    assert subject.outbox == {"b": "finished"}
    [(request_id, text)] = subject.sql.rows("SELECT id, record FROM rejected")
    assert (request_id, json.loads(text)["cause"]) == ("a", "finished")


@given(TEXT)
@example("sim/é")
def test_a_record_that_is_parsed_and_written_again_is_still_the_same(model: str) -> None:
    """The runtime does so to bring them one by one; a record that never left the outbox would be sent for ever."""
    for finish in ("delivered", "reject"):
        subject = Subject()
        sent = usage_record("org", "key", model=model)
        subject.gate.handle(0, f'[["{sent.id}",null,{sent.to_json()}]]', 0)
        [again] = map(json.dumps, subject.records)
        if finish == "reject":
            subject.gate.reject(again)
        else:
            subject.gate.delivered(f"[{again}]")
        assert subject.gate.outbox() is None


@given(JSON_OBJECTS)
def test_a_record_comes_out_as_it_went_in(fields: dict[str, object]) -> None:
    """Whatever a model's name holds."""
    content = {name: value for name, value in fields.items() if "\0" not in name} | {"id": "a"}
    subject = Subject()
    subject.send(["a", None, content])
    assert subject.records == [content]


def test_the_next_alarm_is_for_the_outbox_or_for_the_earliest_deadline() -> None:
    """Soon while there is something to deliver; else when the first request may be given up; else never."""
    subject = Subject()
    assert subject.gate.next_alarm(0) is None
    subject.send(opening("a", 9000), opening("b", 5000))
    assert subject.gate.next_alarm(0) == 5000
    assert subject.gate.next_alarm(6000) == 6000 + FLUSH_AFTER_MS
    subject.send(settling("a"))
    assert subject.gate.next_alarm(0) == FLUSH_AFTER_MS


def test_everything_survives_a_restart() -> None:
    """The object's memory is gone, its storage is not."""
    subject = Subject()
    subject.send(opening("a"), opening("b"), settling("b"))
    restarted = Subject(subject.sql)
    assert restarted.outbox == {"b": "finished"}
    restarted.gate.expire(DEADLINE)
    assert restarted.outbox == {"a": "lost", "b": "finished"}
