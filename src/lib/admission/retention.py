"""Single records are kept for a time, then exported to the archive and deleted. Their days' sums stay."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from lib.admission.archive import Archive, export
from lib.admission.day_sums import FIRST_DAY, day_of, start_of
from lib.admission.ledger_sums import mark
from lib.store.database import Database
from lib.store.rows import columns
from lib.store.schema import UsageRecordRow
from lib.store.scope import Org

# Records of one object: some megabytes of text, a tenth of what an isolate has.
CHUNK_ROWS = 5_000
# What one run exports of one organisation; the next goes on.
MOST_CHUNKS = 100
_COLUMNS = columns(UsageRecordRow)


async def prune(database: Database, archive: Archive, org_id: str, now: datetime, keep_days: int) -> int:
    """Export and delete an organisation's records of days that are summed and older than `keep_days`.

    Returns how many. A record is deleted only once its object is written, and only those that are in it. First of all
    the mark moves: from then on no day before it is summed anew, and so none without the records that went.
    Raises ArchiveUnavailable and the store's errors; the next run goes on where this one stopped.
    """
    marks = await mark(database, org_id)
    if marks is None:
        return 0
    end = min(marks.summed_until, day_of(now - timedelta(days=keep_days)))
    if marks.pruned_until < end and not await _move_mark(database, org_id, end, now):
        return 0  # a late record has just set the sums back: they come first
    pruned = 0
    for _ in range(MOST_CHUNKS):
        records = await _oldest(database, org_id, end)
        if not records:
            break
        exported = export(records)
        await archive.put(exported.name, exported.body)
        pruned += await _delete(database, org_id, [record.id for record in records])
    return pruned


async def _move_mark(database: Database, org_id: str, end: str, now: datetime) -> bool:
    changed = await database.execute(
        Org(org_id),
        "UPDATE usage_marks SET pruned_until = ?2, updated_at = ?3"
        " WHERE org_id = ?1 AND pruned_until < ?2 AND summed_until >= ?2",
        org_id,
        end,
        now,
    )
    return changed > 0


async def _oldest(database: Database, org_id: str, end: str) -> Sequence[UsageRecordRow]:
    """Return the oldest records that begin before the day `end`, of one day only."""
    records = await database.query(
        Org(org_id),
        UsageRecordRow,
        f"SELECT {_COLUMNS} FROM usage_records WHERE org_id = ? AND started_at >= ? AND started_at < ?"
        " ORDER BY started_at, id LIMIT ?",
        org_id,
        start_of(FIRST_DAY),
        start_of(end),
        CHUNK_ROWS,
    )
    return [record for record in records if day_of(record.started_at) == day_of(records[0].started_at)]


async def _delete(database: Database, org_id: str, ids: Sequence[str]) -> int:
    gone = database.dialect.json_rows("?2", {"id": str})
    return await database.execute(
        Org(org_id),
        f"DELETE FROM usage_records WHERE org_id = ?1 AND id IN (SELECT gone.id FROM {gone} AS gone)",
        org_id,
        json.dumps([{"id": name} for name in ids]),
    )
