"""Refresh tokens and revoked access tokens in the store. A family is what came of one sign-in."""

from __future__ import annotations

from datetime import datetime

from lib.store.database import Database, Statement
from lib.store.rows import columns
from lib.store.schema import RefreshTokenRow
from lib.store.tenant import EveryOrg, Person, Presented

_REFRESH = columns(RefreshTokenRow)


async def find(database: Database, secret_hash: str) -> RefreshTokenRow | None:
    """Return the refresh token that somebody presents, used and revoked ones too, or None."""
    sql = f"SELECT {_REFRESH} FROM refresh_tokens WHERE secret_hash = ?"
    return await database.one(Presented(secret_hash), RefreshTokenRow, sql, secret_hash)


def insert(row: RefreshTokenRow, epoch: int) -> Statement:
    """Return the statement that writes the first refresh token of a family, for who has signed in in this epoch."""
    return Statement(
        "INSERT INTO refresh_tokens (id, user_id, family_id, active_org_id, secret_hash, expires_at, created_at,"
        " updated_at) SELECT ?1, users.id, ?3, ?4, ?5, ?6, ?7, ?7 FROM users WHERE users.id = ?2 AND users.epoch = ?8",
        (row.id, row.user_id, row.family_id, row.active_org_id, row.secret_hash, row.expires_at, row.created_at, epoch),
    )


async def rotate(
    database: Database, old: RefreshTokenRow, new_id: str, secret_hash: str, org_id: str | None, now: datetime
) -> bool:
    """Use a refresh token up and write the next of its family; tell whether it was the first use.

    The next is made of the old row while that is unused, in one group: of two uses at once, one makes it.
    """
    group = [
        Statement(
            "INSERT INTO refresh_tokens (id, user_id, family_id, active_org_id, secret_hash, expires_at, created_at,"
            " updated_at) SELECT ?1, user_id, family_id, ?2, ?3, expires_at, ?4, ?4 FROM refresh_tokens"
            " WHERE user_id = ?5 AND id = ?6 AND used_at IS NULL AND revoked_at IS NULL",
            (new_id, org_id, secret_hash, now, old.user_id, old.id),
        ),
        Statement(
            "UPDATE refresh_tokens SET used_at = ?1, updated_at = ?1"
            " WHERE user_id = ?2 AND id = ?3 AND used_at IS NULL AND revoked_at IS NULL",
            (now, old.user_id, old.id),
        ),
    ]
    made, _ = await database.batch(Person(old.user_id), group)
    return made > 0


def revoke_family(user_id: str, family_id: str, now: datetime) -> Statement:
    """Return the statement that ends a family: its refresh tokens, and with them its access tokens."""
    return Statement(
        "UPDATE refresh_tokens SET revoked_at = ?1, updated_at = ?1"
        " WHERE user_id = ?2 AND family_id = ?3 AND revoked_at IS NULL",
        (now, user_id, family_id),
    )


def revoke_access(user_id: str, jti_hash: str, expires_at: datetime, now: datetime) -> Statement:
    """Return the statement that ends one access token before its time."""
    return Statement(
        "INSERT INTO revoked_tokens (user_id, jti_hash, expires_at, created_at, updated_at)"
        " VALUES (?1, ?2, ?3, ?4, ?4) ON CONFLICT (user_id, jti_hash) DO NOTHING",
        (user_id, jti_hash, expires_at, now),
    )


async def purge(database: Database, before: datetime) -> int:
    """Delete what ended before; return how many rows."""
    refresh = await database.execute(
        EveryOrg("refresh_tokens"), "DELETE FROM refresh_tokens WHERE expires_at < ?", before
    )
    revoked = await database.execute(
        EveryOrg("revoked_tokens"), "DELETE FROM revoked_tokens WHERE expires_at < ?", before
    )
    return refresh + revoked
