"""An organisation's own roles: sets of permissions with a name."""

from __future__ import annotations

from functools import partial

from lib.collection import Collection
from lib.http.errors import Conflict, PreconditionFailed
from lib.identity import access
from lib.identity.models import Principal
from lib.identity.policy import Role
from lib.services import Services
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


async def create(services: Services, principal: Principal, row: RoleRow) -> RoleRow:
    """Make a role. Raises Forbidden where it would give more than the caller has."""
    access.require_grant(principal, BASE, row.permissions)
    return await ROLE.create(services.work(principal.actor), row)


async def update(services: Services, principal: Principal, row: RoleRow, wanted: RoleRow) -> RoleRow:
    """Change a role, and at once what those may do who have it. Raises Forbidden as above, of both."""
    access.require_grant(principal, BASE, row.permissions)
    access.require_grant(principal, BASE, wanted.permissions)
    return await ROLE.update(services.work(principal.actor), row, wanted)


async def delete(services: Services, principal: Principal, row: RoleRow) -> None:
    """Delete a role, and the invitations to it. Raises Conflict while a member has it."""
    access.require_grant(principal, BASE, row.permissions)
    try:
        deleted = await ROLE.delete(services.work(principal.actor), row, row.version)
    except ForeignKeyViolation:
        raise Conflict("Some members have this role. Give them another first.", code="role_in_use") from None
    if not deleted:
        raise PreconditionFailed()
