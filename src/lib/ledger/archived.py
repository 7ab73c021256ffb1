"""Records in the archive, found and read: `usage_objects` has a row for each object, and tells what lies between.

A record of the store that has moved is in exactly one of these objects.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lib.kernel import failures
from lib.kernel.failures import Failure
from lib.kernel.ids import milliseconds_of
from lib.ledger.archive import Archive, ArchiveUnavailable, Export, lines, name_of, record_of
from lib.ledger.day_sums import day_of
from lib.store.database import Database, Statement, StoreUnavailable
from lib.store.dialect import Dialect, time_text
from lib.store.reading import Found, cut
from lib.store.rows import columns
from lib.store.schema import UsageObjectRow, UsageRecordRow
from lib.store.tenant import Org

Place = tuple[datetime, str]  # a start time and an id: what the ledger is sorted by

# What one page looks at: some tenths of a second of an isolate. Beyond them it is short, and the next goes on.
MOST_RECORDS = 20_000
MOST_OBJECTS = 20
# So many rows are read to choose from: of objects with a few records, late ones, several may lie at one moment.
_MOST_LISTED = 200
_COLUMNS = columns(UsageObjectRow)
_TYPES: dict[str, type] = {
    "day": str, "name": str, "first_at": datetime, "last_at": datetime, "low_id": str, "high_id": str, "records": int
}  # fmt: skip
_UNMOVED = "EXISTS (SELECT 1 FROM usage_marks WHERE usage_marks.org_id = ?2 AND usage_marks.moves = ?4)"
_MOMENT = timedelta(microseconds=1)
_DAY = timedelta(days=1)
_FAR_FUTURE = 2**37  # seconds: an id may name a time that no calendar has


@dataclass(frozen=True, slots=True)
class Span:
    """Records from a place on, which is not among them itself, to a far one; newest first or oldest first."""

    start: Place
    far: Place
    newest_first: bool

    @property
    def ends(self) -> tuple[Place, Place]:
        """Return the earlier end and the later one."""
        return (self.far, self.start) if self.newest_first else (self.start, self.far)

    def beyond(self, edge: Place, place: Place) -> bool:
        """Tell whether one comes to `place` before `edge`."""
        return edge < place if self.newest_first else edge > place


async def page(
    database: Database,
    archive: Archive | None,
    org_id: str,
    span: Span,
    wanted: Callable[[UsageRecordRow], bool],
    limit: int,
) -> Found[UsageRecordRow, Place]:
    """Return records of a span, in its order. Raises the store's errors, also where the archive is away."""
    most = _MOST_LISTED
    while _stands(listed := await _listed(database, org_id, span, most), most, span):
        most *= 2
    rows: list[UsageRecordRow] = []
    edge: Place | None = None
    looked = 0
    for number, found in enumerate(listed):
        edge = _edge(found, span)
        known = sum(span.beyond(edge, _place(row)) for row in rows)
        enough = looked >= MOST_RECORDS or number >= MOST_OBJECTS
        if known > limit or (enough and span.beyond(edge, span.start)):
            break
        rows += _matching(await _read(archive, found), span, wanted, limit + 1)
        looked += found.records
    else:
        edge = _edge(listed[-1], span) if len(listed) == most else None
    whole = [row for row in rows if edge is None or span.beyond(edge, _place(row))]
    return cut(sorted(whole, key=_place, reverse=span.newest_first), limit, _place, edge)


@dataclass(frozen=True, slots=True)
class Held:
    """An object: all of its lines, and by id those of its records that were asked for."""

    row: UsageObjectRow
    text: Sequence[str]
    records: Mapping[str, UsageRecordRow]


