"""Move finished records from a gate's outbox into the store."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from functools import cache
from typing import get_args, get_type_hints

from lib.admission.usage_record import UsageRecord
from lib.store.database import Database, Statement
from lib.store.dialect import Dialect
from lib.store.schema import UsageRecordRow
from lib.store.scope import Org

_CORRECTED = [
    "cause", "status", "estimated", "input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens",
    "cost_nano_usd", "price_version", "first_byte_ms", "duration_ms", "updated_at",
]  # fmt: skip


def _column_types() -> dict[str, type]:
    """Return the type of each column that a record brings along. Whose it is, its gate says."""
    hints = get_type_hints(UsageRecordRow)
    names = [field.name for field in fields(UsageRecord) if field.name != "org_id"]
    return {name: next(iter(get_args(hints[name])), hints[name]) for name in names}


_COLUMNS = _column_types()


@cache
def _insert(dialect: Dialect) -> str:
    """Return the statement that writes records.

    The batch is one parameter, so that a statement stays far below D1's limit of 100 however many rows it writes.
    A record that is there already is left alone, unless it was written for a request that had been given up.
    """
    return (
        f"INSERT INTO usage_records (org_id, {', '.join(_COLUMNS)}, created_at, updated_at)"
        f" SELECT ?2, {', '.join(f'sent.{name}' for name in _COLUMNS)}, ?3, ?3"
        f" FROM {dialect.json_rows('?1', _COLUMNS)} AS sent WHERE true"
        f" ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _CORRECTED)}"
        " WHERE usage_records.org_id = excluded.org_id AND usage_records.cause = 'lost' AND excluded.cause <> 'lost'"
    )


@cache
def _touch_keys(dialect: Dialect) -> str:
    """Return the statement that notes when keys were last used."""
    sent = dialect.json_rows("?1", {name: _COLUMNS[name] for name in ("key_id", "started_at")})
    return (
        "UPDATE api_keys SET last_used_at = used.at"
        f" FROM (SELECT sent.key_id, max(sent.started_at) AS at FROM {sent} AS sent GROUP BY 1) AS used"
        " WHERE api_keys.org_id = ?2 AND api_keys.id = used.key_id"
        " AND (api_keys.last_used_at IS NULL OR api_keys.last_used_at < used.at)"
    )


async def deliver(database: Database, org_id: str, records: str, now: datetime) -> None:
    """Write an organisation's records, a JSON array, all or none; note when their keys were last used.

    Writing one again is harmless. Raises the store's errors; the caller keeps the records and tries again.
    """
    dialect = database.dialect
    await database.batch(
        Org(org_id),
        [Statement(_insert(dialect), (records, org_id, now)), Statement(_touch_keys(dialect), (records, org_id))],
    )
