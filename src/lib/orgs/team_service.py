"""Teams: some of an organisation's members under a name."""

from __future__ import annotations

from functools import partial

from lib.access.principal import Principal
from lib.collection import Collection
from lib.events.parts import Parts
from lib.kernel.errors import Conflict
from lib.orgs import member_service, team_store
from lib.orgs.team_store import TEAMS
from lib.store.schema import TeamRow

# Members stay the organisation's when a team is deleted.
TEAM = Collection(
    "team",
    TEAMS,
    ("team.created", "team.changed", "team.deleted"),
    full=partial(Conflict, f"An organisation has at most {TEAMS.most} teams.", code="too_many_teams"),
    named=True,
)


async def add(parts: Parts, principal: Principal, row: TeamRow, user_id: str) -> None:
    """Put a member into a team. Twice is harmless. Raises NotFound for who is no member, Conflict for a full team."""
    await member_service.get(parts, row.org_id, user_id)
    work, event = parts.work(principal.actor), TEAM.event("team.member_added", row, {"user": user_id})
    joining, only_if = team_store.join(row, user_id, work.now), team_store.may_join(row, user_id)
    if await work.commit(event, joining, only_if=only_if):
        return
    inside = {member.user_id for member in await team_store.members_of(parts.database, row.org_id, row.id)}
    if user_id not in inside:
        raise Conflict(f"A team has at most {team_store.MOST_MEMBERS} members.", code="team_full")


async def take_out(parts: Parts, principal: Principal, row: TeamRow, user_id: str) -> None:
    """Take somebody out of a team. Twice is harmless."""
    event, parting = TEAM.event("team.member_removed", row, {"user": user_id}), team_store.part(row, user_id)
    await parts.work(principal.actor).commit(event, parting, only_if=team_store.is_in(row, user_id))
