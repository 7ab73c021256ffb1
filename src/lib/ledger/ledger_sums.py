"""What the ledger adds up to for one budget, and what a comparison must know besides.

Nothing here reads more than a piece of the records at once: whoever wants more asks piece by piece.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from lib.store.database import Database, Value
from lib.store.rows import columns
from lib.store.schema import BudgetRow, OrgRow, UsageMarkRow
from lib.store.tenant import EveryOrg, Org

_COLUMNS = {"org": "org_id", "team": "team_id", "user": "user_id", "model": "model", "end_user": "end_user"}
# The keys whose calls count on one: of its line, and what was made or minted with those (see `lib.keys.lineage`).
_LINE = "kind = 'server' AND (id = ?4 OR line_key_id = ?4 OR maker_line_ids LIKE '%' || ?4 || '%')"
_OF_LINE = (
    " AND key_id IN (SELECT id FROM api_keys WHERE org_id = ?1 AND id = ?4"
    f" UNION SELECT id FROM api_keys WHERE org_id = ?1 AND {_LINE}"
    " UNION SELECT id FROM api_keys WHERE org_id = ?1 AND kind = 'browser' AND maker_line_ids IS NOT NULL"
    f" AND created_by_key_id IN (SELECT id FROM api_keys WHERE org_id = ?1 AND {_LINE}))"
)
# On which keys a call counts where a rule is for each: its own line, and the one that minted it.
_EACH_LINE = (
    "(SELECT coalesce(line_key_id, id) FROM api_keys WHERE org_id = ?1 AND id = {}.key_id)",
    "(SELECT substr(maker_line_ids, 1, 36) FROM api_keys WHERE org_id = ?1 AND id = {}.key_id AND kind = 'browser')",
)
# Of records, or the day of sums.
Moment = TypeVar("Moment", datetime, str)
# The levels of which all sums of days know.
_OF_ALL_DAYS = ("org", "key", "model")
# Records of a piece: some milliseconds of the store. Of each subject by itself a piece may give as many sums.
PIECE_ROWS, PIECE_ROWS_EACH = 20_000, 5_000


@dataclass(frozen=True, slots=True)
class SubjectSum:
    """What one subject's calls cost together, in nano-dollars."""

    subject: str
    cost: int


@dataclass(frozen=True, slots=True)
class UnclearRow:
    """A record whose call began near the begin of a window, for one of the subjects that it counts on."""

    id: str
    subject: str
    cost_nano_usd: int | None
    started_at: datetime
    duration_ms: int
    cause: str


@dataclass(frozen=True, slots=True)
class _Id:
    id: str


@dataclass(frozen=True, slots=True)
class _Line:
    id: str
    line_key_id: str | None


@dataclass(frozen=True, slots=True)
class _Named:
    provider: str | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Records of a budget's scope from `start` on and before `end`; of subjects behind `after`, until `last` or all.

    `who` is the one subject; None means each of them by itself. Times are of records, or days (YYYY-MM-DD) of sums.
    """

    level: str
    who: str | None
    model: str | None
    start: datetime | str
    end: datetime | str
    after: str = ""
    last: str | None = None


async def pieces(database: Database, org_id: str, wanted: Wanted) -> AsyncIterator[Wanted]:
    """Yield what is wanted in pieces of time, each of so few records that it is added up at once."""
    rows = PIECE_ROWS_EACH if wanted.who is None else PIECE_ROWS
    start: Any = wanted.start  # a time or a day, as the end is
    while start < wanted.end:
        end = await behind(database, org_id, start, wanted.end, rows)
        yield replace(wanted, start=start, end=end)
        start = end


async def behind(
    database: Database, org_id: str, start: Moment, end: Moment, rows: int, key_id: str | None = None
) -> Moment:
    """Return where a piece ends that begins at `start`: behind so many records, or where times are days so many sums;
    of one key, or of all.

    All of one moment (or day) are in one piece, and none is empty. `end` where there are no more.
    """
    table, time = _of(start)
    by_key = "" if not key_id else database.dialect.by_index(f"{table}_by_key")
    sql = (
        f"SELECT {time} AS at FROM {table}{by_key} WHERE org_id = ?1 AND {time} >= ?2 AND {time} < ?3"
        f"{' AND key_id = ?5' if key_id else ''} ORDER BY {time} LIMIT 1 OFFSET ?4"
    )
    bound: list[Value] = [org_id, start, end, rows, *([key_id] if key_id else [])]
    found: Any = (
        await database.one(Org(org_id), _Day, sql, *bound)
        if table == "usage_days"
        else await database.one(Org(org_id), _Time, sql, *bound)
    )
    return end if found is None else max(found.at, _next(start))


async def sums(database: Database, org_id: str, wanted: Wanted) -> list[SubjectSum]:
    """Return the sums of a piece by subject, in no order: of single records, or of days where its times are days."""
    table, time = _of(wanted.start)
    parts, bound = _source(org_id, wanted, table, time)
    return await database.query(
        Org(org_id),
        SubjectSum,
        f"SELECT subject, CAST(coalesce(sum(cost_nano_usd), 0) AS TEXT) AS cost FROM {parts} GROUP BY 1",
        *bound,
    )


async def tell_apart(database: Database, org_id: str, level: str, start: str, end: str) -> bool:
    """Tell whether the sums of days know the subjects of a level.

    The oldest do not know of teams, people and end users, nor of providers, which every call has: their records were
    gone when that was added. So the first day tells it for those behind it.
    """
    if level in _OF_ALL_DAYS:
        return True
    first = await database.one(
        Org(org_id),
        _Named,
        "SELECT min(provider) AS provider FROM usage_days WHERE org_id = ?1 AND day = (SELECT min(day) FROM usage_days"
        " WHERE usage_days.org_id = ?1 AND usage_days.day >= ?2 AND usage_days.day < ?3)",
        org_id,
        start,
        end,
    )
    return first is None or first.provider != ""


async def unclear(database: Database, org_id: str, wanted: Wanted, limit: int) -> list[UnclearRow]:
    """Return single records, each for every subject that it counts on."""
    source, bound = _source(org_id, wanted, "usage_records", "started_at", "id, started_at, duration_ms, cause, ")
    return await database.query(
        Org(org_id),
        UnclearRow,
        f"SELECT id, subject, cost_nano_usd, started_at, duration_ms, cause FROM {source} LIMIT ?{len(bound) + 1}",
        *bound,
        limit,
    )


async def line_of(database: Database, org_id: str, key_id: str) -> str:
    """Return the line of a key: whose counter its calls are on."""
    sql = "SELECT id, line_key_id FROM api_keys WHERE org_id = ? AND id = ?"
    row = await database.one(Org(org_id), _Line, sql, org_id, key_id)
    return row.line_key_id or row.id if row else key_id


async def budgets(database: Database, org_id: str) -> list[BudgetRow]:
    """Return all budgets of an organisation: 200 at most, and those of browsers' keys."""
    sql = f"SELECT {columns(BudgetRow)} FROM budgets WHERE org_id = ?"
    return sorted(await database.query(Org(org_id), BudgetRow, sql, org_id), key=lambda row: row.id)


