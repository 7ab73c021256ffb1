"""The daily work over all organisations: bounded, and nobody's failure is another's."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from lib import failures
from lib.admission import bookkeeping
from lib.admission.bookkeeping import MOST_FAILURES, Books, keep_books
from lib.failures import Failure
from lib.store.database import Statement, StoreUnavailable
from lib.store.scope import Org, Scope
from tests.unit.admission.books import NOW, Ledger
from tests.unit.fakes import FakeArchive, run


def organisations(number: int) -> list[Ledger]:
    """So many, each with an old record; they share one store and one archive."""
    first = Ledger()
    ledgers = [first, *(Ledger(first) for _ in range(number - 1))]
    for ledger in ledgers:
        ledger.archive = first.archive
        ledger.deliver(ledger.record(days=30))
    return ledgers


def fail_for(ledger: Ledger, broken: Sequence[str]) -> None:
    """The store fails in whatever it is asked for these organisations."""
    write = ledger.database.batch

    async def batch(scope: Scope, statements: Sequence[Statement]) -> list[int]:
        if isinstance(scope, Org) and scope.id in broken:
            raise StoreUnavailable("away")
        return await write(scope, statements)

    setattr(ledger.database, "batch", batch)  # noqa: B010 - a method of one object


def keep(ledger: Ledger, archive: FakeArchive | None, days: int = 0) -> tuple[Books, list[str]]:
    failed: list[str] = []
    now = NOW + timedelta(days=days)
    books = run(keep_books(ledger.database, archive, now, 7, lambda org_id, _: failed.append(org_id)))
    return books, failed


def test_every_organisation_is_worked_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where they are more than a page."""
    monkeypatch.setattr(bookkeeping, "PAGE", 2)
    ledgers = organisations(5)
    assert keep(ledgers[0], ledgers[0].archive) == (Books(orgs=5, days_summed=5, records_pruned=5), [])
    assert [ledger.stored for ledger in ledgers] == [[]] * 5
    assert [ledger.report() for ledger in ledgers] == [ledger.expected() for ledger in ledgers]


def test_no_organisations_are_no_work() -> None:
    ledger = Ledger()
    ledger.binding.connection.execute("DELETE FROM api_keys")
    ledger.binding.connection.execute("DELETE FROM orgs")
    assert keep(ledger, None) == (Books(), [])


def test_without_an_archive_nothing_is_deleted() -> None:
    """Days are summed all the same."""
    ledgers = organisations(2)
    books, _ = keep(ledgers[0], None)
    assert (books.days_summed, books.records_pruned) == (2, 0)
    assert all(ledger.stored for ledger in ledgers)


def test_one_that_fails_does_not_stop_the_others() -> None:
    """It is named, and left for the next run."""
    ledgers = organisations(4)
    fail_for(ledgers[0], [ledgers[2].org])
    books, failed = keep(ledgers[0], ledgers[0].archive)
    assert failed == [ledgers[2].org]
    assert (books.orgs, books.left, books.days_summed, books.records_pruned) == (3, 1, 3, 3)


def test_a_store_that_has_gone_is_not_asked_for_thousands() -> None:
    """After some failures in a row the rest is left."""
    ledgers = organisations(MOST_FAILURES + 3)
    fail_for(ledgers[0], [ledger.org for ledger in ledgers])
    books, failed = keep(ledgers[0], ledgers[0].archive)
    assert len(failed) == MOST_FAILURES
    assert books == Books(left=MOST_FAILURES + 3)


def test_an_archive_that_has_failed_is_not_asked_again() -> None:
    """Not in this run; all days are summed, and nothing is deleted."""
    ledgers = organisations(3)
    archive = ledgers[0].archive
    archive.failure = "away"
    books, failed = keep(ledgers[0], archive)
    assert failures.counts() == {Failure.ARCHIVE_AWAY.name.lower(): 1}
    assert (failed, books.orgs, books.left, books.days_summed, books.records_pruned) == ([], 3, 0, 3, 0)
    archive.failure = None
    assert keep(ledgers[0], archive)[0].records_pruned == 3


def test_runs_begin_at_different_organisations() -> None:
    """So that those at the end of the list are not always the ones that are left."""
    ledgers = organisations(7)
    fail_for(ledgers[0], [ledger.org for ledger in ledgers])
    firsts = {keep(ledgers[0], None, days)[1][0] for days in range(7)}
    assert len(firsts) == 7
