"""Invitations in the store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lib.store.database import Database, Statement
from lib.store.schema import InvitationRow
from lib.store.table import Table
from lib.store.tenant import Org, Person, Presented

INVITATIONS = Table("invitations", InvitationRow, most=200)  # that are open
_OPEN = "accepted_at IS NULL AND revoked_at IS NULL AND expires_at > ?"
_HAS_ROOM = "(SELECT count(*) FROM memberships WHERE memberships.user_id = ?) < ?"


@dataclass(frozen=True, slots=True)
class _Email:
    email: str


async def find(database: Database, secret_hash: str) -> InvitationRow | None:
    """Return the invitation of a secret, whatever became of it; None where there is none."""
    sql = f"SELECT {INVITATIONS.columns} FROM invitations WHERE secret_hash = ?"
    return await database.one(Presented(secret_hash), InvitationRow, sql, secret_hash)


async def open_to(database: Database, org_id: str, email: str, now: datetime) -> InvitationRow | None:
    """Return the invitation to an address that is still open, or None: there is one at most."""
    sql = f"SELECT {INVITATIONS.columns} FROM invitations WHERE org_id = ? AND email = ? AND {_OPEN}"
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
    open_ones = (row.org_id, row.org_id, row.email, row.created_at, INVITATIONS.most)
    return Statement(sql, (*open_ones, row.org_id, row.email, instead_of, row.created_at))


def insert(row: InvitationRow, instead_of: str) -> list[Statement]:
    """Return the statements that make an invitation, in the place of the one to the same address that is still open."""
    replaced = (
        "UPDATE invitations SET revoked_at = ?1, updated_at = ?1 WHERE org_id = ?2 AND email = ?3 AND id <> ?4"
        " AND accepted_at IS NULL AND revoked_at IS NULL"
        " AND EXISTS (SELECT 1 FROM invitations AS made WHERE made.org_id = ?2 AND made.id = ?4)"
    )
    made = INVITATIONS.insert_if(row, may_insert(row, instead_of))
    return [made, Statement(replaced, (row.created_at, row.org_id, row.email, row.id))]


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
