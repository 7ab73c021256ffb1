"""`/api/v1/orgs/{id}/invitations`: who is asked to join, and `/api/v1/invitations`: joining."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from lib.access import access
from lib.access.principal import SELF, Permission, Principal
from lib.http.context import context_of
from lib.http.paging import PageQuery, page_of
from lib.http.request import Validated
from lib.http.response import Response
from lib.mail import templates
from lib.orgs import invitation_service, member_service
from lib.orgs.invitation_service import Wanted
from lib.orgs.invitation_store import INVITATIONS
from lib.store.schema import InvitationRow
from lib.web import render
from lib.web.app import App
from lib.web.route import NoQuery, act, make, read, remove
from routes.schemas import RECENT, Email, GivenRole, One, Page


class CreateInvitation(GivenRole):
    """Whom to invite, and as what. It can be accepted for a week, where nothing is said.

    `send`: false sends no mail, and the answer has the link, to be handed over by whoever invites.
    """

    email: Email
    expires_in_hours: Annotated[int, Field(ge=1, le=720, strict=True)] = 168
    send: Annotated[bool, Field(strict=True)] = True


class AcceptInvitation(BaseModel):
    """The token that was in the mail."""

    model_config = ConfigDict(extra="forbid")
    token: Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Invitation(BaseModel):
    """An invitation. It is open while it is neither accepted, revoked nor expired."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    email: str
    role: str
    custom_role_id: str | None
    invited_by_user_id: str | None
    expires_at: datetime
    accepted_at: datetime | None
    revoked_at: datetime | None
    mailed: bool
    created_at: datetime


class NewInvitation(Invitation):
    """An invitation that was just made. Where it was not sent by mail, `token` opens it, and `link` is the page where
    one does that (null where the deployment has no PUBLIC_URL). They are told this once.
    """

    token: str | None = None
    link: str | None = None


class Joined(BaseModel):
    """Where the caller is a member now."""

    org_id: str


async def list_invitations(parts: App, request: Validated[None, PageQuery], principal: Principal) -> Response:
    """List invitations, newest first, with those that are not open any more."""
    org_id = access.own_org(principal, Permission.INVITATIONS_READ, request.path["id"])
    shown, more = await page_of(INVITATIONS, parts.database, org_id, request.query)
    return render.page([Invitation.model_validate(row) for row in shown], more)


async def create_invitation(
    parts: App, request: Validated[CreateInvitation, NoQuery], principal: Principal
) -> Response:
    """Invite an address."""
    access.own_org(principal, Permission.INVITATIONS_WRITE, request.path["id"])
    body, context = request.body, context_of(request)
    role = await member_service.wanted_role(parts, principal, body.role, body.custom_role_id)
    wanted = Wanted(body.email, role, body.expires_in_hours, body.send)
    offer = await invitation_service.create(parts, principal, wanted, context)
    fields = Invitation.model_validate(offer.row).model_dump()
    shown = NewInvitation(**fields, token=offer.secret, link=_link(parts, offer.secret))
    place = f"/api/v1/orgs/{offer.row.org_id}/invitations/{offer.row.id}"
    return render.data(shown, status=201, headers={"location": place, "cache-control": "no-store"})


async def get_invitation(parts: App, request: Validated[None, NoQuery], principal: Principal) -> Response:
    """Show one invitation."""
    return _shown(await _wanted(parts, request, principal, Permission.INVITATIONS_READ))


async def revoke_invitation(parts: App, request: Validated[None, NoQuery], principal: Principal) -> Response:
    """Take an invitation back."""
    row = await _wanted(parts, request, principal, Permission.INVITATIONS_WRITE)
    await invitation_service.revoke(parts, principal, row)
    return render.no_content()


async def accept_invitation(
    parts: App, request: Validated[AcceptInvitation, NoQuery], principal: Principal
) -> Response:
    """Become a member."""
    row = await invitation_service.accept_own(parts, principal, request.body.token)
    return render.data(Joined(org_id=row.org_id))


async def _wanted(
    parts: App, request: Validated[Any, NoQuery], principal: Principal, permission: Permission
) -> InvitationRow:
    org_id = access.own_org(principal, permission, request.path["id"])
    return await invitation_service.get(parts, org_id, request.path["invitation_id"])


def _link(parts: App, secret: str | None) -> str | None:
    public_url = parts.config.account.public_url
    return templates.way(public_url, "accept-invitation", secret) if public_url and secret else None


def _shown(row: InvitationRow) -> Response:
    return render.data(Invitation.model_validate(row))


_ALL, _ONE = "/api/v1/orgs/{id}/invitations", "/api/v1/orgs/{id}/invitations/{invitation_id}"

ROUTES = [
    read(_ALL, Permission.INVITATIONS_READ, list_invitations, Page[Invitation], "List invitations", RECENT),
    make(
        _ALL,
        Permission.INVITATIONS_WRITE,
        create_invitation,
        One[NewInvitation],
        "Invite somebody",
        "By mail, before the answer; with `send: false` the answer has the link. An invitation to the same address"
        " that is still open ends with it, so it can be sent again. Nobody invites to more than it may do itself."
        " It can be accepted while whoever has sent it may still do so. A link that was not sent by mail proves no"
        " address: it is confirmed by another mail, or, without mail (`MAIL=none`), believed.",
    ),
    read(_ONE, Permission.INVITATIONS_READ, get_invitation, One[Invitation], "Show an invitation"),
    remove(
        _ONE,
        Permission.INVITATIONS_WRITE,
        revoke_invitation,
        None,
        "Take an invitation back",
        "Its link is of no use from the answer on. Nobody takes back what gives more than it has itself.",
    ),
    act(
        "/api/v1/invitations/actions/accept",
        SELF,
        accept_invitation,
        One[Joined],
        "Accept an invitation",
        "By who has signed in with the address to which it was sent. Who is a member stays what it is.",
        errors=(404,),
    ),
]
