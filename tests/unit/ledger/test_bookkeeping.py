"""The daily work over all organisations: bounded, and nobody's failure is another's."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from lib.kernel import failures
from lib.kernel.failures import Failure
from lib.ledger import bookkeeping, retention
from lib.ledger.bookkeeping import MOST_FAILURES, Books, keep_books
from lib.store.database import Statement, StoreUnavailable
from lib.store.tenant import Org, Tenant
from tests.unit.admission.books import NOW, Ledger
from tests.unit.fakes import FakeArchive, FakeClock, run


def organisations(number: int) -> list[Ledger]:
    """So many, each with an old record; they share one store and one archive."""
    first = Ledger()
    ledgers = [first, *(Ledger(first) for _ in range(number - 1))]
    for ledger in ledgers:
        ledger.archive = first.archive
        ledger.deliver(ledger.record(days=30))
    return ledgers


def fail_for(ledger: Ledger, broken: Sequence[str], error: Exception | None = None) -> None:
    """The store fails in whatever it is asked for these organisations."""
    write = ledger.database.batch

    async def batch(scope: Tenant, statements: Sequence[Statement]) -> list[int]:
        if isinstance(scope, Org) and scope.id in broken:
            raise error or StoreUnavailable("away")
        return await write(scope, statements)

    setattr(ledger.database, "batch", batch)  # noqa: B010 - a method of one object


def keep(ledger: Ledger, archive: FakeArchive | None, days: int = 0) -> tuple[Books, list[str]]:
    failed: list[str] = []
    clock = FakeClock(NOW + timedelta(days=days))
    books = run(keep_books(ledger.database, archive, clock, 7, lambda org_id, _: failed.append(org_id)))
    return books, failed


def test_every_organisation_is_worked_on() -> None:
    """Days are summed, and old records go."""
    ledgers = organisations(5)
    assert keep(ledgers[0], ledgers[0].archive) == (Books(orgs=5, sums_written=5, records_pruned=5), [])
    assert [ledger.stored for ledger in ledgers] == [[]] * 5
    assert [ledger.report() for ledger in ledgers] == [ledger.expected() for ledger in ledgers]


def test_who_has_nothing_to_do_is_not_visited() -> None:
    """Those that never called, and those whose work is done: a run asks who has some, and that is all."""
    ledgers = [*organisations(2), Ledger(), Ledger()]
    keep(ledgers[0], ledgers[0].archive)
    for idle in (ledgers[0], Ledger(ledgers[0])):
        before = len(idle.binding.statements)
        assert keep(idle, idle.archive) == (Books(), [])
        assert len(idle.binding.statements) - before == 2


@pytest.mark.parametrize("column", ["unsummed_at", "oldest_at"])
def test_a_run_finds_its_work_by_an_index(column: str) -> None:
    """However many organisations there are."""
    ledger = Ledger()
    keep(ledger, ledger.archive)
    [plan] = [steps for sql, steps in ledger.binding.plans().items() if f"WHERE {column} <" in sql]
    assert len(plan) == 1
    assert f"({column}<?)" in plan[0]


def test_a_run_ends_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or when it has asked the store as often as it may; the next goes on."""
    ledgers = organisations(3)
    monkeypatch.setattr(bookkeeping, "MOST_GROUPS", ledgers[0].database.cost.queries + 5)
    books, _ = keep(ledgers[0], ledgers[0].archive)
    assert (books.left, books.records_pruned) == (3, 0)
    monkeypatch.setattr(bookkeeping, "RUN_TIME", timedelta(0))
    monkeypatch.setattr(bookkeeping, "MOST_GROUPS", 10**6)
    assert keep(ledgers[0], ledgers[0].archive)[0].sums_written == 0
    monkeypatch.setattr(bookkeeping, "RUN_TIME", timedelta(minutes=1))
    assert keep(ledgers[0], ledgers[0].archive)[0].records_pruned == 3
    assert [ledger.report() for ledger in ledgers] == [ledger.expected() for ledger in ledgers]


