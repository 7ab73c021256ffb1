"""An organisation's own roles in the store."""

from __future__ import annotations

import json

from lib.store.database import Database, Read, Statement
from lib.store.rows import columns
from lib.store.schema import RoleRow
from lib.store.scope import Org

MOST_ROLES = 100
_ROLE = columns(RoleRow)


async def list_roles(database: Database, org_id: str, after: str, limit: int) -> list[RoleRow]:
    """Return roles whose name stands behind `after`, by name."""
    sql = f"SELECT {_ROLE} FROM roles WHERE org_id = ? AND name > ? ORDER BY name LIMIT ?"
    return await database.query(Org(org_id), RoleRow, sql, org_id, after, limit, read=Read.RECENT)


async def get_role(database: Database, org_id: str, role_id: str) -> RoleRow | None:
    """Return one role, or None when the organisation has none of this id."""
    return await database.one(
        Org(org_id), RoleRow, f"SELECT {_ROLE} FROM roles WHERE org_id = ? AND id = ?", org_id, role_id
    )


def may_insert(org_id: str) -> Statement:
    """Return the question whether the organisation may have one more."""
    sql = "SELECT 1 FROM orgs WHERE id = ? AND (SELECT count(*) FROM roles WHERE org_id = ?) < ?"
    return Statement(sql, (org_id, org_id, MOST_ROLES))


def insert(row: RoleRow) -> Statement:
    """Return the statement that makes a role, while the organisation may have one more."""
    return Statement(
        "INSERT INTO roles (id, org_id, name, permissions, version, created_at, updated_at)"
        " SELECT ?1, ?2, ?3, ?4, 1, ?5, ?5 WHERE (SELECT count(*) FROM roles WHERE org_id = ?2) < ?6",
        (row.id, row.org_id, row.name, json.dumps(sorted(row.permissions)), row.created_at, MOST_ROLES),
    )


def update(row: RoleRow) -> Statement:
    """Return the statement that writes the name and permissions of a role that is still at the row's version."""
    return Statement(
        "UPDATE roles SET name = ?, permissions = ?, version = version + 1, updated_at = ?"
        " WHERE org_id = ? AND id = ? AND version = ?",
        (row.name, json.dumps(sorted(row.permissions)), row.updated_at, row.org_id, row.id, row.version),
    )


def delete(row: RoleRow) -> Statement:
    """Return the statement that deletes a role still at the row's version. One that a member has is not deleted."""
    return Statement("DELETE FROM roles WHERE org_id = ? AND id = ? AND version = ?", (row.org_id, row.id, row.version))
