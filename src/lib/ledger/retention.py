"""Single records are kept in the store for a time, then moved to the archive. Their days' sums stay."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lib.ledger.archive import Archive, export
from lib.ledger.archived import told
from lib.ledger.day_sums import FIRST_DAY, always, day_of, start_of
from lib.ledger.ledger_sums import mark
from lib.store.database import Database, Statement
from lib.store.rows import columns
from lib.store.schema import UsageRecordRow
from lib.store.tenant import Org

# Records of one object: some megabytes of text, a tenth of what an isolate has.
CHUNK_ROWS = 5_000
# What is exported of one organisation before it is another's turn.
MOST_CHUNKS = 20
_COLUMNS = columns(UsageRecordRow)


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many records went, and whether some are left that should."""

    records: int
    unfinished: bool


async def prune(
    database: Database,
    archive: Archive,
    org_id: str,
    now: datetime,
    keep_days: int,
    goes_on: Callable[[], bool] = always,
) -> Pruned:
    """Move an organisation's records of days that are summed and older than `keep_days` to the archive.

    A record is deleted only once its object is written, in the group that tells of the object, and only those that are
    in it. First of all the mark moves: from then on no day before it is summed anew, and so none without the records
    that went. Stops after `MOST_CHUNKS`, once `goes_on` says so, and where something else has changed among those
    records. Raises ArchiveUnavailable and the store's errors; the next run goes on where this one stopped.
    """
    marks = await mark(database, org_id)
    if marks is None:
        return Pruned(0, unfinished=False)
    end = min(marks.summed_until, day_of(now - timedelta(days=keep_days)))
    moved = marks.pruned_until < end
    if moved and not await _move_mark(database, org_id, end, marks.moves, now):
        return Pruned(0, unfinished=False)  # a late record has just set the sums back: they come first
    moves = marks.moves + moved
    pruned = 0
    for _ in range(MOST_CHUNKS):
        if not goes_on():
            return Pruned(pruned, unfinished=True)
        records = await _oldest(database, org_id, end)
        if not await _move(database, archive, org_id, records, moves, now):
            break
        moves, pruned = moves + 1, pruned + len(records)
        if not records:
            return Pruned(pruned, unfinished=False)
    return Pruned(pruned, unfinished=True)


async def _move_mark(database: Database, org_id: str, end: str, moves: int, now: datetime) -> bool:
    changed = await database.execute(
        Org(org_id),
        "UPDATE usage_marks SET pruned_until = ?2, moves = moves + 1, updated_at = ?3"
        " WHERE org_id = ?1 AND pruned_until < ?2 AND summed_until >= ?2 AND moves = ?4",
        org_id,
        end,
        now,
        moves,
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


async def _move(
    database: Database, archive: Archive, org_id: str, records: Sequence[UsageRecordRow], moves: int, now: datetime
) -> bool:
    """Write an object, delete its records, and note where they are and which is the oldest left.

    Tell whether it was done: nothing is where something has moved since `moves` was read.
    """
    statements = []
    if records:
        exported = export(records, now)
        await archive.put(exported.name, exported.body)
        gone = database.dialect.json_rows("?2", {"id": str})
        by_id = database.dialect.by_index("sqlite_autoindex_usage_records_1")
        delete = (
            f"DELETE FROM usage_records{by_id} WHERE org_id = ?1 AND id IN (SELECT gone.id FROM {gone} AS gone)"
            " AND EXISTS (SELECT 1 FROM usage_marks WHERE usage_marks.org_id = ?1 AND usage_marks.moves = ?3)"
        )
        ids = json.dumps([{"id": record.id} for record in records])
        statements = [Statement(delete, (org_id, ids, moves)), told(database.dialect, exported, moves, now)]
    note = (
        "UPDATE usage_marks SET oldest_at = (SELECT min(started_at) FROM usage_records"
        " WHERE usage_records.org_id = ?1), moves = moves + 1, updated_at = ?2 WHERE org_id = ?1 AND moves = ?3"
    )
    return bool((await database.batch(Org(org_id), [*statements, Statement(note, (org_id, now, moves))]))[-1])
