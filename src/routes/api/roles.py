"""`/api/v1/orgs/{id}/roles`: an organisation's own roles, beside owner, admin, developer, viewer and billing."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from lib.access import access
from lib.access.principal import Permission, Principal
from lib.http import etag
from lib.http.paging import PageQuery, page_of
from lib.http.request import Validated
from lib.http.response import Response
from lib.kernel.ids import new_id
from lib.orgs import role_service
from lib.orgs.role_service import ROLE, ROLES
from lib.store.schema import RoleRow
from lib.web import render
from lib.web.app import App
from lib.web.route import NoQuery, change, make, read, remove
from routes.schemas import RECENT, Name, One, Page

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


async def list_roles(parts: App, request: Validated[None, PageQuery], principal: Principal) -> Response:
    """List the organisation's own roles, by name."""
    org_id = access.own_org(principal, Permission.ROLES_READ, request.path["id"])
    shown, more = await page_of(ROLES, parts.database, org_id, request.query)
    return render.page([_role(row) for row in shown], more)


async def create_role(parts: App, request: Validated[CreateRole, NoQuery], principal: Principal) -> Response:
    """Make a role."""
    org_id, body = access.own_org(principal, Permission.ROLES_WRITE, request.path["id"]), request.body
    now, permissions = parts.clock.now(), frozenset[str](body.permissions)
    row = RoleRow(new_id(now), org_id, body.name, permissions, 1, now, now)
    return _shown(await role_service.create(parts, principal, row), 201)


async def get_role(parts: App, request: Validated[None, NoQuery], principal: Principal) -> Response:
    """Show one of the organisation's own roles."""
    return _shown(await _wanted(parts, request, principal, Permission.ROLES_READ))


async def update_role(parts: App, request: Validated[UpdateRole, NoQuery], principal: Principal) -> Response:
    """Change a role's name or permissions."""
    row = await _wanted(parts, request, principal, Permission.ROLES_WRITE)
    etag.required_match(request.headers, row.version)
    body = request.body
    permissions = row.permissions if body.permissions is None else frozenset[str](body.permissions)
    changed = replace(row, name=body.name or row.name, permissions=permissions)
    return _shown(await role_service.update(parts, principal, row, changed))


async def delete_role(parts: App, request: Validated[None, NoQuery], principal: Principal) -> Response:
    """Delete a role that nobody has."""
    row = await _wanted(parts, request, principal, Permission.ROLES_WRITE)
    etag.check_match(request.headers, row.version)
    await role_service.delete(parts, principal, row)
    return render.no_content()


async def _wanted(
    parts: App, request: Validated[Any, NoQuery], principal: Principal, permission: Permission
) -> RoleRow:
    org_id = access.own_org(principal, permission, request.path["id"])
    return await ROLE.get(parts.database, org_id, request.path["role_id"])


def _role(row: RoleRow) -> OwnRole:
    fields = {name: getattr(row, name) for name in OwnRole.model_fields}
    return OwnRole.model_validate(fields | {"permissions": sorted(row.permissions)})


def _shown(row: RoleRow, status: int = 200) -> Response:
    return render.versioned(_role(row), row.version, status, f"/api/v1/orgs/{row.org_id}/roles/{row.id}")


_MORE = "Nobody gives or takes more than it has itself."
_ALL, _ONE = "/api/v1/orgs/{id}/roles", "/api/v1/orgs/{id}/roles/{role_id}"

ROUTES = [
    read(_ALL, Permission.ROLES_READ, list_roles, Page[OwnRole], "List custom roles", RECENT),
    make(
        _ALL,
        Permission.ROLES_WRITE,
        create_role,
        One[OwnRole],
        "Make a custom role",
        f"{_MORE} An organisation has at most {ROLES.most} of them.",
    ),
    read(_ONE, Permission.ROLES_READ, get_role, One[OwnRole], "Show a custom role"),
    change(
        _ONE,
        Permission.ROLES_WRITE,
        update_role,
        One[OwnRole],
        "Change a custom role",
        f"Needs `If-Match` with its ETag. It holds for all who have it from the answer on. {_MORE}",
        errors=(409,),
    ),
    remove(
        _ONE,
        Permission.ROLES_WRITE,
        delete_role,
        None,
        "Delete a custom role",
        "One that a member has is kept. Invitations to it go with it.",
        errors=(409, 412),
    ),
]
