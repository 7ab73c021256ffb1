"""People's accounts in the store. A statement is held to one person, but for the look-up by an address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lib.store.database import Database, Statement
from lib.store.rows import columns
from lib.store.schema import UserRow
from lib.store.tenant import EveryOrg, Person, Presented


@dataclass(frozen=True, slots=True)
class _Id:
    id: str


_COLUMNS = columns(UserRow)
_ANONYMOUS = "Deleted account"
# Begins the next epoch. What is pending of an account (links in mails, half a sign-in, a way in that is being added)
# names the epoch in which it was begun, and is void in every other; so is an authenticator that nobody has confirmed.
_NEXT_EPOCH = "epoch = epoch + 1, totp_sealed = CASE WHEN totp_confirmed_at IS NULL THEN NULL ELSE totp_sealed END"


async def find(database: Database, email: str) -> UserRow | None:
    """Return the account with an address, or None."""
    return await database.one(Presented(email), UserRow, f"SELECT {_COLUMNS} FROM users WHERE email = ?", email)


async def get(database: Database, user_id: str) -> UserRow | None:
    """Return an account, or None."""
    return await database.one(Person(user_id), UserRow, f"SELECT {_COLUMNS} FROM users WHERE id = ?", user_id)


async def ids(database: Database, after: str, most: int) -> list[str]:
    """Return the ids behind `after` of accounts that are not deleted, in their order."""
    sql = "SELECT id FROM users WHERE id > ? AND deleted_at IS NULL ORDER BY id LIMIT ?"
    return [row.id for row in await database.query(EveryOrg("users"), _Id, sql, after, most)]


def insert(
    user_id: str,
    email: str,
    name: str,
    password_hash: str | None,
    verified_at: datetime | None,
    now: datetime,
    vouched_at: datetime | None = None,
) -> Statement:
    """Return the statement that makes an account."""
    return Statement(
        "INSERT INTO users (id, email, name, password_hash, email_verified_at, created_at, updated_at, vouched_at)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7)",
        (user_id, email, name, password_hash, verified_at, now, vouched_at),
    )


def rename(user_id: str, version: int, name: str, now: datetime) -> Statement:
    """Return the statement that changes the name of an account that is still at `version`."""
    return Statement(
        "UPDATE users SET name = ?, version = version + 1, updated_at = ? WHERE id = ? AND version = ?",
        (name, now, user_id, version),
    )


def rehash(user_id: str, old: str, new: str, now: datetime) -> Statement:
    """Return the statement that stores the same password at another cost."""
    return Statement(
        "UPDATE users SET password_hash = ?, updated_at = ? WHERE id = ? AND password_hash = ?",
        (new, now, user_id, old),
    )


def has_password(user_id: str, old: str | None) -> Statement:
    """Return the question whether an account still has this password."""
    return Statement("SELECT 1 FROM users WHERE id = ? AND password_hash = ?", (user_id, old))


def set_password(user_id: str, old: str | None, new: str, now: datetime) -> Statement:
    """Return the statement that replaces a password, if it is still `old`. What was begun with that no longer holds."""
    return Statement(
        f"UPDATE users SET password_hash = ?1, signed_out_at = ?2, {_NEXT_EPOCH}, version = version + 1,"
        " updated_at = ?2 WHERE id = ?3 AND password_hash = ?4",
        (new, now, user_id, old),
    )


def reset_password(user_id: str, token_id: str, new: str, now: datetime) -> Statement:
    """Return the statement that sets a password while the token is good. Who has it reads the address's mail."""
    return Statement(
        f"UPDATE users SET password_hash = ?1, signed_out_at = ?2, {_NEXT_EPOCH}, version = version + 1,"
        " updated_at = ?2, email_verified_at = CASE WHEN email_verified_at IS NULL THEN ?2 ELSE email_verified_at END"
        f" WHERE {_by_token(3)}",
        (new, now, user_id, token_id),
    )


def verify_email(user_id: str, token_id: str, now: datetime) -> Statement:
    """Return the statement that notes that the address is the person's, while the token is good."""
    return Statement(
        f"UPDATE users SET email_verified_at = ?1, version = version + 1, updated_at = ?1 WHERE {_by_token(2)}",
        (now, user_id, token_id),
    )


def change_email(user_id: str, token_id: str, email: str, now: datetime) -> Statement:
    """Return the statement that gives an account another address, while the token is good."""
    return Statement(
        f"UPDATE users SET email = ?1, email_verified_at = ?2, {_NEXT_EPOCH}, version = version + 1, updated_at = ?2"
        f" WHERE {_by_token(3)}",
        (email, now, user_id, token_id),
    )


def end_pending(user_id: str, token_id: str, now: datetime) -> Statement:
    """Return the statement by which all that is pending is void, while the token is good."""
    sql = f"UPDATE users SET {_NEXT_EPOCH}, version = version + 1, updated_at = ?1 WHERE {_by_token(2)}"
    return Statement(sql, (now, user_id, token_id))


def sign_out(user_id: str, now: datetime) -> Statement:
    """Return the statement by which all that a person has begun holds no more: access tokens, and what is pending."""
    return Statement(
        f"UPDATE users SET signed_out_at = ?1, {_NEXT_EPOCH}, updated_at = ?1 WHERE id = ?2", (now, user_id)
    )


def in_epoch(user_id: str, epoch: int) -> Statement:
    """Return the question whether what was begun in an epoch may still go on."""
    return Statement("SELECT 1 FROM users WHERE id = ? AND epoch = ?", (user_id, epoch))


def end_sessions(user_id: str, now: datetime) -> list[Statement]:
    """Return the statements that end all sessions and refresh tokens."""
    return [
        Statement(
            "UPDATE sessions SET revoked_at = ?1, updated_at = ?1 WHERE user_id = ?2 AND revoked_at IS NULL",
            (now, user_id),
        ),
        Statement(
            "UPDATE refresh_tokens SET revoked_at = ?1, updated_at = ?1 WHERE user_id = ?2 AND revoked_at IS NULL",
            (now, user_id),
        ),
    ]


def anonymise(user_id: str, now: datetime) -> list[Statement]:
    """Return the statements that end an account for good. Its row stays, for what names its id, without a name."""
    return [
        Statement(
            "UPDATE users SET email = ?1, name = ?2, password_hash = NULL, email_verified_at = NULL, vouched_at = NULL,"
            " epoch = epoch + 1, totp_sealed = NULL, totp_confirmed_at = NULL, totp_step = NULL, signed_out_at = ?3,"
            " deleted_at = ?3, version = version + 1, updated_at = ?3 WHERE id = ?4 AND deleted_at IS NULL",
            (f"{user_id}@deleted.invalid", _ANONYMOUS, now, user_id),
        ),
        Statement("DELETE FROM sessions WHERE user_id = ?", (user_id,)),
        Statement("DELETE FROM refresh_tokens WHERE user_id = ?", (user_id,)),
        Statement("DELETE FROM mail_tokens WHERE user_id = ?", (user_id,)),
        Statement("DELETE FROM recovery_codes WHERE user_id = ?", (user_id,)),
        Statement("DELETE FROM logins WHERE user_id = ?", (user_id,)),
    ]


def _by_token(place: int) -> str:
    """Return the condition of an account (bound at `place`) by a token (behind it) that is unused and of its epoch."""
    return (
        f"id = ?{place} AND EXISTS (SELECT 1 FROM mail_tokens WHERE mail_tokens.user_id = ?{place}"
        f" AND mail_tokens.id = ?{place + 1} AND mail_tokens.used_at IS NULL AND mail_tokens.epoch = users.epoch)"
    )
