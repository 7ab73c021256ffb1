"""Where records go that have left the store, and what they look like there."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Protocol

from lib.ledger.day_sums import day_of
from lib.ledger.usage import NO_TOKENS
from lib.store.dialect import time_text
from lib.store.schema import UsageObjectRow, UsageRecordRow

_NAMES = [field.name for field in fields(UsageRecordRow)]
_TIMES = ("started_at", "created_at", "updated_at")


class ArchiveUnavailable(Exception):
    """The archive can't be reached, or has refused; the message says how. An object may be there all the same."""


class Archive(Protocol):
    """Objects by name. Who has written one reads it from then on."""

    async def put(self, name: str, body: bytes) -> None:
        """Write an object whole, in place of one of the same name. Raises ArchiveUnavailable."""
        ...

    async def get(self, name: str) -> bytes | None:
        """Return an object; None where there is none of this name. Raises ArchiveUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Export:
    """One object of the archive: gzipped NDJSON, a usage record a line, and the row that tells of it."""

    name: str
    body: bytes
    row: UsageObjectRow


def export(records: Sequence[UsageRecordRow], now: datetime) -> Export:
    """Return the object for records of one organisation and one UTC day, of which there is at least one, in order.

    The same records give the same name and the same bytes, and others never the same name: who repeats an export
    overwrites what he wrote, and nobody else's.
    """
    first, last = records[0], records[-1]
    text = "".join(map(_line, records)).encode()
    digest = hashlib.sha256(text).hexdigest()[:16]
    ids = [record.id for record in records]
    row = UsageObjectRow(
        org_id=first.org_id,
        day=day_of(first.started_at),
        name=f"{first.id}-{last.id}-{digest}.ndjson.gz",
        first_at=first.started_at,
        last_at=last.started_at,
        low_id=min(ids),
        high_id=max(ids),
        records=len(ids),
        created_at=now,
        updated_at=now,
    )
    return Export(name_of(row), gzip.compress(text, mtime=0), row)


def name_of(row: UsageObjectRow) -> str:
    """Return the name of the object that a row tells of."""
    return f"ledger/{row.org_id}/{row.day}/{row.name}"


def lines(body: bytes) -> list[str]:
    """Return the lines of an object: its records, in the order of their start times and ids."""
    return gzip.decompress(body).decode().split("\n")[:-1]


def record_of(line: str) -> UsageRecordRow:
    """Return the record of a line. A column that is younger than its object is None, or no tokens."""
    values: dict[str, Any] = {**dict.fromkeys(_NAMES), **NO_TOKENS, **json.loads(line)}
    for name in _TIMES:
        values[name] = datetime.fromisoformat(values[name])
    return UsageRecordRow(**values)


def _line(record: UsageRecordRow) -> str:
    values = {name: getattr(record, name) for name in _NAMES}
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"), default=_time) + "\n"


def _time(value: datetime) -> str:
    return time_text(value)
