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
    role_store,
    team_service,
    team_store,
)
from lib.identity.context import Context
from lib.identity.invitation_service import Wanted
from lib.identity.models import Principal
from lib.identity.people import principal_of
from lib.identity.policy import Role
from lib.services import Services
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
    role = await role_service.create(services, caller, "Auditor", frozenset({"audit:read"}))
    role = await role_service.update(services, caller, role, "Auditor", frozenset({"usage:read"}))
    member = await member_service.get(services, caller.org_id, user_id)
    await member_service.change(services, caller, member, (Role.ADMIN, None))
    await member_service.wanted_role(services, caller, None, role.id)
    await role_store.list_roles(services.database, caller.org_id, "", 20)
    await role_service.delete(services, caller, role)


async def _teams(services: Services, caller: Principal, user_id: str) -> None:
    team = await team_service.create(services, caller, "Search")
    team = await team_service.rename(services, caller, team, "Finding")
    await team_service.add(services, caller, team, user_id)
    await team_service.add(services, caller, team, user_id)
    await team_service.take_out(services, caller, team, user_id)
    await team_store.list_teams(services.database, caller.org_id, "", 20)
    await team_service.delete(services, caller, await team_service.get(services, caller.org_id, team.id))


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
