"""Whose a key may be: teams and members of an organisation, in the store."""

from __future__ import annotations

from dataclasses import dataclass

from lib.store.database import Database
from lib.store.scope import Org


@dataclass(frozen=True, slots=True)
class _Id:
    id: str


async def is_team(database: Database, org_id: str, team_id: str) -> bool:
    """Tell whether an organisation has a team."""
    sql = "SELECT id FROM teams WHERE org_id = ? AND id = ?"
    return await database.one(Org(org_id), _Id, sql, org_id, team_id) is not None


async def is_member(database: Database, org_id: str, user_id: str) -> bool:
    """Tell whether a person is a member of an organisation."""
    sql = "SELECT user_id AS id FROM memberships WHERE org_id = ? AND user_id = ?"
    return await database.one(Org(org_id), _Id, sql, org_id, user_id) is not None


async def is_in_team(database: Database, org_id: str, team_id: str, user_id: str) -> bool:
    """Tell whether a person is in a team."""
    sql = "SELECT user_id AS id FROM team_members WHERE org_id = ? AND team_id = ? AND user_id = ?"
    return await database.one(Org(org_id), _Id, sql, org_id, team_id, user_id) is not None
