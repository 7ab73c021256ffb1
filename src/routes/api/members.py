"""`/api/v1/orgs/{id}/members`: who belongs to an organisation, and as what."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from lib.access import access
from lib.access.principal import Permission, Principal
from lib.http import etag
from lib.http.paging import PageQuery, cut, decode_cursor
from lib.http.request import Validated
from lib.http.response import Response
from lib.orgs import member_service, member_store
from lib.orgs.member_store import MemberRow
from lib.web import render
from lib.web.app import App
from lib.web.route import NoQuery, change, read, remove
from routes.schemas import RECENT, GivenRole, One, Page


class UpdateMember(GivenRole):
    """What a member is to be from now on."""


class Member(BaseModel):
    """A member. Where `custom_role_id` is set, what it may do is told by that role, and not by `role`."""

    model_config = ConfigDict(from_attributes=True)
    user_id: str
    email: str
    name: str
    role: str
    custom_role_id: str | None
    created_at: datetime
    updated_at: datetime


async def list_members(parts: App, request: Validated[None, PageQuery], principal: Principal) -> Response:
    """List members, the oldest accounts first."""
    org_id = access.own_org(principal, Permission.MEMBERS_READ, request.path["id"])
    [after] = decode_cursor(request.query.cursor, [""])
    rows = await member_store.list_members(parts.database, org_id, after, request.query.limit + 1)
    shown, more = cut(rows, request.query.limit, lambda row: [row.user_id])
    return render.page([Member.model_validate(row) for row in shown], more)


async def get_member(parts: App, request: Validated[None, NoQuery], principal: Principal) -> Response:
    """Show one member."""
    org_id = access.own_org(principal, Permission.MEMBERS_READ, request.path["id"])
    return _shown(await member_service.get(parts, org_id, request.path["member_id"]))


async def update_member(parts: App, request: Validated[UpdateMember, NoQuery], principal: Principal) -> Response:
    """Make a member something else."""
    org_id = access.own_org(principal, Permission.MEMBERS_WRITE, request.path["id"])
    row = await member_service.get(parts, org_id, request.path["member_id"])
    etag.required_match(request.headers, row.version)
    wanted = await member_service.wanted_role(parts, principal, request.body.role, request.body.custom_role_id)
    return _shown(await member_service.change(parts, principal, row, wanted))


async def remove_member(parts: App, request: Validated[None, NoQuery], principal: Principal) -> Response:
    """End somebody's membership."""
    org_id = access.own_org(principal, Permission.MEMBERS_WRITE, request.path["id"])
    row = await member_service.get(parts, org_id, request.path["member_id"])
    etag.check_match(request.headers, row.version)
    await member_service.remove(parts, principal, row)
    return render.no_content()


def _shown(row: MemberRow) -> Response:
    return render.versioned(Member.model_validate(row), row.version)


_MORE = "Nobody gives or takes more than it has itself, and only owners change owners. The last owner stays one."
_ALL, _ONE = "/api/v1/orgs/{id}/members", "/api/v1/orgs/{id}/members/{member_id}"

ROUTES = [
    read(_ALL, Permission.MEMBERS_READ, list_members, Page[Member], "List members", RECENT),
    read(_ONE, Permission.MEMBERS_READ, get_member, One[Member], "Show a member"),
    change(
        _ONE,
        Permission.MEMBERS_WRITE,
        update_member,
        One[Member],
        "Change what a member is",
        f"Needs `If-Match` with the member's ETag. It holds from the answer on. {_MORE}",
        errors=(409,),
    ),
    remove(
        _ONE,
        Permission.MEMBERS_WRITE,
        remove_member,
        None,
        "Remove a member",
        f"It holds from the answer on. Keys that the member has made stay the organisation's. {_MORE}",
        errors=(409, 412),
    ),
]
