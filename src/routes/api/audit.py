"""`/api/v1/audit`: what was done in an organisation; `/api/v1/me/events`: what was done by a person, or in its name."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, RootModel

from lib.access.principal import SELF, Permission
from lib.audit import audit_store
from lib.audit.audit_store import BEYOND_ALL, AuditFilter, Events, Logged
from lib.events.event_store import SEALED
from lib.http.paging import CursorQuery, PageQuery, cut, decode_cursor, encode_cursor
from lib.http.periods import Moment, span
from lib.http.response import Response
from lib.kernel.errors import BadRequest
from lib.store.reading import following
from lib.store.schema import AuditEventRow, PersonEventRow
from lib.store.tenant import Org, Person
from lib.web import ndjson
from lib.web.app import App
from lib.web.operation import Call, Listing
from lib.web.render import Page
from lib.web.route import read


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
        begin, stop = start if self.start else None, end if self.to else None
        return AuditFilter(begin, stop, self.action, self.actor, self.target, self.result)


class AuditQuery(AuditFields, PageQuery):
    """A page of them. It may be short, even empty, while there are more: `meta.next_cursor` tells."""


class AuditExportQuery(AuditFields, CursorQuery):
    """All of them, from `cursor` on."""


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


class EventLine(RootModel[Event | ndjson.ExportEnd]):
    """A line of an export: an event, or the end of this body."""


# The first member of an export's cursor: it reads the other way than the list does.
_EXPORT = "export"

Row = TypeVar("Row", AuditEventRow, PersonEventRow)


async def list_audit(call: Call[None, AuditQuery]) -> Listing[Event] | Response:
    """List events, newest first."""
    query = call.query
    if ndjson.MEDIA_TYPE in (call.request.headers.get("accept") or "").lower():
        if "limit" in query.model_fields_set:
            raise BadRequest(f"{ndjson.MEDIA_TYPE} has no pages: leave `limit` out.", param="limit")
        return await export_audit(call)
    [before] = decode_cursor(query.cursor, [str(BEYOND_ALL)])
    found = await audit_store.newest(call.parts.database, call.org_id, query.filter(), _number(before), query.limit)
    rows = await _linked(call.parts, Org(call.org_id), found.rows)
    return Listing([_event(row) for row in rows], encode_cursor([str(found.next)]) if found.next else None)


async def export_audit(call: Call[None, AuditExportQuery] | Call[None, AuditQuery]) -> Response:
    """Stream events, oldest first, one JSON object a line."""
    wanted, database = call.query.filter(), call.parts.database
    kind, after = decode_cursor(call.query.cursor, [_EXPORT, "0"])
    if kind != _EXPORT:
        raise BadRequest("The cursor is not one of an export.", param="cursor")
    call.request.share.claim(ndjson.HELD_BYTES)

    async def read(place: int) -> Events:
        found = await audit_store.oldest(database, call.org_id, wanted, place, audit_store.EXPORT_ROWS)
        return replace(found, rows=await _linked(call.parts, Org(call.org_id), found.rows))

    # Before the answer begins: where the store is away, that is an error and no broken body.
    first = await read(_number(after))
    return ndjson.export(call.parts.streams, call.request, "audit.ndjson", _parts(following(database, first, read)))


async def list_own_events(call: Call[None, PageQuery]) -> Listing[Event]:
    """List what one has done oneself, or what was tried in one's name, newest first."""
    query = call.query
    [before] = decode_cursor(query.cursor, [str(BEYOND_ALL)])
    owner = Person(str(call.principal.user_id))
    rows = await audit_store.of_person(call.parts.database, owner.id, _number(before), query.limit + 1)
    shown, more = cut(rows, query.limit, lambda row: [str(row.seq)])
    return Listing([_event(row) for row in await _linked(call.parts, owner, shown)], more)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(BEYOND_ALL)) and int(text) <= BEYOND_ALL):
        raise BadRequest("The cursor is not one of ours.", param="cursor")
    return int(text)


async def _linked(parts: App, owner: Org | Person, rows: Sequence[Row]) -> Sequence[Row]:
    """Return the rows with their links; where one is not written yet, with that which it will have."""
    wanted = {row.seq for row in rows if row.previous_hash == SEALED}
    if not wanted:
        return rows
    from lib.audit import link_store  # noqa: PLC0415 - rare, and memory at the start is full

    found = await link_store.coming(parts.database, parts.log_key, owner, wanted)
    return [
        replace(row, previous_hash=link.previous_hash, hash=link.hash) if (link := found.get(row.seq)) else row
        for row in rows
    ]


def _event(row: Logged) -> Event:
    fields: dict[str, Any] = {name: getattr(row, name) for name in Event.model_fields}
    return Event.model_validate(fields | {"details": json.loads(row.details)})


async def _parts(found: AsyncIterator[Events]) -> AsyncIterator[ndjson.Part]:
    async for some in found:
        cursor = encode_cursor([_EXPORT, str(some.next)]) if some.next else None
        yield ndjson.Part(map(_event, some.rows), cursor)


ROUTES = [
    read(
        "/api/v1/audit",
        Permission.AUDIT_READ,
        list_audit,
        "List what was done in the organisation",
        f"Newest first; all time where nothing is said. `Accept: {ndjson.MEDIA_TYPE}` asks for the export.",
        http=ndjson.WHY,
        returns=Page(Event),
    ),
    read(
        "/api/v1/audit/export",
        Permission.AUDIT_READ,
        export_audit,
        "Export what was done in the organisation",
        "What matches, oldest first, one JSON object a line (NDJSON). The last line is"
        ' `{"meta": {"next_cursor": …}}`: null where the export is whole, else ask again with `cursor`. A body'
        " without that line broke off: ask again.",
        media_type=ndjson.MEDIA_TYPE,
        http=ndjson.WHY,
        returns=EventLine,
    ),
    read("/api/v1/me/events", SELF, list_own_events, "List what was done by oneself, or in one's name"),
]
