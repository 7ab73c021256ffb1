"""`/api/v1/orgs/{id}/teams`: some of an organisation's members under a name."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from lib.access import access
from lib.access.principal import Permission, Principal
from lib.http import etag
from lib.http.paging import PageQuery, page_of
from lib.http.request import Validated
from lib.http.response import Response
from lib.kernel.errors import PreconditionFailed
from lib.kernel.ids import new_id
from lib.orgs import team_service, team_store
from lib.orgs.team_service import TEAM
from lib.orgs.team_store import TEAMS
from lib.store.schema import TeamRow
from lib.web import render
from lib.web.app import App
from lib.web.route import NoQuery, act, change, make, read, remove
from routes.schemas import RECENT, Id, Name, One, Page


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


async def list_teams(parts: App, request: Validated[None, PageQuery], principal: Principal) -> Response:
    """List teams, by name."""
    org_id = access.own_org(principal, Permission.TEAMS_READ, request.path["id"])
    shown, more = await page_of(TEAMS, parts.database, org_id, request.query)
    return render.page([Team(**_fields(row)) for row in shown], more)


async def create_team(parts: App, request: Validated[CreateTeam, NoQuery], principal: Principal) -> Response:
    """Make a team."""
    org_id, work = access.own_org(principal, Permission.TEAMS_WRITE, request.path["id"]), parts.work(principal.actor)
    row = TeamRow(new_id(work.now), org_id, request.body.name, 1, work.now, work.now)
    return await _shown(parts, await TEAM.create(work, row), 201)


async def get_team(parts: App, request: Validated[None, NoQuery], principal: Principal) -> Response:
    """Show a team with its members."""
    return await _shown(parts, await _wanted(parts, request, principal, Permission.TEAMS_READ))


async def update_team(parts: App, request: Validated[UpdateTeam, NoQuery], principal: Principal) -> Response:
    """Give a team another name."""
    row = await _wanted(parts, request, principal, Permission.TEAMS_WRITE)
    etag.required_match(request.headers, row.version)
    renamed = replace(row, name=request.body.name)
    return await _shown(parts, await TEAM.update(parts.work(principal.actor), row, renamed))


async def delete_team(parts: App, request: Validated[None, NoQuery], principal: Principal) -> Response:
    """Delete a team."""
    row = await _wanted(parts, request, principal, Permission.TEAMS_WRITE)
    etag.check_match(request.headers, row.version)
    if not await TEAM.delete(parts.work(principal.actor), row, row.version):
        raise PreconditionFailed()
    return render.no_content()


async def add_to_team(parts: App, request: Validated[TeamMemberId, NoQuery], principal: Principal) -> Response:
    """Put a member into a team."""
    row = await _wanted(parts, request, principal, Permission.TEAMS_WRITE)
    etag.check_match(request.headers, row.version)
    await team_service.add(parts, principal, row, request.body.user_id)
    return await _shown(parts, row)


async def take_from_team(parts: App, request: Validated[TeamMemberId, NoQuery], principal: Principal) -> Response:
    """Take somebody out of a team."""
    row = await _wanted(parts, request, principal, Permission.TEAMS_WRITE)
    etag.check_match(request.headers, row.version)
    await team_service.take_out(parts, principal, row, request.body.user_id)
    return await _shown(parts, row)


async def _wanted(
    parts: App, request: Validated[Any, NoQuery], principal: Principal, permission: Permission
) -> TeamRow:
    org_id = access.own_org(principal, permission, request.path["id"])
    return await TEAM.get(parts.database, org_id, request.path["team_id"])


def _fields(row: TeamRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in Team.model_fields}


async def _shown(parts: App, row: TeamRow, status: int = 200) -> Response:
    members = await team_store.members_of(parts.database, row.org_id, row.id)
    shown = FullTeam.model_validate(_fields(row) | {"members": [TeamMember.model_validate(who) for who in members]})
    return render.versioned(shown, row.version, status, f"/api/v1/orgs/{row.org_id}/teams/{row.id}")


_TAG = "The ETag is of the team's name: who is in it changes without a new one."
_ALL, _ONE = "/api/v1/orgs/{id}/teams", "/api/v1/orgs/{id}/teams/{team_id}"

ROUTES = [
    read(_ALL, Permission.TEAMS_READ, list_teams, Page[Team], "List teams", RECENT),
    make(
        _ALL,
        Permission.TEAMS_WRITE,
        create_team,
        One[FullTeam],
        "Make a team",
        f"An organisation has at most {TEAMS.most} of them.",
    ),
    read(_ONE, Permission.TEAMS_READ, get_team, One[FullTeam], "Show a team", _TAG),
    change(
        _ONE,
        Permission.TEAMS_WRITE,
        update_team,
        One[FullTeam],
        "Rename a team",
        f"Needs `If-Match` with its ETag. {_TAG}",
        errors=(409,),
    ),
    remove(
        _ONE,
        Permission.TEAMS_WRITE,
        delete_team,
        None,
        "Delete a team",
        "Its members stay the organisation's.",
        errors=(412,),
    ),
    act(
        f"{_ONE}/actions/add",
        Permission.TEAMS_WRITE,
        add_to_team,
        One[FullTeam],
        "Put a member into a team",
        f"Doing it twice is harmless. A team has at most {team_store.MOST_MEMBERS} members.",
        errors=(412,),
    ),
    act(
        f"{_ONE}/actions/remove",
        Permission.TEAMS_WRITE,
        take_from_team,
        One[FullTeam],
        "Take a member out of a team",
        "Doing it twice is harmless.",
        errors=(412,),
    ),
]
