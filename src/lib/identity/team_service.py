"""Teams: some of an organisation's members under a name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from lib.audit.differences import differences
from lib.http.errors import Conflict, NotFound, PreconditionFailed
from lib.identity import member_service, team_store
from lib.identity.models import Principal
from lib.ids import is_id, new_id
from lib.kernel.event import Detail, Event
from lib.services import Services
from lib.store.conditions import found
from lib.store.database import Statement, UniqueViolation
from lib.store.schema import TeamRow
from lib.store.scope import Org


async def get(services: Services, org_id: str, team_id: str) -> TeamRow:
    """Return one team. Raises NotFound."""
    row = await team_store.get_team(services.database, org_id, team_id) if is_id(team_id) else None
    if row is None:
        raise NotFound("There is no such team.")
    return row


async def create(services: Services, principal: Principal, name: str) -> TeamRow:
    """Make a team without members. Raises Conflict for a name that is taken."""
    work = services.work(principal.actor)
    row = TeamRow(new_id(work.now), principal.org_id, name, 1, work.now, work.now)
    event, only_if = _event("team.created", row, differences(None, row)), team_store.may_insert(row.org_id)
    with _own_name():
        made = await work.commit(event, team_store.insert(row), only_if=only_if)
    if not made:
        raise Conflict(f"An organisation has at most {team_store.MOST_TEAMS} teams.", code="too_many_teams")
    return row


async def rename(services: Services, principal: Principal, row: TeamRow, name: str) -> TeamRow:
    """Give a team another name. Raises PreconditionFailed when somebody else was first."""
    work = services.work(principal.actor)
    changed = replace(row, name=name, updated_at=work.now)
    event = _event("team.changed", changed, differences(row, changed))
    with _own_name():
        renamed = await work.commit(event, team_store.rename(changed), only_if=_unchanged(row))
    if not renamed:
        raise PreconditionFailed()
    return replace(changed, version=row.version + 1)


async def delete(services: Services, principal: Principal, row: TeamRow) -> None:
    """Delete a team. Raises PreconditionFailed when it has changed."""
    event, gone = _event("team.deleted", row, differences(row, None)), team_store.delete(row)
    if not await services.work(principal.actor).commit(event, gone, only_if=_unchanged(row)):
        raise PreconditionFailed()


async def add(services: Services, principal: Principal, row: TeamRow, user_id: str) -> None:
    """Put a member into a team. Twice is harmless. Raises NotFound for who is no member, Conflict for a full team."""
    await member_service.get(services, row.org_id, user_id)
    work, event = services.work(principal.actor), _event("team.member_added", row, {"user": user_id})
    joining, only_if = team_store.join(row, user_id, work.now), team_store.may_join(row, user_id)
    if await work.commit(event, joining, only_if=only_if):
        return
    inside = {member.user_id for member in await team_store.members_of(services.database, row.org_id, row.id)}
    if user_id not in inside:
        raise Conflict(f"A team has at most {team_store.MOST_MEMBERS} members.", code="team_full")


async def take_out(services: Services, principal: Principal, row: TeamRow, user_id: str) -> None:
    """Take somebody out of a team. Twice is harmless."""
    event, parting = _event("team.member_removed", row, {"user": user_id}), team_store.part(row, user_id)
    await services.work(principal.actor).commit(event, parting, only_if=team_store.is_in(row, user_id))


def _event(name: str, row: TeamRow, details: Mapping[str, Detail]) -> Event:
    return Event(name, Org(row.org_id), f"team:{row.id}", {"name": row.name, **details})


def _unchanged(row: TeamRow) -> Statement:
    return found("teams", row.org_id, row.id, row.version)


@contextmanager
def _own_name() -> Iterator[None]:
    try:
        yield
    except UniqueViolation:
        raise Conflict("There is a team of this name already.", code="name_taken") from None
