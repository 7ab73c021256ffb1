"""Teams in the store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lib.store.database import Database, Statement
from lib.store.schema import TeamRow
from lib.store.table import Table
from lib.store.tenant import Org

MOST_MEMBERS = 1_000

TEAMS = Table("teams", TeamRow, most=200, changes=("name",), by="name")


@dataclass(frozen=True, slots=True)
class TeamMemberRow:
    """Who is in a team."""

    user_id: str
    name: str
    email: str
    created_at: datetime


async def members_of(database: Database, org_id: str, team_id: str) -> list[TeamMemberRow]:
    """Return all who are in a team."""
    sql = (
        "SELECT memberships.user_id, users.name, users.email, team_members.created_at FROM team_members"
        " JOIN memberships ON memberships.org_id = team_members.org_id"
        " AND memberships.user_id = team_members.user_id JOIN users ON users.id = memberships.user_id"
        " WHERE team_members.org_id = ? AND team_members.team_id = ? ORDER BY team_members.user_id LIMIT ?"
    )
    return await database.query(Org(org_id), TeamMemberRow, sql, org_id, team_id, MOST_MEMBERS)


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
