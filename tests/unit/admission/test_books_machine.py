"""One property over all histories: a report says what was delivered, and each record is in the store or the archive.

Whatever comes late or twice, is corrected, summed, exported and deleted, and wherever a run breaks off.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from unittest.mock import patch

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from lib.admission import day_sums
from lib.admission.archive import ArchiveUnavailable
from lib.admission.day_sums import sum_days
from lib.admission.retention import prune
from lib.admission.usage_record import UsageRecord
from lib.admission.usage_report import UsageFilter
from lib.store.database import StoreUnavailable
from lib.store.dialect import time_text
from tests.unit.admission.books import NOW, TODAY, Ledger
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
        """Within the time in which a gate remembers a call, and longer."""
        if record.started_at > time_text(self.now - timedelta(days=KEEP_DAYS - 1)):
            end = replace(record, cause="finished", estimated=False, cost_nano_usd=cost, output_tokens=99)
            self.ledger.deliver(end, now=self.now)

    @rule(record=records)
    def comes_again(self, record: UsageRecord) -> None:
        """A message that was brought twice."""
        if record.id in self.ledger.stored:
            self.ledger.deliver(record, now=self.now)

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
    def no_record_is_lost(self) -> None:
        """Each is in the store, or its last state is in the archive, which may have it twice."""
        archived = {entry["id"]: entry for entry in self.ledger.archived}
        stored = set(self.ledger.stored)
        assert stored | set(archived) == set(self.ledger.delivered)
        for name in set(archived) - stored:
            assert archived[name]["cost_nano_usd"] == self.ledger.delivered[name].cost_nano_usd
            assert archived[name]["cause"] == self.ledger.delivered[name].cause


TestBooks = Books.TestCase
TestBooks.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
