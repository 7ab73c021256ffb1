"""The ledger of an organisation, read record by record: newest first in pages, or oldest first from end to end.

What has left the store is read in the archive, and answered together with what has not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from lib.ledger import archived
from lib.ledger.archive import Archive
from lib.ledger.archived import Place, Span
from lib.store.database import Database, Value
from lib.store.dialect import Dialect
from lib.store.reading import MOST_LOOKED_AT, Found, cut
from lib.store.rows import columns
from lib.store.schema import UsageRecordRow
from lib.store.tenant import Org

EXPORT_ROWS = 2_500  # in memory at a time
_COLUMNS = columns(UsageRecordRow)

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

    @property
    def named(self) -> Mapping[str, Value]:
        """Return what records must have, by column. Of these an index knows `key_id` alone."""
        columns = ("model", "key_id", "end_user", "provider", "cause", "estimated")
        return {name: value for name in columns if (value := getattr(self, name)) is not None}

    def matches(self, row: UsageRecordRow) -> bool:
        """Tell whether a record has it all."""
        return all(getattr(row, name) == value for name, value in self.named.items())


@dataclass(frozen=True, slots=True)
class _Order:
    """Which way one reads: how places compare that lie ahead, those up to an edge, and how they are sorted."""

    ahead: str
    within: str
    sorting: str


_NEWEST = _Order("<", ">=", "started_at DESC, id DESC")
_OLDEST = _Order(">", "<=", "started_at ASC, id ASC")


async def newest(
    database: Database, archive: Archive | None, org_id: str, wanted: LedgerFilter, before: Place, limit: int
) -> Records:
    """Return records, newest first, older than the place `before`."""
    span = Span(min(before, (wanted.end, "")), (wanted.start, ""), newest_first=True)
    return await _everywhere(database, archive, org_id, wanted, span, limit)


async def oldest(
    database: Database, archive: Archive | None, org_id: str, wanted: LedgerFilter, after: Place, limit: int
) -> Records:
    """Return records, oldest first, newer than the place `after`."""
    span = Span(max(after, (wanted.start, "")), (wanted.end, ""), newest_first=False)
    return await _everywhere(database, archive, org_id, wanted, span, limit)


async def find(database: Database, archive: Archive | None, org_id: str, record_id: str) -> UsageRecordRow | None:
    """Return one record, or None when the organisation has none of this id."""
    sql = f"SELECT {_COLUMNS} FROM usage_records WHERE org_id = ? AND id = ?"
    row = await database.one(Org(org_id), UsageRecordRow, sql, org_id, record_id)
    return row or await archived.find(database, archive, org_id, record_id)


async def _everywhere(
    database: Database, archive: Archive | None, org_id: str, wanted: LedgerFilter, span: Span, limit: int
) -> Records:
    """Read a span in the store, then in the archive, as far as the page may reach.

    In this order: what moves meanwhile is in both, and never in neither.
    """
    stored = await _page(database, org_id, wanted, span, limit)
    rest = replace(span, far=stored.next or span.far)
    moved = await archived.page(database, archive, org_id, rest, wanted.matches, limit)
    edge = moved.next or stored.next  # the archive was read up to the store's own edge
    if not moved.rows and edge == stored.next:
        return stored
    rows = {(row.started_at, row.id): row for row in (*moved.rows, *stored.rows)}
    whole = [(place, row) for place, row in rows.items() if edge is None or place == edge or span.beyond(edge, place)]
    ordered = [row for _, row in sorted(whole, reverse=span.newest_first)]
    return cut(ordered, limit, lambda row: (row.started_at, row.id), edge)


async def _page(database: Database, org_id: str, wanted: LedgerFilter, span: Span, limit: int) -> Records:
    """Read on in the store from where the span starts.

    Both ends are places, so that the index is searched for them: a page far back costs what the first one does. What
    no index knows is looked for among so many records at a time.
    """
    edge = await _edge(database, org_id, wanted, span) if wanted.named.keys() - {"key_id"} else None
    bound: list[Value] = [org_id, *span.start, *(edge or span.far)]
    named = _named(bound, wanted.named)
    rows = await database.query(
        Org(org_id),
        UsageRecordRow,
        f"{_read(database.dialect, _COLUMNS, wanted, span, named)} LIMIT ?{len(bound) + 1}",
        *bound,
        limit + 1,
    )
    return cut(rows, limit, lambda row: (row.started_at, row.id), edge)


async def _edge(database: Database, org_id: str, wanted: LedgerFilter, span: Span) -> Place | None:
    """Return the place up to which a page looks; None where that is all there is."""
    bound: list[Value] = [org_id, *span.start, *span.far]
    named = _named(bound, {name: value for name, value in wanted.named.items() if name == "key_id"})
    found = await database.one(
        Org(org_id),
        _Edge,
        f"{_read(database.dialect, 'started_at, id', wanted, span, named)} LIMIT 1 OFFSET ?{len(bound) + 1}",
        *bound,
        MOST_LOOKED_AT - 1,
    )
    return (found.started_at, found.id) if found else None


@dataclass(frozen=True, slots=True)
class _Edge:
    started_at: datetime
    id: str


def _read(dialect: Dialect, selected: str, wanted: LedgerFilter, span: Span, named: str) -> str:
    """Return the SELECT of what lies between two places. Left alone, SQLite would read all keys' for one key."""
    order = _NEWEST if span.newest_first else _OLDEST
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
        bound.append(value)
        conditions += f" AND {column} = ?{len(bound)}"
    return conditions
