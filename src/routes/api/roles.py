"""`/api/v1/orgs/{id}/roles`: an organisation's own roles, beside owner, admin, developer, viewer and billing."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from lib.access.principal import Permission
from lib.http.paging import PageQuery, page_of
from lib.kernel.ids import new_id
from lib.orgs import role_service
from lib.orgs.role_service import ROLE, ROLES
from lib.store.schema import RoleRow
from lib.web.operation import Call, Item, Listing, NoQuery, Plain
from lib.web.route import change, make, read, remove
from routes.schemas import RECENT, Name

_Permissions = Annotated[list[Permission], Field(max_length=len(Permission))]


class CreateRole(BaseModel):
    """A role to make: permissions under a name."""

    model_config = ConfigDict(extra="forbid")
    name: Name
    permissions: _Permissions


class UpdateRole(BaseModel):
    """What to change of a role; what is not named stays."""

    model_config = ConfigDict(extra="forbid")
    name: Name | None = None
    permissions: _Permissions | None = None


class OwnRole(BaseModel):
    """One of an organisation's own roles."""

    id: str
    name: str
    permissions: list[str]
    created_at: datetime
    updated_at: datetime


async def list_roles(call: Call[None, PageQuery]) -> Listing[OwnRole]:
    """List the organisation's own roles, by name."""
    shown, more = await page_of(ROLES, call.parts.database, call.org_id, call.query)
    return Listing([_role(row) for row in shown], more)


async def create_role(call: Call[CreateRole, NoQuery]) -> Item[OwnRole]:
    """Make a role."""
    now, permissions = call.parts.clock.now(), frozenset[str](call.body.permissions)
    row = RoleRow(new_id(now), call.org_id, call.body.name, permissions, 1, now, now)
    return _shown(await role_service.create(call.parts, call.principal, row))


async def get_role(call: Plain) -> Item[OwnRole]:
    """Show one of the organisation's own roles."""
    return _shown(await _wanted(call))


async def update_role(call: Call[UpdateRole, NoQuery]) -> Item[OwnRole]:
    """Change a role's name or permissions."""
    row = await _wanted(call)
    call.match(row.version)
    body = call.body
    permissions = row.permissions if body.permissions is None else frozenset[str](body.permissions)
    changed = replace(row, name=body.name or row.name, permissions=permissions)
    return _shown(await role_service.update(call.parts, call.principal, row, changed))


async def delete_role(call: Plain) -> None:
    """Delete a role that nobody has."""
    row = await _wanted(call)
    call.match(row.version)
    await role_service.delete(call.parts, call.principal, row)


async def _wanted(call: Call[Any, Any]) -> RoleRow:
    return await ROLE.get(call.parts.database, call.org_id, call.path["role_id"])


def _role(row: RoleRow) -> OwnRole:
    fields = {name: getattr(row, name) for name in OwnRole.model_fields}
    return OwnRole.model_validate(fields | {"permissions": sorted(row.permissions)})


def _shown(row: RoleRow) -> Item[OwnRole]:
    return Item(_role(row), row.version)


_MORE = "Nobody gives or takes more than it has itself."
_ALL, _ONE = "/api/v1/orgs/{id}/roles", "/api/v1/orgs/{id}/roles/{role_id}"

ROUTES = [
    read(_ALL, Permission.ROLES_READ, list_roles, "List custom roles", RECENT),
    make(
        _ALL,
        Permission.ROLES_WRITE,
        create_role,
        "Make a custom role",
        f"{_MORE} An organisation has at most {ROLES.most} of them.",
    ),
    read(_ONE, Permission.ROLES_READ, get_role, "Show a custom role"),
    change(
        _ONE,
        Permission.ROLES_WRITE,
        update_role,
        "Change a custom role",
        f"Needs `If-Match` with its ETag. It holds for all who have it from the answer on. {_MORE}",
        errors=(409,),
    ),
    remove(
        _ONE,
        Permission.ROLES_WRITE,
        delete_role,
        "Delete a custom role",
        "One that a member has is kept. Invitations to it go with it.",
        errors=(409, 412),
    ),
]
