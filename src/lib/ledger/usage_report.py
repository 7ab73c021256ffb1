"""What was used, summed by day, model, key, and whom it was for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from lib.kernel.errors import UnprocessableEntity
from lib.ledger.day_sums import SUBJECTS, SUMS, day_of, start_of
from lib.ledger.ledger_sums import behind as piece_end
from lib.ledger.usage import TOKENS, TokenCounts
from lib.store.database import Database, Value
from lib.store.dialect import Dialect
from lib.store.tenant import Org


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

# Those that an index has in their order: a page reads its own lines alone.
_ORDERED = (("day", "model"), ("day", "model", "key_id"), ("key_id",))
# Sums that are added up at once, some tenths of a second of the store; and how often for a page.
PIECE_SUMS, MOST_PIECES = 200_000, 10
_TOO_MUCH = "There is too much to add up at once. Ask for fewer days, or have `day` in `group_by`."
_NOTHING = "CAST('' AS TEXT)"
# Up to where the sums of days are read: also of the day of which they have a part. It sorts behind that day itself.
_BEGUN = (
    "CASE WHEN usage_marks.piece_ends_at IS NULL THEN usage_marks.summed_until ELSE usage_marks.summed_until || '~' END"
)
_MARK = "FROM usage_marks WHERE usage_marks.org_id = ?1"


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
class UsageSum(TokenCounts):
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

    Days that have been summed come from their sums, so `start` and `end` are the beginnings of days (UTC). Where no
    index has the lines in their order, sums are added up in pieces of some days: by day until the page is full; else
    all of them, for each page. Raises UnprocessableEntity where those are too many.
    """
    shown = [column for group, column in COLUMNS.items() if group in groups]
    behind = [place for column, place in zip(COLUMNS.values(), after, strict=True) if column in shown] if after else []
    if after and not shown:
        return []  # there is one line alone
    start, end = day_of(wanted.start), day_of(wanted.end)
    by_day = Group.DAY in groups
    if behind and by_day and _is_day(behind[0]):
        start = max(start, behind[0])
    lines: list[UsageSum] = []
    pieces = 0
    while start < end and not (by_day and len(lines) == limit):
        if pieces == MOST_PIECES and not by_day:
            raise UnprocessableEntity(_TOO_MUCH, code="too_much_to_add_up", param="group_by")
        ordered = tuple(shown) in _ORDERED
        to = end if ordered else await piece_end(database, org_id, start, end, PIECE_SUMS, wanted.key_id)
        piece = replace(wanted, start=start_of(start), end=start_of(to))
        lines = _merged([*lines, *await _lines(database, org_id, piece, shown, behind, limit)])[:limit]
        start, pieces = to, pieces + 1
    return lines


async def _lines(
    database: Database, org_id: str, wanted: UsageFilter, shown: Sequence[str], behind: Sequence[str], limit: int
) -> list[UsageSum]:
    """Return lines of some days.

    Each half gives no more than asked for, from `behind` on: pages do not add up again what was shown before. Both are
    of one statement and so of one moment: what is being summed now is in one of them.
    """
    bound: list[Value] = [org_id, day_of(wanted.start), day_of(wanted.end), limit]
    filters = _filters(wanted, bound)
    places = ", ".join(f"?{len(bound) + 1 + number}" for number in range(len(behind)))
    bound += behind
    days = _days(database.dialect, wanted, shown, filters, places, until=_BEGUN)
    singles = _singles(database.dialect, wanted, shown, filters, places)
    if "day" in shown:  # single records are of later days: they are read once sums of whole days do not fill the page
        whole = _days(database.dialect, wanted, shown, filters, places, until="usage_marks.summed_until")
        singles += f" AND ?4 > (SELECT count(*) FROM (SELECT 1 AS one {whole} {_grouped(shown)} LIMIT ?4) AS filling)"
    day = database.dialect.utc_day("started_at")
    halves = (
        f"SELECT * FROM (SELECT {_named(shown)}, {_added(SUMS)} {days} {_sorted(shown)} LIMIT ?4) AS summed_days",
        (
            f"SELECT * FROM (SELECT {_named(shown, day)}, {_added(_SINGLE)} {singles} {_sorted(shown, day)} LIMIT ?4)"
            " AS single_records"
        ),
    )
    return _merged(await database.query(Org(org_id), UsageSum, " UNION ALL ".join(halves), *bound))[:limit]


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


