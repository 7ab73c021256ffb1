"""`/api/v1/orgs/{id}/invitations`: who is asked to join, and `/api/v1/invitations`: joining."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from lib.http import render
from lib.http.paging import PageQuery, cut, decode_cursor
from lib.http.request import Validated
from lib.http.response import Response
from lib.http.route import NoQuery, Route
from lib.identity import access, invitation_service, invitation_store, member_service
from lib.identity.context import context_of
from lib.identity.models import SELF, Principal, Scope
from lib.services import Services
from lib.store.schema import InvitationRow
from routes.schemas import AFTER_ALL, RECENT, Email, GivenRole, One, Page


class CreateInvitation(GivenRole):
    """Whom to invite, and as what. It can be accepted for a week, where nothing is said."""

    email: Email
    expires_in_hours: Annotated[int, Field(ge=1, le=720, strict=True)] = 168


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
    created_at: datetime


class Joined(BaseModel):
    """Where the caller is a member now."""

    org_id: str


async def list_invitations(services: Services, request: Validated[None, PageQuery], principal: Principal) -> Response:
    """List invitations, newest first, with those that are not open any more."""
    org_id = access.own_org(principal, Scope.INVITATIONS_READ, request.path["id"])
    [before] = decode_cursor(request.query.cursor, [AFTER_ALL])
    rows = await invitation_store.list_invitations(services.database, org_id, before, request.query.limit + 1)
    shown, more = cut(rows, request.query.limit, lambda row: [row.id])
    return render.page([Invitation.model_validate(row) for row in shown], more)


async def create_invitation(
    services: Services, request: Validated[CreateInvitation, NoQuery], principal: Principal
) -> Response:
    """Invite an address by mail."""
    access.own_org(principal, Scope.INVITATIONS_WRITE, request.path["id"])
    body, context = request.body, context_of(request)
    role = await member_service.wanted_role(services, principal, body.role, body.custom_role_id)
    row = await invitation_service.create(services, principal, body.email, role, body.expires_in_hours, context)
    return _shown(row, 201)


async def get_invitation(services: Services, request: Validated[None, NoQuery], principal: Principal) -> Response:
    """Show one invitation."""
    return _shown(await _wanted(services, request, principal, Scope.INVITATIONS_READ))


async def revoke_invitation(services: Services, request: Validated[None, NoQuery], principal: Principal) -> Response:
    """Take an invitation back."""
    row = await _wanted(services, request, principal, Scope.INVITATIONS_WRITE)
    await invitation_service.revoke(services, principal, row, context_of(request))
    return render.no_content()


async def accept_invitation(
    services: Services, request: Validated[AcceptInvitation, NoQuery], principal: Principal
) -> Response:
    """Become a member."""
    row = await invitation_service.accept_own(services, principal, request.body.token, context_of(request))
    return render.data(Joined(org_id=row.org_id))


async def _wanted(
    services: Services, request: Validated[Any, NoQuery], principal: Principal, permission: Scope
) -> InvitationRow:
    org_id = access.own_org(principal, permission, request.path["id"])
    return await invitation_service.get(services, org_id, request.path["invitation_id"])


def _shown(row: InvitationRow, status: int = 200) -> Response:
    made = {"location": f"/api/v1/orgs/{row.org_id}/invitations/{row.id}"} if status == 201 else {}
    return render.data(Invitation.model_validate(row), status=status, headers=made)


_ALL, _ONE = "/api/v1/orgs/{id}/invitations", "/api/v1/orgs/{id}/invitations/{invitation_id}"

ROUTES = [
    Route(
        method="GET",
        path=_ALL,
        handler=list_invitations,
        summary="List invitations",
        description=RECENT,
        responses={200: Page[Invitation]},
        permission=Scope.INVITATIONS_READ,
        query=PageQuery,
    ),
    Route(
        method="POST",
        path=_ALL,
        handler=create_invitation,
        summary="Invite somebody",
        description=(
            "By mail, before the answer. An invitation to the same address that is still open ends with it, so it can"
            " be sent again. Nobody invites to more than it may do itself."
        ),
        responses={201: One[Invitation]},
        permission=Scope.INVITATIONS_WRITE,
        body=CreateInvitation,
        idempotent=True,
    ),
    Route(
        method="GET",
        path=_ONE,
        handler=get_invitation,
        summary="Show an invitation",
        responses={200: One[Invitation]},
        permission=Scope.INVITATIONS_READ,
    ),
    Route(
        method="DELETE",
        path=_ONE,
        handler=revoke_invitation,
        summary="Take an invitation back",
        description="Its link is of no use from the answer on.",
        responses={204: None},
        permission=Scope.INVITATIONS_WRITE,
    ),
    Route(
        method="POST",
        path="/api/v1/invitations/actions/accept",
        handler=accept_invitation,
        summary="Accept an invitation",
        description="By who has signed in with the address to which it was sent. Who is a member stays what it is.",
        responses={200: One[Joined]},
        permission=SELF,
        body=AcceptInvitation,
        idempotent=True,
        errors=(404,),
    ),
]
