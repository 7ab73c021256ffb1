"""`/api/v1/orgs`: organisations, as their members and keys see them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from lib.access.principal import SELF, Permission
from lib.http.paging import PageQuery, cut, decode_cursor
from lib.kernel.names import plain
from lib.kernel.text import PRINTABLE
from lib.orgs import member_service, member_store, org_service
from lib.store.schema import OrgRow
from lib.web.operation import Call, Item, Listing, NoQuery, Plain
from lib.web.route import act, change, make, read

_Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=PRINTABLE),
    AfterValidator(plain),
]
Admission = Literal["exact", "leased"]
_Zone = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=PRINTABLE)]


class CreateOrg(BaseModel):
    """An organisation to make. Who makes it owns it."""

    model_config = ConfigDict(extra="forbid")
    name: _Name


class UpdateOrg(BaseModel):
    """What to change of an organisation; what is not named stays. `time_zone` is IANA's name, as `Europe/Berlin`.

    `require_second_factor`: members without codes at sign-in get 403 `second_factor_required`, until they have them.
    `admission`: `exact` has the organisation's one gate decide of each call; `leased` has gates near the callers too.
    """

    model_config = ConfigDict(extra="forbid")
    name: _Name | None = None
    time_zone: _Zone | None = None
    require_second_factor: Annotated[bool, Field(strict=True)] | None = None
    admission: Admission | None = None


class Org(BaseModel):
    """An organisation. Its days, weeks and months begin at midnight in `time_zone`. `require_second_factor`: its
    members need codes at sign-in; its API keys don't. `admission`: who decides of its calls.
    """

    id: str
    name: str
    time_zone: str
    require_second_factor: bool
    admission: Admission
    created_at: datetime
    updated_at: datetime


class OwnOrg(BaseModel):
    """An organisation where the caller is a member, and as what. `custom_role_id` stands in the place of `role`."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    name: str
    role: str
    custom_role_id: str | None
    created_at: datetime


async def list_orgs(call: Call[None, PageQuery]) -> Listing[OwnOrg]:
    """List the organisations where the caller is a member, the oldest first."""
    [after] = decode_cursor(call.query.cursor, [""])
    limit = call.query.limit
    rows = await member_store.list_orgs(call.parts.database, str(call.principal.user_id), after, limit + 1)
    shown, more = cut(rows, limit, lambda row: [row.id])
    return Listing([OwnOrg.model_validate(row) for row in shown], more)


async def create_org(call: Call[CreateOrg, NoQuery]) -> Item[Org]:
    """Make an organisation."""
    return _shown(await org_service.create(call.parts, call.principal, call.body.name))


async def leave_org(call: Plain) -> None:
    """Leave the organisation."""
    row = await org_service.get(call.parts, call.org_id)
    call.match(row.version)
    await member_service.leave(call.parts, call.principal)


async def get_org(call: Plain) -> Item[Org]:
    """Show the organisation."""
    return _shown(await org_service.get(call.parts, call.org_id))


async def update_org(call: Call[UpdateOrg, NoQuery]) -> Item[Org]:
    """Change the organisation."""
    row = await org_service.get(call.parts, call.org_id)
    call.match(row.version)
    body, required = call.body, row.second_factor_required_at is not None
    wanted = org_service.Settings(
        name=body.name or row.name,
        time_zone=body.time_zone or row.time_zone,
        require_second_factor=required if body.require_second_factor is None else body.require_second_factor,
        admission=body.admission or row.admission,
    )
    return _shown(await org_service.update(call.parts, call.principal, row, wanted))


def _shown(row: OrgRow) -> Item[Org]:
    shown = Org(
        id=row.id,
        name=row.name,
        time_zone=row.time_zone,
        require_second_factor=row.second_factor_required_at is not None,
        admission=cast("Admission", row.admission),  # as the table checks
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
    return Item(shown, row.version)


_OWN = "The organisation in which you are active, by its id or as `current`. There are no others to you."

ROUTES = [
    read(
        "/api/v1/orgs",
        SELF,
        list_orgs,
        "List your organisations",
        "To act in another than the active one, switch the session or ask for tokens with its `org_id`.",
    ),
    make(
        "/api/v1/orgs",
        SELF,
        create_org,
        "Make an organisation",
        "You are its owner. The active organisation stays what it is.",
    ),
    act(
        "/api/v1/orgs/{id}/actions/leave",
        SELF,
        leave_org,
        "Leave the organisation",
        "At once. The last owner can't.",
        errors=(412,),
    ),
    read("/api/v1/orgs/{id}", Permission.ORGS_READ, get_org, "Show the organisation", _OWN),
    change(
        "/api/v1/orgs/{id}",
        Permission.ORGS_WRITE,
        update_org,
        "Change the organisation",
        f"{_OWN} Needs `If-Match` with its ETag. When the time zone changes, the windows of budgets that run keep"
        " what is spent. They end when they would have, or when their last day is over in the new zone too."
        " With `admission: leased`, gates near the callers decide under leases of its limits and budgets. No cap is"
        " passed by that. Switched off, what they hold comes back within seconds, or counts until it does."
        " Whoever asks members for codes at sign-in has them itself: else 409 `totp_not_enabled`.",
        errors=(409, 422),
    ),
]
