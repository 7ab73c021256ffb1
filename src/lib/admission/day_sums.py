"""Sums of whole days, in `usage_days`: what a report reads instead of single records, and what stays when those go.

Days are UTC. `usage_marks` says how far the work on an organisation's records has come:

    from `summed_until` on           the records alone tell what was used
    `pruned_until` to `summed_until` usage_days has it too; a record that comes late sets `summed_until` back to its day
    before `pruned_until`            usage_days alone tells it: records may have been exported and deleted
                                     (`retention.py`), and one that comes late is added to its day's sum at once
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from lib.admission.ledger_sums import mark
from lib.store.database import Database, Statement
from lib.store.dialect import Dialect
from lib.store.schema import UsageMarkRow
from lib.store.scope import Org

# What was used is corrected for a day at most (`gate.REMEMBERED_MS`), so a day is left alone for two.
SETTLED_AFTER = timedelta(hours=48)
# What one run sums for one organisation; the next goes on. Days without records are not counted.
MOST_DAYS = 40
FIRST_DAY = "1970-01-01"

TOKENS = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens")
SUMS = ("requests", *TOKENS, "cost_nano_usd", "estimated_requests", "unpriced_requests")
# Of whose calls a sum is, beside its day, model and key: empty where there was none.
SUBJECTS = ("provider", "team_id", "user_id", "end_user")
PLACE = f"org_id, day, model, key_id, {', '.join(SUBJECTS)}"
GROUPED = "2, 3, 4, 5, 6, 7, 8"  # the columns of PLACE behind the organisation, as GROUP BY counts them
COLUMNS = f"{PLACE}, {', '.join(SUMS)}, created_at, updated_at"
# Nothing is summed once somebody else has moved the mark: behind it there may be sums without records.
_UNMOVED = "EXISTS (SELECT 1 FROM usage_marks WHERE usage_marks.org_id = ?1 AND usage_marks.summed_until = ?2)"


@dataclass(frozen=True, slots=True)
class _First:
    started_at: datetime | None


def summed(rows: str) -> str:
    """Return the expressions for `SUMS` over the usage records that a statement calls `rows`."""
    tokens = ", ".join(f"sum({rows}.{name})" for name in TOKENS)
    return (
        f"count(*), {tokens}, coalesce(sum({rows}.cost_nano_usd), 0),"
        f" sum(CASE WHEN {rows}.estimated THEN 1 ELSE 0 END), count(*) - count({rows}.cost_nano_usd)"
    )


def subjects(rows: str) -> str:
    """Return the expressions for `SUBJECTS` of the usage records that a statement calls `rows`."""
    return ", ".join(f"coalesce({rows}.{name}, '')" for name in SUBJECTS)


def day_of(time: datetime) -> str:
    """Return the UTC day in which `time` is."""
    return time.astimezone(UTC).date().isoformat()


def start_of(day: str) -> datetime:
    """Return when a UTC day begins."""
    return datetime.fromisoformat(day).replace(tzinfo=UTC)


async def sum_days(database: Database, org_id: str, now: datetime) -> int:
    """Sum an organisation's days that are whole and settled and not summed yet; return how many had records.

    Each day is summed, and the mark moved, in one group. Stops after `MOST_DAYS`, and where another run is at work.
    """
    until = day_of(now - SETTLED_AFTER)
    marks = await mark(database, org_id)
    start, found = marks.summed_until if marks else FIRST_DAY, 0
    while start < until and found < MOST_DAYS:
        first = await _next_day(database, org_id, start, until)
        if marks is None:
            if first is None:
                break
            marks = await _first_marks(database, org_id, now)
        end = until if first is None else day_of(start_of(first) + timedelta(days=1))
        if not await _sum(database, org_id, start, end, now):
            break
        found += first is not None
        start = end
    return found


async def _next_day(database: Database, org_id: str, start: str, until: str) -> str | None:
    """Return the first day with a record, from `start` on and before `until`."""
    first = await database.one(
        Org(org_id),
        _First,
        "SELECT min(started_at) AS started_at FROM usage_records"
        " WHERE org_id = ? AND started_at >= ? AND started_at < ?",
        org_id,
        start_of(start),
        start_of(until),
    )
    return day_of(first.started_at) if first and first.started_at else None


async def _first_marks(database: Database, org_id: str, now: datetime) -> UsageMarkRow:
    """Begin at the first day of all, so that no record that comes at this moment is behind the mark."""
    await database.execute(
        Org(org_id),
        "INSERT INTO usage_marks (org_id, summed_until, pruned_until, created_at, updated_at)"
        " VALUES (?1, ?2, ?2, ?3, ?3) ON CONFLICT (org_id) DO NOTHING",
        org_id,
        FIRST_DAY,
        now,
    )
    return UsageMarkRow(org_id, FIRST_DAY, FIRST_DAY, now, now, None, None, None)


async def _sum(database: Database, org_id: str, start: str, end: str, now: datetime) -> bool:
    """Sum from `start`, where the mark must be, up to `end`; tell whether it was there."""
    bounds = (start_of(start), start_of(end))
    statements = [
        Statement(f"DELETE FROM usage_days WHERE org_id = ?1 AND day >= ?2 AND day < ?3 AND {_UNMOVED}",
                  (org_id, start, end)),
        Statement(_insert(database.dialect), (org_id, start, *bounds, now)),
        Statement("UPDATE usage_marks SET summed_until = ?3, updated_at = ?4 WHERE org_id = ?1 AND summed_until = ?2",
                  (org_id, start, end, now)),
    ]  # fmt: skip
    return (await database.batch(Org(org_id), statements))[-1] > 0


@cache
def _insert(dialect: Dialect) -> str:
    return (
        f"INSERT INTO usage_days ({COLUMNS})"
        f" SELECT ?1, {dialect.utc_day('started_at')}, model, key_id, {subjects('usage_records')},"
        f" {summed('usage_records')}, ?5, ?5"
        f" FROM usage_records WHERE org_id = ?1 AND started_at >= ?3 AND started_at < ?4 AND {_UNMOVED}"
        f" GROUP BY {GROUPED}"
    )
