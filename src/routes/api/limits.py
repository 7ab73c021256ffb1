"""`/api/v1/limits`: how many requests or tokens an organisation's callers may use, in a time or at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from lib.access.principal import Permission, Principal
from lib.admission.counters import Counter
from lib.admission.rules import EACH, Unit
from lib.http.paging import PageQuery, page_of
from lib.http.request import Validated
from lib.http.response import Response
from lib.rules import rule_service
from lib.rules.rule_service import LIMIT, check_limit
from lib.store.schema import LimitRow
from lib.web import render
from lib.web.app import App
from lib.web.route import NoQuery, change, make, read, remove
from routes.api.rule_schemas import (
    NEW_RULE,
    RULE_TAG,
    Covers,
    NewRuleScope,
    RuleScope,
    covers_of,
    deleted,
    scope_of,
    wanted,
)
from routes.schemas import RECENT, Name, One, Page

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


async def list_limits(parts: App, request: Validated[None, PageQuery], principal: Principal) -> Response:
    """List limits, newest first."""
    shown, more = await page_of(LIMIT.table, parts.database, principal.org_id, request.query)
    counters = await parts.gates.counters(principal.org_id) if shown else {}
    return render.page([_limit(row, counters) for row in shown], more)


async def create_limit(parts: App, request: Validated[CreateLimit, NoQuery], principal: Principal) -> Response:
    """Make a limit."""
    body = request.body
    shared = await rule_service.shared(parts, principal, body.scope.wanted(body.covers), body.name)
    row = LimitRow(**shared, unit=body.unit, amount=body.limit, window_seconds=body.window_seconds, burst=body.burst)
    return await _shown(parts, await LIMIT.create(parts.work(principal.actor), check_limit(row)), 201)


async def get_limit(parts: App, request: Validated[None, NoQuery], principal: Principal) -> Response:
    """Show one limit."""
    return await _shown(parts, await LIMIT.get(parts.database, principal.org_id, request.path["id"]))


async def update_limit(parts: App, request: Validated[UpdateLimit, NoQuery], principal: Principal) -> Response:
    """Change a limit's numbers."""
    row, body = await wanted(parts, request, principal, LIMIT), request.body
    changed = replace(
        row,
        name=body.name if "name" in body.model_fields_set else row.name,
        amount=body.limit or row.amount,
        window_seconds=body.window_seconds or row.window_seconds,
        burst=body.burst if "burst" in body.model_fields_set else row.burst,
    )
    return await _shown(parts, await LIMIT.update(parts.work(principal.actor), row, check_limit(changed)))


async def delete_limit(parts: App, request: Validated[None, NoQuery], principal: Principal) -> Response:
    """Delete a limit."""
    return await deleted(parts, request, principal, LIMIT)


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


async def _shown(parts: App, row: LimitRow, status: int = 200) -> Response:
    shown = _limit(row, await parts.gates.counters(row.org_id))
    return render.versioned(shown, row.version, status, f"/api/v1/limits/{row.id}")


ROUTES = [
    read("/api/v1/limits", Permission.LIMITS_READ, list_limits, Page[Limit], "List limits", RECENT),
    make("/api/v1/limits", Permission.LIMITS_WRITE, create_limit, One[Limit], "Make a limit", NEW_RULE),
    read("/api/v1/limits/{id}", Permission.LIMITS_READ, get_limit, One[Limit], "Show a limit", RULE_TAG),
    change(
        "/api/v1/limits/{id}",
        Permission.LIMITS_WRITE,
        update_limit,
        One[Limit],
        "Change a limit",
        "Needs `If-Match` with the limit's ETag. Its scope and unit stay: others are another limit.",
        errors=(422,),
    ),
    remove("/api/v1/limits/{id}", Permission.LIMITS_WRITE, delete_limit, None, "Delete a limit", errors=(412,)),
]
