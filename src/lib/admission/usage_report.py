"""What was used, summed by day, model and key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from lib.store.database import Database, Value
from lib.store.scope import Org


class Group(StrEnum):
    """What a report is broken down by."""

    DAY = "day"
    MODEL = "model"
    KEY = "key"


ALL_GROUPS = tuple(Group)
_SUMMED = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens")


@dataclass(frozen=True, slots=True)
class UsageFilter:
    """Which records to sum: from `start` (inclusive) until `end` (exclusive), and of one model or key only."""

    start: datetime
    end: datetime
    model: str | None = None
    key_id: str | None = None


@dataclass(frozen=True, slots=True)
class UsageSum:
    """One line of a report. A group that was not asked for is an empty text.

    `unpriced_requests` have no price, so `cost_nano_usd` lacks them; `estimated_requests` are charged by an estimate.
    """

    day: str
    model: str
    key_id: str
    requests: int
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost_nano_usd: int
    estimated_requests: int
    unpriced_requests: int


def _conditions(org_id: str, wanted: UsageFilter) -> tuple[str, list[Value]]:
    """Return what stands behind WHERE, and what is bound to its places from ?1 on."""
    conditions = "org_id = ?1 AND started_at >= ?2 AND started_at < ?3"
    bound: list[Value] = [org_id, wanted.start, wanted.end]
    for column, value in (("model", wanted.model), ("key_id", wanted.key_id)):
        if value is not None:
            bound.append(value)
            conditions += f" AND {column} = ?{len(bound)}"
    return conditions, bound


async def report(
    database: Database,
    org_id: str,
    wanted: UsageFilter,
    groups: Sequence[Group],
    after: Sequence[str] | None,
    limit: int,
) -> list[UsageSum]:
    """Return lines in the order of day, model and key, those behind `after` (the last line's day, model and key id)."""
    columns = {Group.DAY: database.dialect.utc_day("started_at"), Group.MODEL: "model", Group.KEY: "key_id"}
    shown = [columns[group] if group in groups else "CAST('' AS TEXT)" for group in ALL_GROUPS]
    conditions, bound = _conditions(org_id, wanted)
    behind = ""
    if after is not None:
        first = len(bound) + 1
        behind = f" HAVING ({', '.join(shown)}) > (?{first}, ?{first + 1}, ?{first + 2})"
        bound += after
    # Every part of this text is a constant of ours; what the caller chose is bound. Sums are texts, so that none is
    # rounded on its way through JavaScript's numbers.
    sql = (
        f"SELECT {shown[0]} AS day, {shown[1]} AS model, {shown[2]} AS key_id, count(*) AS requests,"
        f" {', '.join(f'CAST(sum({name}) AS TEXT) AS {name}' for name in _SUMMED)},"
        " CAST(coalesce(sum(cost_nano_usd), 0) AS TEXT) AS cost_nano_usd,"
        " sum(CASE WHEN estimated THEN 1 ELSE 0 END) AS estimated_requests,"
        " count(*) - count(cost_nano_usd) AS unpriced_requests"
        f" FROM usage_records WHERE {conditions} GROUP BY 1, 2, 3{behind} ORDER BY 1, 2, 3 LIMIT ?{len(bound) + 1}"
    )
    return await database.query(Org(org_id), UsageSum, sql, *bound, limit)
