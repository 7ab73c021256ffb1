"""Records in the archive: found, paged through, and nobody else's; what the archive does not have or say."""

from __future__ import annotations

from datetime import timedelta
from unittest.mock import Mock, patch

import pytest

from lib.kernel.ids import new_id
from lib.ledger import archived, ledger, retention
from lib.ledger.archive import record_of
from lib.ledger.usage_record import UsageRecord
from lib.store.database import StoreUnavailable
from lib.store.dialect import time_text
from lib.store.schema import UsageRecordRow
from tests.unit.admission.books import EVERYTHING, NOW, TODAY, Ledger
from tests.unit.fakes import FakeArchive, run

FAR_FUTURE = "ffffffff-ffff-7fff-bfff-ffffffffffff"


def moved(*days: int, beside: Ledger | None = None) -> tuple[Ledger, list[UsageRecord]]:
    """A ledger whose records are all in the archive, an object each."""
    kept = Ledger(beside)
    records = [kept.record(days=day, id=new_id(TODAY - timedelta(days=day))) for day in days]
    kept.deliver(*records)
    kept.sum()
    with patch.object(retention, "CHUNK_ROWS", 1):
        while kept.prune(2):
            pass
    assert (kept.stored, len(kept.archive.objects)) == ([], len(days))
    return kept, records


def found(kept: Ledger, record_id: str, archive: FakeArchive | None) -> UsageRecordRow | None:
    return run(ledger.find(kept.database, archive, kept.org, record_id))


def test_a_record_is_found_by_its_id() -> None:
    """Wherever it is; of one that is nowhere, and of an id beyond all calendars, there is none."""
    kept, records = moved(9, 8, 8)
    young = kept.record(days=0)
    kept.deliver(young)
    for record in (*records, young):
        row = found(kept, record.id, kept.archive)
        assert row is not None
        assert (row.id, row.cost_nano_usd) == (record.id, record.cost_nano_usd)
    assert [found(kept, name, kept.archive) for name in (new_id(NOW - timedelta(days=8)), FAR_FUTURE)] == [None, None]


def test_another_organisations_records_are_not_seen() -> None:
    """Though both are in one store and one archive."""
    kept, _ = moved(9, 8)
    other, [theirs] = moved(8, beside=kept)
    kept.archive.objects |= other.archive.objects
    assert found(kept, theirs.id, kept.archive) is None
    assert theirs.id not in [row.id for row in kept.read(newest=True)]


@pytest.mark.parametrize("missing", [True, False])
def test_who_reads_what_cannot_be_reached_is_told_so(missing: bool) -> None:
    """Neither less nor an empty page; what is in the store alone is shown as ever."""
    kept, [old] = moved(9)
    young = [kept.record(days=0), kept.record(days=0)]
    kept.deliver(*young)
    kept.archive.failure = "no answer"
    archive = None if missing else kept.archive
    with pytest.raises(StoreUnavailable):
        found(kept, old.id, archive)
    with pytest.raises(StoreUnavailable):
        run(ledger.newest(kept.database, archive, kept.org, EVERYTHING, (EVERYTHING.end, ""), 5))
    with pytest.raises(StoreUnavailable):
        kept.deliver(old)  # is it known? nobody can tell: it comes again
    page = run(ledger.newest(kept.database, archive, kept.org, EVERYTHING, (EVERYTHING.end, ""), 1))
    assert [row.id for row in page.rows] == [young[1].id]


def test_who_deletes_an_object_deletes_its_records() -> None:
    """By R2's own rule for old objects, say: the others are shown, and the sums stay."""
    kept, records = moved(9, 8)
    del kept.archive.objects[min(kept.archive.objects, key=lambda name: name.split("/")[2])]
    assert [row.id for row in kept.read(newest=False)] == [records[1].id]
    assert kept.report() == kept.expected()


@pytest.mark.parametrize("newest", [True, False])
def test_of_many_objects_at_one_moment_each_is_read(newest: bool) -> None:
    """More than one looks at to choose from: a page goes on all the same."""
    kept = Ledger()
    at = time_text(TODAY - timedelta(days=9))
    kept.deliver(*[kept.record(days=9, started_at=at) for _ in range(5)])
    kept.sum()
    with patch.object(retention, "CHUNK_ROWS", 1):
        assert kept.prune(2) == 5
    with patch.object(archived, "_MOST_LISTED", 2):
        assert {row.id for row in kept.read(newest=newest)} == set(kept.delivered)


def test_of_an_object_only_what_is_asked_for_is_parsed() -> None:
    """It may hold thousands, and a message may bring again what is in several."""
    kept = Ledger()
    records = [kept.record(days=9, id=new_id(TODAY - timedelta(days=9))) for _ in range(20)]
    kept.deliver(*records)
    kept.sum()
    assert kept.prune(2) == len(records)
    with patch.object(archived, "record_of", Mock(wraps=record_of)) as parsed:
        kept.deliver(records[3], records[7])
        assert found(kept, records[3].id, kept.archive) is not None
    assert parsed.call_count == 3
    assert kept.report() == kept.expected()


def test_a_page_reads_so_many_objects_and_no_more() -> None:
    """It is short then, and tells where to go on."""
    kept, records = moved(*range(30, 3, -1))
    reads: list[str] = []
    get = kept.archive.get

    async def noted(name: str) -> bytes | None:
        reads.append(name)
        return await get(name)

    wanted = EVERYTHING.__class__(EVERYTHING.start, EVERYTHING.end, model="no such")
    with patch.object(kept.archive, "get", noted), patch.object(archived, "MOST_OBJECTS", 4):
        page = run(ledger.newest(kept.database, kept.archive, kept.org, wanted, (wanted.end, ""), 5))
        assert (list(page.rows), len(reads)) == ([], 4)
        assert page.next is not None
        assert [row.id for row in kept.read(newest=True)] == [record.id for record in reversed(records)]
