"""Teams in the store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lib.store.database import Database, Read, Statement
from lib.store.rows import columns
from lib.store.schema import TeamRow
from lib.store.scope import Org

MOST_TEAMS = 200
MOST_MEMBERS = 1_000
_TEAM = columns(TeamRow)


@dataclass(frozen=True, slots=True)
class TeamMemberRow:
    """Who is in a team."""

    user_id: str
    name: str
    email: str
    created_at: datetime


async def list_teams(database: Database, org_id: str, after: str, limit: int) -> list[TeamRow]:
    """Return teams whose name stands behind `after`, by name."""
    sql = f"SELECT {_TEAM} FROM teams WHERE org_id = ? AND name > ? ORDER BY name LIMIT ?"
    return await database.query(Org(org_id), TeamRow, sql, org_id, after, limit, read=Read.RECENT)


async def get_team(database: Database, org_id: str, team_id: str) -> TeamRow | None:
    """Return one team, or None when the organisation has none of this id."""
    return await database.one(
        Org(org_id), TeamRow, f"SELECT {_TEAM} FROM teams WHERE org_id = ? AND id = ?", org_id, team_id
    )


async def members_of(database: Database, org_id: str, team_id: str) -> list[TeamMemberRow]:
    """Return all who are in a team."""
    sql = (
        "SELECT memberships.user_id, users.name, users.email, team_members.created_at FROM team_members"
        " JOIN memberships ON memberships.org_id = team_members.org_id"
        " AND memberships.user_id = team_members.user_id JOIN users ON users.id = memberships.user_id"
        " WHERE team_members.org_id = ? AND team_members.team_id = ? ORDER BY team_members.user_id LIMIT ?"
    )
    return await database.query(Org(org_id), TeamMemberRow, sql, org_id, team_id, MOST_MEMBERS)


def may_insert(org_id: str) -> Statement:
    """Return the question whether the organisation may have one more."""
    sql = "SELECT 1 FROM orgs WHERE id = ? AND (SELECT count(*) FROM teams WHERE org_id = ?) < ?"
    return Statement(sql, (org_id, org_id, MOST_TEAMS))


def insert(row: TeamRow) -> Statement:
    """Return the statement that makes a team, while the organisation may have one more."""
    return Statement(
        "INSERT INTO teams (id, org_id, name, version, created_at, updated_at)"
        " SELECT ?1, ?2, ?3, 1, ?4, ?4 WHERE (SELECT count(*) FROM teams WHERE org_id = ?2) < ?5",
        (row.id, row.org_id, row.name, row.created_at, MOST_TEAMS),
    )


def rename(row: TeamRow) -> Statement:
    """Return the statement that writes the name of a team that is still at the row's version."""
    return Statement(
        "UPDATE teams SET name = ?, version = version + 1, updated_at = ? WHERE org_id = ? AND id = ? AND version = ?",
        (row.name, row.updated_at, row.org_id, row.id, row.version),
    )


def delete(row: TeamRow) -> Statement:
    """Return the statement that deletes a team still at the row's version; its members stay the organisation's."""
    return Statement("DELETE FROM teams WHERE org_id = ? AND id = ? AND version = ?", (row.org_id, row.id, row.version))


# Of a member who is not in the team yet, while there is room.
_JOINABLE = (
    " FROM memberships JOIN teams ON teams.org_id = memberships.org_id"
    " WHERE memberships.org_id = ? AND memberships.user_id = ? AND teams.id = ?"
    " AND (SELECT count(*) FROM team_members WHERE org_id = ? AND team_id = ?) < ?"
    " AND NOT EXISTS (SELECT 1 FROM team_members WHERE org_id = ? AND team_id = ? AND user_id = ?)"
)


def may_join(row: TeamRow, user_id: str) -> Statement:
    """Return the question whether a member may come into a team in which it is not yet."""
    return Statement(f"SELECT 1{_JOINABLE}", _joining(row, user_id))


def join(row: TeamRow, user_id: str, now: datetime) -> Statement:
    """Return the statement that puts a member into a team in which it is not yet, while there is room."""
    sql = (
        "INSERT INTO team_members (org_id, team_id, user_id, created_at, updated_at)"
        f" SELECT memberships.org_id, teams.id, memberships.user_id, ?, ?{_JOINABLE}"
    )
    return Statement(sql, (now, now, *_joining(row, user_id)))


def is_in(row: TeamRow, user_id: str) -> Statement:
    """Return the question whether somebody is in a team."""
    sql = "SELECT 1 FROM team_members WHERE org_id = ? AND team_id = ? AND user_id = ?"
    return Statement(sql, (row.org_id, row.id, user_id))


def part(row: TeamRow, user_id: str) -> Statement:
    """Return the statement that takes somebody out of a team."""
    sql = "DELETE FROM team_members WHERE org_id = ? AND team_id = ? AND user_id = ?"
    return Statement(sql, (row.org_id, row.id, user_id))


def _joining(row: TeamRow, user_id: str) -> tuple[str | int, ...]:
    return (row.org_id, user_id, row.id, row.org_id, row.id, MOST_MEMBERS, row.org_id, row.id, user_id)