async def organisation(database: Database, org_id: str) -> OrgRow | None:
    """Return the organisation itself."""
    return await database.one(Org(org_id), OrgRow, f"SELECT {columns(OrgRow)} FROM orgs WHERE id = ?", org_id)


async def organisations(database: Database, after: str, limit: int) -> list[str]:
    """Return the ids of all organisations behind `after`, in their order."""
    rows = await database.query(
        EveryOrg("orgs"), _Id, "SELECT id FROM orgs WHERE id > ? ORDER BY id LIMIT ?", after, limit
    )
    return [row.id for row in rows]


async def mark(database: Database, org_id: str) -> UsageMarkRow | None:
    """Return how far the organisation's records are summed and deleted; None where nothing is."""
    sql = f"SELECT {columns(UsageMarkRow)} FROM usage_marks WHERE org_id = ?"
    return await database.one(Org(org_id), UsageMarkRow, sql, org_id)


@dataclass(frozen=True, slots=True)
class _Time:
    at: datetime


@dataclass(frozen=True, slots=True)
class _Day:
    at: str


def _of(time: datetime | str) -> tuple[str, str]:
    return ("usage_days", "day") if isinstance(time, str) else ("usage_records", "started_at")


def _next(time: Any) -> Any:
    if isinstance(time, str):
        return (date.fromisoformat(time) + timedelta(days=1)).isoformat()
    return time + timedelta(microseconds=1)


def _source(org_id: str, wanted: Wanted, table: str, time: str, more: str = "") -> tuple[str, list[Value]]:
    """Return what stands behind FROM: a row for each record and subject, with `subject`, `cost_nano_usd` and `more`;
    and what is bound to its places from ?1 on. Every name in it is ours.
    """
    conditions = f"org_id = ?1 AND {time} >= ?2 AND {time} < ?3"
    bound: list[Value] = [org_id, wanted.start, wanted.end]
    each = wanted.who is None and wanted.level != "org"
    if wanted.level != "org":
        bound.append(wanted.after if wanted.who is None else wanted.who)
    last = ""
    if each and wanted.last is not None:
        bound.append(wanted.last)
        last = f" AND {{}} <= ?{len(bound)}"
    if wanted.model is not None:
        bound.append(wanted.model)
        conditions += f" AND model = ?{len(bound)}"
    columns = f"{more}cost_nano_usd"
    if wanted.level == "key" and each:
        subjects = [subject.format(table) for subject in _EACH_LINE]
        parts = [f"SELECT {subject} AS subject, {columns} FROM {table} WHERE {conditions}" for subject in subjects]
        listed = f"({' UNION ALL '.join(parts)}) AS all_subjects"
        return f"(SELECT subject, {columns} FROM {listed} WHERE subject > ?4{last.format('subject')}) AS parts", bound
    subject = "CAST(?4 AS TEXT)" if wanted.level == "key" else _COLUMNS[wanted.level]
    if wanted.level == "key":
        conditions += _OF_LINE
    elif wanted.level != "org":
        # Each: an expression, so that no index but that of the time is chosen, which would read all of its history.
        conditions += f" AND coalesce({subject}, '') > ?4{last.format(subject)}" if each else f" AND {subject} = ?4"
    return f"(SELECT {subject} AS subject, {columns} FROM {table} WHERE {conditions}) AS parts", bound
