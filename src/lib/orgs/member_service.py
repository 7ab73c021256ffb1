"""The members of an organisation, as those who manage them see and change them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lib.access import access
from lib.access.policy import Role
from lib.access.principal import Principal
from lib.audit.differences import differences
from lib.events.event import Event
from lib.events.parts import Parts
from lib.events.work import Work
from lib.kernel.errors import Conflict, NotFound, PreconditionFailed
from lib.kernel.ids import is_id
from lib.orgs import invitation_store, member_store
from lib.orgs.member_store import MemberRow
from lib.orgs.role_service import BASE, ROLE
from lib.store.database import Statement
from lib.store.schema import MembershipRow
from lib.store.tenant import Org


async def get(parts: Parts, org_id: str, user_id: str) -> MemberRow:
    """Return one member. Raises NotFound, also for people who are no members."""
    row = await member_store.get_member(parts.database, org_id, user_id) if is_id(user_id) else None
    if row is None:
        raise NotFound("There is no such member.")
    return row


async def wanted_role(
    parts: Parts, principal: Principal, role: Role | None, custom_role_id: str | None
) -> tuple[str, str | None]:
    """Return what somebody is to be: a role, and perhaps one of the organisation's own in its place.

    Raises NotFound for a custom role that there is not, Forbidden where the caller would give more than it has.
    """
    if custom_role_id is None:
        access.require_grant(principal, role or BASE, None)
        return role or BASE, None
    custom = await ROLE.get(parts.database, principal.org_id, custom_role_id)
    access.require_grant(principal, BASE, custom.permissions)
    return BASE, custom.id


async def change(parts: Parts, principal: Principal, row: MemberRow, wanted: tuple[str, str | None]) -> MemberRow:
    """Make a member something else, at once. Raises Forbidden, PreconditionFailed, and Conflict for the last owner."""
    access.require_grant(principal, row.role, row.permissions)
    if wanted == (row.role, row.custom_role_id):
        return row
    role, custom_role_id = wanted
    work, org_id = parts.work(principal.actor), principal.org_id
    changed = MembershipRow(org_id, row.user_id, role, row.created_at, work.now, custom_role_id, row.version)
    await _commit(parts, work, org_id, row, "member.changed", changed, [member_store.change(changed)])
    return await get(parts, org_id, row.user_id)


async def remove(parts: Parts, principal: Principal, row: MemberRow) -> None:
    """End somebody's membership, at once. Raises Forbidden, PreconditionFailed, and Conflict for the last owner."""
    access.require_grant(principal, row.role, row.permissions)
    await _end(parts, principal, row, "member.removed")


async def leave(parts: Parts, principal: Principal) -> None:
    """End one's own membership. Raises NotFound, and Conflict for the last owner."""
    await _end(parts, principal, await get(parts, principal.org_id, str(principal.user_id)), "member.left")


async def _end(parts: Parts, principal: Principal, row: MemberRow, name: str) -> None:
    work, org_id = parts.work(principal.actor), principal.org_id
    sent = invitation_store.end_of_member(org_id, row.user_id, row.email, work.now)
    gone = [*member_store.remove(org_id, row.user_id, row.version), sent]
    await _commit(parts, work, org_id, row, name, None, gone)


async def _commit(
    parts: Parts,
    work: Work,
    org_id: str,
    row: MemberRow,
    name: str,
    new: MembershipRow | None,
    statements: Sequence[Statement],
) -> None:
    """Make a change of a member. Raises the error that tells why nothing was done."""
    event = Event(name, Org(org_id), f"user:{row.user_id}", differences(_part(row), new and _part(new)))
    only_if = member_store.may_change(org_id, row.user_id, row.version)
    if await work.commit(event, *statements, only_if=only_if):
        return
    if (await get(parts, org_id, row.user_id)).version != row.version:
        raise PreconditionFailed()
    raise Conflict("An organisation has an owner. Make somebody else an owner first.", code="last_owner")


def _part(row: MemberRow | MembershipRow) -> Mapping[str, str | None]:
    """Return what somebody is in the organisation: nothing that is the person's own."""
    return {"role": row.role, "custom_role": row.custom_role_id}
