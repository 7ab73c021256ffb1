"""Where single records go that have become too old for the store, and what they look like there."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Protocol

from lib.admission.day_sums import day_of
from lib.store.dialect import time_text
from lib.store.schema import UsageRecordRow

_NAMES = [field.name for field in fields(UsageRecordRow)]


class ArchiveUnavailable(Exception):
    """The archive can't be reached, or has refused; the message says how. An object may be there all the same."""


class Archive(Protocol):
    """Objects by name."""

    async def put(self, name: str, body: bytes) -> None:
        """Write an object whole, in place of one of the same name. Raises ArchiveUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Export:
    """One object of the archive: gzipped NDJSON, a usage record a line."""

    name: str
    body: bytes


def export(records: Sequence[UsageRecordRow]) -> Export:
    """Return the object for records of one organisation and one UTC day, of which there is at least one.

    The same records give the same name and the same bytes, and others never the same name: who repeats an export
    overwrites what he wrote, and nobody else's.
    """
    first, last = records[0], records[-1]
    text = "".join(map(_line, records)).encode()
    digest = hashlib.sha256(text).hexdigest()[:16]
    name = f"ledger/{first.org_id}/{day_of(first.started_at)}/{first.id}-{last.id}-{digest}.ndjson.gz"
    return Export(name, gzip.compress(text, mtime=0))


def _line(record: UsageRecordRow) -> str:
    values = {name: getattr(record, name) for name in _NAMES}
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"), default=_time) + "\n"


def _time(value: datetime) -> str:
    return time_text(value)