async def find(database: Database, archive: Archive | None, org_id: str, record_id: str) -> UsageRecordRow | None:
    """Return one record; None where no object has it. Its id tells on which day it began, but for a day."""
    at = datetime.fromtimestamp(min((milliseconds_of(record_id) or 0) // 1000, _FAR_FUTURE), UTC)
    found = await named(database, archive, org_id, (day_of(at - _DAY), day_of(at + _DAY)), {record_id})
    return next((held.records[record_id] for held in found), None)


async def named(
    database: Database, archive: Archive | None, org_id: str, days: tuple[str, str], ids: set[str]
) -> list[Held]:
    """Return the objects of some days that hold records with one of these ids.

    Only those records are parsed: all of an object take three times the memory of its text, and there may be several.
    """
    listed = await database.query(
        Org(org_id),
        UsageObjectRow,
        f"SELECT {_COLUMNS} FROM usage_objects WHERE org_id = ?1 AND day >= ?2 AND day <= ?3"
        " AND low_id <= ?4 AND high_id >= ?5",
        org_id,
        *days,
        max(ids),
        min(ids),
    )
    names = sorted(ids)
    held: list[Held] = []
    for row in listed:
        if bisect_left(names, row.low_id) < bisect_right(names, row.high_id):
            text = await _read(archive, row)
            records = {name: record_of(line) for line in text if (name := json.loads(line)["id"]) in ids}
            if records:
                held.append(Held(row, text, records))
    return held


def told(dialect: Dialect, exported: Export, moves: int, now: datetime) -> Statement:
    """Return what notes an object, unless something has moved since `moves` was read."""
    row = {name: getattr(exported.row, name) for name in _TYPES}
    text = json.dumps([row], default=time_text)
    come = dialect.json_rows("?1", _TYPES)
    return Statement(
        f"INSERT INTO usage_objects (org_id, {', '.join(_TYPES)}, created_at, updated_at)"
        f" SELECT ?2, {', '.join(f'come.{name}' for name in _TYPES)}, ?3, ?3 FROM {come} AS come WHERE {_UNMOVED}"
        " ON CONFLICT (org_id, day, name) DO NOTHING",
        (text, exported.row.org_id, now, moves),
    )


def untold(row: UsageObjectRow, moves: int) -> Statement:
    """Return what forgets an object, in the same case."""
    return Statement(
        f"DELETE FROM usage_objects WHERE org_id = ?2 AND day = ?1 AND name = ?3 AND {_UNMOVED}",
        (row.day, row.org_id, row.name, moves),
    )


def _stands(listed: Sequence[UsageObjectRow], most: int, span: Span) -> bool:
    """Tell whether a page of these could not go on from where it starts: all may have records there, and more too."""
    return len(listed) == most and not span.beyond(_edge(listed[-1], span), span.start)


async def _listed(database: Database, org_id: str, span: Span, most: int) -> Sequence[UsageObjectRow]:
    low, high = span.ends
    order = "day DESC, last_at DESC" if span.newest_first else "day ASC, first_at ASC"
    return await database.query(
        Org(org_id),
        UsageObjectRow,
        f"SELECT {_COLUMNS} FROM usage_objects WHERE org_id = ?1 AND day >= ?2 AND day <= ?3"
        f" AND last_at >= ?4 AND first_at <= ?5 ORDER BY {order} LIMIT ?6",
        org_id,
        day_of(low[0]),
        day_of(high[0]),
        low[0],
        high[0],
        most,
    )


async def _read(archive: Archive | None, row: UsageObjectRow) -> list[str]:
    """Return an object's lines. Who deletes an object deletes its records."""
    if archive is None:
        raise StoreUnavailable("wrangler.toml binds no ARCHIVE, where records are")
    try:
        body = await archive.get(name_of(row))
    except ArchiveUnavailable as error:
        failures.note(Failure.ARCHIVE_AWAY, str(error))
        raise StoreUnavailable(f"the archive: {error}") from None
    return [] if body is None else lines(body)


def _matching(
    text: Sequence[str], span: Span, wanted: Callable[[UsageRecordRow], bool], most: int
) -> list[UsageRecordRow]:
    """Return the first of an object's records that lie in a span. Only those that are looked at are parsed."""
    low, high = map(_text, span.ends)
    after_low = bisect_left if span.newest_first else bisect_right  # where one starts is not among them
    reach = range(after_low(text, low, key=_line_place), bisect_left(text, high, key=_line_place))
    rows: list[UsageRecordRow] = []
    for at in reversed(reach) if span.newest_first else reach:
        row = record_of(text[at])
        if wanted(row):
            rows.append(row)
        if len(rows) == most:
            break
    return rows


def _edge(found: UsageObjectRow, span: Span) -> Place:
    """Return a place up to which nothing is in an object."""
    return (found.last_at + _MOMENT, "") if span.newest_first else (found.first_at, "")


def _place(row: UsageRecordRow) -> Place:
    return row.started_at, row.id


def _text(place: Place) -> tuple[str, str]:
    return time_text(place[0]), place[1]


def _line_place(line: str) -> tuple[str, str]:
    values = json.loads(line)
    return values["started_at"], values["id"]
