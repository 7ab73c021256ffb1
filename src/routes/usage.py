"""`/api/v1/usage`: what was used, by day, model and key, and request by request."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from lib.admission import usage_report
from lib.admission.usage_report import ALL_GROUPS, Group, UsageFilter
from lib.gateway.models import Cause
from lib.http import render
from lib.http.errors import BadRequest
from lib.http.paging import PageQuery, decode_cursor, encode_cursor
from lib.http.request import Validated
from lib.http.response import Response
from lib.http.route import Route
from lib.identity.models import Principal, Scope
from lib.services import Services
from lib.store.dialect import time_text
from routes.schemas import Page

DEFAULT_DAYS = 30
LONGEST_DAYS = 400
_AFTER_ALL = "~"
_LAST_TIME = datetime.max.replace(tzinfo=UTC)
Day = Annotated[date, Field(ge=date(2000, 1, 1), le=date(2999, 12, 31))]


class UsageQuery(PageQuery):
    """Which records: whole UTC days from `from` to `to`, both included. The last 30 days where nothing is said."""

    start: Annotated[Day | None, Field(alias="from", description="First day, YYYY-MM-DD, UTC")] = None
    to: Annotated[Day | None, Field(description="Last day, YYYY-MM-DD, UTC")] = None
    model: Annotated[str | None, Field(max_length=256, description="Only this model, as the client named it")] = None
    key_id: Annotated[str | None, Field(max_length=36, description="Only this API key")] = None


class ReportQuery(UsageQuery):
    """`group_by` is a list of `day`, `model` and `key`, separated by commas; all three where nothing is said."""

    group_by: Annotated[str, Field(max_length=40)] = ",".join(ALL_GROUPS)


class UsageLine(BaseModel):
    """A sum. A group that was not asked for is null. Money is nano-dollars (10⁻⁹ USD)."""

    model_config = ConfigDict(from_attributes=True)
    day: str | None
    model: str | None
    key_id: str | None
    requests: int
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost_nano_usd: int
    estimated_requests: int
    unpriced_requests: int


class UsageEntry(BaseModel):
    """One request to a model. `cause` tells why it ended; `cost_nano_usd` is null where its price is unknown."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    key_id: str
    endpoint: str
    model: str
    provider: str
    upstream_model: str
    streamed: bool
    cause: Cause
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


async def report_usage(services: Services, request: Validated[None, ReportQuery], principal: Principal) -> Response:
    """Sum what was used. All that was settled before this request is in it."""
    query = request.query
    wanted, groups = _filter(services, query), _groups(query.group_by)
    after = None if query.cursor is None else decode_cursor(query.cursor, ["", "", ""])
    await services.gates.flush(principal.org_id)
    lines = await usage_report.report(services.database, principal.org_id, wanted, groups, after, query.limit + 1)
    shown = lines[: query.limit]
    last = shown[-1] if shown else None
    more = encode_cursor([last.day, last.model, last.key_id]) if last and len(lines) > len(shown) else None
    return render.page([_line(line) for line in shown], more)


async def list_records(services: Services, request: Validated[None, UsageQuery], principal: Principal) -> Response:
    """List requests to models, newest first."""
    query = request.query
    before = _place(decode_cursor(query.cursor, ["", _AFTER_ALL]))
    await services.gates.flush(principal.org_id)
    rows = await usage_report.records(
        services.database, principal.org_id, _filter(services, query), before, query.limit + 1
    )
    shown = rows[: query.limit]
    last = shown[-1] if shown else None
    more = encode_cursor([time_text(last.started_at), last.id]) if last and len(rows) > len(shown) else None
    return render.page([UsageEntry.model_validate(row) for row in shown], more)


def _filter(services: Services, query: UsageQuery) -> UsageFilter:
    last = query.to or services.clock.now().date()
    first = query.start or last - timedelta(days=DEFAULT_DAYS - 1)
    if not first <= last or (last - first).days >= LONGEST_DAYS:
        raise BadRequest(f"`from` must not be after `to`, and at most {LONGEST_DAYS} days before it.", param="from")
    return UsageFilter(_midnight(first), _midnight(last) + timedelta(days=1), query.model, query.key_id)


def _place(cursor: Sequence[str]) -> tuple[datetime, str]:
    """Read a start time and an id out of a cursor; without a time, the place behind all."""
    try:
        time = datetime.fromisoformat(cursor[0]).astimezone(UTC) if cursor[0] else _LAST_TIME
    except (ValueError, OverflowError):
        raise BadRequest("The cursor is not one of ours.", param="cursor") from None
    return time, cursor[1]


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _groups(text: str) -> list[Group]:
    try:
        return [Group(name) for name in text.split(",") if name]
    except ValueError:
        raise BadRequest("`group_by` takes day, model and key.", param="group_by") from None


def _line(line: usage_report.UsageSum) -> UsageLine:
    return UsageLine.model_validate(line).model_copy(
        update={"day": line.day or None, "model": line.model or None, "key_id": line.key_id or None}
    )


ROUTES = [
    Route(
        method="GET",
        path="/api/v1/usage",
        handler=report_usage,
        summary="Sum what was used, by day, model and key",
        responses={200: Page[UsageLine]},
        permission=Scope.USAGE_READ,
        query=ReportQuery,
    ),
    Route(
        method="GET",
        path="/api/v1/usage/records",
        handler=list_records,
        summary="List requests to models",
        responses={200: Page[UsageEntry]},
        permission=Scope.USAGE_READ,
        query=UsageQuery,
    ),
]
