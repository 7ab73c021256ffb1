"""`/api/v1/limits`: how many requests or tokens an organisation's callers may use, in a time or at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from lib.access.principal import Permission
from lib.admission.counters import Counter
from lib.admission.rules import EACH, Unit
from lib.http.paging import PageQuery, page_of
from lib.rules import rule_service
from lib.rules.rule_service import LIMIT, check_limit
from lib.store.schema import LimitRow
from lib.web.operation import Call, Item, Listing, NoQuery, Plain
from lib.web.route import change, make, read, remove
from routes.api.rule_schemas import (
    NEW_RULE,
    RULE_TAG,
    Covers,
    NewRuleScope,
    RuleScope,
    covers_of,
    delete,
    scope_of,
    wanted,
)
from routes.schemas import RECENT, Name

_Amount = Annotated[int, Field(ge=1, le=1_000_000_000_000, strict=True)]
_Burst = Annotated[int, Field(ge=1, le=10_000_000_000_000, strict=True)]
_Window = Annotated[int, Field(ge=1, le=2_592_000, strict=True)]
_FORBID = ConfigDict(extra="forbid")


class CreateLimit(BaseModel):
    """A limit to make. Without `burst`, no interval of `window_seconds` has more than `limit`. With it, no interval of
    t seconds has more than burst + limit · t / window_seconds. `concurrent` has neither a window nor a burst.
    """

    model_config = _FORBID
    name: Name | None = None
    scope: NewRuleScope
    covers: Annotated[Covers | None, Field(description="Of a team's rule alone; `keys` where nothing is said")] = None
    unit: Unit
    limit: _Amount
    window_seconds: _Window | None = None
    burst: _Burst | None = None


class UpdateLimit(BaseModel):
    """What to change of a limit; what is not named stays. `name` and `burst` may be null, which takes them away."""

    model_config = _FORBID
    name: Name | None = None
    limit: _Amount | None = None
    window_seconds: _Window | None = None
    burst: _Burst | None = None


class Limit(BaseModel):
    """A limit, and how far it is used up now. `used` and `remaining` are null for a limit on each (`*`)."""

    id: str
    name: str | None
    scope: RuleScope
    covers: Covers | None
    unit: Unit
    limit: int
    window_seconds: int | None
    burst: int | None
    used: int | None
    remaining: int | None
    created_at: datetime
    updated_at: datetime


async def list_limits(call: Call[None, PageQuery]) -> Listing[Limit]:
    """List limits, newest first."""
    shown, more = await page_of(LIMIT.table, call.parts.database, call.org_id, call.query)
    counters = await call.parts.gates.counters(call.org_id) if shown else {}
    return Listing([_limit(row, counters) for row in shown], more)


async def create_limit(call: Call[CreateLimit, NoQuery]) -> Item[Limit]:
    """Make a limit."""
    body = call.body
    shared = await rule_service.shared(call.parts, call.principal, body.scope.wanted(body.covers), body.name)
    row = LimitRow(**shared, unit=body.unit, amount=body.limit, window_seconds=body.window_seconds, burst=body.burst)
    return await _shown(call, await LIMIT.create(call.work, check_limit(row)))


async def get_limit(call: Plain) -> Item[Limit]:
    """Show one limit."""
    return await _shown(call, await LIMIT.get(call.parts.database, call.org_id, call.path["id"]))


async def update_limit(call: Call[UpdateLimit, NoQuery]) -> Item[Limit]:
    """Change a limit's numbers."""
    row, body = await wanted(call, LIMIT), call.body
    changed = replace(
        row,
        name=body.name if "name" in body.model_fields_set else row.name,
        amount=body.limit or row.amount,
        window_seconds=body.window_seconds or row.window_seconds,
        burst=body.burst if "burst" in body.model_fields_set else row.burst,
    )
    return await _shown(call, await LIMIT.update(call.work, row, check_limit(changed)))


async def delete_limit(call: Plain) -> None:
    """Delete a limit."""
    await delete(call, LIMIT)


def _limit(row: LimitRow, counters: Mapping[str, Counter]) -> Limit:
    counter = counters.get(row.id, Counter(0, 0, None))
    used = None if row.scope_id == EACH else counter.used + counter.reserved
    most = row.amount if row.burst is None else row.burst
    return Limit(
        id=row.id,
        name=row.name,
        scope=scope_of(row),
        covers=covers_of(row),
        unit=Unit(row.unit),
        limit=row.amount,
        window_seconds=row.window_seconds,
        burst=row.burst,
        used=used,
        remaining=None if used is None else max(0, most - used),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


async def _shown(call: Call[Any, Any], row: LimitRow) -> Item[Limit]:
    shown = _limit(row, await call.parts.gates.counters(row.org_id))
    return Item(shown, row.version)


ROUTES = [
    read("/api/v1/limits", Permission.LIMITS_READ, list_limits, "List limits", RECENT),
    make("/api/v1/limits", Permission.LIMITS_WRITE, create_limit, "Make a limit", NEW_RULE),
    read("/api/v1/limits/{id}", Permission.LIMITS_READ, get_limit, "Show a limit", RULE_TAG),
    change(
        "/api/v1/limits/{id}",
        Permission.LIMITS_WRITE,
        update_limit,
        "Change a limit",
        "Needs `If-Match` with the limit's ETag. Its scope and unit stay: others are another limit.",
        errors=(422,),
    ),
    remove("/api/v1/limits/{id}", Permission.LIMITS_WRITE, delete_limit, "Delete a limit", errors=(412,)),
]
