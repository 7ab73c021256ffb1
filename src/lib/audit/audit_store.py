"""The audit log in the store: rows are added and read, never changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from lib.events.event_store import log_of
from lib.store.database import Database, Value
from lib.store.reading import MOST_LOOKED_AT, Found, cut
from lib.store.rows import columns
from lib.store.schema import AuditEventRow, PersonEventRow
from lib.store.tenant import Org, Person

EXPORT_ROWS = 1_000  # in memory at a time
MOST_FOLLOWED = 200  # of those who follow a log
BEYOND_ALL = 2**53  # above every `seq`


Logged = AuditEventRow | PersonEventRow
Events = Found[AuditEventRow, int]

# Numbers follow times, but for what was done at once: an event gets its number at the end of what it tells of.
_DISORDER = timedelta(hours=1)
# So many events are asked for their times, to find out between which numbers a span of time lies.
_PROBES = 64


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which rows: those from `start` on and before `end`, and of all that the rest names."""

    start: datetime | None = None
    end: datetime | None = None
    action: str | None = None
    actor: str | None = None
    target: str | None = None
    result: str | None = None


async def newest(database: Database, org_id: str, wanted: AuditFilter, before: int, limit: int) -> Events:
    """Return an organisation's rows with a number below `before`, newest first."""
    if _by_index(wanted):
        return cut(await _rows(database, org_id, wanted, (None, before), limit, "DESC"), limit, _number, None)
    first, last = await _numbers(database, org_id, wanted, 1, min(before - 1, await last_number(database, org_id)))
    edge = max(first, last - MOST_LOOKED_AT + 1)
    rows = await _rows(database, org_id, wanted, (edge - 1, last + 1), limit, "DESC")
    return cut(rows, limit, _number, edge if edge > first else None)


async def oldest(database: Database, org_id: str, wanted: AuditFilter, after: int, limit: int) -> Events:
    """Return an organisation's rows with a number above `after`, oldest first."""
    if _by_index(wanted):
        return cut(await _rows(database, org_id, wanted, (after, None), limit, "ASC"), limit, _number, None)
    first, last = await _numbers(database, org_id, wanted, after + 1, await last_number(database, org_id))
    edge = min(last, first + MOST_LOOKED_AT - 1)
    rows = await _rows(database, org_id, wanted, (first - 1, edge + 1), limit, "ASC")
    return cut(rows, limit, _number, edge if edge < last else None)


async def of_person(database: Database, user_id: str, before: int, limit: int) -> list[PersonEventRow]:
    """Return a person's rows with a number below `before`, newest first."""
    owner = Person(user_id)
    sql = f"{_selected(owner)} WHERE events.user_id = ? AND events.seq < ? ORDER BY events.seq DESC LIMIT ?"
    return await database.query(owner, PersonEventRow, sql, user_id, before, limit)


async def behind(database: Database, owner: Org | Person, seq: int) -> Sequence[Logged]:
    """Return the first rows with a higher number, as they are stored, in their order: MOST_FOLLOWED at most."""
    if isinstance(owner, Org):
        sql = f"SELECT {columns(AuditEventRow)} FROM audit_events WHERE org_id = ? AND seq > ? ORDER BY seq LIMIT ?"
        return await database.query(owner, AuditEventRow, sql, owner.id, seq, MOST_FOLLOWED)
    sql = f"SELECT {columns(PersonEventRow)} FROM person_events WHERE user_id = ? AND seq > ? ORDER BY seq LIMIT ?"
    return await database.query(owner, PersonEventRow, sql, owner.id, seq, MOST_FOLLOWED)


async def last_number(database: Database, org_id: str) -> int:
    """Return the number of an organisation's last row, 0 where there is none."""
    sql = "SELECT seq, created_at FROM audit_events WHERE org_id = ? ORDER BY seq DESC LIMIT 1"
    found = await database.one(Org(org_id), _Probe, sql, org_id)
    return found.seq if found else 0


def _selected(owner: Org | Person) -> str:
    """Return the begin of a SELECT of rows. One that an earlier release has chained has a link of its own in it."""
    log, column = log_of(owner), log_of(owner).owner_column
    listed = ", ".join(
        f"coalesce(links.{name}, events.{name}) AS {name}" if "hash" in name else f"events.{name}"
        for name in (field.name for field in fields(AuditEventRow if isinstance(owner, Org) else PersonEventRow))
    )
    return (
        f"SELECT {listed} FROM {log} AS events"
        f" LEFT JOIN {log.links} AS links ON links.{column} = events.{column} AND links.seq = events.seq"
    )


def _number(row: AuditEventRow) -> int:
    return row.seq


def _by_index(wanted: AuditFilter) -> bool:
    """Tell whether one index gives the rows in their order, and none besides. Else a read looks at so many only."""
    rare = wanted.result if wanted.result != "ok" else None
    named = [value for value in (wanted.action, wanted.actor, wanted.target, rare) if value is not None]
    return len(named) <= 1 and wanted.result != "ok" and wanted.start is None and wanted.end is None


@dataclass(frozen=True, slots=True)
class _Probe:
    seq: int
    created_at: datetime


async def _numbers(database: Database, org_id: str, wanted: AuditFilter, first: int, last: int) -> tuple[int, int]:
    """Return between which numbers, of those from `first` to `last`, the filter's span of time lies, roughly."""
    if (wanted.start is None and wanted.end is None) or last - first < MOST_LOOKED_AT:
        return first, last
    asked = [{"seq": first + (last - first) * number // _PROBES} for number in range(_PROBES + 1)]
    numbers = database.dialect.json_rows("?2", {"seq": int})
    probes = await database.query(
        Org(org_id),
        _Probe,
        "SELECT seq, created_at FROM audit_events WHERE org_id = ?1"
        f" AND seq IN (SELECT asked.seq FROM {numbers} AS asked)",
        org_id,
        json.dumps(asked),
    )
    early = [probe.seq for probe in probes if wanted.start and probe.created_at < wanted.start - _DISORDER]
    late = [probe.seq for probe in probes if wanted.end and probe.created_at >= wanted.end + _DISORDER]
    return max([first, *early]), min([last, *late])


async def _rows(
    database: Database, org_id: str, wanted: AuditFilter, between: tuple[int | None, int | None], limit: int, order: str
) -> list[AuditEventRow]:
    """Return one row more than `limit`, where there are as many, of those between two numbers."""
    conditions = "events.org_id = ?1"
    bound: list[Value] = [org_id]
    for condition, value in (
        ("seq >", between[0]),
        ("seq <", between[1]),
        ("created_at >=", wanted.start),
        ("created_at <", wanted.end),
        ("action =", wanted.action),
        ("actor =", wanted.actor),
        ("target =", wanted.target),
        ("result =", wanted.result),
    ):
        if value is not None:
            bound.append(value)
            conditions += f" AND events.{condition} ?{len(bound)}"
    if wanted.result not in (None, "ok"):
        conditions += " AND events.result <> 'ok'"  # as the index of what went wrong says it
    owner = Org(org_id)
    sql = f"{_selected(owner)} WHERE {conditions} ORDER BY events.seq {order} LIMIT ?{len(bound) + 1}"
    return await database.query(owner, AuditEventRow, sql, *bound, limit + 1)
