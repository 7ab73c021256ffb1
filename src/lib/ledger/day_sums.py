"""Sums of whole days, in `usage_days`: what a report reads instead of single records, and what stays when those go.

Days are UTC. `usage_marks` says how far the work on an organisation's records has come:

    from `summed_until` on           the records alone tell what was used; but of that day, what began before
                                     `piece_ends_at`, the sums alone are read
    `pruned_until` to `summed_until` usage_days has it too; a record that comes late sets `summed_until` back to its day
    before `pruned_until`            usage_days alone tells it: records may have been exported and deleted
                                     (`retention.py`), and one that comes late is added to its day's sum at once
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from lib.ledger.ledger_sums import behind, mark
from lib.ledger.usage import TOKENS
from lib.store.database import Database, Statement, Value
from lib.store.dialect import Dialect
from lib.store.tenant import Org

# What was used is corrected for a day at most (`gate.REMEMBERED_MS`), so a day is left alone for two.
SETTLED_AFTER = timedelta(hours=48)
# But what is more than a report should add up each time is summed sooner, piece by piece: no call is under way for so
# long, so few records come later, or are corrected.
OVER_AFTER = timedelta(hours=2)
# What is summed in one group: some tenths of a second of the store, however much an organisation has used.
PIECE_ROWS = 100_000
FIRST_DAY = "1970-01-01"

SUMS = ("requests", *TOKENS, "cost_nano_usd", "estimated_requests", "unpriced_requests")
# Of whose calls a sum is, beside its day, model and key: empty where there was none.
SUBJECTS = ("provider", "team_id", "user_id", "end_user")
PLACE = f"org_id, day, model, key_id, {', '.join(SUBJECTS)}"
GROUPED = "2, 3, 4, 5, 6, 7, 8"  # the columns of PLACE behind the organisation, as GROUP BY counts them
COLUMNS = f"{PLACE}, {', '.join(SUMS)}, created_at, updated_at"
# Whether the mark is where one saw it: without a piece, or with one. Nothing is summed once somebody else has moved it:
# behind it there may be sums without records.
_AT = {
    False: "usage_marks.summed_until = ?2 AND coalesce(usage_marks.piece_ends_at, ?3) = ?3",
    True: "usage_marks.summed_until = ?2 AND usage_marks.piece_ends_at = ?3",
}
# Where the next run begins. The subquery is of the same moment as the mark.
_UNSUMMED = (
    "SELECT min(started_at) FROM usage_records WHERE usage_records.org_id = ?1 AND usage_records.started_at >= ?4"
)


@dataclass(frozen=True, slots=True)
class _Mark:
    """Up to where an organisation is summed: all days before `day`, and of that one what began before `piece`."""

    day: str
    piece: datetime | None

    @classmethod
    def at(cls, time: datetime) -> _Mark:
        day = day_of(time)
        return cls(day, None if time == start_of(day) else time)

    @property
    def time(self) -> datetime:
        return self.piece or start_of(self.day)

    @property
    def condition(self) -> str:
        """Return what is true while the mark is here; it is bound to the places 2 and 3."""
        return _AT[self.piece is not None]

    @property
    def bound(self) -> tuple[Value, Value]:
        """Return what is bound there. A piece never ends where its day begins, so that stands for none."""
        return self.day, self.time


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


def always() -> bool:
    """Tell a job that there is time left."""
    return True


async def sum_days(database: Database, org_id: str, now: datetime, goes_on: Callable[[], bool] = always) -> int:
    """Sum an organisation's days that are whole and settled and not summed yet, and of later ones what makes a piece;
    return how many sums were written.

    A piece is summed, and the mark moved, in one group: many days where little was used, or a part of one. Stops once
    `goes_on` says so, and where another run is at work; the next run goes on there.
    """
    marks = await mark(database, org_id)
    at = _Mark(marks.summed_until, marks.piece_ends_at) if marks else None
    if at and marks and marks.unsummed_at is not None and marks.unsummed_at < at.time:
        await _look_again(database, org_id, at, now)
    written = 0
    while at is not None and goes_on():
        to = await _piece_end(database, org_id, at.time, now)
        changed = await _sum(database, org_id, at, to, now) if to else None
        written += changed or 0
        at = None if changed is None else to
    return written


async def _piece_end(database: Database, org_id: str, start: datetime, now: datetime) -> _Mark | None:
    """Return where a piece ends that begins at `start`: behind so many records, or where settled days end. Of what is
    later, only whole pieces: None where there is none.
    """
    settled = start_of(day_of(now - SETTLED_AFTER))
    until = settled if start < settled else now - OVER_AFTER
    end = await behind(database, org_id, start, until, PIECE_ROWS)
    return None if end == until != settled else _Mark.at(end)


async def _sum(database: Database, org_id: str, at: _Mark, to: _Mark, now: datetime) -> int | None:
    """Sum from the mark `at` up to `to`; return how many sums were written, None where the mark was elsewhere.

    Sums of days that begin in this piece may be there from before a late record: they are made anew. That of the day
    in which it begins is added to.
    """
    fresh = at.day if at.piece is None else day_of(at.time + timedelta(days=1))
    unmoved = f"EXISTS (SELECT 1 FROM usage_marks WHERE usage_marks.org_id = ?1 AND {at.condition})"
    place = (org_id, *at.bound)
    statements = [
        Statement(f"DELETE FROM usage_days WHERE org_id = ?1 AND day >= ?4 AND day <= ?5 AND {unmoved}",
                  (*place, fresh, to.day)),
        Statement(_insert(database.dialect, unmoved), (*place, to.time, now)),
        Statement(f"UPDATE usage_marks SET summed_until = ?5, piece_ends_at = {'?4' if to.piece else 'NULL'},"
                  f" unsummed_at = ({_UNSUMMED}), updated_at = ?6 WHERE org_id = ?1 AND {at.condition}",
                  (*place, to.time, to.day, now)),
    ]  # fmt: skip
    _, written, moved = await database.batch(Org(org_id), statements)
    return written if moved else None


async def _look_again(database: Database, org_id: str, at: _Mark, now: datetime) -> None:
    """Note where the next run begins: a late record may have said another place, and is in its day's sum already."""
    statement = Statement(
        f"UPDATE usage_marks SET unsummed_at = ({_UNSUMMED}), updated_at = ?5 WHERE org_id = ?1 AND {at.condition}",
        (org_id, *at.bound, at.time, now),
    )
    await database.batch(Org(org_id), [statement])


@cache
def _insert(dialect: Dialect, unmoved: str) -> str:
    added = ", ".join(f"{name} = usage_days.{name} + excluded.{name}" for name in SUMS)
    return (
        f"INSERT INTO usage_days ({COLUMNS})"
        f" SELECT ?1, {dialect.utc_day('started_at')}, model, key_id, {subjects('usage_records')},"
        f" {summed('usage_records')}, ?5, ?5"
        f" FROM usage_records WHERE org_id = ?1 AND started_at >= ?3 AND started_at < ?4 AND {unmoved}"
        f" GROUP BY {GROUPED} ON CONFLICT ({PLACE}) DO UPDATE SET {added}, updated_at = excluded.updated_at"
    )
