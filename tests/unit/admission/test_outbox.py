"""A gate's records on their way: by a queue that loses, repeats and delays them, to a store that comes and goes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lib.admission import ledger_writer
from lib.admission.gate import FLUSH_AFTER_MS, Gate
from lib.admission.ledger_writer import Writer
from lib.admission.outbox import FULL_AGAIN_MS, Outbox, QueueUnavailable
from lib.kernel import failures
from lib.kernel.failures import Failure
from lib.kernel.ids import new_id
from lib.ledger import delivery
from lib.ledger.ledger_messages import AGAIN_AFTER_MS, MOST_UNDER_WAY, packed, retry_seconds
from lib.ledger.usage_record import UsageRecord
from lib.ledger.usage_store import Record
from lib.store.database import Database, StoreUnavailable
from tests.unit.admission.sqlite_sql import SqliteSql
from tests.unit.fakes import NOW, FakeClock, run
from tests.unit.store.seeds import seed_key, seed_org, usage_record
from tests.unit.store.sqlite_binding import new_store

AWAY = "D1_ERROR: Network connection lost."


@dataclass
class FakeQueue:
    """Implements `lib.admission.outbox.Queue`."""

    messages: list[str] = field(default_factory=list)
    failure: bool = False
    on_send: Callable[[], None] = lambda: None

    async def send(self, org_id: str, records: Sequence[Record]) -> None:
        if self.failure:
            raise QueueUnavailable("away")
        self.messages += packed(org_id, records)
        self.on_send()


@dataclass
class FakeBrought:
    """Implements `lib.admission.ledger_writer.Brought`."""

    body: object
    id: str = "m"
    answer: str = ""

    def ack(self) -> None:
        assert not self.answer
        self.answer = "ack"

    def retry(self) -> None:
        assert not self.answer
        self.answer = "retry"


@dataclass
class FakeLog:
    """Remembers the names of what was told."""

    events: list[str] = field(default_factory=list)

    def error(self, event: str, **_facts: object) -> None:
        self.events.append(event)


class Way:
    """A gate with its outbox, a queue, and the store behind it."""

    def __init__(self, *, queue: bool = True) -> None:
        self.store, self.binding = new_store()
        self.database = self.store.open()
        self.org = run(seed_org(self.database))
        self.key = run(seed_key(self.database, self.org)).principal.key_id
        self.sql, self.log, self.queue = SqliteSql(), FakeLog(), FakeQueue()
        self.with_queue = queue
        self.now = 1_000_000
        self.reachable = True
        self.start()

    def start(self) -> None:
        """Start the gate, or start it anew: what was only in its memory is gone."""
        self.gate = Gate(self.sql)
        queue = self.queue if self.with_queue else None
        self.outbox = Outbox(self.gate, self.org, self.store, None, queue, FakeClock(), self.log)

    def settle(self, *records: UsageRecord) -> None:
        self.gate.handle(0, json.dumps([[r.id, None, json.loads(r.to_json())] for r in records]), self.now)

    def record(self, **changes: object) -> UsageRecord:
        return usage_record(self.org, self.key, **changes)

    def send(self) -> None:
        run(self.outbox.send(self.now))

    def bring(self, *bodies: object) -> list[str]:
        """Bring messages to the writer; return how each was answered."""
        brought = [FakeBrought(body) for body in bodies]
        run(self.writer.write(brought))
        return [message.answer for message in brought]

    @property
    def writer(self) -> Writer:
        async def confirm(org_id: str, written: str, refused: str) -> None:
            if self.reachable and org_id == self.org:
                self.outbox.delivered(written, refused)

        return Writer(self.database, None, confirm, self.log, NOW)

    @property
    def stored(self) -> dict[str, str]:
        rows = self.binding.rows("SELECT id, cause FROM usage_records")
        return {str(row["id"]): str(row["cause"]) for row in rows}

    @property
    def kept(self) -> list[str]:
        """The ids of the records that the gate still has."""
        return [entry["id"] for entry in json.loads(self.gate.outbox() or "[]")]


def test_a_store_that_refuses_for_five_minutes_is_not_flooded() -> None:
    """Messages of the queue and the gate's own repetitions, in virtual time: both wait longer each time.

    A hundred full messages; each record is sent four times at most, and each is written in the end.
    """
    way = Way()
    records = [way.record(upstream_model="x" * 2_000) for _ in range(4_000)]
    for start in range(0, len(records), 500):
        way.settle(*records[start : start + 500])
    begun, sends, arrivals = way.now, Counter[str](), 0
    due: list[tuple[int, int, str]] = []  # when the queue brings a message, how often it was brought, and the message
    while way.kept:
        before = len(way.queue.messages)
        way.send()
        for body in way.queue.messages[before:]:
            sends.update(record["id"] for record in json.loads(body)["records"])
            heappush(due, (way.now, 1, body))
        batch = [heappop(due) for _ in range(min(10, len(due))) if due[0][0] <= way.now]
        way.binding.failure = AWAY if way.now < begun + 5 * 60_000 else None
        for (_, attempts, body), answer in zip(batch, way.bring(*[body for _, _, body in batch]), strict=True):
            arrivals += 1
            if answer == "retry":
                heappush(due, (way.now + retry_seconds(attempts) * 1000, attempts + 1, body))
            way.binding.failure = AWAY if way.now < begun + 5 * 60_000 else None
        soon = [due[0][0]] if due else []
        way.now = (
            max(way.now + 100, min([*soon, way.outbox.next_ms(way.now) or way.now])) if not batch else way.now + 100
        )
    assert way.now < begun + 15 * 60_000
    assert len(way.stored) == len(records) == len(sends)
    assert len(way.queue.messages) >= 100
    assert max(sends.values()) <= 4
    assert arrivals < 12 * 100


def test_a_defect_with_one_organisations_records_stops_no_other() -> None:
    """Its messages are brought again; the others' are written."""
    way, theirs = Way(), new_id(NOW)
    record = way.record()
    bad = packed(theirs, [{**json.loads(way.record().to_json()), "id": 7 * "x"}])
    deliver = delivery.deliver_what_fits

    async def breaks(database: Database, archive: None, org_id: str, *more: Any) -> Any:
        if org_id == theirs:
            raise RuntimeError("a defect")
        return await deliver(database, archive, org_id, *more)

    with patch.object(ledger_writer, "deliver_what_fits", breaks):
        assert way.bring(*bad, *packed(way.org, [json.loads(record.to_json())])) == ["retry", "ack"]
    assert (way.stored, way.log.events) == ({record.id: "finished"}, ["ledger_write_broke"])


