"""Days that are summed: when, how often, and by whom; what a late record does to them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from lib.ledger import day_sums
from lib.ledger.day_sums import FIRST_DAY, day_of, start_of, sum_days
from lib.ledger.ledger_sums import mark
from lib.ledger.retention import prune
from lib.store.database import StoreUnavailable
from lib.store.dialect import time_text
from tests.unit.admission.books import NOW, TODAY, Ledger
from tests.unit.fakes import FakeArchive, run


def test_a_day_is_summed_when_it_has_been_over_for_two_days() -> None:
    """Until then what was used in it may still be corrected."""
    ledger = Ledger()
    ledger.deliver(ledger.record(days=5), ledger.record(days=3), ledger.record(days=2), ledger.record(days=0))
    assert ledger.sum() == 2
    assert ledger.summed_days == [ledger.day(5), ledger.day(3)]
    assert ledger.marks == (ledger.day(2), FIRST_DAY)
    assert ledger.sum(now=NOW + timedelta(days=1)) == 1
    assert ledger.marks == (ledger.day(1), FIRST_DAY)


@pytest.mark.parametrize(("before", "days"), [(timedelta(0), 1), (timedelta(microseconds=1), 0)])
def test_two_days_are_two_days(before: timedelta, days: int) -> None:
    """To the microsecond, from the end of the day on."""
    ledger = Ledger()
    ledger.deliver(ledger.record(days=3))
    assert ledger.sum(now=TODAY - before) == days


def test_an_organisation_without_records_leaves_no_trace() -> None:
    """There may be thousands of them."""
    ledger = Ledger()
    assert ledger.sum() == 0
    assert run(mark(ledger.database, ledger.org)) is None


def test_a_second_run_finds_nothing_to_do() -> None:
    ledger = Ledger()
    ledger.deliver(ledger.record(days=5))
    assert [ledger.sum(), ledger.sum()] == [1, 0]


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 100])
def test_a_large_day_is_summed_in_pieces(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    """And many small ones in one; a report is the same before, between and after."""
    monkeypatch.setattr(day_sums, "PIECE_ROWS", rows)
    ledger = Ledger()
    ledger.deliver(*[ledger.record(days=days, model=model) for days in (9, 9, 9, 9, 5, 5, 3) for model in "aab"])
    runs = 0
    while ledger.marks[0] < ledger.day(2):
        one = iter([True])
        run(sum_days(ledger.database, ledger.org, NOW, lambda: next(one, False)))  # noqa: B023 - run at once
        assert ledger.report() == ledger.expected()
        runs += 1
    assert runs >= 21 // (rows + 1)
    assert ledger.prune(1) == 21
    assert ledger.report() == ledger.expected()


def test_records_of_one_moment_are_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than a piece takes: no run stands still there."""
    monkeypatch.setattr(day_sums, "PIECE_ROWS", 2)
    ledger = Ledger()
    at = ledger.record(days=4).started_at
    ledger.deliver(*[ledger.record(days=0, started_at=at) for _ in range(9)], ledger.record(days=3))
    ledger.sum()
    assert ledger.marks[0] == ledger.day(2)
    assert ledger.prune(1) == 10
    assert ledger.report() == ledger.expected()


@pytest.mark.parametrize(("hours", "summed"), [(1, 0), (11, 4), (15, 6)])
def test_of_later_days_only_whole_pieces_are_summed(monkeypatch: pytest.MonkeyPatch, hours: int, summed: int) -> None:
    """Two hours after they began: what is left to a report is less than a piece, beside those hours."""
    monkeypatch.setattr(day_sums, "PIECE_ROWS", 2)
    ledger = Ledger()
    for number in range(7):
        ledger.deliver(ledger.record(0, started_at=time_text(TODAY + timedelta(hours=number * 2)), model=f"m{number}"))
    assert ledger.sum(now=TODAY + timedelta(hours=hours)) == summed
    assert ledger.report() == ledger.expected()


