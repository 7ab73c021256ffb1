"""Organisations in the store."""

from __future__ import annotations

from datetime import datetime

from lib.store.database import Database, Statement
from lib.store.rows import columns
from lib.store.schema import OrgRow
from lib.store.tenant import Org

_ORG = columns(OrgRow)


async def get_org(database: Database, org_id: str) -> OrgRow | None:
    """Return an organisation, or None where there is none of this id."""
    return await database.one(Org(org_id), OrgRow, f"SELECT {_ORG} FROM orgs WHERE id = ?", org_id)


def update(row: OrgRow) -> Statement:
    """Return the statement that writes what may change of an organisation that is still at the row's version."""
    sql = (
        "UPDATE orgs SET name = ?, time_zone = ?, second_factor_required_at = ?, admission = ?, version = version + 1,"
        " updated_at = ? WHERE id = ? AND version = ?"
    )
    values = row.name, row.time_zone, row.second_factor_required_at, row.admission, row.updated_at, row.id, row.version
    return Statement(sql, values)


def insert(org_id: str, name: str, user_id: str, most: int, now: datetime) -> list[Statement]:
    """Return the group that makes an organisation and its owner, unless the person is in `most` already.

    It stands in one group with what it asks, and so holds on PostgreSQL too, where two at once would both find room.
    """
    return [
        Statement(
            "INSERT INTO orgs (id, name, created_at, updated_at) SELECT ?1, ?2, ?3, ?3"
            " WHERE (SELECT count(*) FROM memberships WHERE memberships.user_id = ?4) < ?5",
            (org_id, name, now, user_id, most),
        ),
        Statement(
            "INSERT INTO memberships (org_id, user_id, role, created_at, updated_at)"
            " SELECT orgs.id, ?2, 'owner', ?3, ?3 FROM orgs WHERE orgs.id = ?1",
            (org_id, user_id, now),
        ),
    ]


def exists(org_id: str) -> Statement:
    """Return the question whether there is an organisation of this id."""
    return Statement("SELECT 1 FROM orgs WHERE id = ?", (org_id,))
