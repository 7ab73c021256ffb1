"""Teams: some of an organisation's members under a name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from lib.audit.differences import Detail, differences
from lib.http.errors import Conflict, NotFound, PreconditionFailed
from lib.identity import changes, member_service, team_store
from lib.identity.changes import Change
from lib.identity.context import Context
from lib.identity.models import Principal
from lib.ids import is_id, new_id
from lib.services import Services
from lib.store.database import Statement, UniqueViolation
from lib.store.schema import TeamRow


async def get(services: Services, org_id: str, team_id: str) -> TeamRow:
    """Return one team. Raises NotFound."""
    row = await team_store.get_team(services.database, org_id, team_id) if is_id(team_id) else None
    if row is None:
        raise NotFound("There is no such team.")
    return row


async def create(services: Services, principal: Principal, name: str, context: Context) -> TeamRow:
    """Make a team without members. Raises Conflict for a name that is taken."""
    now = services.clock.now()
    row = TeamRow(new_id(now), principal.org_id, name, 1, now, now)
    only_if, made = team_store.may_insert(row.org_id), differences(None, row)
    if not await _make(services, principal, row, "team.created", only_if, team_store.insert(row), context, made):
        raise Conflict(f"An organisation has at most {team_store.MOST_TEAMS} teams.", code="too_many_teams")
    return row


async def rename(services: Services, principal: Principal, row: TeamRow, name: str, context: Context) -> TeamRow:
    """Give a team another name. Raises PreconditionFailed when somebody else was first."""
    changed = replace(row, name=name, updated_at=services.clock.now())
    only_if = team_store.is_at(row.org_id, row.id, row.version)
    renaming, renamed = team_store.rename(changed), differences(row, changed)
    if not await _make(services, principal, changed, "team.changed", only_if, renaming, context, renamed):
        raise PreconditionFailed()
    return replace(changed, version=row.version + 1)


async def delete(services: Services, principal: Principal, row: TeamRow, context: Context) -> None:
    """Delete a team. Raises PreconditionFailed when it has changed."""
    only_if = team_store.is_at(row.org_id, row.id, row.version)
    gone = team_store.delete(row.org_id, row.id, row.version)
    if not await _make(services, principal, row, "team.deleted", only_if, gone, context, differences(row, None)):
        raise PreconditionFailed()
    await services.gates.accounts_changed(row.org_id)


async def add(services: Services, principal: Principal, row: TeamRow, user_id: str, context: Context) -> None:
    """Put a member into a team. Twice is harmless. Raises NotFound for who is no member, Conflict for a full team."""
    await member_service.get(services, row.org_id, user_id)
    only_if = team_store.may_join(row.org_id, row.id, user_id)
    joining = team_store.join(row.org_id, row.id, user_id, services.clock.now())
    if await _make(services, principal, row, "team.member_added", only_if, joining, context, {"user": user_id}):
        await services.gates.accounts_changed(row.org_id)
        return
    inside = {member.user_id for member in await team_store.members_of(services.database, row.org_id, row.id)}
    if user_id not in inside:
        raise Conflict(f"A team has at most {team_store.MOST_MEMBERS} members.", code="team_full")


async def take_out(services: Services, principal: Principal, row: TeamRow, user_id: str, context: Context) -> None:
    """Take somebody out of a team. Twice is harmless."""
    only_if = team_store.is_in(row.org_id, row.id, user_id)
    parting = team_store.part(row.org_id, row.id, user_id)
    if await _make(services, principal, row, "team.member_removed", only_if, parting, context, {"user": user_id}):
        await services.gates.accounts_changed(row.org_id)


async def _make(
    services: Services,
    principal: Principal,
    row: TeamRow,
    action: str,
    only_if: Statement,
    statement: Statement,
    context: Context,
    details: Mapping[str, Detail],
) -> bool:
    change = Change(action, f"team:{row.id}", only_if, [statement], {"name": row.name, **details})
    try:
        return await changes.make(services, row.org_id, principal.actor, change, context)
    except UniqueViolation:
        raise Conflict("There is a team of this name already.", code="name_taken") from None
