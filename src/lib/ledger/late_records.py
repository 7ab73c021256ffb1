"""Records that come late: of days whose records may have moved to the archive, or may be moving there now.

No such day is summed anew, so a late record is added to its day's sum in the group that writes it; and so it must be
known whether it was counted before: then it is in the store, or in the archive. `usage_marks.moves` is the number of
changes among those records. Who reads them in order to change something names that number, and the group does nothing
where it is another one by then.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from functools import cache
from typing import Any

from lib.ledger import archived
from lib.ledger.archive import Archive, ArchiveUnavailable, Export, export, record_of
from lib.ledger.day_sums import COLUMNS, PLACE, SUBJECTS, SUMS
from lib.ledger.ledger_sums import mark
from lib.ledger.usage import NO_TOKENS, TOKENS
from lib.ledger.usage_store import CORRECTED, Record, insert, json_text, set_back, to_be_worked_on, touch_keys
from lib.store.database import Database, Statement, StoreUnavailable
from lib.store.dialect import Dialect
from lib.store.rows import columns
from lib.store.schema import UsageObjectRow, UsageRecordRow
from lib.store.tenant import Org

_TRIES = 4
_LOST = "lost"
_RECORD_COLUMNS = columns(UsageRecordRow)
_PLACE = ("day", "model", "key_id", *SUBJECTS)
_SUM_TYPES = dict.fromkeys(_PLACE, str) | dict.fromkeys(SUMS, int)
# Whether nothing has changed there since `moves` was read.
_UNMOVED = "EXISTS (SELECT 1 FROM usage_marks WHERE usage_marks.org_id = ?2 AND usage_marks.moves = ?4)"

_Sums = dict[tuple[str, ...], dict[str, int]]


@dataclass(slots=True)
class _Change:
    """What is to be done: records to write, what to add to sums for new ones and for others, and objects in place of
    others.
    """

    written: list[Record] = field(default_factory=list)
    added: _Sums = field(default_factory=dict)
    corrected: _Sums = field(default_factory=dict)
    objects: list[tuple[UsageObjectRow, Export]] = field(default_factory=list)


async def deliver_late(
    database: Database, archive: Archive | None, org_id: str, records: Sequence[Record], now: datetime
) -> None:
    """Write records, all or none, as `usage_store.deliver` does, whatever has become of their days.

    No id may be in it twice. Raises the store's errors, StoreUnavailable also where the archive is away.
    """
    for _ in range(_TRIES):
        marks = await mark(database, org_id)
        if marks is None:
            statement = Statement(to_be_worked_on(database.dialect), (json_text(records), org_id, now))
            await database.batch(Org(org_id), [statement])
            continue
        gone = [record for record in records if _day(record) < marks.pruned_until]
        change = await _change(database, archive, org_id, gone, now)
        if archive is not None:
            await _put(archive, [exported for _, exported in change.objects])
        change.written += [record for record in records if _day(record) >= marks.pruned_until]
        if not (change.written or change.corrected) or await _commit(database, org_id, change, marks.moves, now):
            return
    raise StoreUnavailable("others are at work on records of the same days")


async def _put(archive: Archive, objects: Sequence[Export]) -> None:
    try:
        for exported in objects:
            await archive.put(exported.name, exported.body)
    except ArchiveUnavailable as error:
        raise StoreUnavailable(f"the archive: {error}") from None


async def _change(
    database: Database, archive: Archive | None, org_id: str, records: Sequence[Record], now: datetime
) -> _Change:
    change, records = _Change(), [{**NO_TOKENS, **record} for record in records]
    if not records:
        return change
    before = await _stored(database, org_id, [record["id"] for record in records])
    missing = {record["id"] for record in records} - before.keys()
    days = sorted(map(_day, records))
    held = await archived.named(database, archive, org_id, (days[0], days[-1]), missing) if missing else []
    moved = {name: record for one in held for name, record in one.records.items()}
    replaced: dict[str, UsageRecordRow] = {}
    for record in records:
        known = before.get(record["id"]) or moved.get(record["id"])
        if known is None:
            change.written.append(record)
            _add(change.added, record, record, 1)
        elif known.cause == _LOST and record["cause"] != _LOST:
            _add(change.corrected, asdict(known), record, 1)
            _add(change.corrected, asdict(known), asdict(known), -1)
            if known.id in before:
                change.written.append(record)
            else:
                replaced[known.id] = replace(known, updated_at=now, **{name: record[name] for name in CORRECTED})
    change.objects = [
        (one.row, export([replaced.get(other.id, other) for other in map(record_of, one.text)], now))
        for one in held
        if replaced.keys() & one.records.keys()
    ]
    return change


async def _commit(database: Database, org_id: str, change: _Change, moves: int, now: datetime) -> bool:
    """Do it all, and tell whether nothing had moved."""
    dialect, written = database.dialect, json_text(change.written)
    statements = [
        Statement(_add_sums(dialect), (_sums_text(change.added), org_id, now, moves)),
        Statement(_correct_sums(dialect), (_sums_text(change.corrected), org_id, now, moves)),
        Statement(insert(dialect, _UNMOVED), (written, org_id, now, moves)),
        *(statement for old, new in change.objects for statement in
          (archived.untold(old, moves), archived.told(dialect, new, moves, now))),
        *([Statement(set_back(dialect), (written, org_id, now)),
           Statement(to_be_worked_on(dialect), (written, org_id, now)),
           Statement(touch_keys(dialect), (written, org_id))] if change.written else []),
        Statement("UPDATE usage_marks SET moves = moves + 1, updated_at = ?3 WHERE org_id = ?1 AND moves = ?2",
                  (org_id, moves, now)),
    ]  # fmt: skip
    return bool((await database.batch(Org(org_id), statements))[-1])


async def _stored(database: Database, org_id: str, ids: Sequence[str]) -> dict[str, UsageRecordRow]:
    asked = database.dialect.json_rows("?2", {"id": str})
    sql = (
        f"SELECT {_RECORD_COLUMNS} FROM usage_records"
        f" WHERE org_id = ?1 AND id IN (SELECT asked.id FROM {asked} AS asked)"
    )
    rows = await database.query(Org(org_id), UsageRecordRow, sql, org_id, json.dumps([{"id": name} for name in ids]))
    return {row.id: row for row in rows}


def _day(record: Record) -> str:
    return str(record["started_at"])[:10]  # the store's text of a time, in UTC


def _add(sums: _Sums, whose: Mapping[str, Any], record: Mapping[str, Any], sign: int) -> None:
    """Add a record to the sum of whose day it is, or take it away."""
    started = whose["started_at"]
    day = started[:10] if isinstance(started, str) else started.date().isoformat()
    place = (day, *(whose[name] or "" for name in _PLACE[1:]))
    cost = record["cost_nano_usd"]
    found = {
        "requests": 1,
        **{name: record[name] for name in TOKENS},
        "cost_nano_usd": cost or 0,
        "estimated_requests": int(record["estimated"]),
        "unpriced_requests": int(cost is None),
    }
    line = sums.setdefault(place, dict.fromkeys(SUMS, 0))
    for name in SUMS:
        line[name] += sign * found[name]


def _sums_text(sums: _Sums) -> str:
    return json.dumps([dict(zip(_PLACE, place, strict=True)) | line for place, line in sums.items()])


@cache
def _add_sums(dialect: Dialect) -> str:
    sent = dialect.json_rows("?1", _SUM_TYPES)
    added = ", ".join(f"{name} = usage_days.{name} + excluded.{name}" for name in SUMS)
    listed = ", ".join(f"sent.{name}" for name in (*_PLACE, *SUMS))
    return (
        f"INSERT INTO usage_days ({COLUMNS}) SELECT ?2, {listed}, ?3, ?3 FROM {sent} AS sent WHERE {_UNMOVED}"
        f" ON CONFLICT ({PLACE}) DO UPDATE SET {added}, updated_at = excluded.updated_at"
    )


@cache
def _correct_sums(dialect: Dialect) -> str:
    sent = dialect.json_rows("?1", _SUM_TYPES)
    added = ", ".join(f"{name} = usage_days.{name} + sent.{name}" for name in SUMS)
    same = " AND ".join(f"usage_days.{name} = sent.{name}" for name in _PLACE)
    return (
        f"UPDATE usage_days SET {added}, updated_at = ?3 FROM {sent} AS sent"
        f" WHERE usage_days.org_id = ?2 AND {same} AND {_UNMOVED}"
    )
