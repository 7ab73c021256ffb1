"""People's ways in at other providers, in the store. Held to one person, but for the look-up by what was presented."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from lib.store.database import Database, Statement, StoreError
from lib.store.rows import columns
from lib.store.schema import LoginRow
from lib.store.tenant import Person, Presented

_COLUMNS = columns(LoginRow)


async def find(database: Database, secret_hash: str) -> LoginRow | None:
    """Return the way in with this keyed hash of issuer and subject, or None."""
    sql = f"SELECT {_COLUMNS} FROM logins WHERE secret_hash = ?"
    return await database.one(Presented(secret_hash), LoginRow, sql, secret_hash)


async def move(database: Database, row: LoginRow, new: str, now: datetime) -> None:
    """Store a way in under the hash of the deployment's secret of now. Where the store can't, the next use will."""
    sql = "UPDATE logins SET secret_hash = ?, updated_at = ? WHERE user_id = ? AND id = ? AND secret_hash = ?"
    with suppress(StoreError):
        await database.execute(Person(row.user_id), sql, new, now, row.user_id, row.id, row.secret_hash)


async def of_person(database: Database, user_id: str, most: int) -> list[LoginRow]:
    """Return a person's ways in, the oldest first."""
    sql = f"SELECT {_COLUMNS} FROM logins WHERE user_id = ? ORDER BY id LIMIT ?"
    return await database.query(Person(user_id), LoginRow, sql, user_id, most)


def insert(row: LoginRow) -> Statement:
    """Return the statement that adds a way in."""
    return Statement(
        f"INSERT INTO logins ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (row.id, row.user_id, row.secret_hash, row.issuer, row.subject, row.email, row.created_at, row.updated_at),
    )


# A way in that may go: its person has a password, or another way in.
_MAY_GO = (
    "FROM logins WHERE user_id = ? AND id = ?"
    " AND (EXISTS (SELECT 1 FROM users WHERE users.id = ? AND users.password_hash IS NOT NULL)"
    " OR EXISTS (SELECT 1 FROM logins AS others WHERE others.user_id = ? AND others.id <> ?))"
)


def may_remove(user_id: str, login_id: str) -> Statement:
    """Return the question whether a way in is there and may go: its person has a password, or another way in."""
    return Statement(f"SELECT 1 {_MAY_GO}", (user_id, login_id, user_id, user_id, login_id))


def remove(user_id: str, login_id: str, now: datetime) -> list[Statement]:
    """Return the group that takes a way in away; the last statement does so, unless it is the last way in.

    The first holds the person's row: of two that each leave the other's, the second sees what the first has done.
    """
    return [
        Statement("UPDATE users SET updated_at = ?2 WHERE id = ?1", (user_id, now)),
        Statement(f"DELETE {_MAY_GO}", may_remove(user_id, login_id).values),
    ]


def use_up(user_id: str, mark: str, expires_at: datetime, now: datetime) -> Statement:
    """Return the statement that uses an attempt up: a second one with the same `mark` is a UniqueViolation.

    It lies among the revoked tokens, and goes with those when its time is over.
    """
    return Statement(
        "INSERT INTO revoked_tokens (user_id, jti_hash, expires_at, created_at, updated_at)"
        " VALUES (?1, ?2, ?3, ?4, ?4)",
        (user_id, mark, expires_at, now),
    )
