"""`/api/v1/orgs/{id}/teams`: some of an organisation's members under a name."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from lib.access.principal import Permission
from lib.http.paging import PageQuery, page_of
from lib.kernel.errors import PreconditionFailed
from lib.kernel.ids import new_id
from lib.orgs import team_service, team_store
from lib.orgs.team_service import TEAM
from lib.orgs.team_store import TEAMS
from lib.store.schema import TeamRow
from lib.web.operation import Call, Item, Listing, NoQuery, Plain
from lib.web.route import act, change, make, read, remove
from routes.schemas import RECENT, Id, Name


class CreateTeam(BaseModel):
    """A team to make."""

    model_config = ConfigDict(extra="forbid")
    name: Name


class UpdateTeam(CreateTeam):
    """A team's new name."""


class TeamMemberId(BaseModel):
    """One of the organisation's members."""

    model_config = ConfigDict(extra="forbid")
    user_id: Id


class Team(BaseModel):
    """A team."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    name: str
    created_at: datetime
    updated_at: datetime


class TeamMember(BaseModel):
    """Who is in a team, and since when."""

    model_config = ConfigDict(from_attributes=True)
    user_id: str
    name: str
    email: str
    created_at: datetime


class FullTeam(Team):
    """A team with all who are in it."""

    members: list[TeamMember]


async def list_teams(call: Call[None, PageQuery]) -> Listing[Team]:
    """List teams, by name."""
    shown, more = await page_of(TEAMS, call.parts.database, call.org_id, call.query)
    return Listing([Team.model_validate(row) for row in shown], more)


async def create_team(call: Call[CreateTeam, NoQuery]) -> Item[FullTeam]:
    """Make a team."""
    work = call.work
    row = TeamRow(new_id(work.now), call.org_id, call.body.name, 1, work.now, work.now)
    return await _shown(call, await TEAM.create(work, row))


async def get_team(call: Plain) -> Item[FullTeam]:
    """Show a team with its members."""
    return await _shown(call, await _wanted(call))


async def update_team(call: Call[UpdateTeam, NoQuery]) -> Item[FullTeam]:
    """Give a team another name."""
    row = await _wanted(call)
    call.match(row.version)
    renamed = replace(row, name=call.body.name)
    return await _shown(call, await TEAM.update(call.work, row, renamed))


async def delete_team(call: Plain) -> None:
    """Delete a team."""
    row = await _wanted(call)
    call.match(row.version)
    if not await TEAM.delete(call.work, row, row.version):
        raise PreconditionFailed()


async def add_to_team(call: Call[TeamMemberId, NoQuery]) -> Item[FullTeam]:
    """Put a member into a team."""
    row = await _wanted(call)
    call.match(row.version)
    await team_service.add(call.parts, call.principal, row, call.body.user_id)
    return await _shown(call, row)


async def take_from_team(call: Call[TeamMemberId, NoQuery]) -> Item[FullTeam]:
    """Take somebody out of a team."""
    row = await _wanted(call)
    call.match(row.version)
    await team_service.take_out(call.parts, call.principal, row, call.body.user_id)
    return await _shown(call, row)


async def _wanted(call: Call[Any, Any]) -> TeamRow:
    return await TEAM.get(call.parts.database, call.org_id, call.path["team_id"])


async def _shown(call: Call[Any, Any], row: TeamRow) -> Item[FullTeam]:
    members = await team_store.members_of(call.parts.database, row.org_id, row.id)
    shown = [TeamMember.model_validate(who) for who in members]
    return Item(FullTeam(**dict(Team.model_validate(row)), members=shown), row.version)


_TAG = "The ETag is of the team's name: who is in it changes without a new one."
_ALL, _ONE = "/api/v1/orgs/{id}/teams", "/api/v1/orgs/{id}/teams/{team_id}"

ROUTES = [
    read(_ALL, Permission.TEAMS_READ, list_teams, "List teams", RECENT),
    make(
        _ALL, Permission.TEAMS_WRITE, create_team, "Make a team", f"An organisation has at most {TEAMS.most} of them."
    ),
    read(_ONE, Permission.TEAMS_READ, get_team, "Show a team", _TAG),
    change(
        _ONE,
        Permission.TEAMS_WRITE,
        update_team,
        "Rename a team",
        f"Needs `If-Match` with its ETag. {_TAG}",
        errors=(409,),
    ),
    remove(
        _ONE,
        Permission.TEAMS_WRITE,
        delete_team,
        "Delete a team",
        "Its members stay the organisation's.",
        errors=(412,),
    ),
    act(
        f"{_ONE}/actions/add",
        Permission.TEAMS_WRITE,
        add_to_team,
        "Put a member into a team",
        f"Doing it twice is harmless. A team has at most {team_store.MOST_MEMBERS} members.",
        errors=(412,),
    ),
    act(
        f"{_ONE}/actions/remove",
        Permission.TEAMS_WRITE,
        take_from_team,
        "Take a member out of a team",
        "Doing it twice is harmless.",
        errors=(412,),
    ),
]
