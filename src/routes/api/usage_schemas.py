"""Reports of what was used, as an organisation asks for its own, and the operator for any."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from lib.http.paging import decode_cursor, encode_cursor
from lib.http.periods import days
from lib.kernel.errors import BadRequest
from lib.ledger import usage_report
from lib.ledger.usage import TokenCounts
from lib.ledger.usage_report import ALL_GROUPS, COLUMNS, DEFAULT_GROUPS, Group, UsageFilter
from lib.web.app import App
from lib.web.operation import Listing
from routes.money import InDollars
from routes.schemas import DaysQuery


class ReportQuery(DaysQuery):
    """`group_by` is a list of `day`, `model`, `key`, `provider`, `team`, `user` and `end_user`, separated by commas;
    the first three where nothing is said.
    """

    group_by: Annotated[str, Field(max_length=60)] = ",".join(DEFAULT_GROUPS)
    provider: Annotated[str | None, Field(max_length=32, description="Only this provider")] = None
    team_id: Annotated[str | None, Field(max_length=36, description="Only this team")] = None
    user_id: Annotated[str | None, Field(max_length=36, description="Only this person")] = None
    end_user: Annotated[str | None, Field(max_length=256, description="Only this end user")] = None


class _Groups(InDollars):
    """Whose a sum is."""

    model_config = ConfigDict(from_attributes=True)
    day: str | None
    model: str | None
    key_id: str | None
    provider: str | None
    team_id: str | None
    user_id: str | None
    end_user: str | None
    requests: int


class UsageLine(TokenCounts, _Groups):
    """A sum. A group that was not asked for is null. Money is nano-dollars (10⁻⁹ USD)."""

    cost_nano_usd: int
    estimated_requests: int
    unpriced_requests: int


async def sums_of(parts: App, org_id: str, query: ReportQuery) -> Listing[UsageLine]:
    """Return an organisation's sums."""
    wanted, groups = _filter(parts, query), _groups(query.group_by)
    after = None if query.cursor is None else decode_cursor(query.cursor, [""] * len(COLUMNS))
    await parts.gates.flush(org_id)
    lines = await usage_report.report(parts.database, org_id, wanted, groups, after, query.limit + 1)
    shown = lines[: query.limit]
    last = shown[-1] if shown else None
    more = (
        encode_cursor([getattr(last, column) for column in COLUMNS.values()])
        if last and len(lines) > len(shown)
        else None
    )
    return Listing([_line(line) for line in shown], more)


def _filter(parts: App, query: ReportQuery) -> UsageFilter:
    start, end = days(query.start, query.to, parts.clock.now().date())
    return UsageFilter(
        start, end, query.model, query.key_id, query.provider, query.team_id, query.user_id, query.end_user
    )


def _groups(text: str) -> list[Group]:
    try:
        groups = [Group(name) for name in text.split(",") if name]
    except ValueError:
        raise BadRequest(f"`group_by` takes {', '.join(ALL_GROUPS)}.", param="group_by") from None
    if len(set(groups)) < len(groups):
        raise BadRequest("`group_by` takes each group once.", param="group_by")
    return groups


def _line(line: usage_report.UsageSum) -> UsageLine:
    return UsageLine.model_validate(line).model_copy(
        update={column: getattr(line, column) or None for column in COLUMNS.values()}
    )