# What a single record adds to each sum.
_SINGLE = (
    "1",
    *TOKENS,
    "coalesce(cost_nano_usd, 0)",
    "CASE WHEN estimated THEN 1 ELSE 0 END",
    "CASE WHEN cost_nano_usd IS NULL THEN 1 ELSE 0 END",
)


def _filters(wanted: UsageFilter, bound: list[Value]) -> str:
    """Return the conditions of the filters, and put what is bound to them behind what is in `bound`."""
    conditions = ""
    for column in ("model", "key_id", *SUBJECTS):
        value = getattr(wanted, column)
        if value is not None:
            bound.append(value)
            conditions += f" AND {column} = ?{len(bound)}"
    return conditions


def _expressions(shown: Sequence[str], day: str) -> Mapping[str, str]:
    """Return how each column of a line is read: from sums of days, or where `day` is an expression from records."""
    subject = "coalesce({}, '')" if day != "day" else "{}"
    return {
        column: day if column == "day" else subject.format(column) if column in SUBJECTS else column for column in shown
    }


def _named(shown: Sequence[str], day: str = "day") -> str:
    expressions = _expressions(shown, day)
    return ", ".join(f"{expressions.get(column, _NOTHING)} AS {column}" for column in COLUMNS.values())


def _added(expressions: Sequence[str]) -> str:
    """Return the sums. They are texts, so that none is rounded on its way through JavaScript's numbers."""
    named = zip(expressions, SUMS, strict=True)
    return ", ".join(f"CAST(sum({expression}) AS TEXT) AS {name}" for expression, name in named)


def _grouped(shown: Sequence[str], day: str = "day") -> str:
    return f"GROUP BY {', '.join(_expressions(shown, day).values()) or 'org_id'}"


def _sorted(shown: Sequence[str], day: str = "day") -> str:
    listed = ", ".join(_expressions(shown, day).values()) or "org_id"
    return f"GROUP BY {listed} ORDER BY {listed}"


def _behind(shown: Sequence[str], places: str, day: str = "day") -> str:
    return f" AND ({', '.join(_expressions(shown, day).values())}) > ({places})" if places else ""


def _days(dialect: Dialect, wanted: UsageFilter, shown: Sequence[str], filters: str, places: str, *, until: str) -> str:
    """Return what stands behind SELECT for days that are summed, those before `until`."""
    by_key = wanted.key_id is not None or shown[:1] == ["key_id"]
    return (
        f"FROM usage_days{dialect.by_index('usage_days_by_key') if by_key else ''} WHERE org_id = ?1 AND day >= ?2"
        f" AND day < ?3 AND day < (SELECT {until} {_MARK}){filters}{_behind(shown, places)}"
    )


def _singles(dialect: Dialect, wanted: UsageFilter, shown: Sequence[str], filters: str, places: str) -> str:
    """Return what stands behind SELECT for records that are not."""
    # One lower bound, so that an index is searched for it: the later of where the report begins and where sums end.
    # max() gives a row also where there is no mark; PostgreSQL takes no coalesce() into an index under its policies.
    later = (
        f"(SELECT CASE WHEN max(piece_ends_at) > {dialect.day_start('?2')} THEN max(piece_ends_at)"
        f" WHEN max(summed_until) > ?2 THEN {dialect.day_start('max(summed_until)')}"
        f" ELSE {dialect.day_start('?2')} END {_MARK})"
    )
    by_key = dialect.by_index("usage_records_by_key") if wanted.key_id is not None else ""
    return (
        f"FROM usage_records{by_key} WHERE org_id = ?1 AND started_at >= {later}"
        f" AND started_at < {dialect.day_start('?3')}{filters}"
        f"{_behind(shown, places, day=dialect.utc_day('started_at'))}"
    )


def _merged(lines: Sequence[UsageSum]) -> list[UsageSum]:
    """Return the lines of both halves in their order, those of one place added together."""
    found: dict[tuple[str, ...], UsageSum] = {}
    for line in lines:
        place = tuple(getattr(line, column) for column in COLUMNS.values())
        other = found.get(place)
        sums = {name: getattr(line, name) + getattr(other, name) for name in SUMS} if other else {}
        found[place] = replace(line, **sums)
    return [line for _, line in sorted(found.items())]
