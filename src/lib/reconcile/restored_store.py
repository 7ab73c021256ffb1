"""In the store: which calls the ledger knows, and keys for those that it has lost together with their keys."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from lib.kernel.ids import new_id
from lib.store.database import Database
from lib.store.tenant import Org

# What is shown of a key that nobody holds, as that of a member's own calls.
PREFIX = "hg_(before)"
NAME = "Lost in a restore"
NOBODYS = "Calls whose key was lost in a restore"


@dataclass(frozen=True, slots=True)
class _Id:
    id: str


async def known(database: Database, org_id: str, call_ids: Sequence[str]) -> set[str]:
    """Return those of the calls of which the ledger has a record."""
    asked = database.dialect.json_rows("?2", {"id": str})
    sql = f"SELECT id FROM usage_records WHERE org_id = ?1 AND id IN (SELECT asked.id FROM {asked} AS asked)"
    rows = await database.query(Org(org_id), _Id, sql, org_id, json.dumps([{"id": call_id} for call_id in call_ids]))
    return {row.id for row in rows}


async def keep_keys(database: Database, org_id: str, key_ids: Sequence[str], now: datetime) -> None:
    """Have a key of each id: revoked, and of no secret, where there is none any more."""
    for key_id in key_ids:
        await _insert(database, org_id, key_id, NAME, now)


async def nobodys_key(database: Database, org_id: str, now: datetime) -> str:
    """Return the id of the organisation's key for calls of which nobody knows the key."""
    sql = "SELECT id FROM api_keys WHERE org_id = ?1 AND kind = 'server' AND name = ?2 AND prefix = ?3 LIMIT 1"
    found = await database.one(Org(org_id), _Id, sql, org_id, NOBODYS, PREFIX)
    if found is not None:
        return found.id
    key_id = new_id(now)
    await _insert(database, org_id, key_id, NOBODYS, now)
    return key_id


async def _insert(database: Database, org_id: str, key_id: str, name: str, now: datetime) -> None:
    await database.execute(
        Org(org_id),
        "INSERT INTO api_keys (id, org_id, name, prefix, secret_hash, scopes, revoked_at, created_at, updated_at)"
        " VALUES (?1, ?2, ?3, ?4, ?5, '[]', ?6, ?6, ?6) ON CONFLICT (id) DO NOTHING",
        key_id,
        org_id,
        name,
        PREFIX,
        secrets.token_hex(32),  # of nothing that anybody could present
        now,
    )
