"""Move finished records from a gate's outbox into the store, and keep the sums of their days true."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from typing import Any, get_args, get_type_hints

from lib.ledger.day_sums import FIRST_DAY
from lib.ledger.usage import TOKENS
from lib.ledger.usage_record import UsageRecord
from lib.store.database import Database, Statement
from lib.store.dialect import Dialect
from lib.store.schema import UsageRecordRow
from lib.store.tenant import Org

Record = Mapping[str, Any]  # the members of a `UsageRecord`

CORRECTED = (
    "cause", "status", "estimated", *TOKENS, "cost_nano_usd", "price_version", "first_byte_ms", "duration_ms",
)  # fmt: skip


def _column_types() -> dict[str, type]:
    """Return the type of each column that a record brings along. Whose it is, its gate says."""
    hints = get_type_hints(UsageRecordRow)
    names = [field.name for field in fields(UsageRecord) if field.name != "org_id"]
    return {name: next(iter(get_args(hints[name])), hints[name]) for name in names}


_COLUMNS = _column_types()


@cache
def insert(dialect: Dialect, condition: str = "true") -> str:
    """Return the statement that writes records, where a condition of ours holds.

    The batch is one parameter, so that a statement stays far below D1's limit of 100 however many rows it writes.
    A record that is there already is left alone, unless it was written for a request that had been given up. One that
    an older Worker has written counts none of what it did not know.
    """
    sent = ", ".join(f"coalesce(sent.{name}, 0)" if name in TOKENS else f"sent.{name}" for name in _COLUMNS)
    corrected = ", ".join(f"{name} = excluded.{name}" for name in (*CORRECTED, "updated_at"))
    return (
        f"INSERT INTO usage_records (org_id, {', '.join(_COLUMNS)}, created_at, updated_at)"
        f" SELECT ?2, {sent}, ?3, ?3"
        f" FROM {dialect.json_rows('?1', _COLUMNS)} AS sent WHERE {condition}"
        f" ON CONFLICT (id) DO UPDATE SET {corrected}"
        " WHERE usage_records.org_id = excluded.org_id AND usage_records.cause = 'lost' AND excluded.cause <> 'lost'"
    )


@cache
def touch_keys(dialect: Dialect) -> str:
    """Return the statement that notes when keys were last used."""
    sent = dialect.json_rows("?1", {name: _COLUMNS[name] for name in ("key_id", "started_at")})
    return (
        "UPDATE api_keys SET last_used_at = used.at"
        f" FROM (SELECT sent.key_id, max(sent.started_at) AS at FROM {sent} AS sent GROUP BY 1) AS used"
        " WHERE api_keys.org_id = ?2 AND api_keys.id = used.key_id"
        " AND (api_keys.last_used_at IS NULL OR api_keys.last_used_at < used.at)"
    )


@cache
def set_back(dialect: Dialect) -> str:
    """Return the statement that has the days of late records summed anew, from their begin."""
    sent, day = dialect.json_rows("?1", {"started_at": datetime}), dialect.utc_day("sent.started_at")
    return (
        "UPDATE usage_marks SET summed_until = late.day, piece_ends_at = NULL, updated_at = ?3"
        f" FROM (SELECT min({day}) AS day, min(sent.started_at) AS at FROM {sent} AS sent"
        f" JOIN usage_marks AS marks ON marks.org_id = ?2 AND {day} >= marks.pruned_until) AS late"
        " WHERE usage_marks.org_id = ?2 AND (late.day < usage_marks.summed_until"
        " OR late.day = usage_marks.summed_until AND late.at < usage_marks.piece_ends_at)"
    )


@cache
def to_be_worked_on(dialect: Dialect) -> str:
    """Return the statement that tells the job of these records, where it does not know of older ones."""
    sent = dialect.json_rows("?1", {"started_at": datetime})
    told = ", ".join(
        f"{name} = CASE WHEN usage_marks.{name} <= excluded.{name} THEN usage_marks.{name} ELSE excluded.{name} END"
        for name in ("unsummed_at", "oldest_at")
    )
    return (
        "INSERT INTO usage_marks (org_id, summed_until, pruned_until, unsummed_at, oldest_at, created_at, updated_at)"
        f" SELECT ?2, '{FIRST_DAY}', '{FIRST_DAY}', min(sent.started_at), min(sent.started_at), ?3, ?3"
        f" FROM {sent} AS sent WHERE true"
        f" ON CONFLICT (org_id) DO UPDATE SET {told} WHERE coalesce(usage_marks.unsummed_at > excluded.unsummed_at"
        " OR usage_marks.oldest_at > excluded.oldest_at, true)"
    )


def json_text(records: Sequence[Record]) -> str:
    """Return records as the statements above take them."""
    return json.dumps(records, ensure_ascii=False)


async def deliver(database: Database, org_id: str, records: str, now: datetime) -> None:
    """Write an organisation's records, a JSON array, all or none; note when their keys were last used.

    They are of days that can still be summed; those that come later are `late_records.py`'s. No id may be in it twice.
    Writing a record again is harmless. Raises the store's errors; the caller keeps the records and tries again.
    """
    dialect = database.dialect
    await database.batch(
        Org(org_id),
        [
            Statement(insert(dialect), (records, org_id, now)),
            Statement(set_back(dialect), (records, org_id, now)),
            Statement(to_be_worked_on(dialect), (records, org_id, now)),
            Statement(touch_keys(dialect), (records, org_id)),
        ],
    )


@dataclass(frozen=True, slots=True)
class _Key:
    id: str


async def keys_of(database: Database, org_id: str, records: Sequence[Record]) -> set[str]:
    """Return which of the keys of some records the store knows."""
    sent = database.dialect.json_rows("?2", {"key_id": str})
    rows = await database.query(
        Org(org_id),
        _Key,
        f"SELECT id FROM api_keys WHERE org_id = ?1 AND id IN (SELECT sent.key_id FROM {sent} AS sent)",
        org_id,
        json_text([{"key_id": record["key_id"]} for record in records]),
    )
    return {row.id for row in rows}
