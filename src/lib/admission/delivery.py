"""Records on their last step, from a gate or the queue into the store: each once, and none held up by another."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from lib.admission import usage_store
from lib.admission.archive import Archive
from lib.admission.day_sums import SETTLED_AFTER
from lib.admission.late_records import deliver_late
from lib.admission.usage_store import Record, json_text
from lib.store.database import Database, StoreError, StoreUnavailable
from lib.store.dialect import time_text

# A day's records stay where they are for `SETTLED_AFTER`. By so much may clocks differ.
LATE_AFTER = SETTLED_AFTER - timedelta(hours=1)

Refused = list[tuple[Record, StoreError]]


async def deliver_what_fits(
    database: Database, archive: Archive | None, org_id: str, records: Sequence[Record], now: datetime
) -> Refused:
    """Write records; return those that the store refuses for good, with its reasons.

    One that is refused must not hold up the others: what is refused together is tried in halves. No id may be in it
    twice. Raises StoreUnavailable; then some may have been written.
    """
    late = time_text(now - LATE_AFTER)

    async def in_time(some: Sequence[Record]) -> None:
        await usage_store.deliver(database, org_id, json_text(some), now)

    async def too_late(some: Sequence[Record]) -> None:
        await deliver_late(database, archive, org_id, some, now)

    return [
        *await _halves(in_time, [record for record in records if record["started_at"] >= late]),
        *await _halves(too_late, [record for record in records if record["started_at"] < late]),
    ]


async def _halves(write: Callable[[Sequence[Record]], Awaitable[None]], records: Sequence[Record]) -> Refused:
    if not records:
        return []
    try:
        await write(records)
    except StoreUnavailable:
        raise
    except StoreError as error:
        if len(records) == 1:
            return [(records[0], error)]
        middle = len(records) // 2
        return [*await _halves(write, records[:middle]), *await _halves(write, records[middle:])]
    return []
