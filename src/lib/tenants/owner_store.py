"""Whose a key may be: teams and members of an organisation, in the store."""

from __future__ import annotations

from lib.store.database import Database
from lib.store.rows import columns
from lib.store.schema import MembershipRow, TeamMemberRow, TeamRow
from lib.store.tenant import Org


async def is_team(database: Database, org_id: str, team_id: str) -> bool:
    """Tell whether an organisation has a team."""
    sql = f"SELECT {columns(TeamRow)} FROM teams WHERE org_id = ? AND id = ?"
    return await database.one(Org(org_id), TeamRow, sql, org_id, team_id) is not None


async def is_member(database: Database, org_id: str, user_id: str) -> bool:
    """Tell whether a person is a member of an organisation."""
    sql = f"SELECT {columns(MembershipRow)} FROM memberships WHERE org_id = ? AND user_id = ?"
    return await database.one(Org(org_id), MembershipRow, sql, org_id, user_id) is not None


async def is_in_team(database: Database, org_id: str, team_id: str, user_id: str) -> bool:
    """Tell whether a person is in a team."""
    sql = f"SELECT {columns(TeamMemberRow)} FROM team_members WHERE org_id = ? AND team_id = ? AND user_id = ?"
    return await database.one(Org(org_id), TeamMemberRow, sql, org_id, team_id, user_id) is not None