def test_a_record_goes_by_the_queue_and_is_kept_until_the_store_has_it() -> None:
    """Sent once, and dropped when it is confirmed."""
    way = Way()
    record = way.record()
    way.settle(record)
    way.send()
    way.send()
    assert (len(way.queue.messages), way.stored, way.kept) == (1, {}, [record.id])
    assert way.bring(*way.queue.messages) == ["ack"]
    assert (way.stored, way.kept) == ({record.id: "finished"}, [])
    assert way.outbox.next_ms(way.now) is None


def test_what_is_not_confirmed_is_sent_again_after_a_minute() -> None:
    """The message was lost, or the store was away for too long. The alarm knows when."""
    way = Way()
    way.settle(way.record())
    way.send()
    assert way.outbox.next_ms(way.now) == way.now + AGAIN_AFTER_MS
    way.now += AGAIN_AFTER_MS - 1
    way.send()
    assert len(way.queue.messages) == 1
    way.now += 1
    way.send()
    assert len(way.queue.messages) == 2


def test_a_gate_that_starts_anew_sends_again_what_was_under_way() -> None:
    """Twice in the store is once."""
    way = Way()
    way.settle(way.record())
    way.send()
    way.start()
    way.send()
    assert way.bring(*way.queue.messages) == ["ack", "ack"]
    assert (len(way.stored), way.kept) == (1, [])


@pytest.mark.parametrize("queue", [True, False])
def test_without_a_queue_records_go_straight_to_the_store(queue: bool) -> None:
    """There is none, or it can't be reached."""
    way = Way(queue=queue)
    way.queue.failure = True
    way.settle(way.record(), way.record())
    way.send()
    assert (len(way.stored), way.kept) == (2, [])
    assert failures.counts() == ({Failure.QUEUE_AWAY.name.lower(): 1} if queue else {})


