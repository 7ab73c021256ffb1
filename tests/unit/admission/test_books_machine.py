"""One property over all histories: a report says what was delivered, and the ledger shows each record once.

Whatever comes late or twice, is corrected, summed, exported and deleted, and wherever a run breaks off.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from unittest.mock import patch

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from lib.ledger import archived, day_sums
from lib.ledger.archive import ArchiveUnavailable
from lib.ledger.day_sums import sum_days
from lib.ledger.retention import prune
from lib.ledger.usage_record import UsageRecord
from lib.ledger.usage_report import UsageFilter
from lib.store.database import StoreUnavailable
from lib.store.dialect import time_text
from tests.unit.admission.books import EVERYTHING, NOW, TODAY, Ledger
from tests.unit.fakes import run

KEEP_DAYS = 7
DAY = len("2026-01-31")
COST = st.none() | st.integers(0, 10**12)


class Books(RuleBasedStateMachine):
    """A ledger, its daily work, and time that passes."""

    records = Bundle("records")

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.now = NOW

    @rule(target=records, days=st.integers(0, 20), model=st.sampled_from("ab"), cost=COST, lost=st.booleans())
    def comes(self, days: int, model: str, cost: int | None, lost: bool) -> UsageRecord:
        """A record, on time or late."""
        at = time_text(self.now - timedelta(days=days))
        cause = "lost" if lost else "finished"
        record = self.ledger.record(0, started_at=at, model=model, cost_nano_usd=cost, cause=cause, estimated=lost)
        self.ledger.deliver(record, now=self.now)
        return record

    @rule(record=records, cost=COST)
    def is_corrected(self, record: UsageRecord, cost: int | None) -> None:
        """However late, and wherever it is by then."""
        end = replace(record, cause="finished", estimated=False, cost_nano_usd=cost, output_tokens=99)
        self.ledger.deliver(end, now=self.now)

    @rule(record=records)
    def comes_again(self, record: UsageRecord) -> None:
        """A message that was brought twice, weeks apart or not."""
        self.ledger.deliver(record, now=self.now)

    @rule(record=records, cost=COST, after=st.booleans())
    def a_delivery_breaks_off(self, record: UsageRecord, cost: int | None, after: bool) -> None:
        """It is tried again, when the work on old records has gone on."""
        sent = [replace(record, cause="finished", cost_nano_usd=cost, estimated=False), self.ledger.record(15)]
        setattr(self.ledger.binding, "failure_after" if after else "failure", "Network connection lost.")
        try:
            self.ledger.deliver(*sent, now=self.now)
        except StoreUnavailable:
            pass
        finally:
            self.ledger.binding.failure = self.ledger.binding.failure_after = None
        self.ledger.deliver(*sent, now=self.now)

    @rule(record=records, days=st.integers(8, 20))
    def old_records_come_while_old_records_go(self, record: UsageRecord, days: int) -> None:
        """Between the archive and the deletion; and the other way round."""
        ledger, late = self.ledger, [self.ledger.record(days), self.ledger.record(days)]
        ledger.sum(self.now)
        call_off = ledger.before_write("DELETE FROM usage_records", lambda: ledger.delivering(late[0], now=self.now))
        ledger.prune(KEEP_DAYS, self.now)
        call_off()

        def go() -> Awaitable[object]:
            return prune(ledger.database, ledger.archive, ledger.org, self.now, KEEP_DAYS)

        call_off = ledger.before_write("INSERT INTO usage_days", go)
        ledger.deliver(replace(record, cause="finished", estimated=False), late[1], now=self.now)
        call_off()

    @rule(days=st.integers(0, 6))
    def time_passes(self, days: int) -> None:
        """Days, and the edge of one."""
        self.now += timedelta(days=days, hours=7)

    @rule(rows=st.integers(1, 5), pieces=st.integers(1, 4))
    def days_are_summed(self, rows: int, pieces: int) -> None:
        """The hourly work, in pieces; its time may be over between two."""
        left = iter(range(pieces))
        with patch.object(day_sums, "PIECE_ROWS", rows):
            run(sum_days(self.ledger.database, self.ledger.org, self.now, lambda: next(left, None) is not None))

    @rule()
    def old_records_go(self) -> None:
        """The hourly work."""
        self.ledger.prune(KEEP_DAYS, self.now)

    @rule(batches=st.integers(0, 6), after=st.booleans())
    def a_run_breaks_off(self, batches: int, after: bool) -> None:
        """At any of its steps; whether the store did the last one, nobody knows."""
        left = [batches]

        def fail() -> None:
            left[0] -= 1
            if left[0] < 0:
                setattr(self.ledger.binding, "failure_after" if after else "failure", "Network connection lost.")

        self.ledger.binding.on_batch = fail
        try:
            with patch.object(day_sums, "PIECE_ROWS", 2):
                self.ledger.sum(self.now)
            self.ledger.prune(KEEP_DAYS, self.now)
        except StoreUnavailable:
            pass
        finally:
            self.ledger.binding.on_batch = lambda: None
            self.ledger.binding.failure = self.ledger.binding.failure_after = None

    @rule()
    def the_archive_is_away(self) -> None:
        """Nothing may be deleted."""
        before = self.ledger.stored
        self.ledger.archive.failure = "away"
        try:
            run(prune(self.ledger.database, self.ledger.archive, self.ledger.org, self.now, KEEP_DAYS))
        except ArchiveUnavailable:
            pass
        finally:
            self.ledger.archive.failure = None
        assert self.ledger.stored == before

    @invariant()
    def a_report_says_what_was_delivered(self) -> None:
        """The same before and after each step."""
        assert self.ledger.report() == self.ledger.expected()

    @invariant()
    def a_part_of_it_too(self) -> None:
        """Some days, and one model of two."""
        wanted = UsageFilter(TODAY - timedelta(days=9), TODAY - timedelta(days=2), model="a")
        days = (wanted.start.date().isoformat(), wanted.end.date().isoformat())
        expected = [line for line in self.ledger.expected() if line.model == "a" and days[0] <= line.day < days[1]]
        assert self.ledger.report(wanted) == expected

    @invariant()
    def the_job_knows_what_there_is_to_do(self) -> None:
        """No record waits that a run would not come to, whose bounds are whole days: to be summed, or to go."""
        marks = self.ledger.binding.rows("SELECT * FROM usage_marks WHERE org_id = ?", self.ledger.org)
        stored = self.ledger.binding.rows("SELECT min(started_at) AS at FROM usage_records")[0]["at"]
        if stored is not None:
            [row] = marks
            assert str(row["oldest_at"]) <= str(stored)
            begin = row["piece_ends_at"] or row["summed_until"]
            sql = "SELECT min(started_at) AS at FROM usage_records WHERE started_at >= ?"
            unsummed = self.ledger.binding.rows(sql, begin)[0]["at"]
            assert unsummed is None or str(row["unsummed_at"])[:DAY] <= str(unsummed)[:DAY]

    @invariant()
    def the_ledger_shows_each_record_once(self) -> None:
        """In its last state, from the store and the archive, in order; some of them too."""
        with patch.object(archived, "MOST_RECORDS", 2):
            shown = [asdict(row) for row in self.ledger.read(newest=False)]
            back = [row.id for row in self.ledger.read(newest=True)]
            wanted = replace(EVERYTHING, model="a", end=self.now - timedelta(days=6))
            some = [row.id for row in self.ledger.read(newest=True, wanted=wanted)]
        kept = self.ledger.kept()
        assert [{name: _text(row[name]) for name in record} for row, record in zip(shown, kept, strict=True)] == kept
        assert back == [record["id"] for record in reversed(kept)]
        chosen = [
            each for each in reversed(kept) if each["model"] == "a" and each["started_at"] < time_text(wanted.end)
        ]
        assert some == [record["id"] for record in chosen]


def _text(value: object) -> object:
    return time_text(value) if isinstance(value, datetime) else value


TestBooks = Books.TestCase
TestBooks.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
