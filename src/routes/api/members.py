"""`/api/v1/orgs/{id}/members`: who belongs to an organisation, and as what."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from lib.access.principal import Permission
from lib.http.paging import PageQuery, cut, decode_cursor
from lib.orgs import member_service, member_store
from lib.orgs.member_store import MemberRow
from lib.web.operation import Call, Item, Listing, NoQuery, Plain
from lib.web.route import change, read, remove
from routes.schemas import RECENT, GivenRole


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


async def list_members(call: Call[None, PageQuery]) -> Listing[Member]:
    """List members, the oldest accounts first."""
    [after] = decode_cursor(call.query.cursor, [""])
    rows = await member_store.list_members(call.parts.database, call.org_id, after, call.query.limit + 1)
    shown, more = cut(rows, call.query.limit, lambda row: [row.user_id])
    return Listing([Member.model_validate(row) for row in shown], more)


async def get_member(call: Plain) -> Item[Member]:
    """Show one member."""
    return _shown(await member_service.get(call.parts, call.org_id, call.path["member_id"]))


async def update_member(call: Call[UpdateMember, NoQuery]) -> Item[Member]:
    """Make a member something else."""
    row = await member_service.get(call.parts, call.org_id, call.path["member_id"])
    call.match(row.version)
    wanted = await member_service.wanted_role(call.parts, call.principal, call.body.role, call.body.custom_role_id)
    return _shown(await member_service.change(call.parts, call.principal, row, wanted))


async def remove_member(call: Plain) -> None:
    """End somebody's membership."""
    row = await member_service.get(call.parts, call.org_id, call.path["member_id"])
    call.match(row.version)
    await member_service.remove(call.parts, call.principal, row)


def _shown(row: MemberRow) -> Item[Member]:
    return Item(Member.model_validate(row), row.version)


_MORE = "Nobody gives or takes more than it has itself, and only owners change owners. The last owner stays one."
_ALL, _ONE = "/api/v1/orgs/{id}/members", "/api/v1/orgs/{id}/members/{member_id}"

ROUTES = [
    read(_ALL, Permission.MEMBERS_READ, list_members, "List members", RECENT),
    read(_ONE, Permission.MEMBERS_READ, get_member, "Show a member"),
    change(
        _ONE,
        Permission.MEMBERS_WRITE,
        update_member,
        "Change what a member is",
        f"Needs `If-Match` with the member's ETag. It holds from the answer on. {_MORE}",
        errors=(409,),
    ),
    remove(
        _ONE,
        Permission.MEMBERS_WRITE,
        remove_member,
        "Remove a member",
        f"It holds from the answer on. Keys that the member has made stay the organisation's. {_MORE}",
        errors=(409, 412),
    ),
]
