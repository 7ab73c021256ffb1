"""What was used, summed by day, model and key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum

from lib.store.database import Database, Value


class Group(StrEnum):
    """What a report is broken down by."""

    DAY = "day"
    MODEL = "model"
    KEY = "key"


_EXPRESSIONS = {Group.DAY: "substr(started_at, 1, 10)", Group.MODEL: "model", Group.KEY: "key_id"}
ALL_GROUPS = tuple(Group)


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


async def report(
    database: Database,
    org_id: str,
    wanted: UsageFilter,
    groups: Sequence[Group],
    after: Sequence[str] | None,
    limit: int,
) -> list[UsageSum]:
    """Return lines in the order of day, model and key, those behind `after` (the last line's day, model and key id)."""
    shown = [_EXPRESSIONS[group] if group in groups else "''" for group in ALL_GROUPS]
    conditions = ["org_id = ?1", "started_at >= ?2", "started_at < ?3"]
    bound: list[Value] = [org_id, wanted.start, wanted.end]
    for column, value in (("model", wanted.model), ("key_id", wanted.key_id)):
        if value is not None:
            bound.append(value)
            conditions.append(f"{column} = ?{len(bound)}")
    first = len(bound) + 1
    # Every part of this text is a constant of this module; what the caller chose is bound.
    sql = (
        f"SELECT {shown[0]} AS day, {shown[1]} AS model, {shown[2]} AS key_id, count(*) AS requests,"
        " sum(input_tokens) AS input_tokens, sum(cached_input_tokens) AS cached_input_tokens,"
        " sum(output_tokens) AS output_tokens, sum(reasoning_tokens) AS reasoning_tokens,"
        " coalesce(sum(cost_nano_usd), 0) AS cost_nano_usd, sum(estimated) AS estimated_requests,"
        " sum(cost_nano_usd IS NULL) AS unpriced_requests"
        f" FROM usage_records WHERE {' AND '.join(conditions)}"
        f" GROUP BY 1, 2, 3 HAVING ?{first} IS NULL OR ({', '.join(shown)}) > (?{first}, ?{first + 1}, ?{first + 2})"
        f" ORDER BY 1, 2, 3 LIMIT ?{first + 3}"
    )
    return await database.query(UsageSum, sql, *bound, *(after or (None, None, None)), limit)


@dataclass(frozen=True, slots=True)
class UsageRow:
    """One request to a model."""

    id: str
    key_id: str
    endpoint: str
    model: str
    provider: str
    upstream_model: str
    streamed: bool
    cause: str
    status: int | None
    estimated: bool
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost_nano_usd: int | None
    price_version: str | None
    first_byte_ms: int | None
    duration_ms: int
    started_at: datetime


_ROW_COLUMNS = ", ".join(field.name for field in fields(UsageRow))


async def records(
    database: Database, org_id: str, wanted: UsageFilter, before: Sequence[str], limit: int
) -> list[UsageRow]:
    """Return single records, newest first, older than the place `before` (a start time and an id)."""
    return await database.query(
        UsageRow,
        f"SELECT {_ROW_COLUMNS} FROM usage_records WHERE org_id = ?1 AND started_at >= ?2 AND started_at < ?3"
        " AND (?4 IS NULL OR model = ?4) AND (?5 IS NULL OR key_id = ?5) AND (started_at, id) < (?6, ?7)"
        " ORDER BY started_at DESC, id DESC LIMIT ?8",
        org_id,
        wanted.start,
        wanted.end,
        wanted.model,
        wanted.key_id,
        *before,
        limit,
    )
