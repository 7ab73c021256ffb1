"""The ledger of an organisation, read record by record: newest first in pages, or oldest first from end to end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from lib.store.database import Database, Value
from lib.store.dialect import Dialect
from lib.store.reading import MOST_LOOKED_AT, Found, cut
from lib.store.rows import columns
from lib.store.schema import UsageRecordRow
from lib.store.scope import Org

EXPORT_ROWS = 2_500  # in memory at a time
_COLUMNS = columns(UsageRecordRow)

Place = tuple[datetime, str]  # a start time and an id: what the ledger is sorted by
Records = Found[UsageRecordRow, Place]


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


@dataclass(frozen=True, slots=True)
class _Order:
    """Which way one reads: how places compare that lie ahead, those up to an edge, and how they are sorted."""

    ahead: str
    within: str
    sorting: str


_NEWEST = _Order("<", ">=", "started_at DESC, id DESC")
_OLDEST = _Order(">", "<=", "started_at ASC, id ASC")


async def newest(database: Database, org_id: str, wanted: LedgerFilter, before: Place, limit: int) -> Records:
    """Return records, newest first, older than the place `before`."""
    before = min(before, (wanted.end, ""))
    return await _page(database, org_id, wanted, (before, (wanted.start, "")), limit, _NEWEST)


async def oldest(database: Database, org_id: str, wanted: LedgerFilter, after: Place, limit: int) -> Records:
    """Return records, oldest first, newer than the place `after`."""
    after = max(after, (wanted.start, ""))
    return await _page(database, org_id, wanted, (after, (wanted.end, "")), limit, _OLDEST)


async def find(database: Database, org_id: str, record_id: str) -> UsageRecordRow | None:
    """Return one record, or None when the organisation has none of this id."""
    sql = f"SELECT {_COLUMNS} FROM usage_records WHERE org_id = ? AND id = ?"
    return await database.one(Org(org_id), UsageRecordRow, sql, org_id, record_id)


async def _page(
    database: Database, org_id: str, wanted: LedgerFilter, reach: tuple[Place, Place], limit: int, order: _Order
) -> Records:
    """Read on from the first place of `reach` to the second.

    Both ends are places, so that the index is searched for them: a page far back costs what the first one does. What
    no index knows is looked for among so many records at a time.
    """
    place, far = reach
    edge = await _edge(database, org_id, wanted, reach, order) if _unindexed(wanted) else None
    bound: list[Value] = [org_id, *place, *(edge or far)]
    named = _named(bound, {"key_id": wanted.key_id, **_unindexed(wanted)})
    rows = await database.query(
        Org(org_id),
        UsageRecordRow,
        f"{_read(database.dialect, _COLUMNS, wanted, order, named)} LIMIT ?{len(bound) + 1}",
        *bound,
        limit + 1,
    )
    return cut(rows, limit, lambda row: (row.started_at, row.id), edge)


async def _edge(
    database: Database, org_id: str, wanted: LedgerFilter, reach: tuple[Place, Place], order: _Order
) -> Place | None:
    """Return the place up to which a page looks; None where that is all there is."""
    bound: list[Value] = [org_id, *reach[0], *reach[1]]
    named = _named(bound, {"key_id": wanted.key_id})
    found = await database.one(
        Org(org_id),
        _Edge,
        f"{_read(database.dialect, 'started_at, id', wanted, order, named)} LIMIT 1 OFFSET ?{len(bound) + 1}",
        *bound,
        MOST_LOOKED_AT - 1,
    )
    return (found.started_at, found.id) if found else None


@dataclass(frozen=True, slots=True)
class _Edge:
    started_at: datetime
    id: str


def _unindexed(wanted: LedgerFilter) -> Mapping[str, Value]:
    """Return the filters that no index knows, by column. An index more would be bytes for each record."""
    named: dict[str, Value] = {
        "model": wanted.model,
        "end_user": wanted.end_user,
        "provider": wanted.provider,
        "cause": wanted.cause,
        "estimated": wanted.estimated,
    }
    return {column: value for column, value in named.items() if value is not None}


def _read(dialect: Dialect, selected: str, wanted: LedgerFilter, order: _Order, named: str) -> str:
    """Return the SELECT of what lies between two places. Left alone, SQLite would read all keys' for one key."""
    hint = dialect.by_index("usage_records_by_key") if wanted.key_id is not None else ""
    return (
        f"SELECT {selected} FROM usage_records{hint} WHERE org_id = ?1"
        f" AND (started_at, id) {order.ahead} (?2, ?3) AND (started_at, id) {order.within} (?4, ?5){named}"
        f" ORDER BY {order.sorting}"
    )


def _named(bound: list[Value], filters: Mapping[str, Value]) -> str:
    """Return the conditions of filters, and put what is bound to them behind what is in `bound`."""
    conditions = ""
    for column, value in filters.items():
        if value is not None:
            bound.append(value)
            conditions += f" AND {column} = ?{len(bound)}"
    return conditions
