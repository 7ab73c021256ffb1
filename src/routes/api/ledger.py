"""`/api/v1/ledger`: the records of an organisation's calls, one by one, all at once, and compared with its budgets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, RootModel

from lib.access.principal import Permission
from lib.http.paging import CursorQuery, PageQuery, decode_cursor, encode_cursor
from lib.http.periods import FIRST_MOMENT, LAST_MOMENT, Moment, days, span
from lib.http.response import Response
from lib.kernel.errors import BadRequest, NotFound
from lib.kernel.ids import is_id
from lib.ledger import ledger
from lib.ledger.archived import Place
from lib.ledger.ledger import LedgerFilter, Records
from lib.ledger.usage import Cause, TokenCounts
from lib.reconcile import ledger_check
from lib.store.dialect import time_text
from lib.store.reading import following
from lib.store.table import AFTER_ALL
from lib.web import ndjson
from lib.web.operation import Call, Listing, Plain
from lib.web.render import Page
from lib.web.route import act, read
from routes.money import InDollars
from routes.schemas import DaysQuery, LedgerCheck

# The first member of an export's cursor: it reads the other way than the list does.
_EXPORT = "export"


class LedgerFields(BaseModel):
    """Which records. A day is meant with all its hours, by UTC; `to` as a moment is not included itself."""

    model_config = ConfigDict(extra="forbid")
    start: Annotated[Moment | None, Field(alias="from", description="First day, or moment with offset")] = None
    to: Annotated[Moment | None, Field(description="Last day, or the moment after the last")] = None
    model: Annotated[str | None, Field(max_length=256, description="Only this model, as the client named it")] = None
    key_id: Annotated[str | None, Field(max_length=36, description="Only this API key")] = None
    end_user: Annotated[str | None, Field(max_length=256, description="Only for this end user")] = None
    provider: Annotated[str | None, Field(max_length=32, description="Only this provider")] = None
    cause: Annotated[Cause | None, Field(description="Only calls that ended so")] = None
    estimated: Annotated[bool | None, Field(description="Only what is charged by an estimate, or what is not")] = None

    def filter(self) -> LedgerFilter:
        """Return it as the ledger takes it. Raises BadRequest."""
        start, end = span(self.start, self.to)
        cause = self.cause.value if self.cause else None
        return LedgerFilter(start, end, self.model, self.key_id, self.end_user, self.provider, cause, self.estimated)


class LedgerQuery(LedgerFields, PageQuery):
    """A page of them. It may be short, even empty, while there are more: `meta.next_cursor` tells."""


class LedgerExportQuery(LedgerFields, CursorQuery):
    """All of them, from `cursor` on."""


class _Call(InDollars):
    """What stands before its tokens."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    org_id: str
    team_id: str | None
    user_id: str | None
    key_id: str
    end_user: str | None
    endpoint: str
    model: str
    provider: str
    upstream_model: str
    streamed: bool
    cause: Cause
    status: int | None
    estimated: bool


class LedgerEntry(TokenCounts, _Call):
    """One call to a model. `cause` tells why it ended; `cost_nano_usd` is null where its price is unknown.

    `id` is the call's reservation. `team_id` to `end_user` are whom it was for, as far as that is known. `estimated`:
    nobody has told what was used. `recorded_at` is when it came into the store.
    """

    cost_nano_usd: int | None
    price_version: str | None
    first_byte_ms: int | None
    duration_ms: int
    started_at: datetime
    recorded_at: Annotated[datetime, Field(validation_alias="created_at")]
    updated_at: datetime


class LedgerLine(RootModel[LedgerEntry | ndjson.ExportEnd]):
    """A line of an export: a call, or the end of this body."""


async def list_ledger(call: Call[None, LedgerQuery]) -> Listing[LedgerEntry] | Response:
    """List calls to models, newest first. All that was settled before this request is in it."""
    if ndjson.MEDIA_TYPE in (call.request.headers.get("accept") or "").lower():
        if "limit" in call.query.model_fields_set:
            raise BadRequest(f"{ndjson.MEDIA_TYPE} has no pages: leave `limit` out.", param="limit")
        return await export_ledger(call)
    return await _page(call, call.query, call.query.filter())


async def list_records(call: Call[None, DaysQuery]) -> Listing[LedgerEntry]:
    """List calls to models, newest first."""
    query = call.query
    start, end = days(query.start, query.to, call.parts.clock.now().date())
    return await _page(call, query, LedgerFilter(start, end, query.model, query.key_id))


