"""`/api/v1/orgs/{id}/invitations`: who is asked to join, and `/api/v1/invitations`: joining."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from lib.access.principal import SELF, Permission
from lib.http.paging import PageQuery, page_of
from lib.mail import templates
from lib.orgs import invitation_service, member_service
from lib.orgs.invitation_service import Wanted
from lib.orgs.invitation_store import INVITATIONS
from lib.store.schema import InvitationRow
from lib.web.app import App
from lib.web.operation import Call, Listing, NoQuery, Plain
from lib.web.route import act, make, read, remove
from routes.schemas import RECENT, Email, GivenRole


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


async def list_invitations(call: Call[None, PageQuery]) -> Listing[Invitation]:
    """List invitations, newest first, with those that are not open any more."""
    shown, more = await page_of(INVITATIONS, call.parts.database, call.org_id, call.query)
    return Listing([Invitation.model_validate(row) for row in shown], more)


async def create_invitation(call: Call[CreateInvitation, NoQuery]) -> NewInvitation:
    """Invite an address."""
    body, context = call.body, call.context
    role = await member_service.wanted_role(call.parts, call.principal, body.role, body.custom_role_id)
    wanted = Wanted(body.email, role, body.expires_in_hours, body.send)
    offer = await invitation_service.create(call.parts, call.principal, wanted, context)
    fields = Invitation.model_validate(offer.row).model_dump()
    return NewInvitation(**fields, token=offer.secret, link=_link(call.parts, offer.secret))


async def get_invitation(call: Plain) -> Invitation:
    """Show one invitation."""
    return Invitation.model_validate(await _wanted(call))


async def revoke_invitation(call: Plain) -> None:
    """Take an invitation back."""
    row = await _wanted(call)
    await invitation_service.revoke(call.parts, call.principal, row)


async def accept_invitation(call: Call[AcceptInvitation, NoQuery]) -> Joined:
    """Become a member."""
    row = await invitation_service.accept_own(call.parts, call.principal, call.body.token)
    return Joined(org_id=row.org_id)


async def _wanted(call: Call[Any, Any]) -> InvitationRow:
    return await invitation_service.get(call.parts, call.org_id, call.path["invitation_id"])


def _link(parts: App, secret: str | None) -> str | None:
    public_url = parts.config.account.public_url
    return templates.way(public_url, "accept-invitation", secret) if public_url and secret else None


_ALL, _ONE = "/api/v1/orgs/{id}/invitations", "/api/v1/orgs/{id}/invitations/{invitation_id}"

ROUTES = [
    read(_ALL, Permission.INVITATIONS_READ, list_invitations, "List invitations", RECENT),
    make(
        _ALL,
        Permission.INVITATIONS_WRITE,
        create_invitation,
        "Invite somebody",
        "By mail, before the answer; with `send: false` the answer has the link. An invitation to the same address"
        " that is still open ends with it, so it can be sent again. Nobody invites to more than it may do itself."
        " It can be accepted while whoever has sent it may still do so. A link that was not sent by mail proves no"
        " address: it is confirmed by another mail, or, without mail (`MAIL=none`), believed.",
    ),
    read(_ONE, Permission.INVITATIONS_READ, get_invitation, "Show an invitation"),
    remove(
        _ONE,
        Permission.INVITATIONS_WRITE,
        revoke_invitation,
        "Take an invitation back",
        "Its link is of no use from the answer on. Nobody takes back what gives more than it has itself.",
    ),
    act(
        "/api/v1/invitations/actions/accept",
        SELF,
        accept_invitation,
        "Accept an invitation",
        "By who has signed in with the address to which it was sent. Who is a member stays what it is.",
        errors=(404,),
    ),
]
