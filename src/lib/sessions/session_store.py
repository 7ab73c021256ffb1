"""Browsers' sessions in the store: rows of a person, found by the hash of what its cookie holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lib.store.database import Database, Statement
from lib.store.rows import columns
from lib.store.schema import SessionRow
from lib.store.tenant import EveryOrg, Person


@dataclass(frozen=True, slots=True)
class ShownSession:
    """A session as its person may see it: never its hash."""

    id: str
    active_org_id: str | None
    user_agent: str | None
    address: str | None
    seen_at: datetime
    expires_at: datetime
    created_at: datetime


_SHOWN = columns(ShownSession)


def insert(row: SessionRow, epoch: int) -> Statement:
    """Return the statement that writes a new session, for who has signed in in the epoch that is."""
    return Statement(
        "INSERT INTO sessions (id, user_id, secret_hash, active_org_id, user_agent, address, seen_at, expires_at,"
        " created_at, updated_at) SELECT ?1, users.id, ?3, ?4, ?5, ?6, ?7, ?8, ?7, ?7 FROM users"
        " WHERE users.id = ?2 AND users.epoch = ?9",
        (
            row.id, row.user_id, row.secret_hash, row.active_org_id, row.user_agent, row.address, row.created_at,
            row.expires_at, epoch,
        ),
    )  # fmt: skip


def revoke(user_id: str, session_id: str, now: datetime) -> Statement:
    """Return the statement that ends a session."""
    return Statement(
        "UPDATE sessions SET revoked_at = ?1, updated_at = ?1 WHERE user_id = ?2 AND id = ?3 AND revoked_at IS NULL",
        (now, user_id, session_id),
    )


async def renew(
    database: Database, user_id: str, session_id: str, secret_hash: str, org_id: str | None, now: datetime
) -> bool:
    """Give a session another secret and another active organisation; tell whether it was still there."""
    changed = await database.execute(
        Person(user_id),
        "UPDATE sessions SET secret_hash = ?1, active_org_id = ?2, seen_at = ?3, updated_at = ?3"
        " WHERE user_id = ?4 AND id = ?5 AND revoked_at IS NULL",
        secret_hash,
        org_id,
        now,
        user_id,
        session_id,
    )
    return changed > 0


async def touch(database: Database, user_id: str, session_id: str, now: datetime) -> None:
    """Note that a session is in use."""
    await database.execute(
        Person(user_id),
        "UPDATE sessions SET seen_at = ?1, updated_at = ?1 WHERE user_id = ?2 AND id = ?3",
        now,
        user_id,
        session_id,
    )


async def list_sessions(
    database: Database, user_id: str, now: datetime, idle_since: datetime, before: str, most: int
) -> list[ShownSession]:
    """Return a person's live sessions with an id below `before`, newest first."""
    sql = (
        f"SELECT {_SHOWN} FROM sessions WHERE user_id = ?1 AND id < ?2 AND revoked_at IS NULL AND expires_at > ?3"
        " AND seen_at > ?4 ORDER BY id DESC LIMIT ?5"
    )
    return await database.query(Person(user_id), ShownSession, sql, user_id, before, now, idle_since, most)


async def purge(database: Database, before: datetime) -> int:
    """Delete sessions that ended before; return how many."""
    return await database.execute(EveryOrg("sessions"), "DELETE FROM sessions WHERE expires_at < ?", before)
