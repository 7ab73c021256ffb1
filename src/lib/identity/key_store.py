"""API keys in the store. Every statement names the organisation, but for the look-up by what somebody presents."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lib.identity.models import Principal
from lib.store.database import Database, Read, Statement
from lib.store.rows import columns
from lib.store.scope import Org, Presented


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key as its organisation may see it: never its hash."""

    id: str
    name: str
    prefix: str
    scopes: frozenset[str]
    version: int
    expires_at: datetime | None
    revoked_at: datetime | None
    replaced_by_key_id: str | None
    last_used_at: datetime | None
    created_at: datetime
    updated_at: datetime


_COLUMNS = columns(KeyRow)


@dataclass(frozen=True, slots=True)
class NewKey:
    """What is written when a key is made."""

    id: str
    org_id: str
    created_by_key_id: str | None
    name: str
    prefix: str
    secret_hash: str
    scopes_json: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class _PrincipalRow:
    id: str
    org_id: str
    scopes: frozenset[str]
    expires_at: datetime | None


async def find_principal(database: Database, secret_hash: str) -> Principal | None:
    """Return who a key speaks for, or None when there is no such key or it is revoked. It may have expired."""
    row = await database.one(
        Presented(secret_hash),
        _PrincipalRow,
        "SELECT id, org_id, scopes, expires_at FROM api_keys WHERE secret_hash = ? AND revoked_at IS NULL",
        secret_hash,
    )
    return Principal(row.org_id, row.id, row.scopes, row.expires_at) if row else None


async def list_keys(database: Database, org_id: str, after: str, limit: int) -> list[KeyRow]:
    """Return keys with an id below `after`, newest first."""
    return await database.query(
        Org(org_id),
        KeyRow,
        f"SELECT {_COLUMNS} FROM api_keys WHERE org_id = ? AND id < ? ORDER BY id DESC LIMIT ?",
        org_id,
        after,
        limit,
        read=Read.RECENT,
    )


async def get_key(database: Database, org_id: str, key_id: str) -> KeyRow | None:
    """Return one key, or None when the organisation has none of this id."""
    return await database.one(
        Org(org_id),
        KeyRow,
        f"SELECT {_COLUMNS} FROM api_keys WHERE org_id = ? AND id = ?",
        org_id,
        key_id,
    )


def insert(key: NewKey, now: datetime) -> Statement:
    """Return the statement that writes a new key."""
    return Statement(
        "INSERT INTO api_keys (id, org_id, created_by_key_id, name, prefix, secret_hash, scopes, expires_at,"
        " created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)",
        (
            key.id, key.org_id, key.created_by_key_id, key.name, key.prefix, key.secret_hash, key.scopes_json,
            key.expires_at, now,
        ),
    )  # fmt: skip


def replace_statements(
    org_id: str, old_id: str, version: int, new: NewKey, ends: datetime, now: datetime
) -> list[Statement]:
    """Return the atomic group that makes `new` and lets the old key end at `ends`, or earlier if it did already.

    When the old key is no longer at `version`, the new one is not made: its insert selects from the old row.
    """
    return [
        Statement(
            "INSERT INTO api_keys (id, org_id, created_by_key_id, name, prefix, secret_hash, scopes, expires_at,"
            " created_at, updated_at) SELECT ?1, org_id, ?2, name, ?3, ?4, scopes, expires_at, ?5, ?5 FROM api_keys"
            " WHERE org_id = ?6 AND id = ?7 AND version = ?8 AND revoked_at IS NULL",
            (new.id, new.created_by_key_id, new.prefix, new.secret_hash, now, org_id, old_id, version),
        ),
        Statement(
            "UPDATE api_keys SET expires_at = CASE WHEN expires_at < ?1 THEN expires_at ELSE ?1 END,"
            " replaced_by_key_id = ?2, version = version + 1, updated_at = ?3"
            " WHERE org_id = ?4 AND id = ?5 AND version = ?6 AND revoked_at IS NULL",
            (ends, new.id, now, org_id, old_id, version),
        ),
    ]


async def update_key(
    database: Database, org_id: str, key_id: str, version: int, name: str, expires_at: datetime | None, now: datetime
) -> bool:
    """Change a key that is still at `version`; tell whether it was."""
    changed = await database.execute(
        Org(org_id),
        "UPDATE api_keys SET name = ?, expires_at = ?, version = version + 1, updated_at = ?"
        " WHERE org_id = ? AND id = ? AND version = ? AND revoked_at IS NULL",
        name,
        expires_at,
        now,
        org_id,
        key_id,
        version,
    )
    return changed > 0


async def revoke_key(database: Database, org_id: str, key_id: str, now: datetime) -> None:
    """Revoke a key. A key that is revoked already keeps its first date."""
    await database.execute(
        Org(org_id),
        "UPDATE api_keys SET revoked_at = ?1, version = version + 1, updated_at = ?1"
        " WHERE org_id = ?2 AND id = ?3 AND revoked_at IS NULL",
        now,
        org_id,
        key_id,
    )
