"""Records on their last step, from a gate or the queue into the store: each once, and none held up by another."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from lib.ledger import usage_store
from lib.ledger.archive import Archive
from lib.ledger.day_sums import SETTLED_AFTER
from lib.ledger.late_records import deliver_late
from lib.ledger.usage_store import Record, json_text
from lib.store.database import Database, ForeignKeyViolation, StoreError, StoreUnavailable
from lib.store.dialect import time_text

# A day's records stay where they are for `SETTLED_AFTER`. By so much may clocks differ.
LATE_AFTER = SETTLED_AFTER - timedelta(hours=1)

Refused = list[tuple[Record, StoreError]]


async def deliver_what_fits(
    database: Database, archive: Archive | None, org_id: str, records: Sequence[Record], now: datetime
) -> Refused:
    """Write records; return those that the store refuses for good, with its reasons.

    One that is refused must not hold up the others: those whose key is not there, which a store that was put back may
    have lost, are left out together; what is refused else is tried in halves. No id may be in it twice. Raises
    StoreUnavailable; then some may have been written.
    """
    late = time_text(now - LATE_AFTER)

    async def known(some: Sequence[Record]) -> set[str]:
        return await usage_store.keys_of(database, org_id, some)

    async def in_time(some: Sequence[Record]) -> None:
        await usage_store.deliver(database, org_id, json_text(some), now)

    async def too_late(some: Sequence[Record]) -> None:
        await deliver_late(database, archive, org_id, some, now)

    return [
        *await _halves(in_time, known, [record for record in records if record["started_at"] >= late]),
        *await _halves(too_late, known, [record for record in records if record["started_at"] < late]),
    ]


async def _halves(
    write: Callable[[Sequence[Record]], Awaitable[None]],
    known: Callable[[Sequence[Record]], Awaitable[set[str]]],
    records: Sequence[Record],
) -> Refused:
    if not records:
        return []
    try:
        await write(records)
    except StoreUnavailable:
        raise
    except StoreError as error:
        if len(records) == 1:
            return [(records[0], error)]
        refused: Refused = []
        if isinstance(error, ForeignKeyViolation):
            keys = await known(records)
            refused = [(record, error) for record in records if record["key_id"] not in keys]
            records = [record for record in records if record["key_id"] in keys]
        middle = len(records) // 2
        for part in (records,) if refused else (records[:middle], records[middle:]):
            refused += await _halves(write, known, part)
        return refused
    return []
