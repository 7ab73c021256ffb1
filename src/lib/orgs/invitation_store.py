"""Invitations in the store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lib.store.database import Database, Read, Statement
from lib.store.rows import columns
from lib.store.schema import InvitationRow
from lib.store.tenant import Org, Person, Presented

MOST_OPEN = 200
_INVITATION = columns(InvitationRow)
_OPEN = "accepted_at IS NULL AND revoked_at IS NULL AND expires_at > ?"
_HAS_ROOM = "(SELECT count(*) FROM memberships WHERE memberships.user_id = ?) < ?"


@dataclass(frozen=True, slots=True)
class _Email:
    email: str


async def list_invitations(database: Database, org_id: str, before: str, limit: int) -> list[InvitationRow]:
    """Return invitations with an id below `before`, newest first."""
    sql = f"SELECT {_INVITATION} FROM invitations WHERE org_id = ? AND id < ? ORDER BY id DESC LIMIT ?"
    return await database.query(Org(org_id), InvitationRow, sql, org_id, before, limit, read=Read.RECENT)


async def get_invitation(database: Database, org_id: str, invitation_id: str) -> InvitationRow | None:
    """Return one invitation, or None when the organisation has none of this id."""
    sql = f"SELECT {_INVITATION} FROM invitations WHERE org_id = ? AND id = ?"
    return await database.one(Org(org_id), InvitationRow, sql, org_id, invitation_id)


async def find(database: Database, secret_hash: str) -> InvitationRow | None:
    """Return the invitation of a secret, whatever became of it; None where there is none."""
    sql = f"SELECT {_INVITATION} FROM invitations WHERE secret_hash = ?"
    return await database.one(Presented(secret_hash), InvitationRow, sql, secret_hash)


async def open_to(database: Database, org_id: str, email: str, now: datetime) -> InvitationRow | None:
    """Return the invitation to an address that is still open, or None: there is one at most."""
    sql = f"SELECT {_INVITATION} FROM invitations WHERE org_id = ? AND email = ? AND {_OPEN}"
    return await database.one(Org(org_id), InvitationRow, sql, org_id, email, now)


def may_insert(row: InvitationRow, instead_of: str) -> Statement:
    """Return the question whether the organisation may have one more that is open, beside the one to this address.

    That one, which gives way, must be `instead_of`, or there must be none: whoever replaces it was asked about it.
    """
    sql = (
        "SELECT 1 FROM orgs WHERE id = ? AND (SELECT count(*) FROM invitations WHERE org_id = ?"
        f" AND email <> ? AND {_OPEN}) < ?"
        f" AND NOT EXISTS (SELECT 1 FROM invitations WHERE org_id = ? AND email = ? AND id <> ? AND {_OPEN})"
    )
    open_ones = (row.org_id, row.org_id, row.email, row.created_at, MOST_OPEN)
    return Statement(sql, (*open_ones, row.org_id, row.email, instead_of, row.created_at))


def insert(row: InvitationRow, instead_of: str) -> list[Statement]:
    """Return the statements that make an invitation, in the place of the one to the same address that is still open."""
    only_if = may_insert(row, instead_of)
    made = (
        "INSERT INTO invitations (id, org_id, email, role, custom_role_id, invited_by_user_id, secret_hash, expires_at,"
        " created_at, updated_at, mailed, invited_by_key_id) SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?"
        f" WHERE EXISTS ({only_if.sql})"
    )
    values = (
        row.id, row.org_id, row.email, row.role, row.custom_role_id, row.invited_by_user_id, row.secret_hash,
        row.expires_at, row.created_at, row.updated_at, row.mailed, row.invited_by_key_id, *only_if.values,
    )  # fmt: skip
    replaced = (
        "UPDATE invitations SET revoked_at = ?1, updated_at = ?1 WHERE org_id = ?2 AND email = ?3 AND id <> ?4"
        " AND accepted_at IS NULL AND revoked_at IS NULL"
        " AND EXISTS (SELECT 1 FROM invitations AS made WHERE made.org_id = ?2 AND made.id = ?4)"
    )
    return [Statement(made, values), Statement(replaced, (row.created_at, row.org_id, row.email, row.id))]


def is_open(org_id: str, invitation_id: str, now: datetime) -> Statement:
    """Return the question whether an invitation can still be accepted."""
    sql = f"SELECT 1 FROM invitations WHERE org_id = ? AND id = ? AND {_OPEN}"
    return Statement(sql, (org_id, invitation_id, now))


def may_accept(row: InvitationRow, user_id: str, most: int, now: datetime) -> Statement:
    """Return the question whether an invitation is open, and its person in fewer than `most` organisations."""
    opened = is_open(row.org_id, row.id, now)
    return Statement(f"{opened.sql} AND {_HAS_ROOM}", (*opened.values, user_id, most))


def revoke(org_id: str, invitation_id: str, now: datetime) -> Statement:
    """Return the statement that takes back an invitation that is still open."""
    sql = f"UPDATE invitations SET revoked_at = ?, updated_at = ? WHERE org_id = ? AND id = ? AND {_OPEN}"
    return Statement(sql, (now, now, org_id, invitation_id, now))


def end_of_member(org_id: str, user_id: str, email: str, now: datetime) -> Statement:
    """Return the statement that takes back what somebody who is no member any more has sent, and what it was sent."""
    sql = (
        "UPDATE invitations SET revoked_at = ?4, updated_at = ?4 WHERE org_id = ?1"
        " AND (invited_by_user_id = ?2 OR email = ?3) AND accepted_at IS NULL AND revoked_at IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM memberships WHERE memberships.org_id = ?1 AND memberships.user_id = ?2)"
    )
    return Statement(sql, (org_id, user_id, email, now))


def accept(row: InvitationRow, user_id: str, most: int, now: datetime) -> list[Statement]:
    """Return the statements that make somebody a member and use the invitation up, where `may_accept` says so.

    Who is a member already stays what it is: an invitation to less must not take anything from an owner.
    """
    used = (
        "UPDATE invitations SET accepted_at = ?, updated_at = ?"
        f" WHERE org_id = ? AND id = ? AND {_OPEN} AND {_HAS_ROOM}"
    )
    joined = (
        "INSERT INTO memberships (org_id, user_id, role, custom_role_id, created_at, updated_at)"
        " SELECT org_id, ?, role, custom_role_id, ?, ? FROM invitations"
        " WHERE org_id = ? AND id = ? AND accepted_at = ? ON CONFLICT (org_id, user_id) DO NOTHING"
    )
    return [
        Statement(used, (now, now, row.org_id, row.id, now, user_id, most)),
        Statement(joined, (user_id, now, now, row.org_id, row.id, now)),
    ]


async def email_of(database: Database, user_id: str) -> str | None:
    """Return a person's address; None for one who has gone."""
    sql = "SELECT email FROM users WHERE id = ? AND deleted_at IS NULL"
    row = await database.one(Person(user_id), _Email, sql, user_id)
    return row.email if row else None