def test_a_queue_and_a_store_that_are_away_lose_nothing() -> None:
    """The alarm hears of it, and tries again."""
    way = Way()
    way.queue.failure = True
    record = way.record()
    way.settle(record)
    way.binding.failure = AWAY
    with pytest.raises(StoreUnavailable):
        way.send()
    assert way.outbox.next_ms(way.now) == way.now + FLUSH_AFTER_MS
    way.send()
    assert (list(way.stored), way.kept) == ([record.id], [])


def test_who_reads_the_store_sees_what_is_under_way() -> None:
    """A flush writes it at once, and the message that comes afterwards changes nothing."""
    way = Way()
    way.settle(way.record())
    way.send()
    run(way.outbox.flush())
    before = way.binding.rows("SELECT * FROM usage_records")
    assert (len(before), way.kept) == (1, [])
    assert way.bring(*way.queue.messages) == ["ack"]
    assert way.binding.rows("SELECT * FROM usage_records") == before


def test_a_confirmation_that_comes_before_the_sending_ends() -> None:
    """The consumer may be faster than the producer hears: then nothing is waited for."""
    way = Way()
    record = way.record()
    way.settle(record)
    way.queue.on_send = lambda: way.outbox.delivered(f"[{record.to_json()}]", "[]")
    way.send()
    assert way.outbox.next_ms(way.now) is None


def test_a_correction_that_comes_meanwhile_is_sent_too() -> None:
    """The loss was under way when the request's end was told after all; and at once, not after a minute."""
    way = Way()
    lost = way.record(cause="lost", estimated=True)
    way.settle(lost)
    way.send()
    way.settle(replace(lost, cause="finished", estimated=False))
    way.bring(*way.queue.messages)
    assert way.stored == {lost.id: "lost"}
    assert way.outbox.next_ms(way.now) == way.now + FLUSH_AFTER_MS
    way.send()
    way.bring(*way.queue.messages)
    assert (way.stored, way.kept) == ({lost.id: "finished"}, [])


def test_a_gate_that_can_not_be_told_sends_again() -> None:
    """The message is done with all the same."""
    way = Way()
    way.settle(way.record())
    way.send()
    way.reachable = False
    assert way.bring(*way.queue.messages) == ["ack"]
    way.reachable = True
    way.now += AGAIN_AFTER_MS
    way.send()
    way.bring(way.queue.messages[-1])
    assert (len(way.stored), way.kept) == (1, [])


@pytest.mark.parametrize("by_queue", [True, False])
def test_what_the_store_refuses_is_set_aside_and_holds_up_no_other(by_queue: bool) -> None:
    """On both ways: a key that does not exist is a defect of ours, for a person to see."""
    way = Way(queue=by_queue)
    bad = [replace(way.record(), key_id=new_id(NOW)) for _ in range(2)]
    good = [way.record() for _ in range(5)]
    way.settle(bad[0], *good, bad[1])
    way.send()
    if by_queue:
        assert way.bring(*way.queue.messages) == ["ack"]
    assert set(way.stored) == {record.id for record in good}
    assert {row[0] for row in way.sql.rows("SELECT id FROM rejected")} == {record.id for record in bad}
    assert way.kept == []
    assert way.log.events == ["usage_record_rejected"] * 2


def test_only_so_many_are_under_way() -> None:
    """A store that is away for a day must not fill the queue; the gate's disk has room."""
    way = Way()
    records = [way.record() for _ in range(MOST_UNDER_WAY + 300)]
    for start in range(0, len(records), 300):
        way.settle(*records[start : start + 300])
    for _ in range(3):
        way.send()
    sent = sum(len(json.loads(message)["records"]) for message in way.queue.messages)
    assert MOST_UNDER_WAY <= sent < MOST_UNDER_WAY + 200
    assert way.outbox.next_ms(way.now) == way.now + FULL_AGAIN_MS  # and not twice a second, to find nothing to send
    way.bring(way.queue.messages.pop(), way.queue.messages.pop())
    assert way.outbox.next_ms(way.now) == way.now + FLUSH_AFTER_MS
    while way.kept:
        way.bring(*way.queue.messages)
        way.queue.messages.clear()
        way.send()
    assert len(way.stored) == len(records)


def test_messages_of_one_organisation_are_one_write() -> None:
    """And each is answered."""
    way = Way()
    messages = [packed(way.org, [json.loads(way.record().to_json())])[0] for _ in range(4)]
    before = len(way.binding.statements)
    assert way.bring(*messages, messages[0]) == ["ack"] * 5
    assert len(way.stored) == 4
    assert len(way.binding.statements) - before == 4


