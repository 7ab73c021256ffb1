"""An organisation's own roles: sets of permissions with a name."""

from __future__ import annotations

from functools import partial

from lib.access import access
from lib.access.policy import Role
from lib.access.principal import Principal
from lib.collection import Collection
from lib.events.parts import Parts
from lib.kernel.errors import Conflict, PreconditionFailed
from lib.store.database import ForeignKeyViolation
from lib.store.schema import RoleRow
from lib.store.table import Table

# What is beneath a custom role, and seen nowhere else: what somebody is whose custom role says nothing.
BASE = Role.VIEWER

ROLES = Table("roles", RoleRow, most=100, changes=("name", "permissions"), by="name")
ROLE = Collection(
    "role",
    ROLES,
    ("role.created", "role.changed", "role.deleted"),
    full=partial(Conflict, f"An organisation has at most {ROLES.most} roles.", code="too_many_roles"),
    named=True,
)


async def create(parts: Parts, principal: Principal, row: RoleRow) -> RoleRow:
    """Make a role. Raises Forbidden where it would give more than the caller has."""
    access.require_grant(principal, BASE, row.permissions)
    return await ROLE.create(parts.work(principal.actor), row)


async def update(parts: Parts, principal: Principal, row: RoleRow, wanted: RoleRow) -> RoleRow:
    """Change a role, and at once what those may do who have it. Raises Forbidden as above, of both."""
    access.require_grant(principal, BASE, row.permissions)
    access.require_grant(principal, BASE, wanted.permissions)
    return await ROLE.update(parts.work(principal.actor), row, wanted)


async def delete(parts: Parts, principal: Principal, row: RoleRow) -> None:
    """Delete a role, and the invitations to it. Raises Conflict while a member has it."""
    access.require_grant(principal, BASE, row.permissions)
    try:
        deleted = await ROLE.delete(parts.work(principal.actor), row, row.version)
    except ForeignKeyViolation:
        raise Conflict("Some members have this role. Give them another first.", code="role_in_use") from None
    if not deleted:
        raise PreconditionFailed()
