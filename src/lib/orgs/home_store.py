"""Where people belong, in the store: the organisation that each begins with, and how one is left."""

from __future__ import annotations

from datetime import datetime

from lib.store.database import Database, Statement
from lib.store.rows import columns
from lib.store.schema import MembershipRow
from lib.store.tenant import Org, Person

_COLUMNS = columns(MembershipRow)
# What is shown of a key that nobody holds.
PERSON_PREFIX = "hg_(person)"
PERSON_NAME = "A member's own calls"
_LEAVING = (
    "FROM memberships WHERE org_id = ? AND user_id = ? AND (role <> 'owner'"
    " OR EXISTS (SELECT 1 FROM memberships AS owners WHERE owners.org_id = ? AND owners.user_id <> ?"
    " AND owners.role = 'owner')"
    " OR NOT EXISTS (SELECT 1 FROM memberships AS others WHERE others.org_id = ? AND others.user_id <> ?))"
)


async def memberships(database: Database, user_id: str) -> list[MembershipRow]:
    """Return where a person belongs, the oldest organisation first. Nobody is in so many that it needs pages."""
    return await database.query(
        Person(user_id),
        MembershipRow,
        f"SELECT {_COLUMNS} FROM memberships WHERE user_id = ? ORDER BY org_id LIMIT 1000",
        user_id,
    )


async def may_leave(database: Database, org_id: str, user_id: str) -> bool:
    """Tell whether a member could leave now: others own the organisation too, or nobody else is in it."""
    sql, values = f"SELECT {_COLUMNS} {_LEAVING}", leaving(org_id, user_id).values
    return bool(await database.query(Org(org_id), MembershipRow, sql, *values))


def leaving(org_id: str, user_id: str) -> Statement:
    """Return the question whether a member could leave now."""
    return Statement(f"SELECT 1 {_LEAVING}", (org_id, user_id) * 3)


def make(org_id: str, name: str, user_id: str, key_id: str, key_hash: str, now: datetime) -> list[Statement]:
    """Return the group that makes an organisation with its owner, and the key on which its calls are counted."""
    return [
        Statement("INSERT INTO orgs (id, name, created_at, updated_at) VALUES (?1, ?2, ?3, ?3)", (org_id, name, now)),
        Statement(
            "INSERT INTO memberships (org_id, user_id, role, created_at, updated_at) VALUES (?1, ?2, 'owner', ?3, ?3)",
            (org_id, user_id, now),
        ),
        Statement(
            "INSERT INTO api_keys (id, org_id, name, prefix, secret_hash, scopes, kind, user_id, created_at,"
            " updated_at) VALUES (?1, ?2, ?3, ?4, ?5, '[]', 'person', ?6, ?7, ?7)",
            (key_id, org_id, PERSON_NAME, PERSON_PREFIX, key_hash, user_id, now),
        ),
    ]


def leave(org_id: str, user_id: str, now: datetime) -> list[Statement]:
    """Return the group that takes a member out. The first changes nothing where others would be left without an owner.

    The member's key stays, revoked: the ledger names it. Where nobody is left, every key there is revoked.
    """
    left = "NOT EXISTS (SELECT 1 FROM memberships WHERE memberships.org_id = ?1 AND memberships.user_id = ?2)"
    return [
        Statement(f"DELETE {_LEAVING}", leaving(org_id, user_id).values),
        Statement(f"DELETE FROM team_members WHERE org_id = ?1 AND user_id = ?2 AND {left}", (org_id, user_id)),
        Statement(
            "UPDATE api_keys SET revoked_at = ?3, version = version + 1, updated_at = ?3"
            f" WHERE org_id = ?1 AND user_id = ?2 AND kind = 'person' AND revoked_at IS NULL AND {left}",
            (org_id, user_id, now),
        ),
        Statement(
            "UPDATE api_keys SET revoked_at = ?2, version = version + 1, updated_at = ?2 WHERE org_id = ?1"
            " AND revoked_at IS NULL"
            " AND NOT EXISTS (SELECT 1 FROM memberships WHERE memberships.org_id = ?1)",
            (org_id, now),
        ),
    ]


def forget_name(org_id: str, now: datetime) -> Statement:
    """Return the statement that takes a person's name out of its organisation's, when nobody is left in it."""
    return Statement(
        "UPDATE orgs SET name = 'Deleted organisation', version = version + 1, updated_at = ?2 WHERE orgs.id = ?1"
        " AND NOT EXISTS (SELECT 1 FROM memberships WHERE memberships.org_id = ?1)",
        (org_id, now),
    )
