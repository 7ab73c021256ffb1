"""The ledger of an organisation, read record by record: newest first in pages, or oldest first from end to end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from lib.store.database import Database, Value
from lib.store.rows import columns
from lib.store.schema import UsageRecordRow
from lib.store.scope import Org

EXPORT_ROWS = 500  # in memory at a time
_COLUMNS = columns(UsageRecordRow)
_RECORDS = f"SELECT {_COLUMNS} FROM usage_records"

Place = tuple[datetime, str]  # a start time and an id: what the ledger is sorted by


@dataclass(frozen=True, slots=True)
class LedgerFilter:
    """Which records: those of calls that began from `start` on and before `end`, and of all that the rest names."""

    start: datetime
    end: datetime
    model: str | None = None
    key_id: str | None = None
    end_user: str | None = None
    provider: str | None = None
    cause: str | None = None
    estimated: bool | None = None


def _conditions(org_id: str, wanted: LedgerFilter) -> tuple[str, list[Value]]:
    """Return what stands behind WHERE, and what is bound to its places from ?1 on."""
    conditions = "org_id = ?1 AND started_at >= ?2 AND started_at < ?3"
    bound: list[Value] = [org_id, wanted.start, wanted.end]
    named: list[tuple[str, Value]] = [
        ("model", wanted.model),
        ("key_id", wanted.key_id),
        ("end_user", wanted.end_user),
        ("provider", wanted.provider),
        ("cause", wanted.cause),
        ("estimated", wanted.estimated),
    ]
    for column, value in named:
        if value is not None:
            bound.append(value)
            conditions += f" AND {column} = ?{len(bound)}"
    return conditions, bound


async def newest(
    database: Database, org_id: str, wanted: LedgerFilter, before: Place, limit: int
) -> list[UsageRecordRow]:
    """Return records, newest first, older than the place `before`."""
    return await _page(database, org_id, wanted, before, limit, ("<", "DESC"))


async def oldest(
    database: Database, org_id: str, wanted: LedgerFilter, after: Place, limit: int
) -> list[UsageRecordRow]:
    """Return records, oldest first, newer than the place `after`."""
    return await _page(database, org_id, wanted, after, limit, (">", "ASC"))


async def following(
    database: Database, org_id: str, wanted: LedgerFilter, page: list[UsageRecordRow]
) -> AsyncIterator[list[UsageRecordRow]]:
    """Yield `page`, the first of an export, and all pages behind it. Only one is in memory at a time."""
    while page:
        yield page
        last = page[-1]
        full = len(page) == EXPORT_ROWS
        page = await oldest(database, org_id, wanted, (last.started_at, last.id), EXPORT_ROWS) if full else []


async def find(database: Database, org_id: str, record_id: str) -> UsageRecordRow | None:
    """Return one record, or None when the organisation has none of this id."""
    return await database.one(Org(org_id), UsageRecordRow, f"{_RECORDS} WHERE org_id = ? AND id = ?", org_id, record_id)


async def _page(
    database: Database, org_id: str, wanted: LedgerFilter, place: Place, limit: int, way: tuple[str, str]
) -> list[UsageRecordRow]:
    conditions, bound = _conditions(org_id, wanted)
    sign, order = way
    at = len(bound) + 1
    return await database.query(
        Org(org_id),
        UsageRecordRow,
        f"{_RECORDS} WHERE {conditions} AND (started_at, id) {sign} (?{at}, ?{at + 1})"
        f" ORDER BY started_at {order}, id {order} LIMIT ?{at + 2}",
        *bound,
        *place,
        limit,
    )
