"""The second factor in the store: the sealed secret of an authenticator, and the hashes of recovery codes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from lib.store.database import Statement


def is_off(user_id: str) -> Statement:
    """Return the question whether codes are not switched on."""
    return Statement("SELECT 1 FROM users WHERE id = ? AND totp_confirmed_at IS NULL", (user_id,))


def is_begun(user_id: str, sealed: str) -> Statement:
    """Return the question whether this secret is the one to confirm."""
    sql = "SELECT 1 FROM users WHERE id = ? AND totp_sealed = ? AND totp_confirmed_at IS NULL"
    return Statement(sql, (user_id, sealed))


def begin(user_id: str, sealed: str, now: datetime) -> Statement:
    """Return the statement that stores a secret which is not confirmed yet. One that is confirmed stays."""
    return Statement(
        "UPDATE users SET totp_sealed = ?1, totp_step = NULL, version = version + 1, updated_at = ?2"
        " WHERE id = ?3 AND totp_confirmed_at IS NULL",
        (sealed, now, user_id),
    )


def confirm(user_id: str, sealed: str, step: int, code_hashes: Iterable[str], now: datetime) -> list[Statement]:
    """Return the statements that switch codes on, if this secret is still the one to confirm, and store recovery codes.

    The codes are written only where the first statement has changed the row: it is known by its time.
    """
    confirmed = "FROM users WHERE users.id = ?1 AND users.totp_confirmed_at = ?2 AND users.totp_sealed = ?3"
    return [
        Statement(
            "UPDATE users SET totp_confirmed_at = ?1, totp_step = ?2, version = version + 1, updated_at = ?1"
            " WHERE id = ?3 AND totp_sealed = ?4 AND totp_confirmed_at IS NULL",
            (now, step, user_id, sealed),
        ),
        Statement(
            f"DELETE FROM recovery_codes WHERE user_id = ?1 AND EXISTS (SELECT 1 {confirmed})", (user_id, now, sealed)
        ),
        *(
            Statement(
                "INSERT INTO recovery_codes (user_id, code_hash, created_at, updated_at)"
                f" SELECT users.id, ?4, ?2, ?2 {confirmed}",
                (user_id, now, sealed, code_hash),
            )
            for code_hash in code_hashes
        ),
    ]


def use_step(user_id: str, step: int, now: datetime) -> Statement:
    """Return the statement that uses a time step's code. It changes nothing where that or a later one was used."""
    return Statement(
        "UPDATE users SET totp_step = ?1, updated_at = ?2 WHERE id = ?3 AND totp_confirmed_at IS NOT NULL"
        " AND (totp_step IS NULL OR totp_step < ?1)",
        (step, now, user_id),
    )


def seal_anew(user_id: str, old: str, new: str, now: datetime) -> Statement:
    """Return the statement that stores the same secret sealed by another key."""
    sql = "UPDATE users SET totp_sealed = ?1, updated_at = ?2 WHERE id = ?3 AND totp_sealed = ?4"
    return Statement(sql, (new, now, user_id, old))


def use_code(user_id: str, code_hash: str, now: datetime) -> Statement:
    """Return the statement that uses a recovery code. It changes nothing where there is none, or it was used."""
    return Statement(
        "UPDATE recovery_codes SET used_at = ?1, updated_at = ?1 WHERE user_id = ?2 AND code_hash = ?3"
        " AND used_at IS NULL",
        (now, user_id, code_hash),
    )


def end(user_id: str, now: datetime) -> list[Statement]:
    """Return the statements that switch codes off."""
    return [
        Statement(
            "UPDATE users SET totp_sealed = NULL, totp_confirmed_at = NULL, totp_step = NULL, version = version + 1,"
            " updated_at = ? WHERE id = ?",
            (now, user_id),
        ),
        Statement("DELETE FROM recovery_codes WHERE user_id = ?", (user_id,)),
    ]