def test_sums_that_are_never_done_leave_something_for_the_deleting(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many call every day that a run is over before all are summed."""
    ledgers = organisations(12)
    first = ledgers[0]
    keep(first, None)
    for ledger in ledgers:
        ledger.deliver(ledger.record(days=3))
    monkeypatch.setattr(bookkeeping, "MOST_GROUPS", first.database.cost.queries + 30)
    books, _ = keep(first, first.archive)
    assert books.sums_written < len(ledgers)
    assert books.records_pruned > 0


def test_one_with_many_records_lets_others_have_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """And comes again, until its are gone too."""
    monkeypatch.setattr(retention, "CHUNK_ROWS", 1)
    monkeypatch.setattr(retention, "MOST_CHUNKS", 1)
    ledgers = organisations(2)
    ledgers[0].deliver(*[ledgers[0].record(days=30) for _ in range(5)])
    assert keep(ledgers[0], ledgers[0].archive)[0] == Books(orgs=2, sums_written=2, records_pruned=7)


def test_a_defect_with_one_is_no_other_ones() -> None:
    """Not only the store's errors: whatever is raised."""
    ledgers = organisations(MOST_FAILURES + 3)
    broken = [ledger.org for ledger in ledgers[1:]]
    fail_for(ledgers[0], broken, RuntimeError("a defect"))
    books, failed = keep(ledgers[0], ledgers[0].archive)
    assert set(failed) == set(broken)
    assert (books.orgs, books.left, books.records_pruned) == (1, len(broken), 1)


@pytest.mark.parametrize(("size", "warned"), [(None, 0), (6_999_999_999, 0), (7_000_000_000, 1)])
def test_a_store_that_fills_is_told_in_time(size: int | None, warned: int) -> None:
    """D1 takes 10 GB; PostgreSQL does not say how full it is."""
    ledger = Ledger()
    ledger.binding.size = size
    keep(ledger, None)
    assert failures.counts().get(Failure.STORE_FILLING.name.lower(), 0) == warned


def test_without_an_archive_nothing_is_deleted() -> None:
    """Days are summed all the same."""
    ledgers = organisations(2)
    books, _ = keep(ledgers[0], None)
    assert (books.sums_written, books.records_pruned) == (2, 0)
    assert all(ledger.stored for ledger in ledgers)


def test_one_that_fails_does_not_stop_the_others() -> None:
    """It is named, and left for the next run."""
    ledgers = organisations(4)
    fail_for(ledgers[0], [ledgers[2].org])
    books, failed = keep(ledgers[0], ledgers[0].archive)
    assert set(failed) == {ledgers[2].org}
    assert (books.orgs, books.left, books.sums_written, books.records_pruned) == (3, 1, 3, 3)


def test_a_store_that_has_gone_is_not_asked_for_thousands() -> None:
    """After some failures in a row the rest is left."""
    ledgers = organisations(MOST_FAILURES + 3)
    fail_for(ledgers[0], [ledger.org for ledger in ledgers])
    books, failed = keep(ledgers[0], ledgers[0].archive)
    assert len(failed) == 2 * MOST_FAILURES  # of the sums, and of what is to be deleted
    assert books == Books(left=MOST_FAILURES + 3)


def test_an_archive_that_has_failed_is_not_asked_again() -> None:
    """Not in this run; all days are summed, and nothing is deleted."""
    ledgers = organisations(3)
    archive = ledgers[0].archive
    archive.failure = "away"
    books, failed = keep(ledgers[0], archive)
    assert failures.counts() == {Failure.ARCHIVE_AWAY.name.lower(): 1}
    assert (failed, books.orgs, books.left, books.sums_written, books.records_pruned) == ([], 3, 0, 3, 0)
    archive.failure = None
    assert keep(ledgers[0], archive)[0].records_pruned == 3


def test_runs_begin_at_different_organisations() -> None:
    """So that those at the end of the list are not always the ones that are left."""
    ledgers = organisations(7)
    fail_for(ledgers[0], [ledger.org for ledger in ledgers])
    firsts = {keep(ledgers[0], None, days)[1][0] for days in range(7)}
    assert len(firsts) == 7
