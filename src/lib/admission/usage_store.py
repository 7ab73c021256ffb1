"""Move finished records from a gate's outbox into the store."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime

from lib.admission.usage_record import UsageRecord
from lib.store.database import Database, Statement

_COLUMNS = [field.name for field in fields(UsageRecord)]
_CORRECTED = [
    "cause", "status", "estimated", "input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens",
    "cost_nano_usd", "price_version", "first_byte_ms", "duration_ms", "updated_at",
]  # fmt: skip

# The batch is one parameter, so that a statement stays far below D1's limit of 100 however many rows it writes.
# A record that is there already is left alone, unless it was written for a request that had been given up.
_INSERT = (
    f"INSERT INTO usage_records ({', '.join(_COLUMNS)}, created_at, updated_at)"
    f" SELECT {', '.join(f'value ->> {name!r}' for name in _COLUMNS)}, ?2, ?2 FROM json_each(?1) WHERE true"
    f" ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _CORRECTED)}"
    " WHERE usage_records.cause = 'lost' AND excluded.cause <> 'lost'"
)
_TOUCH_KEYS = (
    "UPDATE api_keys SET last_used_at = used.at FROM"
    " (SELECT value ->> 'key_id' AS key_id, max(value ->> 'started_at') AS at FROM json_each(?1) GROUP BY 1) AS used"
    " WHERE api_keys.id = used.key_id AND coalesce(api_keys.last_used_at, '') < used.at"
)


async def deliver(database: Database, records: str, now: datetime) -> None:
    """Write records, a JSON array, all or none; note when their keys were last used. Writing one again is harmless.

    Raises the store's errors; the caller keeps the records and tries again.
    """
    await database.batch([Statement(_INSERT, (records, now)), Statement(_TOUCH_KEYS, (records,))])
