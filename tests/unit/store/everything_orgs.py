"""What the application asks of its store for organisations and their people."""

from __future__ import annotations

from dataclasses import replace

from lib.http.errors import HeadgateError
from lib.identity import (
    invitation_service,
    invitation_store,
    member_service,
    member_store,
    org_service,
    people,
    person_store,
    role_service,
    team_service,
)
from lib.identity.context import Context
from lib.identity.invitation_service import Wanted
from lib.identity.models import Principal
from lib.identity.people import principal_of
from lib.identity.policy import Role
from lib.identity.role_service import ROLES
from lib.identity.team_service import TEAM
from lib.identity.team_store import TEAMS
from lib.ids import new_id
from lib.services import Services
from lib.store.schema import RoleRow, TeamRow
from tests.unit.fakes import NOW
from tests.unit.store.seeds import seed_membership, seed_person

CONTEXT = Context("request-1")


async def signed_in(services: Services, org_id: str, user_id: str) -> Principal:
    """Return a person as its session would, active in an organisation."""
    await people.ensure_key(services, org_id, user_id)
    row = await person_store.find_person(services.database, user_id, org_id)
    assert row is not None
    assert await person_store.covering_teams(services.database, user_id, org_id) == (row.member_of or "")
    return principal_of(row, org_id, "session", "s" * 36)


async def use_organisations(services: Services, org_id: str) -> None:
    """Run every statement about members, roles, teams, invitations and organisations."""
    owner = await seed_person(services.database, org_id, "owner", "owner@example.com")
    other = await seed_person(services.database, None, "viewer", "other@example.com")
    await seed_membership(services.database, org_id, other.id, "viewer")
    caller = await signed_in(services, org_id, owner.id)
    await _roles(services, caller, other.id)
    await _teams(services, caller, other.id)
    await _invitations(services, caller)
    await member_service.remove(services, caller, await member_service.get(services, org_id, other.id))
    await member_store.list_members(services.database, org_id, "", 20)
    made = await org_service.create(services, caller, "Another")
    await member_store.list_orgs(services.database, owner.id, "", 20)
    try:
        own = await signed_in(services, made.id, owner.id)
        await member_service.leave(services, own, made.id)
    except HeadgateError:  # its last owner
        return
    raise AssertionError("an organisation was left without an owner")


async def _roles(services: Services, caller: Principal, user_id: str) -> None:
    row = RoleRow(new_id(NOW), caller.org_id, "Auditor", frozenset({"audit:read"}), 1, NOW, NOW)
    role = await role_service.create(services, caller, row)
    role = await role_service.update(services, caller, role, replace(role, permissions=frozenset({"usage:read"})))
    member = await member_service.get(services, caller.org_id, user_id)
    await member_service.change(services, caller, member, (Role.ADMIN, None))
    await member_service.wanted_role(services, caller, None, role.id)
    await ROLES.page(services.database, caller.org_id, "", 20)
    await role_service.delete(services, caller, role)


async def _teams(services: Services, caller: Principal, user_id: str) -> None:
    work = services.work(caller.actor)
    team = await TEAM.create(work, TeamRow(new_id(NOW), caller.org_id, "Search", 1, NOW, NOW))
    team = await TEAM.update(work, team, replace(team, name="Finding"))
    await team_service.add(services, caller, team, user_id)
    await team_service.add(services, caller, team, user_id)
    await team_service.take_out(services, caller, team, user_id)
    await TEAMS.page(services.database, caller.org_id, "", 20)
    assert await TEAM.delete(work, await TEAM.get(services.database, caller.org_id, team.id), team.version)


async def _invitations(services: Services, caller: Principal) -> None:
    guest = await seed_person(services.database, None, "viewer", "guest@example.com")
    wanted = Wanted(guest.email, (Role.VIEWER, None), 1)
    row = (await invitation_service.create(services, caller, wanted, CONTEXT)).row
    await invitation_service.find(services, token_in(services), guest.email)
    stranger = replace(caller, org_id="", key_id="", user_id=guest.id, role=None, scopes=frozenset())
    await invitation_service.accept_own(services, stranger, token_in(services))
    await invitation_service.revoke(services, caller, row)
    await invitation_service.get(services, caller.org_id, row.id)
    await invitation_store.list_invitations(services.database, caller.org_id, "~", 20)


def token_in(services: Services) -> str:
    """Return the token of the mail that was sent last."""
    [*_, message] = services.mailer.sent  # type: ignore[attr-defined]
    return str(next(word.rpartition("=")[2] for word in message.text.split() if "hgi_" in word))