async def get_entry(call: Plain) -> LedgerEntry:
    """Show one call."""
    record_id = call.path["id"]
    await call.parts.gates.flush(call.org_id)
    row = (
        await ledger.find(call.parts.database, call.parts.archive, call.org_id, record_id) if is_id(record_id) else None
    )
    if row is None:
        raise NotFound("There is no such record.")
    return LedgerEntry.model_validate(row)


async def export_ledger(call: Call[None, LedgerExportQuery] | Call[None, LedgerQuery]) -> Response:
    """Stream calls, oldest first, one JSON object a line."""
    wanted, database = call.query.filter(), call.parts.database
    [kind, *cursor] = decode_cursor(call.query.cursor, [_EXPORT, "", ""])
    after = _place(cursor, FIRST_MOMENT)
    if kind != _EXPORT:
        raise BadRequest("The cursor is not one of an export.", param="cursor")
    call.request.share.claim(ndjson.HELD_BYTES)
    await call.parts.gates.flush(call.org_id)

    async def read(place: Place) -> Records:
        return await ledger.oldest(database, call.parts.archive, call.org_id, wanted, place, ledger.EXPORT_ROWS)

    # Before the answer begins: where the store is away, that is an error and no broken body.
    first = await read(after)
    return ndjson.export(call.parts.streams, call.request, "ledger.ndjson", _parts(following(database, first, read)))


async def verify_ledger(call: Plain) -> LedgerCheck:
    """Compare each budget's counter with the ledger."""
    call.request.share.claim(ledger_check.HELD_BYTES)
    return LedgerCheck.of(await ledger_check.check_organisation(call.parts, call.org_id))


async def _page(call: Call[Any, Any], query: PageQuery, wanted: LedgerFilter) -> Listing[LedgerEntry]:
    before = _place(decode_cursor(query.cursor, ["", AFTER_ALL]), LAST_MOMENT)
    await call.parts.gates.flush(call.org_id)
    found = await ledger.newest(call.parts.database, call.parts.archive, call.org_id, wanted, before, query.limit)
    cursor = encode_cursor(_texts(found.next)) if found.next else None
    return Listing([LedgerEntry.model_validate(row) for row in found.rows], cursor)


async def _parts(found: AsyncIterator[Records]) -> AsyncIterator[ndjson.Part]:
    async for some in found:
        cursor = encode_cursor([_EXPORT, *_texts(some.next)]) if some.next else None
        yield ndjson.Part(map(LedgerEntry.model_validate, some.rows), cursor)


def _texts(place: Place) -> list[str]:
    return [time_text(place[0]), place[1]]


def _place(cursor: Sequence[str], otherwise: datetime) -> Place:
    """Read a start time and an id out of a cursor; without a time it is `otherwise`."""
    try:
        time = datetime.fromisoformat(cursor[0]).astimezone(UTC) if cursor[0] else otherwise
    except (ValueError, OverflowError):
        raise BadRequest("The cursor is not one of ours.", param="cursor") from None
    return time, cursor[1]


ROUTES = [
    read(
        "/api/v1/ledger",
        Permission.LEDGER_READ,
        list_ledger,
        "List calls to models",
        f"Newest first; all time where nothing is said. `Accept: {ndjson.MEDIA_TYPE}` asks for the export.",
        http=ndjson.WHY,
        returns=Page(LedgerEntry),
    ),
    read(
        "/api/v1/ledger/export",
        Permission.LEDGER_READ,
        export_ledger,
        "Export calls to models",
        "What matches, oldest first, one JSON object a line (NDJSON). The last line is"
        ' `{"meta": {"next_cursor": …}}`: null where the export is whole, else ask again with `cursor`. A body'
        " without that line broke off: ask again.",
        media_type=ndjson.MEDIA_TYPE,
        http=ndjson.WHY,
        returns=LedgerLine,
    ),
    read("/api/v1/ledger/{id}", Permission.LEDGER_READ, get_entry, "Show a call to a model"),
    act(
        "/api/v1/ledger/actions/verify",
        Permission.LEDGER_READ,
        verify_ledger,
        "Compare the budgets' counters with the ledger",
        "Nothing is changed. `docs/ledger.md` says what is compared, and what each verdict means.",
    ),
    read(
        "/api/v1/usage/records",
        Permission.USAGE_READ,
        list_records,
        "List calls to models of some days",
        "The same records as `/api/v1/ledger`; the last 30 days where nothing is said.",
    ),
]
