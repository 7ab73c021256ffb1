"""The deployment's signing keys in the store: public halves as they are published, private ones sealed."""

from __future__ import annotations

from dataclasses import astuple
from datetime import datetime

from lib.store.database import Database
from lib.store.rows import columns
from lib.store.schema import SigningKeyRow
from lib.store.tenant import EveryOrg

_KEY = columns(SigningKeyRow)
_SCOPE = EveryOrg("signing_keys")


async def keys(database: Database, now: datetime) -> list[SigningKeyRow]:
    """Return the keys that are published at `now`, those that will sign last first."""
    sql = f"SELECT {_KEY} FROM signing_keys WHERE expires_at > ? ORDER BY signs_from_at DESC, id DESC"
    return await database.query(_SCOPE, SigningKeyRow, sql, now)


async def insert(database: Database, row: SigningKeyRow) -> None:
    """Write a new key."""
    sql = (
        "INSERT INTO signing_keys (id, algorithm, public_jwk, private_sealed, signs_from_at, signs_until_at,"
        " expires_at, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
    )
    await database.execute(_SCOPE, sql, *astuple(row))


async def purge(database: Database, now: datetime) -> int:
    """Delete keys that are published no more; return how many."""
    return await database.execute(_SCOPE, "DELETE FROM signing_keys WHERE expires_at <= ?", now)
