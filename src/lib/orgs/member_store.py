"""Memberships in the store: who belongs to an organisation, and as what.

The last owner stays one: each statement that could unmake an owner finds another one itself. It is never alone in its
group: PostgreSQL runs groups as if one after another, and so two owners can't unmake each other at the same moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lib.store.database import Database, Read, Statement
from lib.store.schema import MembershipRow
from lib.store.tenant import Org, Person


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A member as its organisation sees it. `permissions` are those of its custom role, None where it has none."""

    user_id: str
    email: str
    name: str
    role: str
    custom_role_id: str | None
    permissions: frozenset[str] | None
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class OwnOrgRow:
    """An organisation as one of its members lists it."""

    id: str
    name: str
    role: str
    custom_role_id: str | None
    created_at: datetime


_MEMBER = (
    "SELECT memberships.user_id, users.email, users.name, memberships.role, memberships.custom_role_id,"
    " roles.permissions, memberships.version, memberships.created_at, memberships.updated_at FROM memberships"
    " JOIN users ON users.id = memberships.user_id"
    " LEFT JOIN roles ON roles.org_id = memberships.org_id AND roles.id = memberships.custom_role_id"
)
# Of the row that is changed: it is no owner's, or there is another owner.
_NOT_LAST = (
    "(role <> 'owner' OR EXISTS (SELECT 1 FROM memberships AS others WHERE others.org_id = ?"
    " AND others.user_id <> ? AND others.role = 'owner'))"
)


async def list_members(database: Database, org_id: str, after: str, limit: int) -> list[MemberRow]:
    """Return members whose id is above `after`, in the order in which their accounts were made."""
    sql = f"{_MEMBER} WHERE memberships.org_id = ? AND memberships.user_id > ? ORDER BY memberships.user_id LIMIT ?"
    return await database.query(Org(org_id), MemberRow, sql, org_id, after, limit, read=Read.RECENT)


async def get_member(database: Database, org_id: str, user_id: str) -> MemberRow | None:
    """Return one member, or None."""
    sql = f"{_MEMBER} WHERE memberships.org_id = ? AND memberships.user_id = ?"
    return await database.one(Org(org_id), MemberRow, sql, org_id, user_id)


async def has_member(database: Database, org_id: str, email: str) -> bool:
    """Tell whether somebody with this address is a member."""
    sql = f"{_MEMBER} WHERE memberships.org_id = ? AND users.email = ?"
    return await database.one(Org(org_id), MemberRow, sql, org_id, email) is not None


async def list_orgs(database: Database, user_id: str, after: str, limit: int) -> list[OwnOrgRow]:
    """Return the organisations where a person is a member, whose id is above `after`."""
    sql = (
        "SELECT orgs.id, orgs.name, memberships.role, memberships.custom_role_id, orgs.created_at FROM memberships"
        " JOIN orgs ON orgs.id = memberships.org_id WHERE memberships.user_id = ? AND memberships.org_id > ?"
        " ORDER BY memberships.org_id LIMIT ?"
    )
    return await database.query(Person(user_id), OwnOrgRow, sql, user_id, after, limit)


def may_change(org_id: str, user_id: str, version: int) -> Statement:
    """Return the question whether a member that is still at `version` may be something else, or leave."""
    sql = f"SELECT 1 FROM memberships WHERE org_id = ? AND user_id = ? AND version = ? AND {_NOT_LAST}"
    return Statement(sql, (org_id, user_id, version, org_id, user_id))


def change(changed: MembershipRow) -> Statement:
    """Return the statement that makes a member something else, unless it is another version now, or the last owner."""
    sql = (
        "UPDATE memberships SET role = ?, custom_role_id = ?, version = version + 1, updated_at = ?"
        f" WHERE org_id = ? AND user_id = ? AND version = ? AND {_NOT_LAST}"
    )
    org_id, user_id = changed.org_id, changed.user_id
    values = (changed.role, changed.custom_role_id, changed.updated_at, org_id, user_id, changed.version)
    return Statement(sql, (*values, org_id, user_id))


def remove(org_id: str, user_id: str, version: int) -> list[Statement]:
    """Return the statements that end a membership, unless it is another version now, or the last owner's."""
    sql = f"DELETE FROM memberships WHERE org_id = ? AND user_id = ? AND version = ? AND {_NOT_LAST}"
    left = (
        "DELETE FROM team_members WHERE org_id = ?1 AND user_id = ?2"
        " AND NOT EXISTS (SELECT 1 FROM memberships WHERE org_id = ?1 AND user_id = ?2)"
    )
    return [Statement(sql, (org_id, user_id, version, org_id, user_id)), Statement(left, (org_id, user_id))]
