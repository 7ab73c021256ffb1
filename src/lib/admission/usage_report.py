"""What was used, summed by day, model, key, and whom it was for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from lib.admission.day_sums import SUBJECTS, SUMS, TOKENS, day_of, subjects
from lib.store.database import Database, Value
from lib.store.dialect import Dialect
from lib.store.scope import Org


class Group(StrEnum):
    """What a report is broken down by."""

    DAY = "day"
    MODEL = "model"
    KEY = "key"
    PROVIDER = "provider"
    TEAM = "team"
    USER = "user"
    END_USER = "end_user"


ALL_GROUPS = tuple(Group)
DEFAULT_GROUPS = (Group.DAY, Group.MODEL, Group.KEY)
# Of each group, the column of a line.
COLUMNS: Mapping[Group, str] = {
    Group.DAY: "day",
    Group.MODEL: "model",
    Group.KEY: "key_id",
    Group.PROVIDER: "provider",
    Group.TEAM: "team_id",
    Group.USER: "user_id",
    Group.END_USER: "end_user",
}


@dataclass(frozen=True, slots=True)
class UsageFilter:
    """Which records to sum: from `start` (inclusive) until `end` (exclusive), and only what the rest names."""

    start: datetime
    end: datetime
    model: str | None = None
    key_id: str | None = None
    provider: str | None = None
    team_id: str | None = None
    user_id: str | None = None
    end_user: str | None = None


@dataclass(frozen=True, slots=True)
class UsageSum:
    """One line of a report. A group that was not asked for is an empty text.

    `unpriced_requests` have no price, so `cost_nano_usd` lacks them; `estimated_requests` are charged by an estimate.
    """

    day: str
    model: str
    key_id: str
    provider: str
    team_id: str
    user_id: str
    end_user: str
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
    """Return lines in the order of all groups, those behind `after`: what the last line has in each of `COLUMNS`.

    Days that have been summed come from their sums, so `start` and `end` are the beginnings of days (UTC).
    """
    shown = [f"used.{column}" if group in groups else "CAST('' AS TEXT)" for group, column in COLUMNS.items()]
    used, bound = _used(database.dialect, org_id, wanted)
    behind = ""
    if after is not None:
        first = len(bound) + 1
        places = ", ".join(f"?{first + number}" for number in range(len(shown)))
        behind = f" HAVING ({', '.join(shown)}) > ({places})"
        bound += after
    # Every part of this text is a constant of ours; what the caller chose is bound. Sums are texts, so that none is
    # rounded on its way through JavaScript's numbers.
    numbers = ", ".join(str(number) for number in range(1, len(shown) + 1))
    named = ", ".join(f"{place} AS {column}" for place, column in zip(shown, COLUMNS.values(), strict=True))
    sql = (
        f"SELECT {named},"
        f" {', '.join(f'CAST(sum(used.{name}) AS TEXT) AS {name}' for name in SUMS)}"
        f" FROM {used} AS used GROUP BY {numbers}{behind} ORDER BY {numbers} LIMIT ?{len(bound) + 1}"
    )
    return await database.query(Org(org_id), UsageSum, sql, *bound, limit)


def _used(dialect: Dialect, org_id: str, wanted: UsageFilter) -> tuple[str, list[Value]]:
    """Return a SELECT of what was used, day by day where that is known and else record by record, and what is bound.

    Both halves are of one moment, so a day that is being summed now is in one of them.
    """
    bound: list[Value] = [org_id, day_of(wanted.start), day_of(wanted.end)]
    more = ""
    for column in ("model", "key_id", *SUBJECTS):
        value = getattr(wanted, column)
        if value is not None:
            bound.append(value)
            more += f" AND {column} = ?{len(bound)}"
    mark = "FROM usage_marks WHERE usage_marks.org_id = ?1)"
    # One lower bound, so that an index is searched for it: the later of where the report begins and where sums end.
    # max() gives a row also where there is no mark; PostgreSQL takes no coalesce() into an index under its policies.
    later = "(SELECT CASE WHEN max(summed_until) > ?2 THEN max(summed_until) ELSE ?2 END " + mark
    return (
        f"(SELECT day, model, key_id, {', '.join((*SUBJECTS, *SUMS))} FROM usage_days WHERE org_id = ?1"
        f" AND day >= ?2 AND day < ?3 AND day < (SELECT usage_marks.summed_until {mark}{more}"
        f" UNION ALL SELECT {dialect.utc_day('started_at')}, model, key_id, {subjects('usage_records')}, 1,"
        f" {', '.join(TOKENS)},"
        " coalesce(cost_nano_usd, 0), CASE WHEN estimated THEN 1 ELSE 0 END,"
        " CASE WHEN cost_nano_usd IS NULL THEN 1 ELSE 0 END"
        " FROM usage_records WHERE org_id = ?1"
        f" AND started_at >= {dialect.day_start(later)}"
        f" AND started_at < {dialect.day_start('?3')}{more})"
    ), bound