@pytest.mark.parametrize("seconds", [-1, 0, 1])
def test_a_late_record_of_a_day_that_is_half_summed_begins_it_anew(
    monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    """Where it belongs before the piece's end; behind it, the next piece finds it."""
    monkeypatch.setattr(day_sums, "PIECE_ROWS", 2)
    ledger = Ledger()
    records = [ledger.record(days=4) for _ in range(5)]
    ledger.deliver(*records)
    one = iter([True])
    run(sum_days(ledger.database, ledger.org, NOW, lambda: next(one, False)))
    edge = datetime.fromisoformat(records[2].started_at) + timedelta(seconds=seconds)
    ledger.deliver(ledger.record(days=0, started_at=time_text(edge)))
    ledger.sum()
    assert ledger.prune(1) == 6
    assert ledger.report() == ledger.expected()


def test_a_late_record_has_its_day_summed_anew_and_counts_at_once() -> None:
    """Reports read from the records again what is behind the mark."""
    ledger = Ledger()
    ledger.deliver(ledger.record(days=9), ledger.record(days=7), ledger.record(days=5))
    ledger.sum()
    ledger.deliver(ledger.record(days=7), ledger.record(days=1))
    assert ledger.marks[0] == ledger.day(7)
    assert ledger.report() == ledger.expected()
    assert ledger.sum() == 2
    assert ledger.report() == ledger.expected()


def test_a_correction_has_its_day_summed_anew() -> None:
    """A request was given up, its record summed as lost, and its end told after all."""
    ledger = Ledger()
    lost = ledger.record(days=4, cause="lost", estimated=True, cost_nano_usd=7)
    ledger.deliver(lost)
    ledger.sum()
    ledger.deliver(replace(lost, cause="finished", estimated=False, cost_nano_usd=9))
    assert ledger.report()[0].cost_nano_usd == 9
    ledger.sum()
    assert [(line.cost_nano_usd, line.estimated_requests) for line in ledger.report()] == [(9, 0)]


def test_a_record_of_a_day_whose_records_went_is_added_to_its_sum() -> None:
    """That day can't be summed anew. Brought twice, it counts once; other days are not touched."""
    ledger = Ledger()
    ledger.deliver(ledger.record(days=20), ledger.record(days=9))
    ledger.sum()
    assert run(prune(ledger.database, FakeArchive(), ledger.org, NOW, 14)).records == 1
    before = ledger.marks
    late = ledger.record(days=20)
    ledger.deliver(late)
    ledger.deliver(late)
    assert ledger.marks == before
    assert ledger.report() == ledger.expected()


def test_days_without_sums_cost_a_late_record_nothing() -> None:
    """Where nothing has been summed there is no mark to move."""
    ledger = Ledger()
    ledger.deliver(ledger.record(days=400))
    assert ledger.marks == (FIRST_DAY, FIRST_DAY)


def test_a_mark_that_somebody_has_moved_meanwhile_stops_the_run() -> None:
    """A late record comes while a day is being summed: nothing is written on what was read before it."""
    ledger = Ledger()
    ledger.deliver(ledger.record(days=9), ledger.record(days=5))
    ledger.sum(now=NOW - timedelta(days=4))
    assert ledger.marks[0] == ledger.day(6)
    ledger.before_write("INSERT INTO usage_days", lambda: ledger.delivering(ledger.record(days=9)))
    assert ledger.sum() == 0
    assert ledger.marks[0] == ledger.day(9)
    assert ledger.report() == ledger.expected()
    assert ledger.sum() == 2
    assert ledger.report() == ledger.expected()


def test_two_runs_at_once_do_no_harm() -> None:
    """A cron that is late meets the next one."""
    ledger = Ledger()
    ledger.deliver(ledger.record(days=9), ledger.record(days=5))
    ledger.before_write("INSERT INTO usage_days", lambda: sum_days(ledger.database, ledger.org, NOW))
    assert ledger.sum() == 0
    assert ledger.summed_days == [ledger.day(9), ledger.day(5)]
    assert ledger.report() == ledger.expected()


def test_a_run_that_is_overtaken_does_not_sum_a_day_without_its_records() -> None:
    """Another run has summed the day meanwhile, and its records have gone to the archive."""
    ledger = Ledger()
    ledger.deliver(ledger.record(days=30), ledger.record(days=20))

    async def overtake() -> None:
        await sum_days(ledger.database, ledger.org, NOW)
        assert (await prune(ledger.database, ledger.archive, ledger.org, NOW, 7)).records == 2

    ledger.before_write("INSERT INTO usage_days", overtake)
    assert ledger.sum() == 0
    assert ledger.report() == ledger.expected()


@pytest.mark.parametrize("lost", ["failure", "failure_after"])
def test_a_run_that_breaks_off_goes_on_the_next_time(lost: str) -> None:
    """Whether the store did the last thing that it was asked, or not."""
    ledger = Ledger()
    ledger.deliver(ledger.record(days=9), ledger.record(days=5))

    async def fail() -> None:
        setattr(ledger.binding, lost, "Network connection lost.")

    ledger.before_write("INSERT INTO usage_days", fail)
    with pytest.raises(StoreUnavailable):
        ledger.sum()
    assert ledger.report() == ledger.expected()
    ledger.sum()
    assert ledger.summed_days == [ledger.day(9), ledger.day(5)]
    assert ledger.report() == ledger.expected()


def test_another_organisations_sums_are_its_own() -> None:
    """Neither read nor written."""
    ledger = Ledger()
    other = Ledger(ledger)
    ledger.deliver(ledger.record(days=5))
    other.deliver(other.record(days=6))
    assert ledger.sum() == 1
    other.deliver(other.record(days=5))
    assert ledger.summed_days == [ledger.day(5)]
    assert other.sum() == 2
    assert (ledger.report(), other.report()) == (ledger.expected(), other.expected())


@pytest.mark.parametrize("day", ["2026-05-04", "1970-01-01", "2028-02-29"])
def test_a_day_begins_at_its_midnight(day: str) -> None:
    """UTC."""
    assert day_of(start_of(day)) == day
    assert day_of(start_of(day) - timedelta(microseconds=1)) < day
    assert day_of(datetime.fromisoformat(f"{day}T23:59:59.999999+00:00")) == day
