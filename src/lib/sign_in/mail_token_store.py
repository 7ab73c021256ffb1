"""What was sent by mail, in the store: only its keyed hash. Each works once, and only the newest of its kind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lib.store.database import Database, Statement
from lib.store.rows import columns
from lib.store.schema import MailTokenRow
from lib.store.tenant import EveryOrg, Presented

_COLUMNS = columns(MailTokenRow)


@dataclass(frozen=True, slots=True)
class NewMailToken:
    """What is written when a token is sent. `email` is where to; `purpose` is one of the schema's."""

    id: str
    user_id: str
    purpose: str
    email: str
    secret_hash: str
    expires_at: datetime
    epoch: int


async def find(database: Database, secret_hash: str) -> MailTokenRow | None:
    """Return a token, used and expired ones too, or None."""
    return await database.one(
        Presented(secret_hash),
        MailTokenRow,
        f"SELECT {_COLUMNS} FROM mail_tokens WHERE secret_hash = ?",
        secret_hash,
    )


def replace(token: NewMailToken, now: datetime) -> list[Statement]:
    """Return the statements that write a token in the place of the person's others for the same purpose."""
    return [
        Statement("DELETE FROM mail_tokens WHERE user_id = ? AND purpose = ?", (token.user_id, token.purpose)),
        Statement(
            "INSERT INTO mail_tokens (id, user_id, purpose, email, secret_hash, expires_at, created_at, updated_at,"
            " epoch) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8)",
            (
                token.id,
                token.user_id,
                token.purpose,
                token.email,
                token.secret_hash,
                token.expires_at,
                now,
                token.epoch,
            ),
        ),
    ]


def is_good(user_id: str, token_id: str) -> Statement:
    """Return the question whether a token is unused, and of the epoch that the account is in."""
    sql = (
        "SELECT 1 FROM mail_tokens JOIN users ON users.id = mail_tokens.user_id WHERE mail_tokens.user_id = ?"
        " AND users.id = ? AND mail_tokens.id = ? AND mail_tokens.used_at IS NULL AND users.epoch = mail_tokens.epoch"
    )
    return Statement(sql, (user_id, user_id, token_id))


def use(user_id: str, token_id: str, now: datetime) -> Statement:
    """Return the statement that uses a token. It stands behind those that ask whether it is unused."""
    return Statement(
        "UPDATE mail_tokens SET used_at = ?1, updated_at = ?1 WHERE user_id = ?2 AND id = ?3 AND used_at IS NULL",
        (now, user_id, token_id),
    )


def drop_all(user_id: str) -> Statement:
    """Return the statement that takes away whatever was sent."""
    return Statement("DELETE FROM mail_tokens WHERE user_id = ?", (user_id,))


async def purge(database: Database, now: datetime) -> int:
    """Delete what has expired; return how many."""
    return await database.execute(EveryOrg("mail_tokens"), "DELETE FROM mail_tokens WHERE expires_at < ?", now)
