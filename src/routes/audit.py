"""`/api/v1/audit`: what was done in an organisation; `/api/v1/me/events`: what was done by a person, or in its name."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from lib.audit import audit_store
from lib.audit.audit_store import BEYOND_ALL, EXPORT_ROWS, AuditFilter
from lib.http import ndjson, render
from lib.http.errors import BadRequest
from lib.http.paging import PageQuery, cut, decode_cursor
from lib.http.periods import Moment, span
from lib.http.request import Validated
from lib.http.response import Response
from lib.http.route import Route
from lib.identity.models import SELF, Principal, Scope
from lib.services import Services
from lib.store.schema import AuditEventRow, PersonEventRow
from routes.schemas import Page


class AuditFields(BaseModel):
    """Which events. A day is meant with all its hours, by UTC; `to` as a moment is not included itself."""

    model_config = ConfigDict(extra="forbid")
    start: Annotated[Moment | None, Field(alias="from", description="First day, or moment with offset")] = None
    to: Annotated[Moment | None, Field(description="Last day, or the moment after the last")] = None
    action: Annotated[str | None, Field(max_length=64, description="Only this action")] = None
    actor: Annotated[str | None, Field(max_length=100, description="Only by this one, as `user:<id>`")] = None
    target: Annotated[str | None, Field(max_length=300, description="Only done to this, as `key:<id>`")] = None
    result: Annotated[Literal["ok", "denied", "failed"] | None, Field(description="Only what ended so")] = None

    def filter(self) -> AuditFilter:
        """Return it as the log takes it. Raises BadRequest."""
        start, end = span(self.start, self.to)
        return AuditFilter(start, end, self.action, self.actor, self.target, self.result)


class AuditQuery(AuditFields, PageQuery):
    """A page of them."""


class FieldChange(BaseModel):
    """One field before and after. What was made has no `old`, what was deleted no `new`."""

    old: str | int | bool | None = None
    new: str | int | bool | None = None


class Event(BaseModel):
    """What was done; `details.changes` has each field that was changed. `hash` is over the whole row and
    `previous_hash`, that of the row before: see `docs/audit.md`.
    """

    seq: int
    id: str
    action: str
    actor: str
    target: str | None
    result: str
    address: str | None
    request_id: str | None
    details: dict[str, str | int | bool | dict[str, FieldChange] | None]
    previous_hash: str
    hash: str
    created_at: datetime


async def list_audit(services: Services, request: Validated[None, AuditQuery], principal: Principal) -> Response:
    """List events, newest first."""
    query = request.query
    if ndjson.MEDIA_TYPE in (request.headers.get("accept") or "").lower():
        if query.model_fields_set & {"cursor", "limit"}:
            raise BadRequest(
                f"{ndjson.MEDIA_TYPE} has all events and no pages: leave `cursor` and `limit` out.", param="cursor"
            )
        return await export_audit(services, request, principal)
    rows = await audit_store.newest(
        services.database, principal.org_id, query.filter(), _before(query.cursor), query.limit + 1
    )
    return _page(rows, query.limit)


async def export_audit(
    services: Services, request: Validated[None, AuditFields] | Validated[None, AuditQuery], principal: Principal
) -> Response:
    """Stream all events, oldest first, one JSON object a line."""
    wanted = request.query.filter()
    # Before the answer begins: where the store is away, that is an error and no broken body.
    first = await audit_store.oldest(services.database, principal.org_id, wanted, 0, EXPORT_ROWS)
    pages = audit_store.following(services.database, principal.org_id, wanted, first)
    return ndjson.export(services.streams, request, "audit.ndjson", _lines(pages))


async def list_own_events(services: Services, request: Validated[None, PageQuery], principal: Principal) -> Response:
    """List what one has done oneself, or what was tried in one's name, newest first."""
    query = request.query
    before = _before(query.cursor)
    return _page(
        await audit_store.of_person(services.database, str(principal.user_id), before, query.limit + 1), query.limit
    )


def _page(rows: Sequence[AuditEventRow | PersonEventRow], limit: int) -> Response:
    shown, more = cut(rows, limit, lambda row: [str(row.seq)])
    return render.page([_event(row) for row in shown], more)


def _before(cursor: str | None) -> int:
    [text] = decode_cursor(cursor, [str(BEYOND_ALL)])
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(BEYOND_ALL)) and int(text) <= BEYOND_ALL):
        raise BadRequest("The cursor is not one of ours.", param="cursor")
    return int(text)


def _event(row: AuditEventRow | PersonEventRow) -> Event:
    fields: dict[str, Any] = {name: getattr(row, name) for name in Event.model_fields}
    return Event.model_validate(fields | {"details": json.loads(row.details)})


async def _lines(pages: AsyncIterator[list[AuditEventRow]]) -> AsyncIterator[list[Event]]:
    async for page in pages:
        yield [_event(row) for row in page]


ROUTES = [
    Route(
        method="GET",
        path="/api/v1/audit",
        handler=list_audit,
        summary="List what was done in the organisation",
        description=f"Newest first; all time where nothing is said. `Accept: {ndjson.MEDIA_TYPE}` asks for the export.",
        responses={200: Page[Event]},
        permission=Scope.AUDIT_READ,
        query=AuditQuery,
    ),
    Route(
        method="GET",
        path="/api/v1/audit/export",
        handler=export_audit,
        summary="Export what was done in the organisation",
        description=(
            "All that match, oldest first, one JSON object a line (NDJSON). A body that breaks off is not whole: its"
            " last line's `seq` tells how far it came."
        ),
        responses={200: Event},
        media_type=ndjson.MEDIA_TYPE,
        permission=Scope.AUDIT_READ,
        query=AuditFields,
    ),
    Route(
        method="GET",
        path="/api/v1/me/events",
        handler=list_own_events,
        summary="List what was done by oneself, or in one's name",
        responses={200: Page[Event]},
        permission=SELF,
        query=PageQuery,
    ),
]
