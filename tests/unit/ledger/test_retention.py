"""Old records: exported whole, deleted only then, and never one that was not exported."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from lib.ledger import retention
from lib.ledger.archive import ArchiveUnavailable, Export, export
from lib.ledger.usage_record import UsageRecord
from lib.store.database import StoreUnavailable
from lib.store.dialect import time_text
from lib.store.schema import UsageRecordRow
from tests.unit.admission.books import NOW, Ledger


def ready(*days: int) -> tuple[Ledger, list[UsageRecord]]:
    """A ledger whose days are summed."""
    ledger = Ledger()
    records = [ledger.record(days=day, duration_ms=at) for at, day in enumerate(days)]
    ledger.deliver(*records)
    ledger.sum()
    return ledger, records


def test_records_older_than_the_time_they_are_kept_go_to_the_archive() -> None:
    """By whole days; the others stay, and the report stays as it was."""
    ledger, records = ready(30, 15, 14, 3)
    before = ledger.report()
    assert ledger.prune(14) == 2
    assert ledger.stored == [record.id for record in records[2:]]
    assert [entry["id"] for entry in ledger.archived] == [record.id for record in records[:2]]
    assert ledger.marks[1] == ledger.day(14)
    assert ledger.report() == before == ledger.expected()
    assert ledger.prune(14) == 0


def test_a_record_is_exported_with_all_that_is_known_of_it() -> None:
    """A line a record; every column, times as texts in UTC."""
    ledger, [record] = ready(30)
    ledger.prune(7)
    [entry] = ledger.archived
    written = json.loads(record.to_json())
    assert entry == written | {"created_at": time_text(NOW), "updated_at": time_text(NOW)}


def test_an_object_is_named_by_whose_it_is_and_what_is_in_it() -> None:
    """The organisation, the day, the first and the last record; and what they say."""
    ledger, records = ready(30, 30, 29)
    ledger.prune(7)
    one, other = sorted(ledger.archive.objects)
    assert one.startswith(f"ledger/{ledger.org}/{ledger.day(30)}/{records[0].id}-{records[1].id}-")
    assert other.startswith(f"ledger/{ledger.org}/{ledger.day(29)}/{records[2].id}-{records[2].id}-")
    assert {name.rpartition(".")[0].rpartition(".")[2] for name in (one, other)} == {"ndjson"}


def test_the_archive_being_away_deletes_nothing() -> None:
    """It is tried again, and nothing has changed for who reads."""
    ledger, records = ready(30, 29)
    ledger.archive.failure = "no answer"
    with pytest.raises(ArchiveUnavailable):
        ledger.prune(7)
    assert ledger.stored == [record.id for record in records]
    ledger.archive.failure = None
    assert ledger.prune(7) == 2
    assert ledger.report() == ledger.expected()


@pytest.mark.parametrize("lost", ["failure", "failure_after"])
def test_a_crash_between_the_archive_and_the_deletion_leaves_one_object(lost: str) -> None:
    """The same records are written over themselves, byte for byte."""
    ledger, _ = ready(30, 30)

    async def fail() -> None:
        setattr(ledger.binding, lost, "Network connection lost.")

    ledger.before_write("DELETE FROM usage_records", fail)
    with pytest.raises(StoreUnavailable):
        ledger.prune(7)
    written = dict(ledger.archive.objects)
    ledger.prune(7)
    assert ledger.archive.objects == written
    assert (len(written), ledger.stored) == (1, [])


def test_other_records_never_overwrite_an_object() -> None:
    """One that comes weeks late gets an object of its own; what was exported and is brought once more is known."""
    ledger, records = ready(30, 30, 30)
    ledger.prune(7)
    first = dict(ledger.archive.objects)
    ledger.deliver(records[0], records[2])
    assert ledger.prune(7) == 0
    assert ledger.archive.objects == first
    ledger.deliver(records[1], ledger.record(days=30))
    assert ledger.prune(7) == 1
    assert {name: ledger.archive.objects[name] for name in first} == first
    assert len(ledger.archive.objects) == 2
    assert ledger.report() == ledger.expected()


def test_large_days_go_in_several_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    """None larger than an isolate can hold; one run writes so many, the next goes on."""
    monkeypatch.setattr(retention, "CHUNK_ROWS", 2)
    monkeypatch.setattr(retention, "MOST_CHUNKS", 2)
    ledger, records = ready(30, 30, 30, 29, 28)
    assert ledger.prune(7) == 3
    assert ledger.prune(7) == 2
    assert [len(gzip.decompress(body).splitlines()) for body in ledger.archive.objects.values()] == [2, 1, 1, 1]
    assert {entry["id"] for entry in ledger.archived} == {record.id for record in records}
    assert ledger.report() == ledger.expected()


def test_days_that_are_not_summed_are_not_touched() -> None:
    """However old they are."""
    ledger = Ledger()
    ledger.deliver(ledger.record(days=900))
    assert ledger.prune(7) == 0
    ledger.sum(NOW - timedelta(days=899))
    assert ledger.prune(7) == 0
    assert len(ledger.stored) == 1
    ledger.sum()
    assert ledger.prune(7) == 1


def test_a_late_record_that_sets_the_sums_back_puts_the_deletion_off() -> None:
    """What is summed anew needs all of its day's records."""
    ledger, _ = ready(30, 20)
    late = ledger.record(days=20)
    ledger.before_write("UPDATE usage_marks SET pruned_until", lambda: ledger.delivering(late))
    assert ledger.prune(7) == 0
    assert ledger.report() == ledger.expected()
    ledger.sum()
    assert ledger.prune(7) == 3
    assert ledger.report() == ledger.expected()


def test_a_record_that_comes_while_its_day_goes_is_counted_and_goes_too() -> None:
    """Between the archive and the deletion: nothing is deleted then, and the next look takes both."""
    ledger, _ = ready(30)
    late = ledger.record(days=30)
    ledger.before_write("DELETE FROM usage_records", lambda: ledger.delivering(late))
    assert ledger.prune(7) == 0
    assert ledger.prune(7) == 2
    assert {entry["id"] for entry in ledger.archived} == set(ledger.delivered)
    assert ledger.report() == ledger.expected()


def test_keeping_longer_than_before_brings_nothing_back_and_loses_nothing() -> None:
    """LEDGER_RETENTION_DAYS was raised."""
    ledger, _ = ready(40, 30, 20)
    assert ledger.prune(25) == 2
    ledger.deliver(ledger.record(days=30))
    assert ledger.prune(35) == 0
    assert ledger.report() == ledger.expected()


def test_another_organisations_records_stay() -> None:
    """Each is worked on as itself."""
    ledger, _ = ready(30)
    other = Ledger(ledger)
    other.deliver(other.record(days=30))
    other.sum()
    assert ledger.prune(7) == 1
    assert len(other.stored) == 1


def test_an_export_is_the_same_whenever_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """No time of day in it."""
    ledger, _ = ready(30, 30)
    seen: list[Sequence[UsageRecordRow]] = []

    def noted(records: Sequence[UsageRecordRow], now: datetime) -> Export:
        seen.append(records)
        return export(records, now)

    monkeypatch.setattr(retention, "export", noted)
    ledger.prune(7)
    [body] = ledger.archive.objects.values()
    assert export(seen[0], NOW + timedelta(days=1)).body == body
    assert body[4:8] == bytes(4)
