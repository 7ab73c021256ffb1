"""What the ledger adds up to for one budget, and what a comparison must know besides."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lib.store.database import Database, Value
from lib.store.rows import columns
from lib.store.schema import BudgetRow, OrgRow, UsageMarkRow
from lib.store.scope import EveryOrg, Org

_COLUMNS = {
    "org": "org_id", "team": "team_id", "user": "user_id", "key": "key_id", "model": "model", "end_user": "end_user",
}  # fmt: skip
# The levels of which the sums of days know.
OF_DAYS = ("org", "key", "model")


@dataclass(frozen=True, slots=True)
class SubjectSum:
    """What one subject's calls cost together, in nano-dollars."""

    subject: str
    cost: int


@dataclass(frozen=True, slots=True)
class UnclearRow:
    """A record whose call began near the begin of a window."""

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
class Wanted:
    """Records of a budget's scope, in time order from `start` on and before `end`; of subjects behind `after`.

    `who` is the one subject; None means each of them by itself. Times are of records, or days (YYYY-MM-DD) of sums.
    """

    level: str
    who: str | None
    model: str | None
    start: datetime | str
    end: datetime | str
    after: str = ""


async def sums(database: Database, org_id: str, wanted: Wanted, limit: int) -> list[SubjectSum]:
    """Return the sums of single records by subject, in their order."""
    return await _sums(database, org_id, wanted, limit, ("usage_records", "started_at"))


async def sums_of_days(database: Database, org_id: str, wanted: Wanted, limit: int) -> list[SubjectSum]:
    """Return the sums of whole days by subject, in their order."""
    return await _sums(database, org_id, wanted, limit, ("usage_days", "day"))


async def unclear(database: Database, org_id: str, wanted: Wanted, limit: int) -> list[UnclearRow]:
    """Return single records."""
    conditions, bound = _conditions(org_id, wanted, "started_at")
    return await database.query(
        Org(org_id),
        UnclearRow,
        f"SELECT id, {_COLUMNS[wanted.level]} AS subject, cost_nano_usd, started_at, duration_ms, cause"
        f" FROM usage_records WHERE {conditions} LIMIT ?{len(bound) + 1}",
        *bound,
        limit,
    )


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


async def _sums(
    database: Database, org_id: str, wanted: Wanted, limit: int, source: tuple[str, str]
) -> list[SubjectSum]:
    table, time = source
    conditions, bound = _conditions(org_id, wanted, time)
    return await database.query(
        Org(org_id),
        SubjectSum,
        f"SELECT {_COLUMNS[wanted.level]} AS subject, CAST(coalesce(sum(cost_nano_usd), 0) AS TEXT) AS cost"
        f" FROM {table} WHERE {conditions} GROUP BY 1 ORDER BY 1 LIMIT ?{len(bound) + 1}",
        *bound,
        limit,
    )


def _conditions(org_id: str, wanted: Wanted, time: str) -> tuple[str, list[Value]]:
    """Return what stands behind WHERE, and what is bound to its places from ?1 on. Every name in it is ours."""
    conditions = f"org_id = ?1 AND {time} >= ?2 AND {time} < ?3"
    bound: list[Value] = [org_id, wanted.start, wanted.end]
    column = _COLUMNS[wanted.level]
    if wanted.level != "org":
        bound.append(wanted.after if wanted.who is None else wanted.who)
        # Each: an expression, so that no index but that of the time is chosen, which would read all of its history.
        conditions += f" AND coalesce({column}, '') > ?4" if wanted.who is None else f" AND {column} = ?4"
    if wanted.model is not None:
        bound.append(wanted.model)
        conditions += f" AND model = ?{len(bound)}"
    return conditions, bound