def test_one_organisations_failure_is_not_anothers() -> None:
    """Only the messages of the one come again; a message that is none is dropped."""
    way = Way()
    other = run(seed_org(way.database))
    key = run(seed_key(way.database, other)).principal.key_id
    theirs = usage_record(other, key)
    mine = [packed(way.org, [json.loads(way.record().to_json())])[0] for _ in range(2)]
    way.binding.failure = AWAY  # of the first write
    assert way.bring(mine[0], "nonsense", packed(other, [json.loads(theirs.to_json())])[0], mine[1]) == [
        *("retry", "ack", "ack", "retry")
    ]
    assert list(way.stored) == [theirs.id]
    assert way.log.events == ["ledger_message_malformed"]
    assert failures.counts() == {Failure.STORE_LEDGER.name.lower(): 1}


class Histories(RuleBasedStateMachine):
    """Whatever the queue, the store and the gate go through, each record arrives once, in its last state."""

    def __init__(self) -> None:
        super().__init__()
        self.way = Way()
        self.last: dict[str, UsageRecord] = {}

    @rule(lost=st.booleans())
    def a_call_ends(self, lost: bool) -> None:
        """Or is given up."""
        record = self.way.record(cause="lost" if lost else "finished", estimated=lost)
        self.last[record.id] = record
        self.way.settle(record)

    @rule(data=st.data())
    @precondition(lambda self: any(record.cause == "lost" for record in self.last.values()))
    def a_loss_is_corrected(self, data: st.DataObject) -> None:
        """Before it is sent, while it is under way, or after it has arrived."""
        lost = data.draw(st.sampled_from([record for record in self.last.values() if record.cause == "lost"]))
        self.last[lost.id] = replace(lost, cause="finished", estimated=False)
        self.way.settle(self.last[lost.id])

    @rule(milliseconds=st.sampled_from([1, 500, AGAIN_AFTER_MS]), queue=st.booleans(), store=st.booleans())
    def the_alarm_rings(self, milliseconds: int, queue: bool, store: bool) -> None:
        """While the queue and the store are there, or not."""
        self.way.now += milliseconds
        self.way.queue.failure = not queue
        self.way.binding.failure = None if store else AWAY
        try:
            self.way.send()
        except StoreUnavailable:
            pass
        finally:
            self.way.queue.failure, self.way.binding.failure = False, None

    @rule(data=st.data(), fails=st.sampled_from(["", "failure", "failure_after"]), reachable=st.booleans())
    @precondition(lambda self: self.way.queue.messages)
    def messages_come(self, data: st.DataObject, fails: str, reachable: bool) -> None:
        """Some, in any order, some of them not for the last time."""
        indices = data.draw(st.lists(st.integers(0, len(self.way.queue.messages) - 1), min_size=1, max_size=4))
        if fails:
            setattr(self.way.binding, fails, AWAY)
        self.way.reachable = reachable
        self.way.bring(*[self.way.queue.messages[at] for at in indices])
        self.way.reachable = True
        self.way.binding.failure = self.way.binding.failure_after = None

    @rule()
    def messages_are_lost(self) -> None:
        """All that are under way."""
        self.way.queue.messages.clear()

    @rule()
    def the_gate_starts_anew(self) -> None:
        """It forgets what was only in its memory."""
        self.way.start()

    @rule()
    def somebody_reads(self) -> None:
        """Then the store has it all."""
        run(self.way.outbox.flush())
        assert self.way.stored == {name: record.cause for name, record in self.last.items()}

    @invariant()
    def nothing_is_forgotten(self) -> None:
        """What the store does not have in its last state, the gate has."""
        behind = {name for name, record in self.last.items() if self.way.stored.get(name) != record.cause}
        assert behind <= set(self.way.kept)

    def teardown(self) -> None:
        for _ in range(3):
            self.way.now += AGAIN_AFTER_MS
            self.way.send()
            self.way.bring(*self.way.queue.messages)
            self.way.queue.messages.clear()
        assert (self.way.kept, self.way.outbox.next_ms(self.way.now)) == ([], None)
        assert self.way.stored == {name: record.cause for name, record in self.last.items()}


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=50, stateful_step_count=20, deadline=None)
