"""What the application asks of its store for organisations and their people."""

from __future__ import annotations

from dataclasses import replace

from lib.access.policy import Role
from lib.access.principal import Principal
from lib.http.context import Context
from lib.kernel.errors import HeadgateError
from lib.kernel.ids import new_id
from lib.orgs import (
    invitation_service,
    invitation_store,
    member_service,
    member_store,
    org_service,
    role_service,
    team_service,
)
from lib.orgs.invitation_service import Wanted
from lib.orgs.role_service import ROLES
from lib.orgs.team_service import TEAM
from lib.orgs.team_store import TEAMS
from lib.store.schema import RoleRow, TeamRow
from lib.users import people, person_store
from lib.users.people import principal_of
from lib.web.app import App
from tests.unit.fakes import NOW
from tests.unit.store.seeds import seed_membership, seed_person

CONTEXT = Context("request-1")


async def signed_in(parts: App, org_id: str, user_id: str) -> Principal:
    """Return a person as its session would, active in an organisation."""
    await people.ensure_key(parts, org_id, user_id)
    row = await person_store.find_person(parts.database, user_id, org_id)
    assert row is not None
    assert await person_store.covering_teams(parts.database, user_id, org_id) == (row.member_of or "")
    return principal_of(row, org_id, "session", "s" * 36)


async def use_organisations(parts: App, org_id: str) -> None:
    """Run every statement about members, roles, teams, invitations and organisations."""
    owner = await seed_person(parts.database, org_id, "owner", "owner@example.com")
    other = await seed_person(parts.database, None, "viewer", "other@example.com")
    await seed_membership(parts.database, org_id, other.id, "viewer")
    caller = await signed_in(parts, org_id, owner.id)
    await _roles(parts, caller, other.id)
    await _teams(parts, caller, other.id)
    await _invitations(parts, caller)
    await member_service.remove(parts, caller, await member_service.get(parts, org_id, other.id))
    await member_store.list_members(parts.database, org_id, "", 20)
    made = await org_service.create(parts, caller, "Another")
    await member_store.list_orgs(parts.database, owner.id, "", 20)
    try:
        own = await signed_in(parts, made.id, owner.id)
        await member_service.leave(parts, own)
    except HeadgateError:  # its last owner
        return
    raise AssertionError("an organisation was left without an owner")


async def _roles(parts: App, caller: Principal, user_id: str) -> None:
    row = RoleRow(new_id(NOW), caller.org_id, "Auditor", frozenset({"audit:read"}), 1, NOW, NOW)
    role = await role_service.create(parts, caller, row)
    role = await role_service.update(parts, caller, role, replace(role, permissions=frozenset({"usage:read"})))
    member = await member_service.get(parts, caller.org_id, user_id)
    await member_service.change(parts, caller, member, (Role.ADMIN, None))
    await member_service.wanted_role(parts, caller, None, role.id)
    await ROLES.page(parts.database, caller.org_id, "", 20)
    await role_service.delete(parts, caller, role)


async def _teams(parts: App, caller: Principal, user_id: str) -> None:
    work = parts.work(caller.actor)
    team = await TEAM.create(work, TeamRow(new_id(NOW), caller.org_id, "Search", 1, NOW, NOW))
    team = await TEAM.update(work, team, replace(team, name="Finding"))
    await team_service.add(parts, caller, team, user_id)
    await team_service.add(parts, caller, team, user_id)
    await team_service.take_out(parts, caller, team, user_id)
    await TEAMS.page(parts.database, caller.org_id, "", 20)
    assert await TEAM.delete(work, await TEAM.get(parts.database, caller.org_id, team.id), team.version)


async def _invitations(parts: App, caller: Principal) -> None:
    guest = await seed_person(parts.database, None, "viewer", "guest@example.com")
    wanted = Wanted(guest.email, (Role.VIEWER, None), 1)
    row = (await invitation_service.create(parts, caller, wanted, CONTEXT)).row
    await invitation_service.find(parts, token_in(parts), guest.email)
    stranger = replace(caller, org_id="", key_id="", user_id=guest.id, role=None, scopes=frozenset())
    await invitation_service.accept_own(parts, stranger, token_in(parts))
    await invitation_service.revoke(parts, caller, row)
    await invitation_service.get(parts, caller.org_id, row.id)
    await invitation_store.INVITATIONS.page(parts.database, caller.org_id, "~", 20)


def token_in(parts: App) -> str:
    """Return the token of the mail that was sent last."""
    [*_, message] = parts.mailer.sent  # type: ignore[attr-defined]
    return str(next(word.rpartition("=")[2] for word in message.text.split() if "hgi_" in word))
