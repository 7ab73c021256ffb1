"""An organisation's own roles: sets of permissions with a name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from lib.audit.differences import Detail, differences
from lib.http.errors import Conflict, PreconditionFailed
from lib.identity import access, changes, role_store
from lib.identity.changes import Change
from lib.identity.context import Context
from lib.identity.member_service import BASE
from lib.identity.models import Principal
from lib.ids import new_id
from lib.services import Services
from lib.store.database import ForeignKeyViolation, Statement, UniqueViolation
from lib.store.schema import RoleRow


async def create(
    services: Services, principal: Principal, name: str, permissions: frozenset[str], context: Context
) -> RoleRow:
    """Make a role. Raises Forbidden where it would give more than the caller has; Conflict for a name that is taken."""
    access.require_grant(principal, BASE, permissions)
    now = services.clock.now()
    row = RoleRow(new_id(now), principal.org_id, name, permissions, 1, now, now)
    only_if, made = role_store.may_insert(row.org_id), differences(None, row)
    if not await _make(services, principal, row, "role.created", only_if, role_store.insert(row), context, made):
        raise Conflict(f"An organisation has at most {role_store.MOST_ROLES} roles.", code="too_many_roles")
    return row


async def update(
    services: Services, principal: Principal, row: RoleRow, name: str, permissions: frozenset[str], context: Context
) -> RoleRow:
    """Change a role, and at once what those may do who have it. Raises PreconditionFailed when somebody was first."""
    access.require_grant(principal, BASE, row.permissions)
    access.require_grant(principal, BASE, permissions)
    changed = replace(row, name=name, permissions=permissions, updated_at=services.clock.now())
    only_if, written = role_store.is_at(row.org_id, row.id, row.version), role_store.update(changed)
    details = differences(row, changed)
    if not await _make(services, principal, changed, "role.changed", only_if, written, context, details):
        raise PreconditionFailed()
    await services.gates.accounts_changed(principal.org_id)
    return replace(changed, version=row.version + 1)


async def delete(services: Services, principal: Principal, row: RoleRow, context: Context) -> None:
    """Delete a role, and the invitations to it. Raises Conflict while a member has it."""
    access.require_grant(principal, BASE, row.permissions)
    only_if = role_store.is_at(row.org_id, row.id, row.version)
    gone = role_store.delete(row.org_id, row.id, row.version)
    try:
        deleted = await _make(services, principal, row, "role.deleted", only_if, gone, context, differences(row, None))
    except ForeignKeyViolation:
        raise Conflict("Some members have this role. Give them another first.", code="role_in_use") from None
    if not deleted:
        raise PreconditionFailed()


async def _make(
    services: Services,
    principal: Principal,
    row: RoleRow,
    action: str,
    only_if: Statement,
    statement: Statement,
    context: Context,
    details: Mapping[str, Detail],
) -> bool:
    change = Change(action, f"role:{row.id}", only_if, [statement], {"name": row.name, **details})
    try:
        return await changes.make(services, row.org_id, principal.actor, change, context)
    except UniqueViolation:
        raise Conflict("There is a role of this name already.", code="name_taken") from None
